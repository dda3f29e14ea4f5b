import pickle
import re
from threading import Thread

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors

from sklearn_dsh.codes import hamming_distances, unpack_bits
from sklearn_dsh.retrieval import HammingRetriever


@pytest.fixture
def gallery():
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 256, (6, 3), dtype=np.uint8)
    noise = np.packbits(rng.random((80, 24)) < 0.05, axis=1)
    return centres[rng.integers(0, 6, 80)] ^ noise


@pytest.fixture
def queries(gallery):
    return gallery[::9] ^ np.uint8(4)


def ranked(gallery, queries):
    distances = hamming_distances(queries, gallery)
    rows = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, rows, axis=1), rows


def assert_same_answers(a, b, queries):
    for left, right in zip(a.kneighbors(queries), b.kneighbors(queries), strict=True):
        np.testing.assert_array_equal(left, right)


def test_kneighbors(gallery, queries):
    expected_distances, expected_rows = ranked(gallery, queries)
    retriever = HammingRetriever(n_neighbors=7).fit(gallery)
    distances, rows = retriever.kneighbors(queries)
    assert distances.dtype == np.int32
    assert rows.dtype == np.intp
    np.testing.assert_array_equal(distances, expected_distances[:, :7])
    np.testing.assert_array_equal(rows, expected_rows[:, :7])
    np.testing.assert_array_equal(
        retriever.kneighbors(queries, 80, return_distance=False), expected_rows
    )


def test_radius_neighbors(gallery, queries):
    expected_distances, expected_rows = ranked(gallery, queries)
    retriever = HammingRetriever(radius=3).fit(gallery)
    for radius, answer in (
        (3, retriever.radius_neighbors(queries)),
        (0, retriever.radius_neighbors(queries, radius=0)),
        (4, retriever.radius_neighbors(queries, radius=4.9)),
        (24, retriever.radius_neighbors(queries, radius=np.inf)),
    ):
        distances, rows = answer
        assert distances.dtype == rows.dtype == object
        assert distances.shape == rows.shape == (len(queries),)
        for q in range(len(queries)):
            n = np.count_nonzero(expected_distances[q] <= radius)
            assert distances[q].dtype == np.int32
            assert rows[q].dtype == np.intp
            np.testing.assert_array_equal(distances[q], expected_distances[q, :n])
            np.testing.assert_array_equal(rows[q], expected_rows[q, :n])
    only_rows = retriever.radius_neighbors(queries, return_distance=False)
    np.testing.assert_array_equal(only_rows[2], retriever.radius_neighbors(queries)[1][2])


def test_object_arrays_when_every_query_finds_as_many():
    retriever = HammingRetriever(radius=0).fit(np.uint8([[1], [2]]))
    distances, rows = retriever.radius_neighbors()
    assert distances.shape == rows.shape == (2,)
    distances, rows = retriever.radius_neighbors([[1], [2]])
    assert [row.tolist() for row in rows] == [[0], [1]]


def test_without_queries_only_the_own_row_is_left_out():
    retriever = HammingRetriever(n_neighbors=2, radius=0).fit(np.uint8([[7], [7], [6], [7]]))
    distances, rows = retriever.kneighbors()
    assert rows.tolist() == [[1, 3], [0, 3], [0, 1], [0, 1]]
    assert distances.tolist() == [[0, 0], [0, 0], [1, 1], [0, 0]]
    assert [row.tolist() for row in retriever.radius_neighbors()[1]] == [[1, 3], [0, 3], [], [0, 1]]


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_agree_with_scikit_learn(gallery, queries, mode):
    bits = unpack_bits(gallery, 24).astype(bool)
    query_bits = unpack_bits(queries, 24).astype(bool)
    reference = NearestNeighbors(algorithm="brute", metric="hamming").fit(bits)
    scale = 24 if mode == "distance" else 1
    retriever = HammingRetriever().fit(gallery)
    for X, X_bits in ((queries, query_bits), (None, None)):
        graph = retriever.radius_neighbors_graph(X, radius=4, mode=mode)
        expected = reference.radius_neighbors_graph(X_bits, radius=4.5 / 24, mode=mode)
        assert graph.shape == expected.shape
        assert graph.nnz == expected.nnz
        np.testing.assert_allclose(graph.toarray(), scale * expected.toarray())
        graph = retriever.kneighbors_graph(X, n_neighbors=9, mode=mode)
        distances, rows = retriever.kneighbors(X, 9)
        assert isinstance(graph, csr_matrix)
        assert graph.dtype == float
        np.testing.assert_array_equal(graph.indices.reshape(-1, 9), rows)
        values = distances if mode == "distance" else np.ones_like(distances)
        np.testing.assert_array_equal(graph.data.reshape(-1, 9), values)


