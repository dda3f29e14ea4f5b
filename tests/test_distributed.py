"""On four processes of this machine: the answers of one, also when a process dies."""

import os
import pickle
import signal
import time
from threading import Thread

import numpy as np
import pytest
from hamming_reference import brute_force, make_codes
from planted_views import two_views
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dsh import CCAHasher, HammingRetriever, ITQHasher, PerView, stack_views

pytest.importorskip("distributed")
import dask.array as da
import dask.bag as db
from dask.distributed import Client, LocalCluster
from sklearn.base import clone

from sklearn_dsh import distributed
from sklearn_dsh._shards import ShardOfFile, nearest_of_shard, without
from sklearn_dsh.distributed import ShardedHammingRetriever, transform_dask

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:distributed")


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(
            n_workers=4, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


CODES = make_codes(0, 700, 5, 30, 0.05)
QUERIES = make_codes(1, 6, 5, 6, 0.5)


def galleries(folder):
    np.save(folder / "codes.npy", CODES)
    return {
        "array": CODES,
        "list": CODES.tolist(),
        "path": folder / "codes.npy",
        "dask": da.from_array(CODES, chunks=(150, 3)),
    }


@pytest.mark.parametrize("kind", ["array", "list", "path", "dask"])
def test_answers_are_those_of_one_machine(client, tmp_path, kind):
    retriever = ShardedHammingRetriever(radius=9).fit(galleries(tmp_path)[kind])
    assert retriever.n_samples_fit_ == 700
    assert retriever.n_features_in_ == 5
    alone = HammingRetriever(radius=9).fit(CODES)
    mask = np.arange(700) % 7 == 0
    mask[:200] = False  # a shard without any
    for options in ({}, {"mask": mask}):
        for k in (1, 70):
            expected = brute_force(CODES, QUERIES, k, allowed=options.get("mask"))
            distances, rows = retriever.kneighbors(QUERIES, k, **options)
            np.testing.assert_array_equal(distances, expected[0])
            np.testing.assert_array_equal(rows, expected[1])
        for ours, theirs in zip(
            retriever.radius_neighbors(QUERIES, **options),
            alone.radius_neighbors(QUERIES, **options),
            strict=True,
        ):
            assert [row.tolist() for row in ours] == [row.tolist() for row in theirs]
    assert retriever.kneighbors(QUERIES, return_distance=False).shape == (6, 5)


def slow_neighbors(shard, queries, k, mask):
    """A search that a test has time to interrupt."""
    time.sleep(2)
    return shard.kneighbors(queries, k, mask=mask)


@pytest.mark.parametrize("kind", ["array", "path", "dask"])
def test_a_worker_that_dies_in_a_search_costs_no_answer(client, tmp_path, monkeypatch, kind):
    client.wait_for_workers(4, timeout=240)
    monkeypatch.setattr("sklearn_dsh.distributed.nearest_of_shard", slow_neighbors)
    retriever = ShardedHammingRetriever(n_shards=4).fit(galleries(tmp_path)[kind])
    pid = next(iter(client.run(os.getpid).values()))
    killer = Thread(target=lambda: (time.sleep(1), os.kill(pid, signal.SIGKILL)))
    killer.start()
    distances, rows = retriever.kneighbors(QUERIES, 20)
    killer.join()
    expected = brute_force(CODES, QUERIES, 20)
    np.testing.assert_array_equal(distances, expected[0])
    np.testing.assert_array_equal(rows, expected[1])
    assert pid not in client.run(os.getpid).values()


def check_answers(retriever, removed=()):
    """Those of one machine, by every verb that asks the shards."""
    allowed = np.ones(700, dtype=bool)
    allowed[list(removed)] = False
    distances, rows = retriever.kneighbors(QUERIES, 40)
    expected = brute_force(CODES, QUERIES, 40, allowed=allowed)
    np.testing.assert_array_equal(distances, expected[0])
    np.testing.assert_array_equal(rows, expected[1])
    alone = HammingRetriever().fit(CODES).remove(list(removed))
    for ours, theirs in zip(
        retriever.radius_neighbors(QUERIES, 9)[1],
        alone.radius_neighbors(QUERIES, 9)[1],
        strict=True,
    ):
        assert ours.tolist() == theirs.tolist()


def test_a_restarted_cluster(tmp_path):
    found = galleries(tmp_path)
    with (
        LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster) as client,
    ):
        of_file = ShardedHammingRetriever(n_shards=4).fit(found["path"]).remove([3, 400])
        others = [ShardedHammingRetriever().fit(found[kind]) for kind in ("array", "dask")]
        client.restart(wait_for_workers=False)
        cluster.scale(2)  # the first worker, which no nanny minds, stays away
        client.wait_for_workers(1, timeout=240)
        check_answers(of_file, [3, 400])
        for retriever in others:
            for _ in range(2):  # again and again
                with pytest.raises(NotFittedError, match="The cluster was restarted"):
                    retriever.kneighbors(QUERIES)
            check_answers(retriever.fit(CODES))


