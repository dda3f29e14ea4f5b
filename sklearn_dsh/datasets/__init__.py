"""Sketches and photos to try methods on: synthetic drawings, and folders on disk."""

from ._folder import load_sketch_photo_folder
from ._synthetic import make_sketch_photo

__all__ = ["load_sketch_photo_folder", "make_sketch_photo"]
