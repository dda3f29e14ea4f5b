"""Sketches and photos: synthetic drawings, folders on disk, and the research data sets."""

from ._folder import load_sketch_photo_folder
from ._quickdraw import load_quickdraw
from ._sketchy import load_sketchy
from ._synthetic import make_sketch_photo
from ._tu_berlin import load_tu_berlin

__all__ = [
    "load_quickdraw",
    "load_sketch_photo_folder",
    "load_sketchy",
    "load_tu_berlin",
    "make_sketch_photo",
]
