"""HammingRetriever against brute force, whatever the algorithm and the gallery's history."""

import mmap
import multiprocessing
import os
import pickle
import sys
from itertools import pairwise
from threading import Thread
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from hamming_reference import brute_force, make_codes, many_examples
from hypothesis import given
from hypothesis import strategies as st

from sklearn_dsh import HammingRetriever
from sklearn_dsh.retrieval import _choice, _hamming, _linear_scan, _torch_scan
from sklearn_dsh.retrieval._balls import Balls
from sklearn_dsh.retrieval._choice import choose_structure, is_mapped, is_worthwhile
from sklearn_dsh.retrieval._multi_index import MultiIndex

pytestmark = pytest.mark.usefixtures("small_work_is_split")

ALGORITHMS = ["linear_scan", "multi_index", "balls"]
SEARCHES = [*ALGORITHMS, "torch"]


def make_retriever(search, **options):
    """With an algorithm; or "torch": as on a device, which is the processor here."""
    if search == "torch":
        return HammingRetriever(device="cpu:0", **options)
    return HammingRetriever(algorithm=search, **options)


def check_nearest(retriever, queries, k, expected, **options):
    distances, rows = retriever.kneighbors(queries, k, **options)
    np.testing.assert_array_equal(distances, expected[0][:, :k])
    np.testing.assert_array_equal(rows, expected[1][:, :k])


@many_examples
@given(
    algorithm=st.sampled_from(SEARCHES),
    seed=st.integers(0, 2**32 - 1),
    n_bytes=st.sampled_from([1, 2, 4, 5, 8, 17]),
    sizes=st.lists(st.integers(1, 120), min_size=1, max_size=4),
    flipped=st.sampled_from([0.0, 0.03, 0.5]),
    removed=st.floats(0, 0.9),
    masked=st.none() | st.floats(0, 1),
    n_jobs=st.sampled_from([1, 3]),
    data=st.data(),
)
def test_appends_removals_and_masks(
    algorithm, seed, n_bytes, sizes, flipped, removed, masked, n_jobs, data
):
    rng = np.random.default_rng(seed)
    codes = make_codes(seed, sum(sizes) + 5, n_bytes, 12, flipped)
    codes, queries = codes[5:], codes[:5]
    retriever = make_retriever(algorithm, n_jobs=n_jobs)
    allowed = np.ones(len(codes), dtype=bool)
    stop = 0
    for size in sizes:
        retriever.partial_fit(codes[stop : stop + size])
        stop += size
        gone = np.flatnonzero(rng.random(stop) < removed / len(sizes))
        retriever.remove(gone)
        allowed[gone] = False
    assert retriever.n_samples_fit_ == len(codes)
    assert retriever.n_removed_ == np.count_nonzero(~allowed)
    mask = None if masked is None else rng.random(len(codes)) < masked
    if mask is not None:
        allowed &= mask
    n_allowed = np.count_nonzero(allowed)
    expected = brute_force(codes, queries, n_allowed, allowed=allowed)
    if n_allowed:
        k = data.draw(st.integers(1, n_allowed))
        check_nearest(retriever, queries, k, expected, mask=mask)
    else:
        with pytest.raises(ValueError, match=r"n_neighbors <= 0 \(of \d+ codes, 0 may be found\)"):
            retriever.kneighbors(queries, 1, mask=mask)
    radius = data.draw(st.integers(0, 8 * n_bytes))
    found = retriever.radius_neighbors(queries, radius, mask=mask)
    for q in range(len(queries)):
        near = expected[0][q] <= radius
        np.testing.assert_array_equal(found[0][q], expected[0][q][near])
        np.testing.assert_array_equal(found[1][q], expected[1][q][near])


