"""Supervised discrete hashing."""

from numbers import Integral, Real

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._labels import class_sums
from ._anchors import AnchorHasher, anchor_features, fit_anchors
from ._linear import refuse_one_class

_MAX_PASSES = 10  # over the bits, in each step for the codes
_FEWEST_PER_BIT = 4  # items, from which on random codes are a start that is left
_FEATURE_RIDGE = 0.01  # on the weights of the anchor features, as in the authors' program


class SDHHasher(AnchorHasher):
    """Supervised discrete hashing (SDH).

    ``fit(X_sk, X_img, (y_sk, y_img))``, ``fit(X_sk, X_img, y)`` for pairs, whose labels only are
    used, or ``fit(X, y)``. Learns codes from which a linear classifier tells the categories, and
    hash functions that give these codes [1]_. Over bits b_i in {-1, 1}^m, W and F it minimises::

        sum_i ||y_i - W' b_i||^2 + ridge ||W||^2 + nu (sum_i ||b_i - F(x_i)||^2 + 0.01 ||P||^2)

    where y_i is the one-hot label of item i and F(x) = P' phi(x) + p, phi being Gaussian kernel
    features that compare x with anchors. Each step minimises over one of W, (P, p) and the single
    bits of all items, with the rest as it is, so the objective never increases. The first codes are
    random as in the paper; with fewer than four items a bit, which the paper does not have, they
    are random for each category, because from random items no step would lead on.

    The paper has one feature space, and with one view this is its method. Here each view has its
    own anchors, P and p; codes of the items of both views are learned together with one W, which
    is what makes them comparable. The views may have different widths.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code, also more than features.
    n_anchors : int, default=1000
        Number of training rows of each view that become anchors, all if there are fewer. Features
        of all training rows are held: 8 bytes a row and anchor.
    bandwidth : float, default=1.0
        Standard deviation of the kernel, in units of the mean distance of the rows of a view to its
        anchors.
    ridge : float, default=1.0
        Weight of ||W||^2, the paper's lambda.
    nu : float, default=1e-5
        Weight of how well the hash functions give the codes.
    max_iter : int, default=5
        Most rounds of all steps; it ends earlier when no bit changes.
    random_state : int, RandomState instance or None, default=None
        Draws the anchors and the first codes. An int gives the same hasher each time.

    Attributes
    ----------
    anchors_ : dict of str to dict
        For each fitted view its ``"anchors"``, ndarray of shape (n_anchors, n_features), the
        ``"bandwidth"``, and the ``"mean"`` of the kernel features, ndarray of shape (n_anchors,).
    weights_ : dict of str to ndarray of shape (n_anchors, n_bits)
        P of each fitted view.
    intercepts_ : dict of str to ndarray of shape (n_bits,)
        p of each fitted view.
    class_weights_ : ndarray of shape (n_bits, n_classes)
        W.
    loss_curve_ : list of float
        The objective at the start and after each round.
    n_iter_ : int
        Number of rounds made.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    CCAHasher : Linear, with labels or pairs.
    SePHHasher : Codes from the likeness of labels, then a classifier for each bit.

    References
    ----------
    .. [1] F. Shen, C. Shen, W. Liu, H. T. Shen, "Supervised Discrete Hashing", CVPR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import SDHHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    >>> X_sk = rng.normal(size=(30, 5)) + 3 * np.eye(3, 5)[y_sk]
    >>> X_img = rng.normal(size=(50, 8)) - 3 * np.eye(3, 8)[y_img]
    >>> hasher = SDHHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (50, 2)
    """

    _label_use = "required"

    _parameter_constraints = {
        **AnchorHasher._parameter_constraints,
        "n_anchors": [Interval(Integral, 1, None, closed="left")],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "nu": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        n_anchors: int = 1000,
        bandwidth: float = 1.0,
        ridge: float = 1.0,
        nu: float = 1e-5,
        max_iter: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.n_anchors = n_anchors
        self.bandwidth = bandwidth
        self.ridge = ridge
        self.nu = nu
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit_views(self, data):
        refuse_one_class(self.classes_)
        random_state = check_random_state(self.random_state)
        self.anchors_, functions = {}, {}
        for view in self.views_:
            X = getattr(data, view)
            self.anchors_[view] = fit_anchors(
                X, self.n_anchors, bandwidth=self.bandwidth, random_state=random_state
            )
            functions[view] = CodeRegression(anchor_features(X, self.anchors_[view]))
        labels = np.concatenate([getattr(data, f"y_{view}") for view in self.views_])
        codes = first_codes(labels, len(self.classes_), int(self.n_bits), random_state)
        self.class_weights_, self.loss_curve_ = learn_codes(
            codes,
            labels,
            len(self.classes_),
            list(functions.values()),
            ridge=self.ridge,
            nu=self.nu,
            max_iter=self.max_iter,
        )
        self.n_iter_ = len(self.loss_curve_) - 1
        self.weights_ = {view: function.weights for view, function in functions.items()}
        self.intercepts_ = {view: function.intercept for view, function in functions.items()}


def first_codes(labels, n_classes, n_bits, random_state):
    """Codes to start from: random ones for each item, or for each category where items are few.

    With about as many bits as items a classifier can tell the categories of any random codes: W
    learns each item by heart, no bit has a reason to change, and the objective stays many times
    higher than where all items of a category have one code.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    n_classes, n_bits : int
    random_state : RandomState

    Returns
    -------
    codes : ndarray of float, shape (n, n_bits)
        In {-1, 1}.
    """
    if len(labels) >= _FEWEST_PER_BIT * n_bits:
        return random_state.choice([-1.0, 1.0], size=(len(labels), n_bits))
    return random_state.choice([-1.0, 1.0], size=(n_classes, n_bits))[labels]


class CodeRegression:
    """F of one view, fitted to codes: ridge regression on centred features, factorised once.

    Parameters
    ----------
    features : ndarray of float, shape (n, n_anchors)
        With column means of zero.
    """

    def __init__(self, features):
        self.features = features
        gram = features.T @ features
        gram[np.diag_indices_from(gram)] += _FEATURE_RIDGE
        self.factor = cho_factor(gram, overwrite_a=True)

    def fit(self, codes):
        """Set `weights` and `intercept`, return F of the training rows, shape (n, n_bits)."""
        self.intercept = codes.mean(axis=0)
        self.weights = cho_solve(self.factor, self.features.T @ codes)
        return self.features @ self.weights + self.intercept

    def penalty(self):
        return _FEATURE_RIDGE * np.sum(self.weights**2)


def learn_codes(codes, labels, n_classes, functions, *, ridge, nu, max_iter):
    """Alternate between codes, classifier and hash functions.

    Parameters
    ----------
    codes : ndarray of float, shape (n, n_bits)
        Codes in {-1, 1} to start from, those of the views one after the other; updated in place.
    labels : ndarray of int, shape (n,)
    n_classes : int
    functions : list of CodeRegression
        One a view, in the order of the codes; fitted to the last codes.
    ridge, nu : float
    max_iter : int

    Returns
    -------
    class_weights : ndarray, shape (n_bits, n_classes)
    objectives : list of float, length n_iter + 1
    """
    ends = np.cumsum([len(function.features) for function in functions])

    def fit_to_codes():
        weights = fit_class_weights(codes, labels, n_classes, ridge)
        parts = np.split(codes, ends[:-1])
        values = np.concatenate([f.fit(part) for f, part in zip(functions, parts, strict=True)])
        misfit = np.sum((codes - values) ** 2) + sum(f.penalty() for f in functions)
        loss = classifier_loss(codes, labels, weights, ridge)
        return weights, values, loss + nu * misfit

    weights, values, objective = fit_to_codes()
    objectives = [objective]
    for _ in range(max_iter):
        n_changed = update_codes(codes, weights[:, labels].T + nu * values, weights)
        weights, values, objective = fit_to_codes()
        objectives.append(objective)
        if n_changed == 0:
            break
    return weights, objectives


def fit_class_weights(codes, labels, n_classes, ridge):
    """W, shape (n_bits, n_classes): ridge regression of one-hot labels, from sums by class."""
    gram = codes.T @ codes + ridge * np.eye(codes.shape[1])
    return solve(gram, class_sums(codes, labels, n_classes).T, assume_a="pos")


def classifier_loss(codes, labels, weights, ridge):
    """||Y - B W||^2 + ridge ||W||^2."""
    residual = codes @ weights
    residual[np.arange(len(labels)), labels] -= 1
    return np.sum(residual**2) + ridge * np.sum(weights**2)


def update_codes(codes, targets, weights):
    """Discrete cyclic coordinate descent over the bits, in place.

    Bit l of every item becomes sign(q_l - sum_{k != l} b_k w_k' w_l), a zero keeping the old bit,
    until no bit changes in a pass over all of them, or ten passes are made.

    Parameters
    ----------
    codes : ndarray of float, shape (n, n_bits)
    targets : ndarray of float, shape (n, n_bits)
        Q = Y W' + nu F.
    weights : ndarray of float, shape (n_bits, n_classes)
        W, whose rows are w_l.

    Returns
    -------
    n_changed : int
        How many bits changed, those that changed back included.
    """
    coupling = weights @ weights.T
    np.fill_diagonal(coupling, 0)
    total = 0
    for _ in range(_MAX_PASSES):
        n_changed = 0
        for bit in range(codes.shape[1]):
            pull = targets[:, bit] - codes @ coupling[bit]
            new = np.where(pull == 0, codes[:, bit], np.sign(pull))
            n_changed += np.count_nonzero(new != codes[:, bit])
            codes[:, bit] = new
        total += n_changed
        if n_changed == 0:
            break
    return total
