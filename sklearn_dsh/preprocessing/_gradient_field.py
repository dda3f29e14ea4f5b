"""The gradient field of a drawing and its histograms, of which `GFHOGFeatures` makes words."""

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter

from ._strokes import stroke_directions

_GRID = 3  # cells along each side of a window


def edge_directions(ink):
    """Directions of drawings at their stroke pixels.

    A stroke pixel is at least half as dark as the drawing's strokes are on the whole; in the inside
    of a filled shape, where no gradient tells a direction, there is none.

    Parameters
    ----------
    ink : ndarray of float, shape (n, height, width)
        1 for black.

    Returns
    -------
    directions : ndarray of complex64, shape (n, height, width)
        In the double-angle representation, of length 1; 0 elsewhere.
    on_stroke : ndarray of bool, shape (n, height, width)
    """
    directions = gaussian_filter(stroke_directions(ink), (0, 1, 1))
    strength = np.abs(directions)
    darkness = (ink**2).sum(axis=(1, 2)) / np.maximum(ink.sum(axis=(1, 2)), 1)
    # Less than a twentieth of black is no stroke but noise on the paper.
    on_stroke = ink >= np.maximum(darkness / 2, 0.05)[:, None, None]
    on_stroke &= strength > 0.01 * strength.max(axis=(1, 2), keepdims=True)
    return directions / np.where(on_stroke, strength, np.inf), on_stroke


def harmonic_field(values, known):
    """Fill a square image smoothly: each unknown pixel is the mean of its neighbours.

    Parameters
    ----------
    values : ndarray of complex, shape (size, size)
        Read where they are known.
    known : ndarray of bool, shape (size, size)

    Returns
    -------
    field : ndarray of complex128, shape (size, size)
        Zero if nothing is known.
    """
    if not known.any():
        return np.zeros(values.shape, dtype=np.complex128)
    size = len(known)
    free = ~known
    fixed = np.where(known, values, 0).astype(np.complex128)
    # Laplace's matrix is banded: a pixel's neighbours are one pixel or one row away. Rows of known
    # pixels are those of the identity; what they give their free neighbours is the right side.
    right, below = free[:, :-1] & free[:, 1:], free[:-1] & free[1:]
    matrix = np.zeros((size + 1, size, size))
    matrix[1, :, :-1] -= right
    matrix[size, :-1] -= below
    n_neighbours = np.pad(np.full((size - 2, size - 2), 4), 1, constant_values=3)
    n_neighbours[[0, 0, -1, -1], [0, -1, 0, -1]] = 2
    matrix[0] = np.where(free, n_neighbours, 1)
    given = np.pad(fixed, 1)
    given = given[:-2, 1:-1] + given[2:, 1:-1] + given[1:-1, :-2] + given[1:-1, 2:]
    side = np.where(free, given, fixed).ravel()
    solved = solveh_banded(
        matrix.reshape(size + 1, -1),
        np.column_stack([side.real, side.imag]),
        overwrite_ab=True,
        overwrite_b=True,
        lower=True,
        check_finite=False,
    )
    return (solved[:, 0] + 1j * solved[:, 1]).reshape(values.shape)


def window_histograms(votes, centres, cell):
    """Histograms of 3 x 3 cells around points, normalised to unit length.

    Parameters
    ----------
    votes : ndarray of float, shape (size, size, orientations)
    centres : ndarray of float, shape (n, 2)
        Rows and columns; pixel i reaches from i to i + 1.
    cell : float
        Height and width of a cell. What of a window lies beyond the image counts nothing.

    Returns
    -------
    histograms : ndarray of float32, shape (n, 9 * orientations)
    """
    size = len(votes)
    sums = np.pad(votes, ((1, 0), (1, 0), (0, 0))).astype(np.float64).cumsum(0).cumsum(1)
    borders = centres[:, :, None] + (np.arange(_GRID + 1) - _GRID / 2) * cell
    borders = np.clip(borders, 0, size)
    whole = np.minimum(borders.astype(int), size - 1)
    part = borders - whole
    # The sum over a rectangle that cuts pixels: linear between those over whole pixels.
    corners = 0
    for i in (0, 1):
        for j in (0, 1):
            share_down, share_right = (
                np.abs(1 - k - part[:, axis]) for axis, k in enumerate((i, j))
            )
            corner = sums[whole[:, 0, :, None] + i, whole[:, 1, None, :] + j]
            corners = corners + (share_down[:, :, None] * share_right[:, None])[..., None] * corner
    histograms = np.diff(np.diff(corners, axis=1), axis=2)
    histograms = histograms.reshape(len(centres), _GRID**2 * votes.shape[2])
    length = np.linalg.norm(histograms, axis=1, keepdims=True)
    return (histograms / np.where(length > 0, length, 1)).astype(np.float32)
