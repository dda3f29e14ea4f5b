"""Hashing for categories never seen, of features that know more than the categories trained on."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._zero_shot_codes import learn_zero_shot_codes, unit_rows
from ..base import BaseCrossModalHasher
from ._linear import refuse_one_class


class ZeroShotHasher(BaseCrossModalHasher):
    """Codes for categories never seen, of the features of a pretrained network.

    ``fit(X_sk, X_img, (y_sk, y_img))``, ``fit(X_sk, X_img, y)`` for pairs, whose labels only are
    used, or ``fit(X, y)``. Both views are rows of one feature space, that of a network which knows
    images: :class:`~sklearn_dsh.BackboneFeatures`, or vectors of CLIP, DINOv2 and the like. It
    learns from some categories how drawings of a thing differ from its photos, and is meant to be
    searched for others.

    Beyond the literature that this library follows. Rows are brought to unit length and
    standardised in each view. Of the standardised x of a view and mu, the mean over both views of
    the category of x, the map W of that view is::

        argmin_W sum_i ||W' x_i - mu_i||^2 + r ||W - I||^2

    whose ridge pulls towards the identity and not towards zero: what the categories trained on
    have no say in stays as the network knows it. Rows are brought to unit length again and centred,
    and the directions in which categories differ most (those of the covariance of category means,
    plus a tenth of that of all rows) are rotated so that the signs lose little [1]_.

    Parameters
    ----------
    n_bits : int, default=64
        Number of bits of a code, also more than features.
    ridge : float, default=5.0
        r, in units of the mean eigenvalue of X'X.
    n_directions : int, default=32
        How many directions are kept at most; no more than bits.
    n_iter : int, default=30
        Number of updates of the rotation.
    random_state : int, RandomState instance or None, default=None
        Draws the first rotation. An int gives the same hasher each time.

    Attributes
    ----------
    means_, scales_ : dict of str to ndarray of shape (n_features,)
        What standardises the rows of each fitted view: less the mean, times the scale.
    maps_ : dict of str to ndarray of shape (n_features, n_features)
        W of each fitted view.
    directions_ : ndarray of shape (n_features, n_bits)
        Directions times rotation, of all views.
    shifts_ : dict of str to ndarray of shape (n_bits,)
        What is subtracted at the end: what the mean of the view's rows would give.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    DeepSketchHasher : ``readout="features"`` does the same with a network that it trains.
    CCAHasher : Directions along which both views agree.

    References
    ----------
    .. [1] Y. Gong, S. Lazebnik, A. Gordo, F. Perronnin, "Iterative Quantization: A Procrustean
       Approach to Learning Binary Codes for Large-Scale Image Retrieval", TPAMI 35(12), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import ZeroShotHasher
    >>> rng = np.random.default_rng(0)
    >>> means = rng.normal(size=(9, 20))  # of six categories to learn from, and three others
    >>> y = np.repeat(np.arange(9), 10)
    >>> X_img = means[y] + 0.3 * rng.normal(size=(90, 20))
    >>> X_sk = means[y] + 0.3 * rng.normal(size=(90, 20)) + 2 * rng.normal(size=20)
    >>> seen = y < 6
    >>> hasher = ZeroShotHasher(random_state=0).fit(X_sk[seen], X_img[seen], y[seen])
    >>> round(hasher.score(X_sk[~seen], X_img[~seen], y[~seen]), 1)
    1.0
    """

    _shared_feature_space = True
    _label_use = "required"

    _parameter_constraints = {
        **BaseCrossModalHasher._parameter_constraints,
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "n_directions": [Interval(Integral, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        ridge: float = 5.0,
        n_directions: int = 32,
        n_iter: int = 30,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.ridge = ridge
        self.n_directions = n_directions
        self.n_iter = n_iter
        self.random_state = random_state

    def _fit_views(self, data):
        refuse_one_class(self.classes_)
        found, self.directions_ = learn_zero_shot_codes(
            {view: getattr(data, view) for view in self.views_},
            {view: getattr(data, f"y_{view}") for view in self.views_},
            int(self.n_bits),
            check_random_state(self.random_state),
            ridge=self.ridge,
            n_directions=self.n_directions,
            n_iter=self.n_iter,
        )
        self.means_, self.scales_, self.maps_, self.shifts_ = found.values()

    def _project_view(self, X, view):
        x = (unit_rows(X) - self.means_[view]) * self.scales_[view]
        return unit_rows(x @ self.maps_[view]) @ self.directions_ - self.shifts_[view]
