import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dsh.deep._category_codes import (
    _bch_codes,
    _hadamard_codes,
    code_distances,
    initial_category_codes,
    smallest_distance,
)


def brute_force_smallest(codes):
    return min(int(np.sum(codes[i] != codes[j])) for i in range(len(codes)) for j in range(i))


@settings(max_examples=30, deadline=None)
@given(n_categories=st.integers(1, 40), n_bits=st.integers(1, 70), seed=st.integers(0, 99))
def test_any_number_of_categories_and_bits(n_categories, n_bits, seed):
    codes = initial_category_codes(n_categories, n_bits, np.random.RandomState(seed))
    assert codes.shape == (n_categories, n_bits)
    assert codes.dtype == np.int8
    assert set(np.unique(codes)) <= {-1, 1}
    if n_categories > 1:
        assert smallest_distance(codes) == brute_force_smallest(codes)


@pytest.mark.parametrize(
    ("n_categories", "n_bits", "expected"),
    [
        (7, 32, 18),
        (7, 64, 36),
        (7, 128, 72),
        (57, 32, 16),
        (57, 64, 32),
        (57, 128, 64),
        (250, 32, 12),
        (250, 64, 28),
        (250, 128, 64),
    ],
)
def test_separated_codes_are_as_far_apart_as_known_constructions(n_categories, n_bits, expected):
    for seed in range(2):
        codes = initial_category_codes(n_categories, n_bits, np.random.RandomState(seed))
        assert smallest_distance(codes) >= expected


def test_two_categories_get_opposite_codes():
    codes = initial_category_codes(2, 24, np.random.RandomState(0))
    np.testing.assert_array_equal(codes[0], -codes[1])


def test_hadamard_rows_and_complements_are_half_the_bits_apart():
    codes = _hadamard_codes(64, 32, np.random.RandomState(0))
    distances = code_distances(codes)[np.triu_indices(64, 1)]
    assert set(distances) == {16, 32}


@pytest.mark.parametrize(("n_bits", "distance"), [(32, 12), (64, 28), (128, 64)])
def test_bch_words_keep_the_designed_distance(n_bits, distance):
    assert brute_force_smallest(_bch_codes(200, n_bits, np.random.RandomState(0))) >= distance


def test_random_codes_are_not_separated_on_purpose():
    codes = initial_category_codes(200, 16, np.random.RandomState(0), kind="random")
    assert smallest_distance(codes) < 3
    assert abs(codes.mean()) < 0.1


def test_same_seed_same_codes():
    first, second, other = (
        initial_category_codes(9, 20, np.random.RandomState(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
