"""The structures of distinct codes against brute force: exact, order included."""

from itertools import pairwise

import numpy as np
import pytest
from hamming_reference import brute_force, make_codes, make_problem, many_examples, problems
from hypothesis import given
from hypothesis import strategies as st

from sklearn_dsh.retrieval import _distinct, _kernels
from sklearn_dsh.retrieval._balls import Balls
from sklearn_dsh.retrieval._distinct import sort_distinct
from sklearn_dsh.retrieval._multi_index import MultiIndex, substring_bits

pytestmark = pytest.mark.usefixtures("small_work_is_split")


def build(kind, codes):
    if kind == "balls":
        return Balls(codes)
    index = MultiIndex(codes)
    index.most_work = 1 << 60
    return index


kinds = st.sampled_from(["balls", "multi_index"])


@many_examples
@given(kind=kinds, problem=problems, share=st.none() | st.floats(0, 1), k_share=st.floats(0, 1))
def test_nearest_and_within_equal_brute_force(kind, problem, share, k_share):
    if kind == "multi_index":
        problem = {**problem, "n_bytes": min(problem["n_bytes"], 6), "n_queries": 4}
    gallery, queries = make_problem(problem)
    rng = np.random.default_rng(problem["seed"])
    allowed = None if share is None else rng.random(len(gallery)) < share
    n_allowed = len(gallery) if share is None else np.count_nonzero(allowed)
    k = max(1, round(k_share * len(gallery)))
    options = {"allowed": allowed, "n_jobs": problem["n_jobs"]}
    structure = build(kind, gallery)
    distances, rows, counts, _ = structure.nearest(queries, k, **options)
    expected_distances, expected_rows = brute_force(gallery, queries, n_allowed, allowed=allowed)
    assert np.all(counts == min(k, n_allowed))
    np.testing.assert_array_equal(distances[:, : counts[0]], expected_distances[:, :k])
    np.testing.assert_array_equal(rows[:, : counts[0]], expected_rows[:, :k])
    radius = round(k_share * 4 * problem["n_bytes"])
    (distances, rows, offsets), *_ = structure.within(queries, radius, **options)
    near = expected_distances <= radius
    np.testing.assert_array_equal(np.diff(offsets), near.sum(axis=1))
    np.testing.assert_array_equal(distances, expected_distances[near])
    np.testing.assert_array_equal(rows, expected_rows[near])


@pytest.mark.parametrize("kind", ["balls", "multi_index"])
@pytest.mark.parametrize("flipped", [0.0, 0.03, 0.5])
def test_own_rows_are_left_out(kind, flipped):
    codes = make_codes(5, 300, 2, 20, flipped)
    own = np.arange(300)
    for allowed in (None, np.arange(300) % 3 > 0):
        distances, rows, counts, _ = build(kind, codes).nearest(
            codes, 40, own_rows=own, allowed=allowed
        )
        expected_distances, expected_rows = brute_force(codes, codes, 40, own, allowed)
        assert np.all(counts == 40)
        np.testing.assert_array_equal(distances, expected_distances)
        np.testing.assert_array_equal(rows, expected_rows)


def test_balls_of_more_codes_than_a_block_and_many_candidates():
    """More candidates than there is room for at first, and many ties."""
    for n_bytes, n_distinct in ((1, 9000), (32, 3), (40, 9000)):
        codes = make_codes(1, 9000, n_bytes, n_distinct, 0.1)
        balls = Balls(codes)
        balls.most_compared = 9000
        distances, rows, *_ = balls.nearest(codes[:3], 2500)
        expected_distances, expected_rows = brute_force(codes, codes[:3], 2500)
        np.testing.assert_array_equal(distances, expected_distances)
        np.testing.assert_array_equal(rows, expected_rows)


def test_balls_leave_out_what_is_far():
    codes = make_codes(2, 20_000, 16, 40, 0.02)
    balls = Balls(codes)
    *_, stats = balls.nearest(codes[:50], 10)
    assert stats[0] < 50 * len(codes) / 5


def test_a_query_that_takes_too_much_work_is_given_up():
    codes = make_codes(3, 2000, 16, 2000, 0.5)
    index = MultiIndex(codes)
    index.most_work = 10
    *_, counts, _ = index.nearest(np.vstack([codes[:1], ~codes[:1]]), 5)
    assert counts.tolist() == [-1, -1]
    assert index.within(codes[:1], 60)[1].tolist() == [True]


def test_a_query_that_would_compare_too_many_codes_is_given_up():
    codes = make_codes(3, 20_000, 16, 40, 0.02)
    balls = Balls(codes)
    balls.most_compared = 1000  # twice a category
    far = make_codes(4, 1, 16, 1, 0.0)
    *_, counts, stats = balls.nearest(np.vstack([codes[:1], far]), 5)
    assert counts.tolist() == [5, -1]
    assert stats[0] < len(codes)
    (_, rows, offsets), given_up, _ = balls.within(np.vstack([far, codes[:1], far]), 45)
    assert given_up.tolist() == [False, False, False]
    assert offsets.tolist() == [0, 0, len(rows), len(rows)]
    _, given_up, stats = balls.within(codes[:2], 70)
    assert given_up.all()
    assert stats[0] == 2 * balls.n_centres  # foreseen


@given(st.integers(1, 10**9), st.integers(1, 60))
def test_substrings_cover_the_code(n_codes, n_bytes):
    ends = substring_bits(n_codes, 8 * n_bytes)
    assert ends[0] == 0
    assert ends[-1] == 8 * n_bytes
    assert np.all(np.diff(ends) > 0)
    assert np.diff(ends).max() - np.diff(ends).min() <= 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.sampled_from([1, 3, 8, 16, 17]))
def test_sort_distinct(seed, n, n_bytes):
    codes = make_codes(seed, n, n_bytes, 9, 0.05)
    check_distinct(codes, *sort_distinct(codes))


def test_codes_whose_hashes_collide_are_told_apart(monkeypatch):
    monkeypatch.setattr(_distinct._kernels, "hash_codes", lambda codes, out: out.fill(7))
    codes = make_codes(4, 300, 2, 40, 0.1)
    starts, rows = sort_distinct(codes)
    check_distinct(codes, starts, rows)
    major = (codes[:, 0] % 5).astype(np.uint64)
    starts, rows = sort_distinct(codes, major)
    check_distinct(codes, starts, rows)
    assert np.all(np.diff(major[rows].astype(int)) >= 0)


def check_distinct(codes, starts, rows):
    found = [codes[rows[a:b]] for a, b in pairwise(starts)]
    assert all((group == group[0]).all() for group in found)
    assert len({group[0].tobytes() for group in found}) == len(found)
    assert len(found) == len(np.unique(codes, axis=0))
    assert sorted(rows) == list(range(len(codes)))
    for a, b in pairwise(starts):
        assert np.all(np.diff(rows[a:b]) > 0)


@given(st.integers(1, 500), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_rows_are_sorted_by_their_low_bits(n, n_bits, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 1 << n_bits, n)
    values = np.arange(n) << 48 | rows  # what a stable sort leaves in order
    expected = values[np.argsort(rows, kind="stable")] if n >= 64 else np.sort(values)
    _kernels._sort_by_low_bits(values, n_bits, np.empty(n + 3, dtype=np.int64))
    np.testing.assert_array_equal(values, expected)
