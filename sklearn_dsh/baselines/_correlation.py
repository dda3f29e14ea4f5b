"""Regularised canonical correlation analysis from pairs, from categories and from labels.

Each function returns the means, the directions and the canonical correlations. Directions are
columns, scaled so that w' (C + ridge) w = 1 for the covariance C of their view.
"""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, qr, solve_triangular, svd

from .._labels import class_sums


def pair_cca(X, Y, *, reg):
    """Canonical correlation analysis of paired rows.

    Parameters
    ----------
    X, Y : ndarrays of float, shape (n, n_features_x) and (n, n_features_y)
        Row i of both belongs together.
    reg : float
        Ridge in units of the mean eigenvalue of each covariance.

    Returns
    -------
    means : list of two ndarrays, shape (n_features,)
    directions : list of two ndarrays, shape (n_features, n_directions)
    correlations : ndarray, shape (n_directions,)
        In descending order; directions without any correlation are left out.

    Raises
    ------
    ValueError
        If nothing correlates, or `reg` is too small for the covariances to be inverted.
    """
    weights = np.full(len(X), 1 / len(X))
    (mean_x, X, whiten_x), (mean_y, Y, whiten_y) = (_view(A, weights, reg) for A in (X, Y))
    wx, correlations, wy = svd_of_product(whiten_x.half(X.T / len(X)), whiten_y.half(Y.T))
    return _result([mean_x, mean_y], [whiten_x.back(wx), whiten_y.back(wy)], correlations)


def category_cca(X, Y, x_codes, y_codes, *, reg):
    """Canonical correlation analysis of all pairs of rows of one category (cluster CCA).

    The result is that of `pair_cca` on the explicit list of all such pairs, but from class sums
    only: the list itself, whose length is quadratic, is never formed.

    Parameters
    ----------
    X, Y : ndarrays of float, shape (n_x, n_features_x) and (n_y, n_features_y)
    x_codes, y_codes : ndarrays of int, shape (n_x,) and (n_y,)
        Category of each row, numbered alike; at least one is in both views.
    reg : float
        As in `pair_cca`.

    Returns
    -------
    means, directions, correlations
        As in `pair_cca`; fewer directions than categories.

    Raises
    ------
    ValueError
        As in `pair_cca`.
    """
    n_classes = max(x_codes.max(), y_codes.max()) + 1
    n_x = np.bincount(x_codes, minlength=n_classes).astype(float)
    n_y = np.bincount(y_codes, minlength=n_classes).astype(float)
    n_pairs = n_x @ n_y
    # A row is in as many pairs as the other view has rows of its category.
    mean_x, X, whiten_x = _view(X, n_y[x_codes] / n_pairs, reg)
    mean_y, Y, whiten_y = _view(Y, n_x[y_codes] / n_pairs, reg)
    sums_x = class_sums(X, x_codes, n_classes)
    sums_y = class_sums(Y, y_codes, n_classes)
    wx, correlations, wy = svd_of_product(
        whiten_x.half(sums_x.T / n_pairs), whiten_y.half(sums_y.T)
    )
    return _result([mean_x, mean_y], [whiten_x.back(wx), whiten_y.back(wy)], correlations)


def label_cca(X, codes, *, reg):
    """Canonical correlation analysis of rows with the one-hot vectors of their labels.

    Parameters
    ----------
    X : ndarray of float, shape (n, n_features)
    codes : ndarray of int, shape (n,)
        Category of each row.
    reg : float
        As in `pair_cca`, for the features only.

    Returns
    -------
    means, directions, correlations
        As in `pair_cca`, lists of one; fewer directions than categories.

    Raises
    ------
    ValueError
        As in `pair_cca`.
    """
    mean, X, whiten = _view(X, np.full(len(X), 1 / len(X)), reg)
    counts = np.bincount(codes)
    present = counts > 0
    # With C_yy inverted in closed form, the squared correlations are those of the class means.
    means = class_sums(X, codes, len(counts))[present] / np.sqrt(counts[present] * len(X))[:, None]
    w, correlations, _ = svd(whiten.half(means.T), full_matrices=False)
    return _result([mean], [whiten.back(w)], correlations)


class Whitening:
    """Inverse square roots of a covariance through its Cholesky factor.

    Parameters
    ----------
    covariance : ndarray, shape (n_features, n_features)
    reg : float
        Ridge in units of the mean eigenvalue.
    """

    def __init__(self, covariance, reg):
        ridge = reg * np.trace(covariance) / len(covariance)
        # A view without any variance is left as it is: it correlates with nothing.
        covariance = covariance + (ridge or 1.0) * np.eye(len(covariance))
        try:
            self.factor = cholesky(covariance, lower=True)
        except LinAlgError as error:
            raise ValueError(
                f"A covariance cannot be inverted with reg={reg}: raise reg (1.0, say)."
            ) from error

    def half(self, columns):
        """Whitened columns of a cross-covariance."""
        return solve_triangular(self.factor, columns, lower=True)

    def back(self, columns):
        """Directions in the view's own space from whitened ones."""
        return solve_triangular(self.factor, columns, lower=True, trans="T")


def _view(X, weights, reg):
    """Weighted mean, centred rows and whitening of one view."""
    X = np.asarray(X, dtype=float)
    mean = weights @ X
    # The mean of a constant column is off by rounding, which would look like variance.
    X = np.where((X[0] == X).all(axis=0), 0.0, X - mean)
    return mean, X, Whitening((X * weights[:, None]).T @ X, reg)


def svd_of_product(P, Q):
    """Singular vectors (columns) and values of P Q', cheap if P and Q are tall."""
    if P.shape[1] >= min(len(P), len(Q)):
        u, s, vt = svd(P @ Q.T, full_matrices=False)
        return u, s, vt.T
    qp, rp = qr(P, mode="economic")
    qq, rq = qr(Q, mode="economic")
    u, s, vt = svd(rp @ rq.T)
    return qp @ u, s, qq @ vt.T


def _result(means, directions, correlations):
    real = correlations > 1e-10 * max(correlations[0], 1e-10)
    if not real.any():
        raise ValueError("No direction in the data correlates with what it should match.")
    return means, [part[:, real] for part in directions], np.minimum(correlations[real], 1.0)
