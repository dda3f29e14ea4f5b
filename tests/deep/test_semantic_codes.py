import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dsh.deep._category_codes import code_distances, smallest_distance
from sklearn_dsh.deep._semantic_codes import (
    centred_cosines,
    misfit,
    semantic_category_codes,
)


def codes_of(class_vectors, n_bits, seed=0):
    return semantic_category_codes(class_vectors, n_bits, np.random.RandomState(seed))


@settings(max_examples=30, deadline=None)
@given(
    n_categories=st.integers(1, 12),
    n_dimensions=st.integers(1, 6),
    n_bits=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_no_other_bit_would_bring_the_codes_nearer(n_categories, n_dimensions, n_bits, seed):
    phi = np.random.default_rng(seed).normal(size=(n_dimensions, n_categories))
    codes = codes_of(phi, n_bits, seed)
    assert codes.shape == (n_categories, n_bits)
    assert codes.dtype == np.int8
    assert set(np.unique(codes)) <= {-1, 1}
    wanted = n_bits * centred_cosines(phi)
    codes = codes.astype(float)
    reached = misfit(codes, wanted)
    for row, bit in itertools.product(range(n_categories), range(n_bits)):
        other = codes.copy()
        other[row, bit] *= -1
        assert misfit(other, wanted) >= reached - 1e-5


def test_near_the_best_of_all_codes():
    phi = np.random.default_rng(3).normal(size=(4, 4))
    wanted = 4 * centred_cosines(phi)
    every = itertools.product(itertools.product([-1.0, 1.0], repeat=4), repeat=4)
    best = min(misfit(np.array(codes), wanted) for codes in every)
    assert misfit(codes_of(phi, 4).astype(float), wanted) <= 1.2 * best


def test_distances_follow_the_class_vectors():
    animals, things = np.array([1.0, 0, 0, 0]), np.array([0, 1.0, 0, 0])
    own = 0.6 * np.random.default_rng(0).normal(size=(6, 4))
    phi = (np.repeat([animals, things], 3, axis=0) + own).T
    distances = code_distances(codes_of(phi, 64))
    expected = 32 * (1 - centred_cosines(phi))
    assert np.abs(distances - expected).max() <= 6
    # Within 64 bits, nothing is nearer than a quarter of them, and categories keep their order.
    assert distances[np.triu_indices(6, 1)].min() >= 10


def test_cosines_are_those_of_the_centred_vectors():
    phi = np.array([[3.0, 5.0, 4.0], [1.0, 1.0, 7.0]])
    left = phi - phi.mean(axis=1, keepdims=True)
    a, b = left[:, 0], left[:, 2]
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert centred_cosines(phi)[0, 2] == pytest.approx(expected)
    assert centred_cosines(phi)[0, 1] <= 0.5
    np.testing.assert_array_equal(np.diag(centred_cosines(phi)), 1)


def test_one_hot_vectors_give_separated_codes():
    codes = codes_of(np.eye(7), 64)
    assert smallest_distance(codes) >= 34  # 64 / 2 * (1 + 1 / 6) = 37.3 for each pair


@pytest.mark.parametrize("phi", [np.ones((3, 5)), np.zeros((2, 4)), np.ones((4, 1))])
def test_vectors_that_say_nothing(phi):
    codes = codes_of(phi, 32)
    assert set(np.unique(codes)) <= {-1, 1}
    if len(codes) > 1:
        assert smallest_distance(codes) >= 12


def test_equal_vectors_are_told_apart():
    phi = np.array([[1.0, 1.0, -1.0, -1.0, 0.0], [0.0, 0.0, 1.0, -1.0, 1.0]])
    assert smallest_distance(codes_of(phi, 64)) >= 14


def test_the_same_seed_gives_the_same_codes():
    phi = np.random.default_rng(0).normal(size=(3, 6))
    np.testing.assert_array_equal(codes_of(phi, 24, 5), codes_of(phi, 24, 5))
    assert (codes_of(phi, 24, 5) != codes_of(phi, 24, 6)).any()
