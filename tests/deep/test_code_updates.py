import tracemalloc

import numpy as np
import pytest

from sklearn_dsh.deep._alternation import Alternation
from sklearn_dsh.deep._category_codes import code_distances, initial_category_codes
from sklearn_dsh.deep._code_updates import (
    CodeProblem,
    category_codes,
    category_sums,
    gram,
    similarity_coefficients,
    smallest_category_distance,
    sweep,
    threshold_codes,
    update_basis,
    update_codes,
)
from sklearn_dsh.deep._objective import objective

KINDS = ["signed", "binary", "centred"]


def plain_objective(problem, codes, outputs, basis):
    """The objective of the paper, every matrix formed."""
    a, b = problem.similarity
    one_hot = {v: np.eye(problem.n_categories)[:, y] for v, y in problem.labels.items()}
    w = a * one_hot["image"].T @ one_hot["sketch"] + b
    b_i, b_s = (codes[v].astype(float) for v in ("image", "sketch"))
    value = np.sum((len(b_i) * w - b_i.T @ b_s) ** 2)
    for view, b_v in (("image", b_i), ("sketch", b_s)):
        phi = problem.class_vectors @ one_hot[view]
        value += problem.lambda_ * np.sum((phi - basis @ b_v) ** 2)
        value += problem.gamma * np.sum((outputs[view] - b_v) ** 2)
    return value


def make_problem(kind="centred", *, c=5, m=12, sizes=(30, 41), seed=0, **settings):
    rng = np.random.RandomState(seed)
    labels = {"sketch": rng.randint(c, size=sizes[0]), "image": rng.randint(c, size=sizes[1])}
    problem = CodeProblem(
        labels,
        c,
        rng.standard_normal((6, c)),
        similarity_coefficients(kind, c),
        **{"lambda_": 2.0, "gamma": 15.0, **settings},
    )
    signs = np.array([-1, 1], dtype=np.int8)
    codes = {view: rng.choice(signs, (m, len(y))) for view, y in labels.items()}
    outputs = {view: rng.standard_normal((m, len(y))) for view, y in labels.items()}
    return problem, codes, outputs


def majority_of(problem, codes):
    plus = np.ones((len(codes["sketch"]), problem.n_categories), dtype=np.int8)
    return {v: category_codes(codes[v], y, plus) for v, y in problem.labels.items()}


@pytest.mark.parametrize(
    ("kind", "same", "different"),
    [("signed", 1, -1), ("binary", 1, 0), ("centred", 1, -0.25)],
)
def test_similarity_coefficients(kind, same, different):
    a, b = similarity_coefficients(kind, 5)
    assert (a + b, b) == pytest.approx((same, different))


