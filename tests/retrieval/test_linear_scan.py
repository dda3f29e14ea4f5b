"""The kernels against brute force: exact, order included, for every way to split the work."""

import numpy as np
import pytest
from hamming_reference import brute_force, make_codes, make_problem, many_examples, problems
from hypothesis import given
from hypothesis import strategies as st

from sklearn_dsh.codes import hamming_distances
from sklearn_dsh.retrieval import _kernels, _linear_scan
from sklearn_dsh.retrieval._linear_scan import count_by_distance, search_nearest, search_within

pytestmark = pytest.mark.usefixtures("small_work_is_split")


@many_examples
@given(problem=problems, k_share=st.floats(0, 1))
def test_nearest_equals_brute_force(problem, k_share):
    gallery, queries = make_problem(problem)
    k = max(1, round(k_share * len(gallery)))
    distances, rows = search_nearest(gallery, queries, k, n_jobs=problem["n_jobs"])
    expected_distances, expected_rows = brute_force(gallery, queries, k)
    assert distances.dtype == np.int32
    assert rows.dtype == np.intp
    np.testing.assert_array_equal(distances, expected_distances)
    np.testing.assert_array_equal(rows, expected_rows)


@many_examples
@given(problem=problems, radius_share=st.floats(0, 1))
def test_within_equals_brute_force(problem, radius_share):
    gallery, queries = make_problem(problem)
    radius = round(radius_share * 8 * problem["n_bytes"])
    distances, rows, offsets = search_within(gallery, queries, radius, n_jobs=problem["n_jobs"])
    expected_distances, expected_rows = brute_force(gallery, queries, len(gallery))
    assert len(offsets) == len(queries) + 1
    assert distances.dtype == np.int32
    assert rows.dtype == np.intp
    for q in range(len(queries)):
        found = slice(offsets[q], offsets[q + 1])
        n = np.count_nonzero(expected_distances[q] <= radius)
        np.testing.assert_array_equal(distances[found], expected_distances[q, :n])
        np.testing.assert_array_equal(rows[found], expected_rows[q, :n])


@pytest.mark.parametrize("n_bytes", [4, 8, 16, 32])
def test_few_queries_of_a_gallery_larger_than_the_caches(n_bytes):
    n = _kernels._CACHED // n_bytes + 1000
    gallery = np.random.default_rng(0).integers(0, 256, (n, n_bytes), dtype=np.uint8)
    query = gallery[[n - 1]] ^ np.uint8(1)
    distances = hamming_distances(query, gallery)[0]
    nearest = np.argsort(distances, kind="stable")[:9]
    for n_jobs in (1, 2):
        found = search_nearest(gallery, query, 9, n_jobs=n_jobs)
        np.testing.assert_array_equal(found[1][0], nearest)
        np.testing.assert_array_equal(found[0][0], distances[nearest])
        radius = distances[nearest[-1]]
        found = search_within(gallery, query, radius, n_jobs=n_jobs)
        np.testing.assert_array_equal(np.sort(found[1]), np.flatnonzero(distances <= radius))


@many_examples
@given(problem=problems)
def test_counts_equal_brute_force(problem):
    gallery, queries = make_problem(problem)
    rng = np.random.default_rng(problem["seed"])
    gallery_labels = rng.integers(0, 4, len(gallery))
    query_labels = rng.integers(0, 4, len(queries))
    total, relevant = count_by_distance(
        queries, gallery, query_labels, gallery_labels, n_jobs=problem["n_jobs"]
    )
    distances = hamming_distances(queries, gallery)
    n_bins = 8 * problem["n_bytes"] + 1
    for q in range(len(queries)):
        same = gallery_labels == query_labels[q]
        np.testing.assert_array_equal(total[q], np.bincount(distances[q], minlength=n_bins))
        np.testing.assert_array_equal(
            relevant[q], np.bincount(distances[q][same], minlength=n_bins)
        )


def test_counts_without_labels():
    total, relevant = count_by_distance(np.uint8([[0]]), np.uint8([[0], [1], [2], [255]]))
    np.testing.assert_array_equal(total, [[1, 2, 0, 0, 0, 0, 0, 0, 1]])
    assert relevant is None


