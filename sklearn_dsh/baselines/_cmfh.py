"""Collective matrix factorisation hashing."""

from numbers import Integral, Real
from typing import Literal

import numpy as np
from scipy.linalg import solve, svd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._pairs import training_pairs
from ._linear import LinearHasher, centre


class CMFHHasher(LinearHasher):
    """Collective matrix factorisation hashing (CMFH).

    ``fit(X_sk, X_img)`` for pairs, ``fit(X_sk, X_img, (y_sk, y_img))`` otherwise, or
    ``fit(X, y)``. Both views of a pair are explained by one latent vector, a row of V, which in
    turn is predicted linearly from either view [1]_. With the pairs in the rows of X_1 and X_2,

    .. code-block:: text

        balance ||X_1 - V U_1'||^2 + (1 - balance) ||X_2 - V U_2'||^2
            + mu (||V - X_1 W_1||^2 + ||V - X_2 W_2||^2)
            + gamma (||U_1||^2 + ||U_2||^2 + ||V||^2 + ||W_1||^2 + ||W_2||^2)

    is made small by solving for the U, for the W and for V in turn, each in closed form. Without
    pairs, rows of one category are paired at random; labels are used for nothing else. A view
    alone is paired with itself.

    Each view is centred and divided by its Frobenius norm: neither outweighs the other, whatever
    its width and units, and mu and gamma mean the same for any number of pairs. As V is centred
    then too, the bits are ``(x - mean) W >= 0`` and cut the latent values at their mean.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code, also more than features.
    n_pairs : int or "auto", default="auto"
        How many pairs to draw; "auto": of each category that both views have, as many as it has
        rows in the larger of its views. Of no effect on paired rows.
    balance : float, default=0.5
        Weight, between 0 and 1, of the sketch view; the image view has the rest.
    mu : float, default=1.0
        Weight of the prediction of the latent vectors.
    gamma : float, default=0.01
        Weight of the squared norms. gamma / mu is the ridge of the prediction.
    max_iter : int, default=100
        Largest number of rounds.
    tol : float, default=1e-4
        The rounds end when one lowers the objective by less than this share.
    random_state : int, RandomState instance or None, default=None
        Draws the pairs and the first latent vectors. An int gives the same hasher each time.

    Attributes
    ----------
    means_ : dict of str to ndarray of shape (n_features,)
        Mean of each fitted view over the pairs.
    weights_ : dict of str to ndarray of shape (n_features, n_bits)
        W of each fitted view, for rows that are centred but not scaled.
    loss_curve_ : list of float
        The objective after each round.
    n_iter_ : int
        Number of rounds.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    CCAHasher : From pairs as well; directions along which the views agree.

    References
    ----------
    .. [1] G. Ding, Y. Guo, J. Zhou, "Collective Matrix Factorization Hashing for Multimodal
       Data", CVPR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import CMFHHasher
    >>> rng = np.random.default_rng(0)
    >>> hidden = rng.normal(size=(30, 3))
    >>> X_sk, X_img = hidden @ rng.normal(size=(3, 5)), hidden @ rng.normal(size=(3, 8))
    >>> hasher = CMFHHasher(n_bits=16, random_state=0).fit(X_sk, X_img)
    >>> hasher.transform(X_img, view="image").shape
    (30, 2)
    """

    _label_use = "optional"

    _parameter_constraints = {
        **LinearHasher._parameter_constraints,
        "n_pairs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "balance": [Interval(Real, 0, 1, closed="neither")],
        "mu": [Interval(Real, 0, None, closed="neither")],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        n_pairs: int | Literal["auto"] = "auto",
        balance: float = 0.5,
        mu: float = 1.0,
        gamma: float = 0.01,
        max_iter: int = 100,
        tol: float = 1e-4,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.n_pairs = n_pairs
        self.balance = balance
        self.mu = mu
        self.gamma = gamma
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _fit_views(self, data):
        random_state = check_random_state(self.random_state)
        *pairs, _labels = training_pairs(data, self.n_pairs, random_state)
        if len(pairs[0]) < 2:
            raise ValueError("Found n_samples=1: of a single pair nothing is left once centred.")
        means, centred = zip(*map(centre, pairs), strict=True)
        norms = [np.linalg.norm(X) or 1.0 for X in centred]
        # In the coordinates of its principal axes the Gram matrix of a view is diagonal.
        bases = [svd(X / norm, full_matrices=False) for X, norm in zip(centred, norms, strict=True)]
        factors = CollectiveFactors(
            [u * s for u, s, _vt in bases], balance=self.balance, mu=self.mu, gamma=self.gamma
        )
        start = random_state.standard_normal((len(pairs[0]), self.n_bits))
        weights, self.loss_curve_ = factors.fit(start, max_iter=self.max_iter, tol=self.tol)
        self.n_iter_ = len(self.loss_curve_)
        weights = [
            vt.T @ W / norm for W, (_u, _s, vt), norm in zip(weights, bases, norms, strict=True)
        ]
        # Of a view that was paired with itself the first side is kept.
        self.means_ = dict(zip(self.views_, means, strict=False))
        self.weights_ = dict(zip(self.views_, weights, strict=False))


class CollectiveFactors:
    """The factorisation of `CMFHHasher`, for views whose columns are orthogonal."""

    def __init__(self, views, *, balance, mu, gamma):
        self.views = views
        self.grams = [(X**2).sum(axis=0) for X in views]  # the diagonals; the rest is zero
        self.shares = (balance, 1 - balance)
        self.mu = mu
        self.gamma = gamma

    def fit(self, V, *, max_iter, tol):
        """Rounds of closed forms from the first V on: the W and the objective after each."""
        losses = []
        products = [X.T @ V for X in self.views]
        while len(losses) < max_iter:
            U, W = self.loadings(V, products), self.predictors(products)
            V = self.latent(U, W)
            products = [X.T @ V for X in self.views]
            losses.append(self.loss(U, W, V, products))
            if len(losses) > 1 and losses[-2] - losses[-1] <= tol * losses[-2]:
                break
        return W, losses

    def loadings(self, V, products):
        """The best U for V, given X'V of each view."""
        return [
            _solve_ridge(V.T @ V, self.gamma / share, product.T).T
            for share, product in zip(self.shares, products, strict=True)
        ]

    def predictors(self, products):
        """The best W for V, given X'V of each view."""
        return [
            product / (gram + self.gamma / self.mu)[:, None]
            for gram, product in zip(self.grams, products, strict=True)
        ]

    def latent(self, U, W):
        """The best V for the U and the W."""
        sides = list(zip(self.views, self.shares, U, W, strict=True))
        target = sum(X @ (share * u + self.mu * w) for X, share, u, w in sides)
        gram = sum(share * u.T @ u for _X, share, u, _w in sides)
        return _solve_ridge(gram, len(sides) * self.mu + self.gamma, target.T).T

    def loss(self, U, W, V, products):
        """The objective, its squares expanded so that nothing as large as a view is formed."""
        latent_gram = V.T @ V
        loss = self.gamma * np.trace(latent_gram)
        for gram, share, u, w, product in zip(self.grams, self.shares, U, W, products, strict=True):
            loss += share * (gram.sum() - 2 * np.vdot(product, u) + np.vdot(latent_gram, u.T @ u))
            loss += self.mu * (
                np.trace(latent_gram) - 2 * np.vdot(product, w) + gram @ (w**2).sum(axis=1)
            )
            loss += self.gamma * (np.vdot(u, u) + np.vdot(w, w))
        return float(loss)


def _solve_ridge(gram, ridge, right):
    return solve(gram + ridge * np.eye(len(gram)), right, assume_a="pos")
