"""The rotation of iterative quantisation, which all hashers that learn one share."""

import numpy as np
from scipy.linalg import svd


def itq_rotation(projected, n_bits, *, n_iter=50, random_state):
    """Rotate projected data so that little is lost by taking signs.

    Alternates between B = sign(V R) and the R with orthonormal rows or columns that brings V R
    nearest to B [1]_. The square case minimises the published quantisation loss ||B - V R||^2.
    With more bits than directions R is rectangular with orthonormal *rows*, and each V R is a
    tight frame of V; the loss then is the same up to a constant, because ||V R|| = ||V||.

    Parameters
    ----------
    projected : ndarray of float, shape (n, n_directions)
        V, centred.
    n_bits : int
        At least n_directions.
    n_iter : int, default=50
        Number of alternations.
    random_state : RandomState
        Draws the first rotation.

    Returns
    -------
    rotation : ndarray of float, shape (n_directions, n_bits)
        R, with R R' = I.
    losses : list of float, length n_iter + 1
        ||sign(V R) - V R||^2 / n before each update and after the last; never increasing.

    References
    ----------
    .. [1] Y. Gong, S. Lazebnik, A. Gordo, F. Perronnin, "Iterative Quantization: A Procrustean
       Approach to Learning Binary Codes for Large-Scale Image Retrieval", TPAMI 35(12), 2013.
    """
    n, n_directions = projected.shape
    start = random_state.standard_normal((n_bits, n_directions))
    rotation = _nearest_orthonormal(start.T)
    losses = []
    for _ in range(n_iter):
        signs, loss = _quantise(projected, rotation)
        losses.append(loss / n)
        rotation = _nearest_orthonormal(projected.T @ signs)
    losses.append(_quantise(projected, rotation)[1] / n)
    return rotation, losses


def _quantise(projected, rotation):
    values = projected @ rotation
    signs = np.where(values >= 0, 1.0, -1.0)
    return signs, np.sum((signs - values) ** 2)


def _nearest_orthonormal(matrix):
    """The matrix with orthonormal rows nearest to a wide one (Procrustes)."""
    left, _, right = svd(matrix, full_matrices=False)
    return left @ right
