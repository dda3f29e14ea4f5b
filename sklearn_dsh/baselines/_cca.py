"""Canonical correlation analysis and a rotation."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._rotation import itq_rotation
from ._correlation import category_cca, label_cca, pair_cca
from ._linear import LinearHasher, refuse_one_class


class CCAHasher(LinearHasher):
    """Canonical correlation analysis of sketches and photos, rotated (CCA-ITQ).

    ``fit(X_sk, X_img)`` for pairs, ``fit(X_sk, X_img, (y_sk, y_img))`` otherwise, or
    ``fit(X, y)``. Finds directions along which both views agree, weights them by how well they
    agree, and rotates them so that the signs lose little [1]_. What belongs together:

    - pairs: row i of both views (labels are not used then);
    - labels: every sketch with every photo of its category [2]_, at most n_classes - 1 directions;
    - one view: every row with its label [1]_.

    The views may have different widths. With more bits than directions the rotation is
    rectangular.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code, also more than features.
    reg : float, default=3.0
        Ridge added to the covariance of each view, in units of its mean eigenvalue. Much of it
        suits features that are wide for the number of rows, as HOG features of some thousand
        images are, for which the default was chosen.
    power : float, default=0.5
        Each direction is weighted by its canonical correlation to this power; 0 weights all
        the same.
    n_iter : int, default=50
        Number of updates of the rotation.
    random_state : int, RandomState instance or None, default=None
        Draws the first rotation. An int gives the same hasher each time.

    Attributes
    ----------
    means_ : dict of str to ndarray of shape (n_features,)
        Mean of each fitted view.
    weights_ : dict of str to ndarray of shape (n_features, n_bits)
        Weighted canonical directions times rotation of each fitted view.
    correlations_ : ndarray of shape (n_directions,)
        Canonical correlations, with the ridge, in descending order.
    loss_curve_ : list of float
        Mean squared distance between values and bits before each update and after the last.
    n_iter_ : int
        Number of updates made.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    ITQHasher : Without labels, both views in one feature space.

    References
    ----------
    .. [1] Y. Gong, S. Lazebnik, A. Gordo, F. Perronnin, "Iterative Quantization: A Procrustean
       Approach to Learning Binary Codes for Large-Scale Image Retrieval", TPAMI 35(12), 2013.
    .. [2] N. Rasiwasia, D. Mahajan, V. Mahadevan, G. Aggarwal, "Cluster Canonical Correlation
       Analysis", AISTATS 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import CCAHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    >>> X_sk = rng.normal(size=(30, 5)) + 3 * np.eye(3, 5)[y_sk]
    >>> X_img = rng.normal(size=(50, 8)) - 3 * np.eye(3, 8)[y_img]
    >>> hasher = CCAHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (50, 2)
    """

    _label_use = "optional"

    _parameter_constraints = {
        **LinearHasher._parameter_constraints,
        "reg": [Interval(Real, 0, None, closed="neither")],
        "power": [Interval(Real, 0, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        reg: float = 3.0,
        power: float = 0.5,
        n_iter: int = 50,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.reg = reg
        self.power = power
        self.n_iter = n_iter
        self.random_state = random_state

    def _fit_views(self, data):
        views = {view: getattr(data, view) for view in self.views_}
        if data.paired:
            means, directions, correlations = pair_cca(data.sketch, data.image, reg=self.reg)
        else:
            refuse_one_class(self.classes_)
            labels = [y for y in (data.y_sketch, data.y_image) if y is not None]
            learn = category_cca if len(views) == 2 else label_cca
            means, directions, correlations = learn(*views.values(), *labels, reg=self.reg)
        n_directions = min(self.n_bits, len(correlations))
        self.correlations_ = correlations[:n_directions]
        self.means_ = dict(zip(views, means, strict=True))
        weighted = {
            view: part[:, :n_directions] * self.correlations_**self.power
            for view, part in zip(views, directions, strict=True)
        }
        projected = [(X - self.means_[view]) @ weighted[view] for view, X in views.items()]
        rotation, self.loss_curve_ = itq_rotation(
            np.concatenate(projected),
            self.n_bits,
            n_iter=self.n_iter,
            random_state=check_random_state(self.random_state),
        )
        self.weights_ = {view: part @ rotation for view, part in weighted.items()}
        self.n_iter_ = self.n_iter
