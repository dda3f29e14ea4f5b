"""Semantics-preserving hashing."""

from numbers import Integral, Real

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from threadpoolctl import threadpool_limits

from .._pairs import draw_pairs
from ._anchors import AnchorHasher, anchor_features, fit_anchors
from ._linear import refuse_one_class

_START = 0.01  # standard deviation of the first real codes


class SePHHasher(AnchorHasher):
    """Semantics-preserving hashing (SePH).

    ``fit(X_sk, X_img, (y_sk, y_img))``, ``fit(X_sk, X_img, y)`` for pairs, or ``fit(X, y)``.
    First gives codes to pairs of a sketch and a photo of one category, so that the distribution Q
    of likeness that the codes imply is near to that of the labels, P; then learns for each view to
    predict every bit [1]_. With p_ij the same for all pairs i != j of one category and zero for
    others, sum_ij p_ij = 1, it minimises over real codes H, of n pairs and m bits, ::

        KL(P || Q) + alpha / (n m) ||abs(H) - 1||^2,
        q_ij = (1 + h_ij)^-1 / sum_{k != l} (1 + h_kl)^-1,  h_ij = ||H_i - H_j||^2 / 4

    and takes their signs. A bit is predicted by kernel logistic regression on Gaussian kernel
    features that compare a row with anchors.

    The paper joins the predictions of both views for items seen in both. Here a row is seen in one
    view, whose own predictors decide. The views may have different widths.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code, also more than features.
    n_pairs : int, default=1000
        Most pairs to learn from: a random part of paired rows, or pairs of one category drawn
        so that every row of the larger view is in at most one. Some matrices of shape (n_pairs,
        n_pairs) are formed: memory and time are quadratic, about 50 MB for 1,000 pairs.
    alpha : float, default=0.01
        Weight of the distance of real codes to -1 and 1.
    n_anchors : int, default=500
        Number of training rows of each view that become anchors, all if there are fewer.
    bandwidth : float, default=1.0
        Standard deviation of the kernel, in units of the mean distance of the rows of a view to its
        anchors.
    C : float, default=1.0
        Inverse strength of the regularisation of the logistic regressions.
    max_iter : int, default=100
        Most iterations of L-BFGS over the real codes.
    random_state : int, RandomState instance or None, default=None
        Draws the pairs, the anchors and the first real codes. An int gives the same hasher each
        time.

    Attributes
    ----------
    anchors_ : dict of str to dict
        For each fitted view its ``"anchors"``, ndarray of shape (n_anchors, n_features), the
        ``"bandwidth"``, and the ``"mean"`` of the kernel features, ndarray of shape (n_anchors,).
    weights_ : dict of str to ndarray of shape (n_anchors, n_bits)
        Weights of the kernel features of each fitted view.
    intercepts_ : dict of str to ndarray of shape (n_bits,)
        Intercepts of each fitted view.
    loss_curve_ : list of float
        The objective at the start and after each iteration.
    n_iter_ : int
        Number of iterations made.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    SDHHasher : Codes of all items, from which a linear classifier tells the categories.

    References
    ----------
    .. [1] Z. Lin, G. Ding, M. Hu, J. Wang, "Semantics-Preserving Hashing for Cross-View
       Retrieval", CVPR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import SePHHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    >>> X_sk = rng.normal(size=(30, 5)) + 3 * np.eye(3, 5)[y_sk]
    >>> X_img = rng.normal(size=(50, 8)) - 3 * np.eye(3, 8)[y_img]
    >>> hasher = SePHHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (50, 2)
    """

    _label_use = "required"

    _parameter_constraints = {
        **AnchorHasher._parameter_constraints,
        "n_pairs": [Interval(Integral, 2, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "n_anchors": [Interval(Integral, 1, None, closed="left")],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "C": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        n_pairs: int = 1000,
        alpha: float = 0.01,
        n_anchors: int = 500,
        bandwidth: float = 1.0,
        C: float = 1.0,
        max_iter: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.n_pairs = n_pairs
        self.alpha = alpha
        self.n_anchors = n_anchors
        self.bandwidth = bandwidth
        self.C = C
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit_views(self, data):
        refuse_one_class(self.classes_)
        random_state = check_random_state(self.random_state)
        rows, labels = pair_rows(data, self.n_pairs, random_state)
        affinities = label_affinities(labels)
        relaxed, self.loss_curve_ = learn_codes(
            affinities, int(self.n_bits), self.alpha, self.max_iter, random_state
        )
        self.n_iter_ = len(self.loss_curve_) - 1
        bits = relaxed >= 0
        self.anchors_, self.weights_, self.intercepts_ = {}, {}, {}
        for view, of_view in zip(self.views_, rows, strict=False):  # of one view, the first rows
            X = getattr(data, view)
            self.anchors_[view] = fit_anchors(
                X, self.n_anchors, bandwidth=self.bandwidth, random_state=random_state
            )
            features = anchor_features(X[of_view], self.anchors_[view])
            self.weights_[view], self.intercepts_[view] = fit_bits(features, bits, self.C)


def pair_rows(data, n_pairs, random_state):
    """Rows of both views, or of one view twice, that are a pair; see `SePHHasher`.

    Returns
    -------
    rows : ndarray of int, shape (2, at most n_pairs)
    labels : ndarray of int, shape (at most n_pairs,)
    """
    first, last = (getattr(data, f"y_{view}") for view in (data.views[0], data.views[-1]))
    if data.paired:
        rows = np.tile(random_state.permutation(len(first)), (2, 1))
    else:
        rows = draw_pairs(first, last, "auto", random_state)
    rows = rows[:, :n_pairs]
    return rows, first[rows[0]]


def label_affinities(labels):
    """P, shape (n, n): equal for any two pairs of one category, else 0, and 1 in sum."""
    same = (labels[:, None] == labels).astype(float)
    np.fill_diagonal(same, 0)
    total = same.sum()
    if not 0 < total < len(labels) * (len(labels) - 1):
        raise ValueError(
            f"The {len(labels)} pairs are {'all of one class' if total else 'of one class each'}: "
            "several classes with several pairs are needed. A pair is a sketch and a photo of one "
            "class; give more rows, or raise n_pairs."
        )
    return same / total


def learn_codes(affinities, n_bits, alpha, max_iter, random_state):
    """Minimise the objective over real codes.

    Returns
    -------
    relaxed : ndarray of float, shape (n, n_bits)
        H.
    objectives : list of float, length n_iter + 1
    """
    n = len(affinities)
    start = random_state.normal(scale=_START, size=n * n_bits)
    objectives = [objective(start, affinities, alpha)[0]]
    result = minimize(
        objective,
        start,
        args=(affinities, alpha),
        method="L-BFGS-B",
        jac=True,
        callback=lambda intermediate_result: objectives.append(float(intermediate_result.fun)),
        # The gradient of one entry is of order 1 / (n * n_bits): no fixed bound on it would do.
        options={"maxiter": max_iter, "gtol": 0},
    )
    return result.x.reshape(n, n_bits), objectives


def objective(flat, affinities, alpha):
    """The objective and its gradient.

    Parameters
    ----------
    flat : ndarray of float, shape (n * n_bits,)
        H.
    affinities : ndarray of float, shape (n, n)
        P.
    alpha : float

    Returns
    -------
    value : float
    gradient : ndarray of float, shape (n * n_bits,)
    """
    codes = flat.reshape(len(affinities), -1)
    likeness = 1 / (1 + euclidean_distances(codes, squared=True) / 4)
    np.fill_diagonal(likeness, 0)
    related = affinities > 0
    p, total = affinities[related], likeness.sum()
    divergence = p @ np.log(p / likeness[related]) + np.log(total)
    pull = (affinities - likeness / total) * likeness
    gradient = pull.sum(axis=1)[:, None] * codes - pull @ codes
    excess = np.abs(codes) - 1
    value = divergence + alpha * np.mean(excess**2)
    gradient += 2 * alpha / codes.size * excess * np.sign(codes)
    return float(value), gradient.ravel()


def fit_bits(features, bits, C):
    """Logistic regression of each bit.

    Parameters
    ----------
    features : ndarray of float, shape (n, n_anchors)
    bits : ndarray of bool, shape (n, n_bits)
    C : float

    Returns
    -------
    weights : ndarray of float, shape (n_anchors, n_bits)
    intercepts : ndarray of float, shape (n_bits,)
        A bit that is the same in all rows is given as 1 or -1, without weights.
    """
    # Categories that are told apart alike give the same bit again.
    different, which = np.unique(bits, axis=1, return_inverse=True)
    weights = np.zeros((features.shape[1], different.shape[1]))
    intercepts = np.where(different[0], 1.0, -1.0)
    with threadpool_limits(1):  # more threads wait for each other: the matrices are small
        for bit in np.flatnonzero((different != different[0]).any(axis=0)):
            model = LogisticRegression(C=C, max_iter=1000).fit(features, different[:, bit])
            weights[:, bit], intercepts[bit] = model.coef_[0], model.intercept_[0]
    return weights[:, which.ravel()], intercepts[which.ravel()]