@many_examples
@given(
    algorithm=st.sampled_from(SEARCHES),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(10, 200),
    flipped=st.sampled_from([0.0, 0.1]),
    masked=st.none() | st.floats(0.1, 1),
)
def test_the_gallery_queries_itself(algorithm, seed, n, flipped, masked):
    rng = np.random.default_rng(seed)
    codes = make_codes(seed, n, 2, 6, flipped)
    retriever = make_retriever(algorithm).fit(codes[: n // 2])
    retriever.partial_fit(codes[n // 2 :]).remove(rng.integers(0, n, n // 5))
    kept = np.flatnonzero(retriever._kept[:n])
    mask = None if masked is None else rng.random(n) < masked
    allowed = retriever._kept[:n] if mask is None else mask & retriever._kept[:n]
    if np.count_nonzero(allowed) < 2:
        return
    k = 1 + seed % (np.count_nonzero(allowed) - 1)
    distances, rows = retriever.kneighbors(n_neighbors=k, mask=mask)
    expected = brute_force(codes, codes[kept], k, kept, allowed)
    np.testing.assert_array_equal(distances, expected[0])
    np.testing.assert_array_equal(rows, expected[1])
    assert retriever.kneighbors_graph(n_neighbors=k, mask=mask).shape == (len(kept), n)
    found = retriever.radius_neighbors(radius=3, mask=mask)[1]
    everything = brute_force(codes, codes[kept], n, kept, allowed)
    for q in range(len(kept)):
        near = everything[0][q] <= 3
        np.testing.assert_array_equal(found[q], everything[1][q][near])


def test_few_rows_are_gathered():
    codes = make_codes(0, 500, 8, 20, 0.05)
    mask = np.zeros(500, dtype=bool)
    mask[[3, 77, 400, 401]] = True
    for algorithm in ALGORITHMS:
        retriever = HammingRetriever(algorithm=algorithm).fit(codes)
        for n in (9, 20):
            expected = brute_force(codes, codes[:n], 4, allowed=mask)
            check_nearest(retriever, codes[:n], 4, expected, mask=mask)
        if algorithm == "linear_scan":
            assert retriever.search_stats()["n_codes_compared"] == 20 * 4
        own = retriever.kneighbors(n_neighbors=3, mask=mask)[1]
        expected = brute_force(codes, codes, 3, np.arange(500), mask)[1]
        np.testing.assert_array_equal(own, expected)


def test_queries_that_a_table_gives_up_are_scanned(monkeypatch):
    codes = make_codes(1, 3000, 16, 30, 0.02)
    retriever = HammingRetriever(algorithm="multi_index", radius=20).fit(codes)
    queries = np.vstack([codes[:3], make_codes(2, 3, 16, 3, 0.5)])
    check_nearest(retriever, queries, 5, brute_force(codes, queries, 5))
    stats = retriever.search_stats()
    assert stats["algorithm"] == "multi_index"
    assert 0 < stats["n_queries_scanned"] <= 3
    expected = brute_force(codes, queries, len(codes))
    found = retriever.radius_neighbors(queries, 60)[1]
    for q in range(6):
        np.testing.assert_array_equal(found[q], expected[1][q][expected[0][q] <= 60])
    assert retriever.search_stats()["n_queries_scanned"] == 6


@pytest.mark.parametrize("grown", [False, True])
def test_only_what_balls_give_up_is_scanned_within_a_radius(grown):
    codes = make_codes(1, 3000, 16, 30, 0.02)
    queries = np.vstack([make_codes(2, 2, 16, 2, 0.5), codes[:3], make_codes(3, 2, 16, 2, 0.5)])
    retriever = HammingRetriever(algorithm="balls").fit(codes[: 2800 if grown else 3000])
    structure = retriever._structure
    structure.most_compared = 500
    if grown:
        retriever.partial_fit(codes[2800:])
        assert retriever._structure is structure
    expected = brute_force(codes, queries, len(codes))
    found = retriever.radius_neighbors(queries, 51)
    for q in range(7):
        near = expected[0][q] <= 51
        np.testing.assert_array_equal(found[0][q], expected[0][q][near])
        np.testing.assert_array_equal(found[1][q], expected[1][q][near])
    assert sum(len(f) > 0 for f in found[0]) == 6
    assert 0 < retriever.search_stats()["n_queries_scanned"] < 7


def test_queries_that_balls_give_up_are_scanned():
    codes = make_codes(1, 3000, 16, 30, 0.02)
    retriever = HammingRetriever(algorithm="balls", radius=20).fit(codes)
    retriever._structure.most_compared = 500
    queries = np.vstack([codes[:3], make_codes(2, 3, 16, 3, 0.5)])
    check_nearest(retriever, queries, 5, brute_force(codes, queries, 5))
    assert 0 < retriever.search_stats()["n_queries_scanned"] <= 3
    expected = brute_force(codes, queries, len(codes))
    for radius in (20, 70):
        found = retriever.radius_neighbors(queries, radius)
        for q in range(6):
            near = expected[0][q] <= radius
            np.testing.assert_array_equal(found[0][q], expected[0][q][near])
            np.testing.assert_array_equal(found[1][q], expected[1][q][near])
    assert retriever.search_stats()["n_queries_scanned"] == 6


def test_auto_scans_where_few_rows_may_be_found(work_is_counted):
    codes = make_codes(4, 60_000, 16, 40, 0.02)
    retriever = HammingRetriever().fit(codes)
    mask = np.zeros(len(codes), dtype=bool)
    mask[::3000] = True
    expected = brute_force(codes, codes[:20], 5, allowed=mask)
    check_nearest(retriever, codes[:20], 5, expected, mask=mask)
    stats = retriever.search_stats()
    assert stats["algorithm"] == "linear_scan"
    assert stats["n_codes_compared"] == 20 * 20
    assert stats["n_bytes_of_structure"] == retriever._structure.n_bytes_taken  # still held


def test_stats():
    codes = make_codes(1, 300, 4, 3, 0.0)
    retriever = HammingRetriever(algorithm="linear_scan").fit(codes)
    assert retriever.search_stats() is None
    retriever.kneighbors(codes[:7])
    assert retriever.search_stats() == {
        "algorithm": "linear_scan",
        "n_queries": 7,
        "n_codes_compared": 2100,
        "n_keys_looked_up": 0,
        "n_queries_scanned": 7,
        "n_distinct_codes": None,
        "n_bytes_of_structure": 0,
    }
    retriever = HammingRetriever(algorithm="balls").fit(codes)
    retriever.kneighbors(codes[:7], 2)
    stats = retriever.search_stats()
    assert stats["n_distinct_codes"] == 3
    assert stats["n_queries_scanned"] == 0
    assert stats["n_bytes_of_structure"] > 300 * 4
    retriever.partial_fit(codes[:10])
    retriever.kneighbors(codes[:7], 2)
    assert retriever.search_stats()["n_codes_compared"] == stats["n_codes_compared"] + 70
    assert pickle.loads(pickle.dumps(retriever)).search_stats() is None


@pytest.fixture
def work_is_counted(monkeypatch):
    """Choose by the work that is done, not by the clock."""

    def share(self, structure, k, *, few):
        queries, own = self.sets[0]
        *_, counts, stats = structure.nearest(queries, k, own_rows=own)
        n_scanned = len(queries) * structure.n_rows
        return (3 * stats[0] + 10 * stats[1]) / n_scanned + np.mean(counts < 0)

    monkeypatch.setattr(_choice._ScanTimes, "share", share)


@pytest.mark.parametrize(
    ("flipped", "n_distinct", "expected"),
    [(0.5, 60_000, None), (0.02, 40, Balls), (0.0, 40, MultiIndex)],
)
def test_auto_looks_at_the_codes(flipped, n_distinct, expected, work_is_counted):
    codes = make_codes(4, 60_000, 16, n_distinct, flipped)
    structure = choose_structure(codes)
    assert type(structure) is (type(None) if expected is None else expected)
    retriever = HammingRetriever().fit(codes)
    check_nearest(retriever, codes[:4], 30, brute_force(codes, codes[:4], 30))


@pytest.mark.parametrize("flipped", [0.0, 0.02, 0.5])
def test_auto_by_the_clock(flipped):
    codes = make_codes(4, 60_000, 4, 40, flipped)
    retriever = HammingRetriever().fit(codes)
    for k in (1, 40, 2000):
        check_nearest(retriever, codes[:4], k, brute_force(codes, codes[:4], k))
    if retriever._structure is not None:
        for tried, shares in retriever._structure.shares:
            assert tried == sorted(set(tried))
            assert tried[0] == 10
            assert len(tried) == len(shares)
            slower = [share >= 1 for share in shares]
            assert slower == sorted(slower)
            if True in slower[1:] and not slower[0]:  # where it changes is known closely
                first = slower.index(True)
                assert tried[first] <= max(1.1 * tried[first - 1], tried[first - 1] + 1)


def test_a_first_search_that_compiles_is_not_timed(monkeypatch):
    now, compiled = [0.0], set()

    def slow_at_first(search, name, seconds):
        def timed(*args, **kwargs):
            now[0] += seconds if name in compiled else 100.0
            compiled.add(name)
            return search(*args, **kwargs)

        return timed

    monkeypatch.setattr(_choice, "perf_counter", lambda: now[0])
    for owner, name, seconds in [
        (_choice, "search_nearest", 1e-3),
        (Balls, "nearest", 1e-5),
        (MultiIndex, "nearest", 1e-5),
    ]:
        timed = slow_at_first(getattr(owner, name), (owner, name), seconds)
        monkeypatch.setattr(owner, name, timed)
    structure = choose_structure(make_codes(4, 60_000, 16, 40, 0.02))
    assert isinstance(structure, Balls)
    for _, shares in structure.shares:
        assert shares[0] == pytest.approx(1e-2)


def test_auto_scans_for_more_neighbours_than_a_structure_is_good_for(work_is_counted):
    codes = make_codes(4, 60_000, 16, 40, 0.02)  # 1,500 a category
    retriever = HammingRetriever().fit(codes)
    for k, algorithm in [(1, "balls"), (1200, "balls"), (9000, "linear_scan")]:
        check_nearest(retriever, codes[:4], k, brute_force(codes, codes[:4], k))
        assert retriever.search_stats()["algorithm"] == algorithm
    asked_for = HammingRetriever(algorithm="balls").fit(codes)
    asked_for.kneighbors(codes[:4], 9000)
    assert asked_for.search_stats()["algorithm"] == "balls"


@pytest.mark.parametrize(
    ("k", "n_queries", "n_jobs", "expected"),
    [
        (1, 1, 1, True),
        (20, 1, 1, True),
        (23, 1, 1, True),  # 0.87, between 0.6 and 1.5
        (24, 1, 1, False),
        (100_000, 1, 1, False),
        (23.8, 1, 1, True),
        (23.9, 1, 1, False),
        (18, 1, 2, True),
        (19, 1, 2, False),  # 0.57, and a scan of one query has work for two threads
        (40, 16, 1, False),
        (40, 17, 1, True),
        (41, 17, 1, False),
        (40, 100, 2, True),
    ],
)
def test_when_a_structure_is_worthwhile(k, n_queries, n_jobs, expected):
    gallery = np.broadcast_to(np.uint8(0), (1 << 26, 8))
    shares = ([10, 20, 30], [0.3, 0.6, 1.5]), ([10, 40], [0.3, 0.8])
    structure = SimpleNamespace(shares=shares)
    assert is_worthwhile(structure, gallery, k, n_queries, n_jobs) == expected
    assert not is_worthwhile(None, gallery, k, n_queries, n_jobs)
    assert is_worthwhile(SimpleNamespace(shares=None), gallery, k, n_queries, n_jobs)


def test_auto_scans_small_galleries_and_memory_maps(tmp_path, work_is_counted):
    codes = make_codes(4, 60_000, 16, 40, 0.02)
    assert choose_structure(codes[:8000]) is None
    assert choose_structure(codes) is not None
    np.save(tmp_path / "codes.npy", codes)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    assert is_mapped(mapped)
    assert is_mapped(np.asarray(mapped)[3:])
    with open(tmp_path / "codes.npy", "rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert is_mapped(np.frombuffer(pages, np.uint8, count=800).reshape(-1, 8))
    assert not is_mapped(codes)
    assert choose_structure(mapped) is None


def test_a_structure_is_built_anew_as_the_gallery_grows(monkeypatch):
    built, original = [], _hamming.Balls
    monkeypatch.setattr(
        _hamming, "Balls", lambda codes, **kw: built.append(len(codes)) or original(codes, **kw)
    )
    codes = make_codes(0, 1000, 4, 20, 0.05)
    retriever = HammingRetriever(algorithm="balls").fit(codes[:100])
    for start in range(100, 1000, 10):
        retriever.partial_fit(codes[start : start + 10])
    assert built[0] == 100
    assert len(built) <= 8
    assert all(b >= 1.5 * a for a, b in pairwise(built))


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_a_retriever_loaded_from_a_file_gives_the_same_answers(algorithm, tmp_path):
    codes = make_codes(0, 400, 8, 20, 0.05)
    retriever = make_retriever(algorithm).fit(codes).remove([1, 5])
    joblib.dump(retriever, tmp_path / "retriever.joblib")
    mapped = joblib.load(tmp_path / "retriever.joblib", mmap_mode="r")
    for left, right in zip(mapped.kneighbors(codes), retriever.kneighbors(codes), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 9], "rows 0 to 8: indices names row 9"),
        ([-1], "indices names row -1"),
        ([0.5], "or row numbers .* got float64"),
        ([[1]], "one dimension"),
        ([True], "one bool for each of the 9 codes, or row numbers .* got bool of shape"),
        (np.ones(10, dtype=bool), r"got bool of shape \(10,\)"),
        (np.zeros(0, dtype=bool), r"got bool of shape \(0,\)"),
        ([0, 1, 0, 1, 0, 0, 0, 0, 1], r"indices holds a 0 or 1 for each .* dtype=bool\)"),
    ],
)
def test_rows_that_cannot_be_removed(indices, message):
    retriever = HammingRetriever().fit(np.zeros((9, 1), np.uint8))
    with pytest.raises(ValueError, match=message):
        retriever.remove(indices)
    assert retriever.n_removed_ == 0


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(4, dtype=bool), "one bool for each of the 3 codes"),
        (np.ones((3, 1), dtype=bool), "one bool for each of the 3 codes"),
        ([0.0, 1.0, 1.0], "one bool for each of the 3 codes, or row numbers"),
        ([[0, 1]], "one dimension"),
        ([0, 3], "rows 0 to 2: mask names row 3"),
        ([-1], "mask names row -1"),
        ([1, 0, 1], "mask holds a 0 or 1 for each of the 3 codes, and integers are row numbers"),
        ([0, 0, 0], "mask holds a 0 or 1 for each of the 3 codes"),
    ],
)
def test_masks_that_are_none(mask, message):
    retriever = HammingRetriever(n_neighbors=1).fit(np.zeros((3, 1), np.uint8))
    with pytest.raises(ValueError, match=message):
        retriever.kneighbors([[0]], mask=mask)
    with pytest.raises(ValueError, match=message):
        retriever.radius_neighbors([[0]], mask=mask)


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_row_numbers_are_a_mask_and_a_mask_is_row_numbers(algorithm):
    """In any order and twice, with what was removed among them."""
    codes = make_codes(0, 400, 3, 20, 0.05)
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 400, 150)
    gone = rng.random(400) < 0.2
    retriever = make_retriever(algorithm, radius=4).fit(codes).remove(gone)
    assert retriever.n_removed_ == np.count_nonzero(gone)
    by_numbers = make_retriever(algorithm).fit(codes).remove(np.flatnonzero(gone)[::-1].tolist())
    np.testing.assert_array_equal(by_numbers._kept, retriever._kept)
    allowed = np.isin(np.arange(400), rows) & ~gone
    n = int(np.count_nonzero(allowed))
    expected = brute_force(codes, codes[:20], n, allowed=allowed)
    for mask in (rows, rows.tolist(), rows.astype(np.uint16), np.isin(np.arange(400), rows)):
        check_nearest(retriever, codes[:20], n, expected, mask=mask)
        found = retriever.radius_neighbors(codes[:20], mask=mask)[1]
        for q in range(20):
            np.testing.assert_array_equal(found[q], expected[1][q][expected[0][q] <= 4])
        graph = retriever.kneighbors_graph(codes[:20], 3, mask=mask)
        np.testing.assert_array_equal(graph.indices.reshape(20, 3), expected[1][:, :3])
    assert all(len(row) == 0 for row in retriever.radius_neighbors(codes[:20], mask=[])[1])
    assert retriever.remove(np.ones(400, dtype=bool)).n_removed_ == 400