@pytest.mark.parametrize("verb", ["kneighbors", "radius_neighbors", "remove"])
@pytest.mark.parametrize("kind", ["array", "path", "dask"])
def test_shards_that_are_gone(client, tmp_path, kind, verb):
    call = {
        "kneighbors": lambda retriever: retriever.kneighbors(QUERIES),
        "radius_neighbors": lambda retriever: retriever.radius_neighbors(QUERIES),
        "remove": lambda retriever: retriever.remove([5, 690]),
    }[verb]
    retriever = ShardedHammingRetriever(n_shards=3).fit(galleries(tmp_path)[kind])
    retriever.remove([5, 300]).remove([690])
    client.cancel(retriever._shards)  # as a restart does
    if kind == "path":
        call(retriever)
        check_answers(retriever, [5, 300, 690])
        assert retriever.n_removed_ == 3
    else:
        with pytest.raises(NotFittedError, match="call fit again"):
            call(retriever)


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_shards_are_not_made_of_another_file(client, tmp_path, change):
    path = galleries(tmp_path)["path"]
    retriever = ShardedHammingRetriever(n_shards=2).fit(path)
    client.cancel(retriever._shards)
    path.unlink()
    if change == "changed":
        np.save(path, CODES[::-1])
        os.utime(path, ns=(1, 1))
    with pytest.raises(NotFittedError, match=r"codes\.npy' is gone or was changed since fit: call"):
        retriever.kneighbors(QUERIES)


def test_shards_that_go_in_a_search(client, tmp_path, monkeypatch):
    retriever = ShardedHammingRetriever(n_shards=2).fit(galleries(tmp_path)["path"])
    submitted = []

    def submit_and_lose(client, function, *arguments):
        future = submit(client, function, *arguments)
        if function is nearest_of_shard and not submitted:
            client.cancel([*retriever._shards, future])
            submitted.append(future)
        return future

    submit = distributed.submit
    monkeypatch.setattr(distributed, "submit", submit_and_lose)
    check_answers(retriever)
    assert submitted


def test_another_client_of_another_cluster(client, tmp_path):
    found = galleries(tmp_path)
    of_file = ShardedHammingRetriever(n_shards=2).fit(found["path"]).remove([3])
    of_array = ShardedHammingRetriever(n_shards=2).fit(CODES)
    with (
        LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster),
    ):
        check_answers(of_file, [3])
        with pytest.raises(NotFittedError, match="another one than at fit"):
            of_array.kneighbors(QUERIES)
    with client.as_current():
        check_answers(of_array)


@pytest.mark.parametrize("kind", ["array", "path"])
def test_galleries_grow_and_shrink(client, tmp_path, kind):
    first, second = CODES[:300], CODES[300:]
    if kind == "path":
        np.save(tmp_path / "first.npy", first)
        np.save(tmp_path / "second.npy", second)
        first, second = tmp_path / "first.npy", tmp_path / "second.npy"
    retriever = ShardedHammingRetriever(n_shards=3).partial_fit(first)
    retriever.partial_fit(second)
    assert retriever.n_samples_fit_ == 700
    with pytest.raises(ValueError, match="X has codes of 3 bytes, but the gallery has codes of 5"):
        retriever.partial_fit(CODES[:, :3])
    gone = np.concatenate([np.arange(90, 350), [699, 699]])
    assert retriever.remove(gone) is retriever
    retriever.remove([]).remove(gone[:5])
    assert retriever.n_removed_ == 261
    allowed = np.ones(700, dtype=bool)
    allowed[gone] = False
    half = np.arange(700) % 2 == 0
    for mask in (None, half):
        may_be_found = allowed if mask is None else allowed & mask
        k = int(np.count_nonzero(may_be_found))
        expected = brute_force(CODES, QUERIES, k, allowed=may_be_found)
        distances, rows = retriever.kneighbors(QUERIES, k, mask=mask)
        np.testing.assert_array_equal(distances, expected[0])
        np.testing.assert_array_equal(rows, expected[1])
        with pytest.raises(ValueError, match=f"<= n_neighbors <= {k}, got {k + 1}"):
            retriever.kneighbors(QUERIES, k + 1, mask=mask)
        near = [row[d <= 9].tolist() for d, row in zip(*expected, strict=True)]
        assert [row.tolist() for row in retriever.radius_neighbors(QUERIES, 9, mask=mask)[1]] == (
            near
        )
    retriever.remove(np.array([4], dtype=np.uint64))
    assert retriever.n_removed_ == 262
    for mask in (half, np.flatnonzero(half)[::-1]):
        some = retriever.kneighbors(QUERIES, 9, mask=mask)
        allowed[4] = False
        expected = brute_force(CODES, QUERIES, 9, allowed=allowed & half)
        np.testing.assert_array_equal(some[1], expected[1])
    retriever.remove(half)
    assert retriever.n_removed_ == np.count_nonzero(~allowed | half)
    with pytest.raises(ValueError, match="rows 0 to 699: indices names row 700"):
        retriever.remove(700)


