"""From image files and pixels to what the hashers read: resizing, HOG features, sketch tokens."""

from ._edges import EdgeTokens
from ._hog import HOGFeatures
from ._resize import load_image, resize_images

__all__ = ["EdgeTokens", "HOGFeatures", "load_image", "resize_images"]
