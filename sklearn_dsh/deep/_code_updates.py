"""The discrete steps of Deep Sketch Hashing: the basis D and the codes B_I, B_S.

Numpy in, numpy out. Codes are int8 arrays of -1 and +1, shape (n_bits, n_items), as in the paper.
The similarity matrix W (n_images x n_sketches) has one value for pairs of one category and one
for all others, so it is never formed: W = a Y_I' Y_S + b 1 1' with one-hot Y, and only the sums
of codes by category enter (Liu et al. 2017, section 3.3).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from ._category_codes import code_distances


def similarity_coefficients(kind, n_categories):
    """``(a, b)`` of W = a Y_I' Y_S + b: "signed" +1/-1 (the paper), "binary" 1/0, "centred".

    "centred" is 1 within a category and -1 / (c - 1) across: its rows sum to zero when the
    categories are of one size, so no common code of a whole view is rewarded.
    """
    if kind == "signed":
        return 2.0, -1.0
    if kind == "binary" or n_categories < 2:
        return 1.0, 0.0
    return 1.0 + 1.0 / (n_categories - 1), -1.0 / (n_categories - 1)


@dataclass
class CodeProblem:
    """What the discrete steps need to know, beside the codes.

    Attributes
    ----------
    labels : dict view -> intp array (n_items,), the category of each item
    n_categories : int
    class_vectors : float array (d, n_categories), phi by category
    similarity : (a, b), see `similarity_coefficients`
    lambda_, gamma : weights of the semantic and the quantisation term
    min_distance : int, what the codes of two categories must keep; 0 for no such bound
    """

    labels: dict
    n_categories: int
    class_vectors: np.ndarray
    similarity: tuple
    lambda_: float = 0.01
    gamma: float = 1e-5
    min_distance: int = 0
    counts: dict = field(init=False)

    def __post_init__(self):
        self.counts = {
            view: np.bincount(y, minlength=self.n_categories) for view, y in self.labels.items()
        }


def other_view(view):
    return "image" if view == "sketch" else "sketch"


def category_sums(codes, labels, n_categories):
    """Sum of the codes of each category: (m, n) -> int64 (m, n_categories)."""
    return np.stack(
        [np.bincount(labels, weights=row, minlength=n_categories) for row in codes]
    ).astype(np.int64)


def category_codes(codes, labels, tie):
    """The majority bit of each category: (m, n) -> int8 (m, n_categories).

    A tied or empty category takes the bit of ``tie`` (m, n_categories).
    """
    sums = category_sums(codes, labels, tie.shape[1])
    return np.where(sums == 0, tie, np.sign(sums)).astype(np.int8)


def gram(codes, *, block=1 << 14):
    """B B' in float64, exact: float32 products of blocks hold integers below 2^24."""
    total = np.zeros((len(codes), len(codes)))
    for start in range(0, codes.shape[1], block):
        part = codes[:, start : start + block].astype(np.float32)
        total += part @ part.T
    return total


def update_basis(problem, codes, *, ridge=1e-6):
    """D (d, m): least squares of phi on the codes, each column of norm at most 1.

    ``D = P (G + diag(mu))^-1`` with the multipliers mu >= 0 from the Lagrange dual (step 1 of
    METHOD: P and G are the sums over both views). G is singular when a category has one code;
    ``ridge`` times its mean diagonal is added.
    """
    g = sum(gram(codes[view]) for view in codes)
    g[np.diag_indices_from(g)] += ridge * np.trace(g) / len(g)
    sums = sum(
        category_sums(codes[view], problem.labels[view], problem.n_categories) for view in codes
    )
    p = problem.class_vectors @ sums.T
    basis = np.linalg.solve(g, p.T).T
    if (np.einsum("dk,dk->k", basis, basis) <= 1 + 1e-9).all():
        return basis

    def negative_dual(mu):
        d = np.linalg.solve(g + np.diag(mu), p.T).T
        return np.sum(d * p) + mu.sum(), 1 - np.einsum("dk,dk->k", d, d)

    start = np.full(len(g), 0.01 * np.trace(g) / len(g))
    found = minimize(
        negative_dual,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * len(g),
        options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7},
    )
    basis = np.linalg.solve(g + np.diag(found.x), p.T).T
    return basis / np.maximum(1, np.linalg.norm(basis, axis=0))


class _Separation:
    """The categories' codes in both views and how far apart they are, kept up to date."""

    def __init__(self, problem, majority):
        self.floor = problem.min_distance
        self.codes = majority
        # An empty category has no codes to keep apart in that view.
        self.present = {view: problem.counts[view] > 0 for view in majority}
        self.distance = {
            (v, w): (len(majority[v]) - majority[v].T.astype(int) @ majority[w]) // 2
            for v in majority
            for w in majority
        }

    def allowed(self, view, bit, wanted):
        """Which categories may take the bits ``wanted`` (n_categories,) in row ``bit``.

        Taken one after the other, so that every state in between keeps the floor.
        """
        now = self.codes[view][bit]
        allowed = np.ones(len(wanted), dtype=bool)
        for category in np.flatnonzero((wanted != now) & self.present[view]):
            for other in self.codes:
                nearer = self.present[other] & (self.codes[other][bit] == -now[category])
                nearer[category] = False  # the bound is between categories
                if (self.distance[view, other][category, nearer] <= self.floor).any():
                    allowed[category] = False
                    break
            if allowed[category]:
                self._flip(view, bit, category)
        return allowed

    def _flip(self, view, bit, category):
        old = self.codes[view][bit, category]
        for other in self.codes:
            step = (self.codes[other][bit] * old).astype(int)
            if other == view:
                step[category] = 0
            self.distance[view, other][category] += step
            if other == view:
                self.distance[view, view][:, category] += step
            else:
                self.distance[other, view][:, category] += step
        self.codes[view][bit, category] = -old