def test_a_shard_of_a_file_travels_as_its_path(tmp_path):
    codes = make_codes(0, 20_000, 8, 30, 0.05)
    np.save(tmp_path / "codes.npy", codes)
    shard = ShardOfFile.make(str(tmp_path / "codes.npy"), 5000, 20_000, {"n_jobs": 1})
    shard = without(shard, [3])
    state = pickle.dumps(shard)
    assert len(state) < 20_000  # the mask has 15,000 bytes, the codes 120,000
    again = pickle.loads(state)
    assert again.n_removed_ == 1
    for retriever in (shard, again):
        rows = retriever.kneighbors(codes[5003:5004], 1, return_distance=False)
        expected = brute_force(codes[5000:], codes[5003:5004], 1, allowed=np.arange(15_000) != 3)
        np.testing.assert_array_equal(rows, expected[1])


def test_encoding_on_the_workers(client):
    rng = np.random.default_rng(0)
    X_sk, X_img = rng.normal(size=(90, 6)), rng.normal(size=(90, 6))
    hasher = ITQHasher(12, random_state=0).fit(X_sk, X_img)
    with config_context(transform_output="pandas"):  # the workers are to give arrays all the same
        codes = transform_dask(hasher, da.from_array(X_img, chunks=(40, 2)), view="image")
    assert codes.shape == (90, 2)
    expected = hasher.transform(X_img, view="image")
    np.testing.assert_array_equal(codes.compute(), expected)
    retriever = ShardedHammingRetriever().fit(codes)
    np.testing.assert_array_equal(
        retriever.kneighbors(hasher.transform(X_sk, view="sketch"), 9)[1],
        HammingRetriever().fit(expected).kneighbors(hasher.transform(X_sk, view="sketch"), 9)[1],
    )


def test_blocks_without_codes(client):
    blocks = da.from_array(CODES, chunks=(100, 5))
    wanted = np.arange(700) >= 250
    retriever = ShardedHammingRetriever(radius=8).fit(blocks[da.from_array(wanted, chunks=100)])
    assert retriever.n_samples_fit_ == 450
    alone = HammingRetriever(radius=8).fit(CODES[wanted])
    for ours, theirs in zip(
        retriever.kneighbors(QUERIES, 30), alone.kneighbors(QUERIES, 30), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    found, expected = retriever.radius_neighbors(QUERIES)[1], alone.radius_neighbors(QUERIES)[1]
    assert [row.tolist() for row in found] == [row.tolist() for row in expected]
    with pytest.raises(ValueError, match="X has no codes"):
        ShardedHammingRetriever().fit(blocks[da.from_array(wanted & False, chunks=100)])
    with pytest.raises(ValueError, match="1 dimensions"):
        ShardedHammingRetriever().fit(blocks[:, 0])


def test_encoding_by_a_pipeline(client):
    X_sk, X_img, y = two_views(width=(6, 8))
    with config_context(enable_metadata_routing=True):
        scale = PerView(StandardScaler(), StandardScaler()).set_transform_request(view=True)
        hasher = CCAHasher(12, random_state=0).set_transform_request(view=True)
        pipeline = make_pipeline(scale, hasher).fit(*stack_views(X_sk, X_img, y))
        expected = pipeline.transform(X_img, view="image")
        X = da.from_array(X_img, chunks=(40, 8))
        codes = transform_dask(pipeline, X, view="image")
    np.testing.assert_array_equal(codes.compute(), expected)


class LengthHasher:
    """The code of a path is the number of its characters."""

    n_bits = 8

    def transform(self, X, *, view):
        return np.uint8([[len(path) + 100 * (view == "image")] for path in X])


def test_encoding_a_bag_of_paths(client):
    bag = db.from_sequence(["a", "bb", "ccc", "dddd", "e", "no", "no"], npartitions=3)
    bag = bag.filter(lambda path: path != "no")
    codes = transform_dask(LengthHasher(), bag, view="image")
    assert codes.compute().ravel().tolist() == [101, 102, 103, 104, 101]
    assert ShardedHammingRetriever(n_neighbors=2).fit(codes).kneighbors([[101]])[1].tolist() == [
        [0, 4]
    ]


def test_bad_input(client):
    retriever = ShardedHammingRetriever().fit(CODES)
    with pytest.raises(ValueError, match="1 <= n_neighbors <= 700, got 701"):
        retriever.kneighbors(QUERIES, 701)
    with pytest.raises(ValueError, match="n_neighbors <= 3, got 4"):
        retriever.kneighbors(QUERIES, 4, mask=np.arange(700) < 3)
    with pytest.raises(ValueError, match="one bool for each of the 700"):
        retriever.kneighbors(QUERIES, mask=[True])
    with pytest.raises(ValueError, match="radius must be"):
        retriever.radius_neighbors(QUERIES, -1)
    with pytest.raises(ValueError, match="bytes"):
        retriever.kneighbors(QUERIES[:, :3])
    with pytest.raises(ValueError, match="must be"):
        ShardedHammingRetriever(n_shards=0).fit(CODES)
    assert clone(retriever).get_params() == retriever.get_params()


def test_without_a_client(monkeypatch):
    def no_client():
        raise ValueError("no")

    monkeypatch.setattr("dask.distributed.get_client", no_client)
    with pytest.raises(ValueError, match="There is no Dask client: make one first"):
        ShardedHammingRetriever().fit(CODES)
