"""What the image transformers accept, and how they walk through it."""

import numpy as np

from .._arrays import plain_array
from .._documentation import DocumentationLink
from ._resize import load_image, resize_images

SMALLEST_SIDE = 32


class ImageInputMixin(DocumentationLink):
    """Tags and link of transformers that take what `check_images` lets through."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


def check_images(X, *, accept_grey=True, accept_paths=True):
    """Check that X is a batch of images or of paths, without reading or copying it.

    Parameters
    ----------
    X : array-like
        uint8 images of shape (n, height, width) or (n, height, width, 3), or image paths of
        shape (n,). Anything with `shape`, `dtype`, `ndim` and rows will do (a memmap, say).
    accept_grey, accept_paths : bool, default=True
        Whether (n, height, width) images and paths are allowed.

    Returns
    -------
    X : array-like
        The same object, or an array made from a list or a Series.

    Raises
    ------
    ValueError
        If X is something else or has no row.
    """
    X = plain_array(X, "X")
    if hasattr(X, "iloc") or not (hasattr(X, "shape") and hasattr(X, "dtype")):
        X = np.asarray(X)  # a Series would give rows by its labels
    ndim = len(X.shape)
    if ndim == 1 and accept_paths and X.dtype.kind in "OUT" and X.shape[0]:
        return X
    colour = ndim == 4 and X.shape[3] == 3
    grey = ndim == 3 and accept_grey
    if not (colour or grey) or min(X.shape[1:3]) < SMALLEST_SIDE:
        expected = ["(n, height, width, 3)"]
        if accept_grey:
            expected.insert(0, "(n, height, width)")
        paths = ", or image paths of shape (n,)" if accept_paths else ""
        raise ValueError(
            f"X of shape {tuple(X.shape)} and dtype {X.dtype} are no images: expected uint8 of "
            f"shape {' or '.join(expected)}, at least {SMALLEST_SIDE} x {SMALLEST_SIDE}{paths}."
        )
    if X.dtype != np.uint8:
        raise ValueError(
            f"Images of dtype {X.dtype}: expected uint8 values from 0 to 255. Scale them and use "
            "X.astype(np.uint8)."
        )
    if X.shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={tuple(X.shape)}): no image given.")
    return X


def grey_batch(X, start, stop, size):
    """Read rows start to stop of what `check_images` let through, as grey images.

    Parameters
    ----------
    X : array-like of images or paths
    start, stop : int
    size : int
        Height and width of the result.

    Returns
    -------
    images : ndarray of uint8, shape (stop - start, size, size)
    """
    rows = np.asarray(X[start:stop])
    if rows.ndim == 1:
        return np.stack([load_image(path, size, "L") for path in rows])
    if rows.ndim == 4:
        rows = to_grey(rows)
    return resize_images(rows, size)


def to_grey(photos):
    """Grey values of colour images by Pillow's weights (ITU-R 601-2 luma).

    Parameters
    ----------
    photos : ndarray of uint8, shape (n, height, width, 3)

    Returns
    -------
    grey : ndarray of uint8, shape (n, height, width)
    """
    red, green, blue = (photos[..., i].astype(np.uint32) for i in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
