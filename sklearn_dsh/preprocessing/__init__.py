"""From image files and pixels to what the hashers read: resizing, features, sketch tokens."""

from ._edges import EdgeTokens
from ._gf_hog import GFHOGFeatures
from ._hog import HOGFeatures
from ._resize import load_image, resize_images
from ._shelo import SHELOFeatures

__all__ = [
    "EdgeTokens",
    "GFHOGFeatures",
    "HOGFeatures",
    "SHELOFeatures",
    "load_image",
    "resize_images",
]
