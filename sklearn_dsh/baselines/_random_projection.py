"""Signs of random projections: the baseline that learns nothing but a mean."""

import numpy as np
from sklearn.utils import check_random_state

from ..base import BaseCrossModalHasher


class RandomProjectionHasher(BaseCrossModalHasher):
    """Signs of Gaussian random projections of centred features.

    ``fit(X)`` with one view, or both in a `SketchImageArray`, or ``fit(X_sk, X_img, y)`` as for
    every hasher; labels are not used.
    The share of bits in which two codes differ estimates the angle between the items [1]_. Both
    views must be rows of one feature space.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code.
    random_state : int, RandomState instance or None, default=None
        Draws the projections. An int gives the same hasher each time.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean over both views.
    weights_ : ndarray of shape (n_features, n_bits)
        Projections.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    ITQHasher : Learned projections.

    References
    ----------
    .. [1] M. S. Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import RandomProjectionHasher
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> RandomProjectionHasher(n_bits=16, random_state=0).fit_transform(X).shape
    (20, 2)
    """

    _shared_feature_space = True

    def __init__(
        self, n_bits: int = 32, *, random_state: int | np.random.RandomState | None = None
    ) -> None:
        self.n_bits = n_bits
        self.random_state = random_state

    def _fit_views(self, data):
        views = [X for X in (data.sketch, data.image) if X is not None]
        n = sum(len(X) for X in views)
        self.mean_ = sum(X.sum(axis=0, dtype=float) for X in views) / n
        random_state = check_random_state(self.random_state)
        self.weights_ = random_state.standard_normal((len(self.mean_), self.n_bits))

    def _project_view(self, X, view):
        return (X - self.mean_) @ self.weights_
