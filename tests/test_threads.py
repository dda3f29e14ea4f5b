"""Eight threads that fit, transform, search, append, remove and save at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sklearn_dsh import (
    CCAHasher,
    DeepSketchHasher,
    HammingRetriever,
    ITQHasher,
    load_model,
    save_model,
)
from sklearn_dsh.codes import hamming_distances
from sklearn_dsh.gallery import Gallery

N_THREADS = 8
rng = np.random.default_rng(0)
Y = np.arange(60) % 3
X = rng.normal(size=(60, 10)) + 3 * np.eye(3, 10)[Y]
CODES = rng.integers(0, 256, (6000, 4), dtype=np.uint8)
QUERIES = CODES[::300]


def in_threads(seconds, *works):
    """Call each function in turn, in eight threads, until the time is over, twice at least."""
    end = time.monotonic() + seconds

    def repeat(i):
        n = 0
        while n < 2 or time.monotonic() < end:
            works[(i + n) % len(works)](i)
            n += 1

    with ThreadPoolExecutor(N_THREADS) as pool:
        for done in [pool.submit(repeat, i) for i in range(N_THREADS)]:
            done.result()


def answers(codes, n_neighbors=3):
    distances = hamming_distances(QUERIES, codes)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
    return np.take_along_axis(distances, nearest, axis=1), nearest


TIMES = [pytest.param(1, id="short"), pytest.param(60, marks=pytest.mark.slow, id="a minute")]


@pytest.mark.parametrize("seconds", TIMES)
def test_objects_of_ones_own(seconds, tmp_path):
    """What each thread makes is what one alone makes, whatever the others are about."""
    deep = DeepSketchHasher(16, max_iter=1, steps_per_iter=3, random_state=0)
    hashers = [deep, CCAHasher(16, random_state=0), ITQHasher(16, random_state=0)]
    expected = [type(h)(**h.get_params()).fit(X, X, (Y, Y)).project(X, "image") for h in hashers]

    def fit(i):
        k = i % len(hashers)
        fitted = type(hashers[k])(**hashers[k].get_params()).fit(X, X, (Y, Y))
        np.testing.assert_allclose(fitted.project(X, "image"), expected[k], rtol=1e-4, atol=1e-4)

    def search(i):
        retriever = HammingRetriever(3, algorithm=("balls", "auto")[i % 2], n_jobs=2).fit(CODES)
        for found, wanted in zip(retriever.kneighbors(QUERIES), answers(CODES), strict=True):
            np.testing.assert_array_equal(found, wanted)

    def save(i):
        save_model(CCAHasher(8, random_state=i).fit(X, X), tmp_path / f"{i}.safetensors")
        load_model(tmp_path / f"{i}.safetensors").transform(X, "image")

    in_threads(seconds, fit, search, save)


@pytest.mark.parametrize("seconds", TIMES)
def test_shared_objects(seconds, tmp_path):
    """Many use one hasher, gallery and file, and one file is replaced all the time."""
    hasher = DeepSketchHasher(32, max_iter=1, steps_per_iter=3, random_state=0).fit(X, X, (Y, Y))
    codes = hasher.transform(X, "sketch")
    gallery = Gallery(CODES, 32, [f"{i}.jpg" for i in range(len(CODES))])
    wanted = answers(CODES)
    gallery.save(tmp_path / "gallery")
    save_model(hasher, tmp_path / "model")

    def transform(i):
        np.testing.assert_array_equal(hasher.transform(X, "sketch"), codes)

    def search(i):
        found = gallery.search(QUERIES, n_neighbors=3)
        np.testing.assert_array_equal(found[1], wanted[1])

    def replace(i):
        save_model(hasher, tmp_path / "model")
        np.testing.assert_array_equal(load_model(tmp_path / "model").transform(X, "sketch"), codes)

    def read(i):
        np.testing.assert_array_equal(Gallery.load(tmp_path / "gallery").codes, CODES)

    in_threads(seconds, transform, search, replace, read)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery", "model"]


@pytest.mark.parametrize("algorithm", ["auto", "balls", "multi_index", "linear_scan"])
@pytest.mark.parametrize("seconds", [0.5, pytest.param(30, marks=pytest.mark.slow)])
def test_searches_while_a_gallery_grows_shrinks_and_is_replaced(algorithm, seconds):
    """Every answer is right for the gallery before or after a change that one thread makes."""
    sizes = (500, 6000, 1000)
    retriever = HammingRetriever(3, algorithm=algorithm, n_jobs=2).fit(CODES[: sizes[0]])
    right = {n: answers(CODES[:n])[1] for n in range(500, 6001, 500)}
    turn = threading.Lock()

    def search(i):
        before = retriever.n_samples_fit_
        found = retriever.kneighbors(QUERIES)[1]
        known = [n for n, nearest in right.items() if (nearest == found).all()]
        assert known, before

    def change(i):
        if not turn.acquire(blocking=False):
            return search(i)
        try:
            n = retriever.n_samples_fit_
            if n < 6000:
                retriever.partial_fit(CODES[n : n + 500])
            else:
                retriever.fit(CODES[:500])
        finally:
            turn.release()

    in_threads(seconds, search, change)


def test_a_second_thread_that_changes_a_gallery_is_refused(monkeypatch):
    retriever = HammingRetriever(3).fit(CODES)
    entered, leave = threading.Event(), threading.Event()
    append = HammingRetriever._append

    def slowly(self, codes):
        entered.set()
        leave.wait()
        append(self, codes)

    monkeypatch.setattr(HammingRetriever, "_append", slowly)
    with ThreadPoolExecutor(1) as pool:
        appending = pool.submit(retriever.partial_fit, CODES[:7])
        entered.wait()
        for change in (
            lambda: retriever.partial_fit(CODES[:1]),
            lambda: retriever.fit(CODES[:9]),
            lambda: retriever.remove([0]),
        ):
            with pytest.raises(RuntimeError, match=r"Another thread is changing this Hamming"):
                change()
        np.testing.assert_array_equal(retriever.kneighbors(QUERIES)[1], answers(CODES)[1])
        leave.set()
        appending.result()
    assert retriever.n_samples_fit_ == 6007
    assert retriever.remove([0]).n_removed_ == 1


def test_a_second_thread_that_fits_a_hasher_is_refused(monkeypatch):
    hasher = ITQHasher(8, random_state=0).fit(X)
    codes = hasher.transform(X)
    entered, leave = threading.Event(), threading.Event()
    learn = ITQHasher._fit_views

    def slowly(self, data):
        entered.set()
        leave.wait()
        learn(self, data)

    monkeypatch.setattr(ITQHasher, "_fit_views", slowly)
    with ThreadPoolExecutor(1) as pool:
        fitting = pool.submit(hasher.fit, X[:30])
        entered.wait()
        with pytest.raises(RuntimeError, match="Another thread is changing this ITQHasher"):
            hasher.fit(X)
        np.testing.assert_array_equal(hasher.transform(X), codes)
        leave.set()
        fitting.result()
    hasher.fit(X)