def test_centred_similarity_of_one_category_is_defined():
    assert similarity_coefficients("centred", 1) == (1.0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_objective_by_class_sums_equals_the_plain_formula(kind):
    problem, codes, outputs = make_problem(kind)
    basis = update_basis(problem, codes)
    expected = plain_objective(problem, codes, outputs, basis)
    assert objective(problem, codes, outputs, basis) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("view", ["image", "sketch"])
@pytest.mark.parametrize("seed", range(3))
def test_every_bit_update_is_the_best_and_never_increases_the_objective(kind, view, seed):
    # Replays the sweep row by row: each new row must be the plain formula's minimiser over
    # every single bit of the row, given the rows updated before it and the old ones after it.
    problem, codes, outputs = make_problem(kind, seed=seed, m=6, sizes=(9, 11))
    basis = update_basis(problem, codes)
    before = {v: b.copy() for v, b in codes.items()}
    update_codes(problem, codes, outputs, basis, view)
    state = {v: b.copy() for v, b in before.items()}
    value = plain_objective(problem, state, outputs, basis)
    for k in range(len(state[view])):
        for i in range(state[view].shape[1]):
            values = {}
            for bit in (-1, 1):
                state[view][k, i] = bit
                values[bit] = plain_objective(problem, state, outputs, basis)
            chosen = codes[view][k, i]
            assert values[chosen] <= values[-chosen] + 1e-8
            state[view][k, i] = chosen
        now = plain_objective(problem, state, outputs, basis)
        assert now <= value + 1e-8
        value = now
    other = "sketch" if view == "image" else "image"
    np.testing.assert_array_equal(codes[other], before[other])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("min_distance", [0, 3])
def test_sweeps_never_increase_the_objective(kind, min_distance):
    problem, codes, outputs = make_problem(kind, min_distance=min_distance)
    majority = majority_of(problem, codes)
    basis = update_basis(problem, codes)
    value = plain_objective(problem, codes, outputs, basis)
    for _ in range(6):
        basis = sweep(problem, codes, outputs, majority)
        now = plain_objective(problem, codes, outputs, basis)
        assert now <= value + 1e-6
        value = now


def test_a_zero_keeps_the_old_bit():
    # No similarity, no semantics, no outputs, and sketch codes whose Gram matrix is diagonal:
    # every pull is exactly zero.
    labels = {"sketch": np.array([0, 0, 1, 1]), "image": np.array([0, 1])}
    problem = CodeProblem(labels, 2, np.eye(2), (0.0, 0.0), lambda_=0.0, gamma=0.0)
    codes = {
        "sketch": np.array([[1, 1, -1, -1], [1, -1, 1, -1]], dtype=np.int8),
        "image": np.array([[1, -1], [-1, -1]], dtype=np.int8),
    }
    before = codes["image"].copy()
    assert update_codes(problem, codes, None, np.zeros((2, 2)), "image") == 0
    np.testing.assert_array_equal(codes["image"], before)


def test_the_networks_enter_through_gamma():
    problem, codes, _ = make_problem(gamma=1e9)
    rng = np.random.RandomState(1)
    outputs = {v: rng.standard_normal(b.shape) for v, b in codes.items()}
    sweep(problem, codes, outputs, majority_of(problem, codes))
    for view, b in codes.items():
        np.testing.assert_array_equal(b, np.sign(outputs[view]))


def test_unconstrained_basis_is_least_squares():
    problem, codes, _ = make_problem()
    problem.class_vectors = 0.01 * problem.class_vectors  # keeps every column within the bound
    b = np.hstack([codes["sketch"], codes["image"]]).astype(float)
    phi = problem.class_vectors[:, np.r_[problem.labels["sketch"], problem.labels["image"]]]
    expected = np.linalg.lstsq(b.T, phi.T, rcond=None)[0].T
    np.testing.assert_allclose(update_basis(problem, codes), expected, rtol=1e-3, atol=1e-7)


def test_constrained_basis_meets_the_conditions_of_optimality():
    problem, codes, _ = make_problem(c=9, m=4)
    problem.class_vectors = 40 * problem.class_vectors
    basis = update_basis(problem, codes)
    norms = np.linalg.norm(basis, axis=0)
    assert norms.max() <= 1 + 1e-9
    b = np.hstack([codes["sketch"], codes["image"]]).astype(float)
    phi = problem.class_vectors[:, np.r_[problem.labels["sketch"], problem.labels["image"]]]
    gradient = 2 * (basis @ b - phi) @ b.T
    for k, norm in enumerate(norms):  # gradient = -2 mu_k D_k, mu_k >= 0, mu_k (1 - norm) = 0
        mu = -gradient[:, k] @ basis[:, k] / (2 * norm**2)
        assert mu >= -1e-3
        if norm < 1 - 1e-3:
            assert abs(mu) < 1e-2 * np.abs(gradient).max()
        np.testing.assert_allclose(
            gradient[:, k], -2 * mu * basis[:, k], atol=2e-3 * np.abs(phi @ b.T).max()
        )


def test_basis_of_one_code_a_category_is_finite():
    # The Gram matrix then has the rank of the number of categories.
    labels = {"sketch": np.arange(7).repeat(5), "image": np.arange(7).repeat(3)}
    start = initial_category_codes(7, 64, np.random.RandomState(0))
    problem = CodeProblem(labels, 7, np.eye(7), (1.0, 0.0))
    basis = update_basis(problem, {v: start.T[:, y] for v, y in labels.items()})
    assert np.isfinite(basis).all()
    np.testing.assert_allclose(basis @ start.T, np.eye(7), atol=1e-3)


def test_sums_majorities_and_gram():
    codes = np.array([[1, 1, -1, -1], [1, -1, 1, 1]], dtype=np.int8)
    labels = np.array([0, 0, 0, 2])
    np.testing.assert_array_equal(category_sums(codes, labels, 3), [[1, 0, -1], [1, 0, 1]])
    tie = np.array([[1, -1, 1], [1, 1, 1]], dtype=np.int8)
    np.testing.assert_array_equal(category_codes(codes, labels, tie), [[1, -1, -1], [1, 1, 1]])
    np.testing.assert_array_equal(gram(codes, block=3), [[4, -2], [-2, 4]])


@pytest.mark.parametrize(
    ("n_categories", "wanted"),
    [(7, {32: 16, 64: 32, 128: 64}), (57, {32: 12, 64: 24, 128: 56}),
     (250, {32: 10, 64: 24, 128: 56})],
)  # fmt: skip
def test_categories_stay_apart_through_the_updates(n_categories, wanted):
    rng = np.random.RandomState(0)
    labels = {
        "sketch": np.r_[np.arange(n_categories), rng.randint(n_categories, size=1500)],
        "image": np.r_[np.arange(n_categories), rng.randint(n_categories, size=2500)],
    }
    for n_bits, least in wanted.items():
        alternation = Alternation(labels, n_categories, n_bits, np.eye(n_categories), rng)
        changed = 0
        for round_ in range(3):
            codes = alternation.item_codes()
            outputs = {v: 0.8 * b + 0.5 * rng.standard_normal(b.shape) for v, b in codes.items()}
            alternation.update(outputs if round_ else None)
            changed += sum(np.sum(codes[v] != b) for v, b in alternation.item_codes().items())
            assert alternation.smallest_distance() >= least
        assert changed > 0


def test_the_bound_refuses_what_descent_would_do():
    # 250 categories of uneven size in 32 bits: descent alone brings categories together.
    rng = np.random.RandomState(0)
    labels = {view: rng.randint(250, size=n) for view, n in (("sketch", 3000), ("image", 6000))}
    distances = {}
    for bound in ("auto", None):
        alternation = Alternation(
            labels, 250, 32, np.eye(250), np.random.RandomState(0), min_distance=bound
        )
        for _ in range(2):
            alternation.update()
        distances[bound] = alternation.smallest_distance()
    assert distances["auto"] >= 10
    assert distances[None] < 8


def test_the_literal_objective_collapses():
    # +1/-1 with random codes ends with sketches opposite to photos.
    labels = {view: np.arange(57).repeat(10) for view in ("sketch", "image")}
    alternation = Alternation(
        labels, 57, 64, np.eye(57), np.random.RandomState(0), init_codes="random",
        min_distance=None, similarity="signed", quantization_weight=1e-5,
    )  # fmt: skip
    for _ in range(5):
        alternation.update()
    codes = alternation.category_codes()
    assert (codes["sketch"] != codes["image"]).mean() > 0.6
    assert alternation.smallest_distance() < 12


def test_codes_may_start_as_near_to_each_other_as_the_class_vectors():
    phi = np.array([[1.0, 0.9, -1.0, -0.9, 0.0], [0.0, 0.5, 0.1, -0.5, -1.0]])
    labels = {"sketch": np.arange(5).repeat(2), "image": np.arange(5).repeat(3)}
    alternation = Alternation(
        labels, 5, 48, phi, np.random.RandomState(0), init_codes="semantic", code_updates="fixed"
    )
    codes = alternation.category_codes()
    np.testing.assert_array_equal(codes["sketch"], codes["image"])
    for view, y in labels.items():
        np.testing.assert_array_equal(alternation.item_codes()[view], codes[view][y])
    distances = code_distances(codes["image"])
    assert max(distances[0, 1], distances[2, 3]) < min(distances[0, 2], distances[1, 3])


def test_one_view_and_missing_categories():
    labels = {"image": np.array([0, 0, 2, 2, 2])}
    alternation = Alternation(labels, 3, 8, np.eye(3), np.random.RandomState(0))
    alternation.update()
    assert list(alternation.item_codes()) == ["image"]
    assert alternation.item_codes()["image"].shape == (5, 8)
    two = {"image": np.array([0, 0, 2]), "sketch": np.array([1, 1, 2])}
    alternation = Alternation(two, 3, 8, np.eye(3), np.random.RandomState(0))
    codes = alternation.category_codes()
    np.testing.assert_array_equal(codes["image"][1], codes["sketch"][1])


def test_a_sweep_needs_little_memory_beyond_its_inputs():
    rng = np.random.RandomState(0)
    labels = {"sketch": rng.randint(20, size=2000), "image": rng.randint(20, size=20_000)}
    alternation = Alternation(labels, 20, 64, np.eye(20), rng)
    codes = alternation.item_codes()
    outputs = {view: b.astype(np.float32) for view, b in codes.items()}
    tracemalloc.start()
    alternation.update(outputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The matrix W would take 320 MB in float64, one float64 copy of the photos' codes 10 MB.
    assert peak < 60e6


def test_smallest_category_distance_counts_both_views():
    labels = {"sketch": np.array([0, 1]), "image": np.array([0, 1])}
    codes = {
        "sketch": np.array([[1, -1], [1, -1], [1, -1]], dtype=np.int8),
        "image": np.array([[1, -1], [1, -1], [-1, -1]], dtype=np.int8),
    }
    problem = CodeProblem(labels, 2, np.eye(2), (1.0, 0.0))
    assert smallest_category_distance(problem, majority_of(problem, codes)) == 2
    problem.counts["image"][0] = 0  # a category without photos has no photo code to compare
    assert smallest_category_distance(problem, majority_of(problem, codes)) == 3


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_relaxed_codes_are_the_signs_of_the_real_minimum(view):
    rng = np.random.RandomState(0)
    labels = {"sketch": np.arange(12) % 3, "image": np.arange(20) % 3}
    problem = CodeProblem(
        labels, 3, rng.standard_normal((4, 3)), (1.5, -0.5), lambda_=0.3, gamma=5.0
    )
    codes = {
        v: rng.choice(np.array([-1, 1], dtype=np.int8), (6, len(y))) for v, y in labels.items()
    }
    outputs = {v: rng.standard_normal(c.shape) for v, c in codes.items()}
    basis = update_basis(problem, codes)
    # The objective in full, with W formed, as least squares in the codes of one view.
    w = np.where(labels["image"][:, None] == labels["sketch"], 1.0, -0.5)
    w = w if view == "sketch" else w.T
    other = codes["image" if view == "sketch" else "sketch"].astype(float)
    stacked = np.vstack([other.T, 0.3**0.5 * basis, 5**0.5 * np.eye(6)])
    wanted = np.vstack(
        [
            6 * w,
            0.3**0.5 * problem.class_vectors[:, labels[view]],
            5**0.5 * outputs[view],
        ]
    )
    expected = np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    threshold_codes(problem, codes, outputs, basis, view, ridge=0)
    np.testing.assert_array_equal(codes[view], np.sign(expected))