@many_examples
@given(problem=problems)
def test_own_rows_are_left_out(problem):
    gallery, _ = make_problem({**problem, "n_gallery": problem["n_gallery"] + 1})
    own_rows = np.arange(len(gallery))
    k = max(1, len(gallery) // 3)
    distances, rows = search_nearest(
        gallery, gallery, k, own_rows=own_rows, n_jobs=problem["n_jobs"]
    )
    expected_distances, expected_rows = brute_force(gallery, gallery, k, own_rows)
    np.testing.assert_array_equal(distances, expected_distances)
    np.testing.assert_array_equal(rows, expected_rows)
    _, rows, offsets = search_within(gallery, gallery, 0, own_rows=own_rows)
    n_same = (hamming_distances(gallery, gallery) == 0).sum(axis=1)
    np.testing.assert_array_equal(np.diff(offsets), n_same - 1)
    assert not np.any(rows == np.repeat(own_rows, n_same - 1))


@many_examples
@given(problem=problems, share=st.floats(0, 1), k_share=st.floats(0, 1))
def test_only_allowed_rows_are_found(problem, share, k_share):
    gallery, queries = make_problem(problem)
    rng = np.random.default_rng(problem["seed"])
    allowed = rng.random(len(gallery)) < share
    allowed[rng.integers(len(gallery))] = True
    n_allowed = np.count_nonzero(allowed)
    k = max(1, round(k_share * n_allowed))
    n_jobs = problem["n_jobs"]
    distances, rows = search_nearest(gallery, queries, k, allowed=allowed, n_jobs=n_jobs)
    expected_distances, expected_rows = brute_force(gallery, queries, n_allowed, allowed=allowed)
    np.testing.assert_array_equal(distances, expected_distances[:, :k])
    np.testing.assert_array_equal(rows, expected_rows[:, :k])
    radius = 4 * problem["n_bytes"]
    distances, rows, offsets = search_within(
        gallery, queries, radius, allowed=allowed, n_jobs=n_jobs
    )
    within = expected_distances <= radius
    np.testing.assert_array_equal(np.diff(offsets), within.sum(axis=1))
    np.testing.assert_array_equal(distances, expected_distances[within])
    np.testing.assert_array_equal(rows, expected_rows[within])


@pytest.mark.parametrize("n_bytes", [1, 16, 32])
@pytest.mark.parametrize("nearest_first", [True, False])
def test_sorted_galleries(n_bytes, nearest_first):
    """The far ones first fill the candidates of a query over and over."""
    codes = make_codes(0, 12000, n_bytes, 12000, 0.5)
    query = codes[:1]
    order = np.argsort(hamming_distances(query, codes)[0], kind="stable")
    gallery = codes[order if nearest_first else order[::-1]]
    for k in (1, 50, 3000):
        distances, rows = search_nearest(gallery, query, k)
        expected_distances, expected_rows = brute_force(gallery, query, k)
        np.testing.assert_array_equal(distances, expected_distances)
        np.testing.assert_array_equal(rows, expected_rows)


def test_candidates_that_tie_survive_when_room_is_made():
    """Wherever a gallery with the far ones first ends, also right after room was made."""
    codes = make_codes(3, 12000, 1, 12000, 0.5)
    query = np.zeros((1, 1), np.uint8)
    gallery = codes[np.argsort(-hamming_distances(query, codes)[0], kind="stable")]
    for n in range(2500, 4500, 25):
        distances, rows = search_nearest(gallery[:n], query, 1500)
        expected_distances, expected_rows = brute_force(gallery[:n], query, 1500)
        np.testing.assert_array_equal(distances, expected_distances)
        np.testing.assert_array_equal(rows, expected_rows)


@pytest.mark.parametrize("n_bytes", [23, 24, 25, 31, 32, 33, 48, 49])
def test_opposite_codes(n_bytes):
    """The largest distances, of which no part may be too much for a byte."""
    queries = make_codes(2, 20, n_bytes, 20, 0.5)
    gallery = np.concatenate([~queries, queries])
    distances, rows = search_nearest(gallery, queries, len(gallery))
    expected_distances, expected_rows = brute_force(gallery, queries, len(gallery))
    assert expected_distances.max() == 8 * n_bytes
    np.testing.assert_array_equal(distances, expected_distances)
    np.testing.assert_array_equal(rows, expected_rows)


@pytest.mark.parametrize("n_bytes", [4, 8, 13, 16, 32])
@pytest.mark.parametrize("n_queries", [3, 40])
def test_unaligned_read_only_galleries(tmp_path, n_bytes, n_queries):
    codes = make_codes(1, 500, n_bytes, 500, 0.5)
    (tmp_path / "codes.bin").write_bytes(b"odd" + codes.tobytes())
    mapped = np.memmap(tmp_path / "codes.bin", np.uint8, mode="r", offset=3, shape=codes.shape)
    distances, rows = search_nearest(np.asarray(mapped), codes[:n_queries], 10)
    expected_distances, expected_rows = brute_force(codes, codes[:n_queries], 10)
    np.testing.assert_array_equal(distances, expected_distances)
    np.testing.assert_array_equal(rows, expected_rows)


def test_an_error_in_any_thread_reaches_the_caller():
    def fail():
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        _linear_scan.run_tasks([lambda: None, fail])


def test_both_ways_to_split_are_taken():
    gallery = make_codes(2, 1000, 8, 1000, 0.5)
    by_gallery = _linear_scan._Plan(gallery, gallery[:3], 2)
    by_queries = _linear_scan._Plan(gallery, gallery[:8], 2)
    assert by_gallery.splits_gallery
    assert not by_queries.splits_gallery
    assert len(by_gallery.parts) == len(by_queries.parts) == 2
    assert by_gallery.parts[0][2] == by_gallery.parts[1][1] == 448


@pytest.mark.parametrize(
    ("n_queries", "n_codes", "k", "splits_gallery"),
    [
        (4, 1000, 1, False),
        (3, 1000, 1, True),
        (4, 10_000, 1, True),  # near enough codes are found soon in each part
        (5, 10_000, 1, True),
        (6, 10_000, 1, False),
        (4, 10_000, 2, False),
        (4, 1000, 0, True),
    ],
)
def test_what_is_split(n_queries, n_codes, k, splits_gallery, monkeypatch):
    monkeypatch.setattr(_linear_scan, "_FEWEST_QUERIES", 2)
    queries, gallery = (make_codes(2, n, 4, n, 0.5) for n in (n_queries, n_codes))
    assert _linear_scan._Plan(gallery, queries, 2, k).splits_gallery == splits_gallery


def test_a_byte_holds_the_sum_of_the_planes_added_at_once():
    assert 8 * _kernels._PLANES_PER_SUM < 256
