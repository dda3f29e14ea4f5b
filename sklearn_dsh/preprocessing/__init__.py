"""From image files and pixels to what the hashers read: resizing, features, sketch tokens."""

from ._edges import EdgeTokens
from ._gf_hog import GFHOGFeatures
from ._hog import HOGFeatures
from ._resize import load_image, resize_images
from ._shelo import SHELOFeatures
from ._sketch_tokenizer import SketchTokenizer

__all__ = [
    "EdgeTokens",
    "GFHOGFeatures",
    "HOGFeatures",
    "SHELOFeatures",
    "SketchTokenizer",
    "load_image",
    "resize_images",
]
