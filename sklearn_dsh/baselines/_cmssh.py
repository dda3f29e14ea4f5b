"""Cross-modality similarity-sensitive hashing: boosted bits for similar and dissimilar pairs."""

from numbers import Integral
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._pairs import draw_pairs
from ._linear import LinearHasher, centre, leading_singular_pair, refuse_one_class

# Largest step of the boosting: that of [1]_, which takes it for every bit.
_MAX_STEP = 1.0
_EQUAL = 1e-9  # values that differ by less, as a part of the largest, differ by rounding


class CMSSHHasher(LinearHasher):
    """Cross-modality similarity-sensitive hashing (CMSSH).

    ``fit(X_sk, X_img, (y_sk, y_img))``, ``fit(X_sk, X_img, y)`` for pairs, or ``fit(X, y)``. Bits
    are learned one after the other by boosting [1]_ from pairs of a sketch x_k and a photo z_k:
    as many of one category (s_k = +1) as of two (s_k = -1). A bit has directions p, q and offsets
    a, b and is to be equal in similar and different in dissimilar pairs::

        max sum_k w_k s_k sign(p'x_k + a) sign(q'z_k + b)

    With the signs left out, p and q are the leading singular vectors of sum_k w_k s_k x_k z_k'.
    The offsets are then found from the signs, one for the other in turn, by trying every split of
    the projections. The weights w_k, which sum to one, rise for pairs that the bit takes wrongly::

        w_k <- w_k exp(-step s_k sign(p'x_k + a) sign(q'z_k + b))

    The step is AdaBoost's, artanh of the maximum above, but at most that of [1]_, which is always
    1: for a bit that is not much better than chance that is too long, and the next would be its
    opposite.

    Pairs of one category are the rows if the views are paired, and drawn at random otherwise. A
    view alone is paired with itself, and p and a are kept: what `edges_` and `loss_curve_` tell is
    then of both sides, not of the codes.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code, also more than features.
    n_pairs : int or "auto", default="auto"
        How many pairs of one category to draw; "auto": of each category that both views have, as
        many as it has rows in the larger of its views. Of no effect on paired rows.
    random_state : int, RandomState instance or None, default=None
        Draws the pairs and starts the search for leading directions. An int gives the same hasher
        each time.

    Attributes
    ----------
    means_ : dict of str to ndarray of shape (n_features,)
        Mean of each fitted view.
    weights_ : dict of str to ndarray of shape (n_features, n_bits)
        Directions of each fitted view, of unit length.
    offsets_ : dict of str to ndarray of shape (n_bits,)
        Offsets of each fitted view.
    edges_ : ndarray of shape (n_bits,)
        The maximum above for each bit: the weight of the pairs taken rightly less that of the
        others.
    loss_curve_ : list of float
        Mean over the pairs of exp(-s_k sum of the steps times products of signs), what boosting
        lowers, after each bit.
    n_iter_ : int
        Number of rounds of boosting, one a bit.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    SCMHasher : One bit after the other from all pairs, which it needs not draw.

    References
    ----------
    .. [1] M. M. Bronstein, A. M. Bronstein, F. Michel, N. Paragios, "Data Fusion through
       Cross-modality Metric Learning using Similarity-Sensitive Hashing", CVPR 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import CMSSHHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    >>> X_sk = rng.normal(size=(30, 5)) + 3 * np.eye(3, 5)[y_sk]
    >>> X_img = rng.normal(size=(50, 8)) - 3 * np.eye(3, 8)[y_img]
    >>> hasher = CMSSHHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (50, 2)
    """

    _label_use = "required"

    _parameter_constraints = {
        **LinearHasher._parameter_constraints,
        "n_pairs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        n_pairs: int | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.n_pairs = n_pairs
        self.random_state = random_state

    def _fit_views(self, data):
        refuse_one_class(self.classes_)
        random_state = check_random_state(self.random_state)
        x_rows, z_rows, signs = self._draw_pairs(data, random_state)
        views = [np.asarray(getattr(data, view), float) for view in self.views_]
        means, centred = zip(*map(centre, views), strict=True)
        X, Z = centred[0], centred[-1]

        weights = np.full(len(signs), 1 / len(signs))
        bits, self.loss_curve_ = [], []
        for _ in range(self.n_bits):
            gains = weights * signs
            # C = sum over the pairs of gain x z'; the sparse product sums the z of each x.
            pairing = coo_array((gains, (x_rows, z_rows)), shape=(len(X), len(Z))).tocsr()
            p, _value, q = leading_singular_pair(X.T @ (pairing @ Z), random_state)
            x_values, z_values = (X @ p)[x_rows], (Z @ q)[z_rows]
            a, b = best_offsets(x_values, z_values, gains)
            margins = signs * _signs(x_values + a) * _signs(z_values + b)
            edge = weights @ margins
            weights, total = reweighted(weights, margins, edge)
            bits.append((p, q, a, b, edge))
            self.loss_curve_.append(float(total * (self.loss_curve_ or [1.0])[-1]))

        self.n_iter_ = len(bits)
        *directions, a, b, self.edges_ = map(np.array, zip(*bits, strict=True))
        # Of a view that was paired with itself the first side is kept.
        self.means_ = dict(zip(self.views_, means, strict=True))
        self.weights_ = {
            view: part.T.copy() for view, part in zip(self.views_, directions, strict=False)
        }
        self.offsets_ = dict(zip(self.views_, (a, b), strict=False))

    def _project_view(self, X, view):
        return super()._project_view(X, view) + self.offsets_[view]

    def _draw_pairs(self, data, random_state):
        """Rows of both views of all pairs, and the sign of each pair."""
        labels = [getattr(data, f"y_{view}") for view in self.views_]
        x_labels, z_labels = labels[0], labels[-1]
        if data.paired:
            similar = np.tile(np.arange(len(x_labels)), (2, 1))
        else:
            similar = draw_pairs(x_labels, z_labels, self.n_pairs, random_state)
        n_pairs = similar.shape[1]
        dissimilar = draw_dissimilar_pairs(x_labels, z_labels, n_pairs, random_state)
        return *np.concatenate([similar, dissimilar], axis=1), np.repeat([1.0, -1.0], n_pairs)


def draw_dissimilar_pairs(x_labels, z_labels, n_pairs, random_state):
    """Rows (2, n_pairs) of both views, of two categories each; there must be such a pair.

    A row of the first view is drawn, then any row of the second of another category.
    """
    by_label = np.argsort(z_labels, kind="stable")
    starts, ends = (
        np.searchsorted(z_labels[by_label], x_labels, side) for side in ("left", "right")
    )
    n_same = ends - starts
    x_rows = random_state.choice(np.flatnonzero(n_same < len(z_labels)), n_pairs)
    places = random_state.randint(len(z_labels) - n_same[x_rows])
    places += np.where(places >= starts[x_rows], n_same[x_rows], 0)  # leap over the same label
    return np.stack([x_rows, by_label[places]])


def best_offsets(x_values, z_values, gains):
    """Offsets a, b with a large sum of gains sign(x + a) sign(z + b).

    Each is the best for the other: from b = 0 on they are found in turn until neither helps.
    """
    a, b, best = 0.0, 0.0, -np.inf
    while True:
        new_a, _value = best_offset(x_values, gains * _signs(z_values + b))
        new_b, value = best_offset(z_values, gains * _signs(x_values + new_a))
        if value <= best:
            return a, b
        a, b, best = new_a, new_b, value


def best_offset(values, gains):
    """Offset a with the largest sum of gains sign(values + a), and that sum.

    Both signs occur, unless the values are all the same.
    """
    order = np.argsort(values)
    ordered = values[order]
    # If the first i are negative, the sum is that of all less twice that of the first i.
    sums = gains.sum() - 2 * np.cumsum(gains[order][:-1])
    # Equal values cannot be parted, nor those that rounding alone parts.
    sums[np.diff(ordered) <= _EQUAL * np.abs(ordered).max()] = -np.inf
    if not np.isfinite(sums).any():
        return -ordered[0], gains.sum()
    i = np.argmax(sums)
    return -(ordered[i] + ordered[i + 1]) / 2, sums[i]


def reweighted(weights, margins, edge):
    """Weights of the pairs after a bit, and the sum that they were divided by.

    Margins are +1 where the bit takes a pair rightly and -1 otherwise, the edge is their weighted
    mean.
    """
    limit = np.tanh(_MAX_STEP)
    weights = weights * np.exp(-np.arctanh(np.clip(edge, -limit, limit)) * margins)
    total = weights.sum()
    return weights / total, total


def _signs(values):
    return np.where(values >= 0, 1.0, -1.0)
