"""Under ``NUMBA_DISABLE_JIT=1`` nothing is compiled, and every answer is the same.

This file, run as a program, writes the answers of every public entry that reaches a kernel.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

N_BYTES = (3, 4, 16, 33)


def make_codes(n_bytes, n_codes=40):
    """Codes near a few centres, some of them equal."""
    rng = np.random.default_rng(n_bytes)
    codes = rng.integers(0, 256, (5, n_bytes), dtype=np.uint8)[rng.integers(0, 5, n_codes)]
    flipped = (1 << rng.integers(0, 8, n_codes)).astype(np.uint8)
    codes[np.arange(n_codes), rng.integers(0, n_bytes, n_codes)] ^= flipped
    return codes


def search_answers():
    """Of every algorithm and width, for few queries, for many, and for the gallery itself."""
    from sklearn_dsh import HammingRetriever

    for n_bytes in N_BYTES:
        gallery, queries = make_codes(n_bytes), make_codes(n_bytes)[::4]
        for algorithm in ("linear_scan", "multi_index", "balls"):
            retriever = HammingRetriever(4, radius=2, algorithm=algorithm).fit(gallery)
            for few_or_many in (queries[:2], None):
                yield algorithm, retriever.kneighbors(few_or_many)
                yield algorithm, retriever.radius_neighbors(few_or_many)
            yield algorithm, retriever.kneighbors(queries[:2], mask=np.arange(40) % 2 == 0)
            yield algorithm, [retriever.radius_neighbors_graph(queries[:2]).toarray()]
    many = np.repeat(make_codes(8), 210, axis=0)  # enough for structures to be tried
    yield "auto", HammingRetriever(5).fit(many).kneighbors(many[:2])


def metric_answers():
    from sklearn_dsh import metrics

    for n_bytes in N_BYTES:
        gallery, queries = make_codes(n_bytes), make_codes(n_bytes)[::4]
        labels = np.arange(len(queries)) % 3, np.arange(len(gallery)) % 3
        for name in metrics.__all__:
            if name == "score_codes":
                yield name, [metrics.score_codes(gallery, labels[1])]
            elif name != "retrieval_scorer":
                found = getattr(metrics, name)(queries, gallery, *labels)
                yield name, found if isinstance(found, tuple) else [found]


def other_answers():
    from sklearn.ensemble import RandomForestClassifier

    from sklearn_dsh import ITQHasher, retrieval_scorer
    from sklearn_dsh.gallery import Gallery
    from sklearn_dsh.preprocessing._token_forest import (
        background_probability,
        flatten_forest,
        place_nodes,
    )

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)), np.arange(40) % 4
    hasher = ITQHasher(12, random_state=0).fit(X)
    yield "score", [hasher.score(X, y), retrieval_scorer("recall_at_k", k=5)(hasher, X, y)]
    codes = make_codes(3)
    yield "gallery", Gallery(codes, 24, ["a photo"] * len(codes)).search(codes[:2], 4)
    forest = RandomForestClassifier(3, random_state=0).fit(rng.random((50, 1)), np.arange(50) % 2)
    flat, planes = flatten_forest(forest.estimators_), rng.random((2, 6, 6), dtype=np.float32)
    nodes = place_nodes(flat, np.array([[[0, 0, 0], [1, 0, 0]]], dtype=np.int16), planes.shape)
    yield "tokens", [background_probability(nodes, flat["roots"], planes, *[np.arange(6)] * 2)]


def write_answers(path):
    """Each as an array of numbers, by what gave it and its place."""
    from sklearn_dsh.retrieval import _kernels

    arrays = {"compiled": np.array([_kernels.COMPILED])}
    for answers in (search_answers, metric_answers, other_answers):
        for name, parts in answers():
            for part in parts:  # of a radius, an array of arrays
                part = np.asarray(part)
                arrays[f"{name} {len(arrays)}"] = np.hstack(part) if part.dtype.hasobject else part
    np.savez(path, **arrays)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Of this process, and of one that compiles nothing."""
    compiled, interpreted = (tmp_path_factory.mktemp("answers") / f"{i}.npz" for i in range(2))
    write_answers(compiled)
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": root}
    ran = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", __file__, str(interpreted)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(np.load(compiled)), dict(np.load(interpreted))


NAMES = [
    "linear_scan", "multi_index", "balls", "auto", "mean_average_precision", "precision_at_k",
    "precision_at_k_curve", "precision_recall_curve", "recall_at_k", "score_codes", "score",
    "gallery", "tokens",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_the_same_without_compilation(name, answers):
    compiled, interpreted = answers
    assert compiled["compiled"]
    assert not interpreted["compiled"]
    assert compiled.keys() == interpreted.keys()
    assert {key.rsplit(" ", 1)[0] for key in compiled} == {"compiled", *NAMES}
    for key, expected in compiled.items():
        if key.rsplit(" ", 1)[0] == name:
            np.testing.assert_array_equal(interpreted[key], expected)


if __name__ == "__main__":
    write_answers(sys.argv[1])
