"""Sketches and photos: synthetic, in folders, the research data sets; vectors of their names."""

from ._folder import load_sketch_photo_folder
from ._quickdraw import load_quickdraw
from ._sketchy import load_sketchy
from ._synthetic import make_sketch_photo
from ._tu_berlin import load_tu_berlin
from ._word_vectors import encode_class_names, load_class_vectors
from ._zero_shot_split import zero_shot_split

__all__ = [
    "encode_class_names",
    "load_class_vectors",
    "load_quickdraw",
    "load_sketch_photo_folder",
    "load_sketchy",
    "load_tu_berlin",
    "make_sketch_photo",
    "zero_shot_split",
]
