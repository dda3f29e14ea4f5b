"""Cross-view hashing: one generalised eigenproblem for both views."""

from numbers import Integral, Real
from typing import Literal

import numpy as np
from scipy.linalg import LinAlgError, block_diag, eigh
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._labels import class_sums
from .._pairs import training_pairs
from ._linear import LinearHasher, centre, refuse_one_class, spread_directions


class CVHHasher(LinearHasher):
    """Cross-view hashing (CVH).

    ``fit(X_sk, X_img)`` for pairs, ``fit(X_sk, X_img, (y_sk, y_img))`` otherwise, or
    ``fit(X, y)``. Over n pairs (x_i, z_i) with similarities W_ij, similar items are to be near
    each other within and across the views [1]_::

        min  sum_ij W_ij (|A'x_i - A'x_j|^2 + |B'z_i - B'z_j|^2 + |A'x_i - B'z_j|^2)
        s.t. A'X'XA + B'Z'ZB = I

    with centred rows: the smallest generalised eigenvectors of

        [[X'(3D - 2W)X, -X'WZ], [-Z'WX, Z'(3D - 2W)Z]]   and   [[X'X, 0], [0, Z'Z]],

    D being the diagonal of W's row sums. A ridge is added to the diagonal blocks of both. With
    pairs that are similar to nothing else (W = I) this is canonical correlation analysis.

    Parameters
    ----------
    n_bits : int, default=32
        Number of bits of a code. There are as many directions as features of the narrower view,
        and by category one less than categories: W, centred, has no more to say, and the smallest
        of the other eigenvectors are noise, which the paper would have as bits. With more bits than
        directions all bits are signs of random combinations of these, as in :class:`SCMHasher`.
    similarity : {"auto", "categories", "pairs"}, default="auto"
        W: 1 for pairs of the same category and 0 otherwise, or I. "auto" takes categories where
        there are labels.
    reg : float, default=3.0
        Ridge, in units of the mean eigenvalue of each view's covariance.
    n_pairs : int or "auto", default="auto"
        How many pairs of one category are drawn where the rows are not paired; "auto": of each
        category that both views have, as many as it has rows in the larger of its views.
    random_state : int, RandomState instance or None, default=None
        Draws the pairs and combinations. An int gives the same hasher each time.

    Attributes
    ----------
    means_ : dict of str to ndarray of shape (n_features,)
        Mean of each fitted view over the pairs.
    weights_ : dict of str to ndarray of shape (n_features, n_bits)
        A and B.
    eigenvalues_ : ndarray of shape (n_directions,)
        What each direction adds to the objective (W being scaled to mean row sum 1, the ridge
        included), ascending.
    views_, view_shapes_, classes_, n_features_in_, feature_names_in_
        See `BaseCrossModalHasher`.

    See Also
    --------
    CCAHasher : Canonical correlation analysis, weighted and rotated.

    References
    ----------
    .. [1] S. Kumar, R. Udupa, "Learning Hash Functions for Cross-View Similarity Search",
       IJCAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import CVHHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    >>> X_sk = rng.normal(size=(30, 5)) + 3 * np.eye(3, 5)[y_sk]
    >>> X_img = rng.normal(size=(50, 8)) - 3 * np.eye(3, 8)[y_img]
    >>> hasher = CVHHasher(n_bits=4, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (50, 1)
    """

    _label_use = "optional"

    _parameter_constraints = {
        **LinearHasher._parameter_constraints,
        "similarity": [StrOptions({"auto", "categories", "pairs"})],
        "reg": [Interval(Real, 0, None, closed="neither")],
        "n_pairs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        similarity: Literal["auto", "categories", "pairs"] = "auto",
        reg: float = 3.0,
        n_pairs: int | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.similarity = similarity
        self.reg = reg
        self.n_pairs = n_pairs
        self.random_state = random_state

    def _fit_views(self, data):
        random_state = check_random_state(self.random_state)
        has_labels = data.y_sketch is not None or data.y_image is not None
        by_category = has_labels and self.similarity != "pairs"
        if self.similarity == "categories" and not has_labels:
            raise ValueError("similarity='categories' requires y to be passed.")
        if by_category:
            refuse_one_class(self.classes_)
        X, Z, labels = training_pairs(data, self.n_pairs, random_state)
        if len(X) < 2:
            raise ValueError("Found n_samples=1: directions need at least 2 pairs.")
        (mean_x, X), (mean_z, Z) = centre(X), centre(Z)
        x_terms, cross, z_terms = _similar_scatter(X, Z, labels if by_category else None)
        near = np.block([[x_terms, -cross], [-cross.T, z_terms]])
        scatter = block_diag(X.T @ X, Z.T @ Z)
        ridge = np.repeat(
            [self.reg * (np.sum(A**2) / A.shape[1] or 1.0) for A in (X, Z)],
            [X.shape[1], Z.shape[1]],
        )
        near[np.diag_indices_from(near)] += ridge
        scatter[np.diag_indices_from(scatter)] += ridge
        n_directions = min(self.n_bits, X.shape[1], Z.shape[1])
        if by_category:
            n_directions = min(n_directions, len(np.unique(labels)) - 1)
            if not n_directions:
                raise ValueError("The views share a single category: nothing tells items apart.")
        try:
            self.eigenvalues_, vectors = eigh(near, scatter, subset_by_index=[0, n_directions - 1])
        except LinAlgError as error:
            raise ValueError(
                f"A covariance cannot be inverted with reg={self.reg}: raise reg (1.0, say)."
            ) from error
        directions = [vectors[: X.shape[1]], vectors[X.shape[1] :]]
        weights = spread_directions(directions, self.n_bits, random_state)
        self.means_ = dict(zip(self.views_, (mean_x, mean_z), strict=False))
        self.weights_ = dict(zip(self.views_, weights, strict=False))


def _similar_scatter(X, Z, labels):
    """X'(3D - 2W)X, X'WZ and Z'(3D - 2W)Z of centred pairs; W has mean row sum 1, or is I."""
    if labels is None:
        return X.T @ X, X.T @ Z, Z.T @ Z
    counts = np.bincount(labels)
    scale = len(labels) / np.sum(counts.astype(float) ** 2)
    degree = scale * counts[labels][:, None]
    x_sums, z_sums = (class_sums(A, labels, len(counts)) for A in (X, Z))
    return (
        3 * X.T @ (degree * X) - 2 * scale * x_sums.T @ x_sums,
        scale * x_sums.T @ z_sums,
        3 * Z.T @ (degree * Z) - 2 * scale * z_sums.T @ z_sums,
    )