def _linear_and_coupling(problem, codes, basis, view):
    """R without the networks' part, by category (m, n_categories), and A (m, m); see below."""
    other = codes[other_view(view)]
    a, b = problem.similarity
    sums = category_sums(other, problem.labels[other_view(view)], problem.n_categories)
    by_category = len(other) * (a * sums + b * sums.sum(axis=1, keepdims=True))
    by_category += problem.lambda_ * (basis.T @ problem.class_vectors)
    return by_category, gram(other) + problem.lambda_ * (basis.T @ basis)


def threshold_codes(problem, codes, outputs, basis, view, *, ridge=1e-6):
    """The signs of the real codes of one view that minimise the objective, in place.

    Relax and threshold: A B = R with the A and R of `update_codes` is solved without regard to
    the codes being binary. What the discrete updates are compared with.
    """
    labels = problem.labels[view]
    by_category, coupling = _linear_and_coupling(problem, codes, basis, view)
    wanted = by_category[:, labels]
    diagonal = np.diag_indices_from(coupling)
    coupling[diagonal] += ridge * np.trace(coupling) / len(coupling)
    if outputs is not None:
        coupling[diagonal] += problem.gamma
        wanted = wanted + problem.gamma * outputs[view]
    relaxed = np.linalg.solve(coupling, wanted)
    codes[view][:] = np.where(relaxed == 0, codes[view], np.sign(relaxed))


def update_codes(problem, codes, outputs, basis, view, separation=None):
    """One sweep of discrete cyclic coordinate descent over the bits of one view, in place.

    Row k becomes sign(R_k - sum_{j != k} A_kj B_j), a zero keeping its old bit, with
    A = B_o B_o' + lambda D'D and R = m B_o W' + lambda D' phi + gamma F; B_o are the codes of the
    other view. No row update can increase the objective; where one would bring two categories'
    codes closer than ``problem.min_distance``, the items of that category keep their bit.

    Parameters
    ----------
    problem : CodeProblem
    codes : dict view -> int8 array (m, n_view)
    outputs : dict view -> float array (m, n_view), the networks' F, or None for none yet
    basis : float array (d, m)
    view : {"sketch", "image"}
        Whose codes are updated.
    separation : _Separation, optional

    Returns
    -------
    n_changed : int
        How many bits changed.
    """
    labels = problem.labels[view]
    by_category, coupling = _linear_and_coupling(problem, codes, basis, view)
    np.fill_diagonal(coupling, 0)
    current = codes[view].astype(np.float64)
    n_changed = 0
    for k in range(len(current)):
        pull = by_category[k][labels] - coupling[k] @ current
        if outputs is not None:
            pull += problem.gamma * outputs[view][k]
        row = np.where(pull == 0, current[k], np.sign(pull))
        if separation is not None:
            votes = np.bincount(labels, weights=row, minlength=problem.n_categories)
            wanted = np.where(votes == 0, separation.codes[view][k], np.sign(votes))
            allowed = separation.allowed(view, k, wanted)
            row = np.where(allowed[labels], row, current[k])
        n_changed += np.count_nonzero(row != current[k])
        current[k] = row
        codes[view][k] = row
    return n_changed


def sweep(problem, codes, outputs, majority, *, relaxed=False):
    """One round of the discrete steps, or of the relaxed ones: D, then B_I, then B_S.

    ``codes`` and ``majority``, the categories' codes (dict view -> int8 (m, n_categories)), are
    changed in place; the other arguments are those of `update_codes`.

    Returns
    -------
    basis : float array (d, m)
    """
    basis = update_basis(problem, codes)
    separation = _Separation(problem, majority) if problem.min_distance else None
    for view in ("image", "sketch"):
        if relaxed:
            threshold_codes(problem, codes, outputs, basis, view)
        else:
            update_codes(problem, codes, outputs, basis, view, separation)
        majority[view][:] = category_codes(codes[view], problem.labels[view], majority[view])
    return basis


def smallest_category_distance(problem, majority):
    """The smallest distance between the codes of two categories, within and across views."""
    present = {view: np.flatnonzero(problem.counts[view]) for view in majority}
    names = np.concatenate(list(present.values()))
    codes = np.concatenate([majority[view].T[rows] for view, rows in present.items()])
    apart = names[:, None] != names[None]
    return int(code_distances(codes)[apart].min()) if apart.any() else codes.shape[1]
