"""Iterative quantisation: PCA and a rotation."""

from numbers import Integral

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._rotation import itq_rotation
from ..base import BaseCrossModalHasher


class ITQHasher(BaseCrossModalHasher):
    """Iterative quantisation of principal components (PCA-ITQ).

    ``fit(X)`` with one view, or both in a `SketchImageArray`, or ``fit(X_sk, X_img, y)`` as for
    every hasher; labels are not used.
    Both views, rows of one feature space, are centred and projected together onto their first
    principal components; a rotation then spreads the variance so that the signs lose little [1]_.
    With more bits than components the rotation is rectangular.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code, also more than features.
    n_iter : int, default=50
        Number of updates of the rotation.
    random_state : int, RandomState instance or None, default=None
        Draws the first rotation (and the start of a randomised PCA). An int gives the same
        hasher each time.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean over both views.
    weights_ : ndarray of shape (n_features, n_bits)
        Principal directions times rotation.
    loss_curve_ : list of float
        Mean squared distance between values and bits before each update and after the last.
    n_iter_ : int
        Number of updates made.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    CCAHasher : Uses labels or pairs, and allows views of different width.

    References
    ----------
    .. [1] Y. Gong, S. Lazebnik, A. Gordo, F. Perronnin, "Iterative Quantization: A Procrustean
       Approach to Learning Binary Codes for Large-Scale Image Retrieval", TPAMI 35(12), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import ITQHasher
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> ITQHasher(n_bits=16, random_state=0).fit_transform(X).shape
    (20, 2)
    """

    _shared_feature_space = True

    _parameter_constraints = {
        **BaseCrossModalHasher._parameter_constraints,
        "n_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        n_iter: int = 50,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.n_iter = n_iter
        self.random_state = random_state

    def _fit_views(self, data):
        X = np.concatenate([X for X in (data.sketch, data.image) if X is not None])
        if len(X) < 2:
            raise ValueError("Found n_samples=1: principal components need at least 2 rows.")
        random_state = check_random_state(self.random_state)
        pca = PCA(min(self.n_bits, *X.shape), random_state=random_state).fit(X)
        rotation, self.loss_curve_ = itq_rotation(
            pca.transform(X), self.n_bits, n_iter=self.n_iter, random_state=random_state
        )
        self.mean_ = pca.mean_
        self.weights_ = pca.components_.T @ rotation
        self.n_iter_ = self.n_iter

    def _project_view(self, X, view):
        return (X - self.mean_) @ self.weights_
