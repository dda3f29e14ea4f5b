"""What the hashers have in common whose hash functions are linear, one matrix a view."""

import numpy as np
from scipy.linalg import svd
from scipy.sparse.linalg import svds

from ..base import BaseCrossModalHasher


class LinearHasher(BaseCrossModalHasher):
    """Base of hashers that set `means_` and `weights_`, each a dict of view to array."""

    def _project_view(self, X, view):
        return (X - self.means_[view]) @ self.weights_[view]


def refuse_one_class(classes):
    """ValueError if there is but one."""
    if len(classes) < 2:
        raise ValueError(
            f"Only one class, {classes.item()!r}, in y: categories can only be told apart if there "
            "are at least two."
        )


def spread_directions(directions, n_bits, random_state):
    """As many columns as bits: the first, or, where there are too few, combinations of all.

    A method gives at most as many directions as its eigenproblem has. Beyond that the signs of
    random combinations, the same of every view, take their place: a matrix with orthonormal rows.

    Parameters
    ----------
    directions : list of ndarrays, shape (n_features_of_view, n_directions)
    n_bits : int
    random_state : RandomState

    Returns
    -------
    weights : list of ndarrays, shape (n_features_of_view, n_bits)
    """
    n_directions = directions[0].shape[1]
    if n_bits <= n_directions:
        return [part[:, :n_bits] for part in directions]
    start = random_state.standard_normal((n_directions, n_bits))
    rotation = svd(start, full_matrices=False)[2]
    return [part @ rotation for part in directions]


def leading_singular_pair(matrix, random_state):
    """Left vector, value and right vector of the largest singular value."""
    if min(matrix.shape) < 3 or not matrix.any():  # what ARPACK cannot do
        u, values, vt = svd(matrix, full_matrices=False)
        return u[:, 0], values[0], vt[0]
    start = random_state.standard_normal(min(matrix.shape))
    u, values, vt = svds(matrix, k=1, v0=start)
    return u[:, 0], values[0], vt[0]


def centre(X):
    """Mean and centred rows; a constant column becomes zero whatever the rounding."""
    mean = X.mean(axis=0)
    return mean, np.where((X[0] == X).all(axis=0), 0.0, X - mean)
