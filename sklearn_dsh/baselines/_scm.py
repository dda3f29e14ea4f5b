"""Semantic correlation maximisation: projections whose products are the labels' similarities."""

from numbers import Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._labels import class_sums
from ._correlation import Whitening, svd_of_product
from ._linear import (
    LinearHasher,
    centre,
    leading_singular_pair,
    refuse_one_class,
    spread_directions,
)


class SCMHasher(LinearHasher):
    """Semantic correlation maximisation (SCM-Seq, SCM-Orth).

    ``fit(X_sk, X_img, (y_sk, y_img))`` or ``fit(X, y)``. With the similarity S of the labels, +1
    for a sketch and a photo of one category and -1 otherwise, the signs of the projections are to
    reproduce m S, m being the number of bits [1]_::

        min ||sign(X A) sign(Z B)' - m S||^2

    * one bit after the other (SCM-Seq): bit t maximises a'X' S_t Z b subject to a'X'Xa = n_X and
      b'Z'Zb = n_Z, then S_t, at first m S, loses what the bit explains: sign(Xa) sign(Zb)';
    * all at once (SCM-Orth): the leading directions of X' S Z, uncorrelated among each other.

    S is given by the labels alone, so that the views need not be paired; it is never formed.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code.
    sequential : bool, default=True
        Whether bits are learned one after the other. Otherwise there are fewer directions than
        categories, and with more bits than directions all are signs of random combinations of them.
    reg : float, default=3.0
        Ridge added to the covariance of each view, in units of its mean eigenvalue.
    random_state : int, RandomState instance or None, default=None
        Starts the search for leading directions and draws combinations. An int gives the same
        hasher each time.

    Attributes
    ----------
    means_ : dict of str to ndarray of shape (n_features,)
        Mean of each fitted view.
    weights_ : dict of str to ndarray of shape (n_features, n_bits)
        A and B.
    correlations_ : ndarray of shape (n_directions,)
        a' X' S_t Z b / (n_X n_Z) of each direction.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    CCAHasher : Directions by category, weighted and rotated.

    References
    ----------
    .. [1] D. Zhang, W.-J. Li, "Large-Scale Supervised Multimodal Hashing with Semantic Correlation
       Maximization", AAAI 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import SCMHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    >>> X_sk = rng.normal(size=(30, 5)) + 3 * np.eye(3, 5)[y_sk]
    >>> X_img = rng.normal(size=(50, 8)) - 3 * np.eye(3, 8)[y_img]
    >>> hasher = SCMHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (50, 2)
    """

    _label_use = "required"

    _parameter_constraints = {
        **LinearHasher._parameter_constraints,
        "sequential": ["boolean"],
        "reg": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        sequential: bool = True,
        reg: float = 3.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.sequential = sequential
        self.reg = reg
        self.random_state = random_state

    def _fit_views(self, data):
        refuse_one_class(self.classes_)
        random_state = check_random_state(self.random_state)
        # A single view stands on both sides.
        sides = [self.views_[0], self.views_[-1]]
        means, rows, sums, whiten = {}, [], [], []
        for view in sides:
            means[view], X = centre(np.asarray(getattr(data, view), dtype=float))
            rows.append(X)
            sums.append(class_sums(X, getattr(data, f"y_{view}"), len(self.classes_)))
            whiten.append(Whitening(X.T @ X / len(X), self.reg))
        # X'SZ / (n_X n_Z), whitened, as a product; the -1 of S meets sums that are zero.
        P, Q = (w.half(s.T) / len(X) for w, s, X in zip(whiten, sums, rows, strict=True))
        learn = self._learn_sequentially if self.sequential else self._learn_at_once
        directions, self.correlations_ = learn(P, Q, rows, whiten, random_state)
        self.means_ = means
        weights = spread_directions(directions, self.n_bits, random_state)
        self.weights_ = dict(zip(sides, weights, strict=True))

    def _learn_at_once(self, P, Q, rows, whiten, random_state):
        u, values, v = svd_of_product(2 * P, Q)
        real = values[: self.n_bits] > 1e-10 * max(values[0], 1e-10)
        if not real.any():
            raise ValueError("No direction in the data correlates with the labels.")
        n = np.count_nonzero(real)
        return [whiten[0].back(u[:, :n]), whiten[1].back(v[:, :n])], values[:n]

    def _learn_sequentially(self, P, Q, rows, whiten, random_state):
        left = 2 * int(self.n_bits) * P @ Q.T  # what of m S is left
        directions, correlations = ([], []), []
        for _ in range(self.n_bits):
            u, value, v = leading_singular_pair(left, random_state)
            explained = []
            for side, w in enumerate((u, v)):
                a = whiten[side].back(w)
                signs = np.where(rows[side] @ a >= 0, 1.0, -1.0)
                explained.append(whiten[side].half(rows[side].T @ signs) / len(signs))
                directions[side].append(a)
            left -= np.outer(*explained)
            correlations.append(value)
        return [np.stack(part, axis=1) for part in directions], np.array(correlations)
