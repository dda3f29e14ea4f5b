"""The strokes of sketches and photos and their directions, for the descriptors of sketches."""

import numpy as np
from scipy.ndimage import correlate1d

from ._edges import EdgeTokens
from ._images import grey_batch
from ._resize import load_image, resize_images

# A file is a photo where the channels of a pixel differ by more grey levels than this: what is
# less is a compressed or resized grey value.
_GREY_TOLERANCE = 16


def read_strokes(rows, size, edges):
    """Draw images of one size as strokes.

    Parameters
    ----------
    rows : ndarray
        Images or paths, as `check_images` lets them through.
    size : int
        Height and width of the result.
    edges : {"auto", True, False}
        Whether the strokes are the edges of an image (True) or its dark pixels (False); "auto"
        takes the edges of colour images: arrays with three channels, files that are not grey.

    Returns
    -------
    ink : ndarray of float32, shape (n, size, size)
        1 where a stroke is black, 0 on white.
    """
    drawings = _draw(np.asarray(rows), size, edges)
    return (255 - drawings).astype(np.float32) / 255


def _draw(rows, size, edges):
    if not edges:
        return grey_batch(rows, 0, len(rows), size)
    if rows.ndim == 4:
        return EdgeTokens().transform(resize_images(rows, size))
    if rows.ndim == 1:
        colour = np.stack([load_image(path, size) for path in rows])
        drawings = colour[..., 0]
        is_photo = (np.ptp(colour, axis=3) > _GREY_TOLERANCE).any(axis=(1, 2))
    else:
        drawings = resize_images(rows, size)
        colour = np.broadcast_to(drawings[..., None], (*drawings.shape, 3))
        is_photo = np.zeros(len(rows), dtype=bool)
    is_photo |= edges != "auto"
    if is_photo.any():
        drawings = drawings.copy()
        drawings[is_photo] = EdgeTokens().transform(colour[is_photo])
    return drawings


def stroke_directions(ink):
    """Direction of the stroke at each pixel, in the double-angle representation.

    The squared gradient, turned by 90 degrees to lie along the stroke. Its angle is twice that of
    the stroke (0 for a horizontal one, counter-clockwise), so that both flanks of a stroke, whose
    gradients are opposite, have one value and can be added up.

    Parameters
    ----------
    ink : ndarray of float, shape (n, height, width)

    Returns
    -------
    directions : ndarray of complex64, shape (n, height, width)
        Its length is the square of the gradient's.
    """
    slope, weights = [-0.5, 0, 0.5], [0.25, 0.5, 0.25]  # Sobel's masks
    down = correlate1d(correlate1d(ink, slope, axis=1), weights, axis=2)
    right = correlate1d(correlate1d(ink, slope, axis=2), weights, axis=1)
    return -((right - 1j * down).astype(np.complex64) ** 2)


def soft_bins(directions, n_bins):
    """Share each direction between the two nearest of n_bins directions.

    Parameters
    ----------
    directions : ndarray of complex, shape (...)
        In the double-angle representation. Bin i is for strokes of ``180 * i / n_bins`` degrees.
    n_bins : int
        At least 2.

    Returns
    -------
    votes : ndarray of float, shape (..., n_bins)
        The votes of one direction add up to its length.
    """
    position = np.angle(directions)[..., None] * np.float32(n_bins / (2 * np.pi)) % n_bins
    distance = np.abs(position - np.arange(n_bins, dtype=np.float32))
    distance = np.minimum(distance, n_bins - distance)
    return np.maximum(0, 1 - distance) * np.abs(directions)[..., None]
