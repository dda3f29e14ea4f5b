"""Contour maps as lines: directions, thinning, and maps that were computed at some pixels only."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

# Width of the smoothing before the direction of a line is taken.
_DIRECTION_SIGMA = 1.5
# Interpolation rounds: what exceeds its neighbour by less is level with it.
_ROUNDING = 1e-5


def line_ridges(strength):
    """Whether each pixel is the largest across the line that it is on.

    Parameters
    ----------
    strength : ndarray of float32, shape (height, width)
        Bands that are highest in the middle, such as probabilities of contours.

    Returns
    -------
    ridges : ndarray of bool, shape (height, width)
        Lines about one pixel wide.
    """
    smooth = gaussian_filter(strength, _DIRECTION_SIGMA)
    down, right = np.gradient(smooth)
    down_down, down_right = np.gradient(down)
    right_right = np.gradient(right, axis=1)
    # The eigenvector of the smallest curvature points across a line that is bright.
    angle = np.arctan2(2 * down_right, right_right - down_down) / 2 + np.float32(np.pi / 2)
    step = np.stack([np.sin(angle), np.cos(angle)])
    # Beyond the photo it goes on as it ends: the border is no line.
    before, after = (
        map_coordinates(strength, np.indices(strength.shape) + sign * step, order=1, mode="nearest")
        for sign in (-1, 1)
    )
    # Of two equals side by side one is left.
    return (strength >= before - _ROUNDING) & (strength > after + _ROUNDING)


def fill_between(values, rows, columns, shape):
    """Linear interpolation from a grid of pixels to all.

    Parameters
    ----------
    values : ndarray of float32, shape (n_rows, n_columns)
    rows, columns : ndarray of int
        Where they are, ascending.
    shape : (height, width)

    Returns
    -------
    filled : ndarray of float32, shape (height, width)
        Beyond the first and the last one, the nearest value.
    """
    return _weights(rows, shape[0]) @ values @ _weights(columns, shape[1]).T


def _weights(places, length):
    identity = np.eye(len(places))
    columns = [np.interp(np.arange(length), places, unit) for unit in identity]
    return np.column_stack(columns).astype(np.float32)
