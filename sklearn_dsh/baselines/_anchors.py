"""Gaussian kernel features: how near a row is to anchors, which are rows of the training data."""

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils import gen_batches

from ..base import BaseCrossModalHasher

_BATCH = 4096  # rows whose features are held at once where only their product is wanted
_SAMPLE = 1000  # rows whose distances to the anchors set the bandwidth


class AnchorHasher(BaseCrossModalHasher):
    """Base of hashers that are linear in anchor features.

    They set `anchors_` (dict of view to what `fit_anchors` gives), `weights_` and `intercepts_`
    (dicts of view to arrays of shape (n_anchors, n_bits) and (n_bits,)).
    """

    def _project_view(self, X, view):
        weights = self.weights_[view]
        values = np.empty((len(X), weights.shape[1]))
        for rows in gen_batches(len(X), _BATCH):
            values[rows] = anchor_features(X[rows], self.anchors_[view]) @ weights
        return values + self.intercepts_[view]


def fit_anchors(X, n_anchors, *, bandwidth=1.0, random_state):
    """Draw anchors from the rows of a view.

    The features of a row x are exp(-||x - a_j||^2 / (2 sigma^2)) for each anchor a_j, less their
    mean over the training rows.

    Parameters
    ----------
    X : ndarray of float, shape (n, n_features)
        Training rows.
    n_anchors : int
        How many rows become anchors, all if there are fewer.
    bandwidth : float, default=1.0
        sigma, in units of the mean distance of (at most 1,000) rows to the anchors.
    random_state : RandomState

    Returns
    -------
    fitted : dict
        ``"anchors"``, ndarray of shape (min(n_anchors, n), n_features); ``"bandwidth"``, sigma;
        ``"mean"``, ndarray with the means of the features.
    """
    n = len(X)
    anchors = np.asarray(X[random_state.permutation(n)[:n_anchors]], dtype=float)
    sample = X[random_state.permutation(n)[:_SAMPLE]]
    # Distances are those of differences from one row: exact where rows are alike.
    distance = euclidean_distances(sample - anchors[0], anchors - anchors[0]).mean() or 1.0
    fitted = {"anchors": anchors, "bandwidth": float(bandwidth * distance), "mean": 0.0}
    sums = (anchor_features(X[rows], fitted).sum(axis=0) for rows in gen_batches(n, _BATCH))
    fitted["mean"] = sum(sums) / n
    return fitted


def anchor_features(X, fitted):
    """Features of rows.

    Parameters
    ----------
    X : ndarray of float, shape (n, n_features)
    fitted : dict
        What `fit_anchors` gave.

    Returns
    -------
    features : ndarray of float64, shape (n, n_anchors)
    """
    origin = fitted["anchors"][0]  # squared distances lose digits far from it
    X, anchors = ((part - origin) / fitted["bandwidth"] for part in (X, fitted["anchors"]))
    features = rbf_kernel(X, anchors, gamma=0.5)
    features -= fitted["mean"]
    return features