def test_both_rows_of_two():
    """No two flags: these are the numbers of both rows."""
    retriever = HammingRetriever(n_neighbors=2).fit(np.uint8([[0], [1]]))
    assert retriever.kneighbors([[0]], mask=[0, 1])[1].tolist() == [[0, 1]]
    assert retriever.remove([0, 1]).n_removed_ == 2


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_nothing_may_be_found(algorithm):
    codes = make_codes(0, 60, 2, 5, 0.1)
    retriever = make_retriever(algorithm, radius=16).fit(codes)
    nothing = np.zeros(60, dtype=bool)
    for X in (None, codes[:3], codes[:30]):
        assert all(len(found) == 0 for found in retriever.radius_neighbors(X, mask=nothing)[1])
    retriever.remove(np.arange(60))
    assert retriever.radius_neighbors(codes[:3], return_distance=False)[0].size == 0
    assert retriever.radius_neighbors(return_distance=False).shape == (0,)
    with pytest.raises(ValueError, match="1 <= n_neighbors <= 0"):
        retriever.kneighbors(codes[:3])
    with pytest.raises(ValueError, match="1 <= n_neighbors <= 0"):
        retriever.kneighbors()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("n_bytes", [63, 300, 1100, 8200])
def test_wide_codes(algorithm, n_bytes):
    codes = make_codes(0, 90, n_bytes, 9, 0.01)
    codes[5] = ~codes[7]
    retriever = HammingRetriever(algorithm=algorithm, radius=8 * n_bytes).fit(codes)
    for queries in (codes[5:8], codes[:30]):
        expected = brute_force(codes, queries, 90)
        check_nearest(retriever, queries, 90, expected)
        found = retriever.radius_neighbors(queries, 0)[1]
        for q in range(len(queries)):
            np.testing.assert_array_equal(found[q], expected[1][q][expected[0][q] == 0])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_many_threads_and_a_forked_child(algorithm, monkeypatch):
    monkeypatch.setattr(_linear_scan, "_QUERIES_PER_THREAD", 1)
    codes = make_codes(0, 2000, 8, 30, 0.03)
    retriever = HammingRetriever(algorithm=algorithm, n_jobs=3).fit(codes)
    expected = brute_force(codes, codes[:20], 12)
    answers = []
    threads = [
        Thread(target=lambda: answers.append(retriever.kneighbors(codes[:20], 12)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if hasattr(os, "fork"):
        with multiprocessing.get_context("fork").Pool(1) as pool:
            answers.append(pool.apply(retriever.kneighbors, (codes[:20], 12)))
    assert len(answers) >= 8
    for answer in answers:
        np.testing.assert_array_equal(answer[0], expected[0])
        np.testing.assert_array_equal(answer[1], expected[1])


def test_threads_are_counted_in_a_daemon_too():
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # its workers are daemons
        assert pool.apply(_linear_scan.count_threads, (3,)) == 3
    assert _linear_scan.count_threads(None) == 1
    assert _linear_scan.count_threads(-1) == joblib.cpu_count()
    assert _linear_scan.count_threads(-1000) == 1


def test_a_retriever_knows_its_size():
    codes = make_codes(0, 1000, 8, 30, 0.03)
    sizes = [
        sys.getsizeof(HammingRetriever(algorithm=a).fit(codes)) for a in ("linear_scan", "balls")
    ]
    assert 8000 < sizes[0] < 10_000
    assert sizes[1] > 2 * 8000


def test_removing_nothing_and_one_and_again():
    retriever = HammingRetriever(n_neighbors=2).fit(np.uint8([[0], [0], [1]]))
    assert retriever.remove([]).n_removed_ == 0
    assert retriever.remove(0).remove([0]).n_removed_ == 1
    assert retriever.kneighbors([[0]])[1].tolist() == [[1, 2]]


def test_torch_scans_block_by_block(monkeypatch):
    monkeypatch.setattr(_torch_scan, "_BYTES_AT_ONCE", 1)  # so 1,024 codes
    monkeypatch.setattr(_torch_scan, "_QUERIES_AT_ONCE", 4)
    for n_bytes in (1, 16):
        codes = make_codes(7, 3000, n_bytes, 90, 0.05)
        retriever = HammingRetriever(device="cpu:0", radius=5).fit(codes)
        expected = brute_force(codes, codes[:10], 3000)
        for k in (1, 900, 3000):
            check_nearest(retriever, codes[:10], k, expected)
        found = retriever.radius_neighbors(codes[:10])[1]
        for q in range(10):
            np.testing.assert_array_equal(found[q], expected[1][q][expected[0][q] <= 5])
    stats = retriever.search_stats()
    assert stats["algorithm"] == "linear_scan"
    assert stats["n_queries_scanned"] == 10


@pytest.mark.parametrize("order", ["as drawn", "nearest first", "nearest last", "all equal"])
def test_torch_keeps_the_first_of_equals_whatever_the_order(monkeypatch, order):
    monkeypatch.setattr(_torch_scan, "_BYTES_AT_ONCE", 1)
    codes = make_codes(3, 5000, 2, 200, 0.1)
    queries = codes[:8]
    distances = np.unpackbits(codes ^ queries[0], axis=1).sum(axis=1)
    if order.startswith("nearest"):
        codes = codes[np.argsort(distances)[:: 1 if order == "nearest first" else -1]]
    if order == "all equal":
        codes[:] = codes[0]
    retriever = HammingRetriever(device="cpu:0", radius=4).fit(codes)
    for k in (1, 7, 1500):
        check_nearest(retriever, queries, k, brute_force(codes, queries, k))


def test_torch_with_hidden_rows_and_without_the_query_itself(monkeypatch):
    monkeypatch.setattr(_torch_scan, "_BYTES_AT_ONCE", 1)
    codes = make_codes(4, 4000, 2, 300, 0.1)
    on_device, plain = (HammingRetriever(device=d, radius=3).fit(codes) for d in ("cpu:0", "cpu"))
    mask = np.zeros(len(codes), dtype=bool)
    mask[1500:1520] = mask[3900:] = True
    for k in (5, 30, 119):
        for mine, theirs in zip(
            on_device.kneighbors(codes[:9], k, mask=mask),
            plain.kneighbors(codes[:9], k, mask=mask),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(on_device.kneighbors(None, 4), plain.kneighbors(None, 4), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(
        on_device.radius_neighbors(codes[:9], mask=mask),
        plain.radius_neighbors(codes[:9], mask=mask),
        strict=True,
    ):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_devices_that_are_refused():
    codes = np.zeros((9, 1), np.uint8)
    with pytest.raises(ValueError, match="searches by a linear scan: algorithm='balls'"):
        HammingRetriever(device="cuda", algorithm="balls").fit(codes)
    with pytest.raises(ValueError, match="device='abacus' is no device of torch"):
        HammingRetriever(device="abacus").fit(codes)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("n_bytes", [1, 8, 16, 300])
def test_a_gpu_gives_the_same_answers(n_bytes):
    codes = make_codes(8, 5000, n_bytes, 90, 0.05)
    retriever = HammingRetriever(device="cuda").fit(codes)
    for k in (1, 300):
        check_nearest(retriever, codes[:70], k, brute_force(codes, codes[:70], k))