def test_partial_fit_equals_fit(gallery, queries):
    grown = HammingRetriever()
    for start in range(0, 80, 10):
        assert grown.partial_fit(gallery[start : start + 10]) is grown
        assert grown.n_samples_fit_ == start + 10
    assert_same_answers(grown, HammingRetriever().fit(gallery), queries)
    assert grown.kneighbors_graph(queries).shape == (len(queries), 80)
    assert len(grown.kneighbors()[0]) == 80


def test_partial_fit_never_writes_to_the_given_array(gallery):
    before = gallery[:50].copy()
    retriever = HammingRetriever().fit(gallery[:50])
    retriever.partial_fit(np.zeros((3, 3), np.uint8))
    np.testing.assert_array_equal(gallery[:50], before)


def test_appending_code_by_code_copies_the_gallery_seldom():
    retriever = HammingRetriever().partial_fit([[0]])
    buffers = {id(retriever._buffer): retriever._buffer}
    for i in range(1, 2000):
        retriever.partial_fit([[i % 256]])
        buffers[id(retriever._buffer)] = retriever._buffer
    assert len(buffers) < 30
    assert len(retriever._buffer) < 2 * retriever.n_samples_fit_
    assert retriever.kneighbors([[7]], 3, return_distance=False).tolist() == [[7, 263, 519]]


def test_fit_again_forgets(gallery):
    retriever = HammingRetriever(n_neighbors=1).fit(gallery).partial_fit(gallery)
    retriever.fit([[1, 2], [3, 4]])
    assert retriever.n_samples_fit_ == 2
    assert retriever.n_features_in_ == 2
    assert retriever.kneighbors([[3, 4]])[1].tolist() == [[1]]


@pytest.mark.parametrize("grown", [False, True])
def test_pickle_keeps_no_room_for_growth(gallery, queries, grown):
    retriever = HammingRetriever().fit(gallery[:60] if grown else gallery)
    if grown:
        retriever.partial_fit(gallery[60:])
        assert len(retriever._buffer) > 80
    loaded = pickle.loads(pickle.dumps(retriever))
    assert loaded._buffer.shape == (80, 3)
    assert_same_answers(loaded, retriever, queries)
    loaded.partial_fit(queries)
    assert loaded.n_samples_fit_ == 80 + len(queries)
    assert retriever.n_samples_fit_ == 80


def test_joblib_memory_map(gallery, queries, tmp_path):
    retriever = HammingRetriever().fit(gallery)
    joblib.dump(retriever, tmp_path / "retriever.joblib")
    loaded = joblib.load(tmp_path / "retriever.joblib", mmap_mode="r")
    assert isinstance(loaded._buffer, np.memmap)
    assert_same_answers(loaded, retriever, queries)
    loaded.partial_fit(queries)
    assert loaded.kneighbors(queries[:1], 2)[1][0, 0] == 80


def test_a_memory_mapped_gallery_is_not_copied(gallery, queries, tmp_path):
    np.save(tmp_path / "codes.npy", gallery)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    retriever = HammingRetriever().fit(mapped)
    assert np.shares_memory(retriever._buffer, mapped)
    assert_same_answers(retriever, HammingRetriever().fit(gallery), queries)


@pytest.mark.parametrize("algorithm", ["linear_scan", "multi_index", "balls"])
def test_all_fitted_state_is_plain(gallery, algorithm):
    retriever = HammingRetriever(algorithm=algorithm).fit(gallery).partial_fit(gallery).remove(3)
    fitted = {k: v for k, v in vars(retriever).items() if k not in retriever.get_params()}
    structure = fitted.pop("_structure")
    assert (structure is None) == (algorithm == "linear_scan")
    if structure is not None:
        fitted |= vars(structure)
    assert {type(value) for value in fitted.values()} <= {np.ndarray, int, type(None)}


def test_many_threads_at_once(gallery, queries):
    retriever = HammingRetriever(n_jobs=2).fit(gallery)
    expected = retriever.kneighbors(queries)
    answers = [None] * 8

    def search(i):
        answers[i] = retriever.kneighbors(queries)

    threads = [Thread(target=search, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        np.testing.assert_array_equal(answer, expected)


def test_frames_and_whole_floats(gallery, queries):
    names = ["a", "b", "c"]
    retriever = HammingRetriever().fit(pd.DataFrame(gallery, columns=names))
    assert retriever.feature_names_in_.tolist() == names
    expected = HammingRetriever().fit(gallery).kneighbors(queries)[1]
    answer = retriever.kneighbors(pd.DataFrame(queries, columns=names))[1]
    np.testing.assert_array_equal(answer, expected)
    answer = HammingRetriever().fit(gallery.astype(float)).kneighbors(queries.tolist())[1]
    np.testing.assert_array_equal(answer, expected)
    with pytest.raises(ValueError, match="feature names should match"):
        retriever.kneighbors(pd.DataFrame(queries, columns=["c", "b", "a"]))


def test_search_before_fit():
    for method in ("kneighbors", "radius_neighbors", "kneighbors_graph", "radius_neighbors_graph"):
        with pytest.raises(NotFittedError):
            getattr(HammingRetriever(), method)([[1]])


def test_too_many_neighbors(gallery, queries):
    retriever = HammingRetriever().fit(gallery)
    message = "n_neighbors <= 80, but n_neighbors = 81, n_samples_fit_ = 80"
    with pytest.raises(ValueError, match=message):
        retriever.kneighbors(queries, 81)
    message = r"n_neighbors <= 79 \(a code is no neighbour of itself\), but n_neighbors = 80"
    with pytest.raises(ValueError, match=message):
        retriever.kneighbors(n_neighbors=80)
    with pytest.raises(ValueError, match="1 <= n_neighbors"):
        retriever.kneighbors(queries, 0)
    with pytest.raises(TypeError, match="n_neighbors must be an integer, got float"):
        retriever.kneighbors(queries, 3.0)


@pytest.mark.parametrize("radius", [-1, np.nan, "2"])
def test_invalid_radius(gallery, radius):
    with pytest.raises(ValueError, match="radius must be a number that is 0 or more, got"):
        HammingRetriever().fit(gallery).radius_neighbors(gallery, radius=radius)


@pytest.mark.parametrize("method", ["kneighbors_graph", "radius_neighbors_graph"])
def test_invalid_mode(gallery, method):
    with pytest.raises(ValueError, match='mode must be "connectivity" or "distance"'):
        getattr(HammingRetriever().fit(gallery), method)(mode="levenshtein")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_neighbors", 0), ("radius", -1), ("algorithm", "kd_tree"), ("n_jobs", 0.5)],
)
def test_invalid_parameters(gallery, parameter, value):
    message = f"The '{parameter}' parameter of HammingRetriever must be"
    with pytest.raises(ValueError, match=message):
        HammingRetriever(**{parameter: value}).fit(gallery)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.ones((4, 3), dtype=bool), "Use pack_bits(X)"),
        (np.full((4, 3), 0.5), "X of dtype float64 holds 0.5, but packed codes are whole numbers"),
        (np.full((4, 3), 256), "X of dtype int64 holds 256"),
        (np.full((4, 3), -1), "Negative values in data: X of dtype int64 holds -1"),
        (np.full((4, 3), np.nan), "Input X contains NaN"),
        (np.zeros((0, 3), np.uint8), "Found array with 0 sample(s)"),
    ],
)
def test_invalid_codes(gallery, codes, message):
    fitted = HammingRetriever().fit(gallery)
    unfitted = clone(fitted)
    calls = (unfitted.fit, unfitted.partial_fit, fitted.partial_fit, fitted.kneighbors)
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(message)):
            call(codes)
    assert fitted.n_samples_fit_ == 80


def test_codes_of_another_width(gallery):
    retriever = HammingRetriever().fit(gallery)
    message = "X has 4 features, but HammingRetriever is expecting 3 features as input"
    for call in (retriever.kneighbors, retriever.radius_neighbors, retriever.partial_fit):
        with pytest.raises(ValueError, match=message):
            call(np.zeros((2, 4), np.uint8))


def test_unpacked_bits_warn(gallery):
    bits = unpack_bits(gallery, 24)
    with pytest.warns(UserWarning, match=r"X holds only 0 and 1 in 24 columns.*pack_bits\(X\)"):
        HammingRetriever().fit(bits)
