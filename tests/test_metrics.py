import pickle
import re
from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_score

from sklearn_dsh import metrics
from sklearn_dsh.codes import hamming_distances
from sklearn_dsh.metrics import (
    mean_average_precision,
    precision_at_k,
    precision_at_k_curve,
    precision_recall_curve,
    recall_at_k,
    retrieval_scorer,
    score_codes,
)


def all_rankings(distances):
    """Every ranking that puts small distances first."""
    groups = [np.flatnonzero(distances == d) for d in np.unique(distances)]
    for parts in product(*(permutations(group) for group in groups)):
        yield [row for part in parts for row in part]


def ranking_metrics(relevant, k):
    """Average precision, precision and recall at k of one ranking, by their definitions."""
    n_relevant, k = sum(relevant), min(k, len(relevant))
    hits = [sum(relevant[: i + 1]) for i in range(len(relevant))]
    average = sum(hits[i] / (i + 1) for i in range(k) if relevant[i]) / min(k, n_relevant)
    return average, hits[k - 1] / k, hits[k - 1] / n_relevant


def mean_over_rankings(query, gallery, is_relevant, k):
    distances = hamming_distances(query[None], gallery)[0]
    rankings = all_rankings(distances)
    return np.mean([ranking_metrics(is_relevant[list(r)].tolist(), k) for r in rankings], axis=0)


@settings(deadline=None, max_examples=150)
@given(
    codes=st.lists(st.sampled_from([0, 1, 3, 128]), min_size=1, max_size=7),
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 9),
)
def test_metrics_are_the_mean_over_all_orderings_of_ties(codes, seed, k):
    rng = np.random.default_rng(seed)
    gallery = np.array(codes, dtype=np.uint8)[:, None]
    gallery_labels = rng.integers(0, 2, len(gallery))
    queries = np.array([[0], [3]], dtype=np.uint8)
    query_labels = np.array([0, 1])
    arguments = queries, gallery, query_labels, gallery_labels
    expected = [
        mean_over_rankings(query, gallery, gallery_labels == label, cut)
        for cut in (k, len(gallery))
        for query, label in zip(queries, query_labels, strict=True)
        if label in gallery_labels
    ]
    at_k, whole = np.mean(np.reshape(expected, (2, -1, 3)), axis=1)
    assert mean_average_precision(*arguments) == pytest.approx(whole[0], abs=1e-12)
    assert mean_average_precision(*arguments, k=k) == pytest.approx(at_k[0], abs=1e-12)
    assert precision_at_k(*arguments, k=k) == pytest.approx(at_k[1], abs=1e-12)
    assert recall_at_k(*arguments, k=k) == pytest.approx(at_k[2], abs=1e-12)


def test_average_precision_by_hand():
    # Distance 0: cat and dog; distance 1: cat. Orders: (c, d, c) 5/6 and (d, c, c) 7/12.
    gallery = np.uint8([[0], [0], [1]])
    labels = ["cat", "dog", "cat"]
    assert mean_average_precision([[0]], gallery, ["cat"], labels) == pytest.approx(17 / 24)
    # The first place alone is a cat's in one order of two.
    assert mean_average_precision([[0]], gallery, ["cat"], labels, k=1) == pytest.approx(1 / 2)
    assert precision_at_k([[0]], gallery, ["cat"], labels, k=1) == pytest.approx(1 / 2)
    assert recall_at_k([[0]], gallery, ["cat"], labels, k=1) == pytest.approx(1 / 4)


def test_without_ties_it_is_the_usual_average_precision():
    rng = np.random.default_rng(0)
    gallery = np.packbits(np.tri(64, dtype=bool), axis=1)  # distances 1, 2, ..., 64
    labels = rng.integers(0, 3, 64)
    expected = average_precision_score(labels == 1, -np.arange(64))
    query = np.zeros((1, 8), np.uint8)
    assert mean_average_precision(query, gallery, [1], labels) == pytest.approx(expected)


@settings(deadline=None)
@given(n=st.integers(1, 300), n_bytes=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_a_perfect_ranking_scores_one(n, n_bytes, seed):
    """Exactly: all of one label, whatever ties there are, and with others behind."""
    rng = np.random.default_rng(seed)
    gallery = rng.integers(0, 256, (n, n_bytes), dtype=np.uint8)
    queries = rng.integers(0, 256, (5, n_bytes), dtype=np.uint8)
    assert mean_average_precision(queries, gallery, np.ones(5), np.ones(n)) == 1.0
    near, far = gallery[:1], 255 - gallery[:1]
    gallery, labels = np.concatenate([near, far, far]), [1, 2, 3]
    assert mean_average_precision(near, gallery, [1], labels) == 1.0


def test_one_code_for_all_scores_as_chance():
    """With everything tied, precision at every rank is near the share of relevant items."""
    labels = np.arange(100_000) % 10
    codes = np.zeros((100_000, 4), np.uint8)
    score = mean_average_precision(codes[:1], codes, [3], labels)
    ranks = np.arange(1, 100_001)
    exact = np.mean((1 + (ranks - 1) * (9_999 / 99_999)) / ranks)
    assert score == pytest.approx(exact, rel=1e-9)
    assert precision_at_k(codes[:1], codes, [3], labels) == pytest.approx(0.1)


def test_gallery_order_does_not_matter():
    rng = np.random.default_rng(0)
    gallery, queries = rng.integers(0, 4, (300, 1)), rng.integers(0, 4, (20, 1))
    gallery_labels, query_labels = rng.integers(0, 5, 300), rng.integers(0, 5, 20)
    order = rng.permutation(300)
    for metric in (mean_average_precision, precision_at_k, recall_at_k):
        score = metric(queries, gallery, query_labels, gallery_labels)
        assert score == metric(queries, gallery[order], query_labels, gallery_labels[order])


def test_queries_without_relevant_items_are_left_out():
    gallery = np.uint8([[0], [1]])
    for metric in (mean_average_precision, precision_at_k, recall_at_k):
        alone = metric([[0]], gallery, [0], [0, 1])
        assert metric([[0], [0]], gallery, [0, 7], [0, 1]) == alone
        assert np.isnan(metric([[0]], gallery, [7], [0, 1]))


def test_k_is_cut_at_the_size_of_the_gallery():
    gallery = np.uint8([[0], [1], [3], [7]])
    arguments = [[0]], gallery, [0], [0, 1, 0, 1]
    assert precision_at_k(*arguments, k=1000) == 1 / 2
    assert recall_at_k(*arguments, k=1000) == 1
    assert mean_average_precision(*arguments, k=1000) == mean_average_precision(*arguments)


def test_blocks_of_queries_do_not_change_the_score(monkeypatch):
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 256, (50, 2)), rng.integers(0, 4, 50)
    arguments = codes, codes, labels, labels
    whole = mean_average_precision(*arguments), *precision_recall_curve(*arguments)
    alone = score_codes(codes, labels)
    monkeypatch.setattr(metrics, "_COUNT_BYTES", 64 * 17 * 7)
    blocks = mean_average_precision(*arguments), *precision_recall_curve(*arguments)
    for a, b in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(a, b)
    assert score_codes(codes, labels) == alone


def test_precision_recall_curve_by_hand():
    gallery = np.uint8([[1], [1], [3], [15]])
    labels = ["a", "b", "a", "b"]
    queries = np.uint8([[0], [0], [255]])
    # The third query has no relevant item and does not count.
    precision, recall, radii = precision_recall_curve(queries, gallery, ["a", "b", "c"], labels)
    np.testing.assert_array_equal(radii, np.arange(9))
    half = [1 / 2] * 8
    np.testing.assert_allclose(precision, [np.nan, *half])
    np.testing.assert_allclose(recall, [0, 1 / 2, 3 / 4, 3 / 4, 1, 1, 1, 1, 1])
    precision, recall, _ = precision_recall_curve(queries[:1], gallery, ["a"], labels)
    np.testing.assert_allclose(precision[1:5], [1 / 2, 2 / 3, 2 / 3, 1 / 2])
    np.testing.assert_allclose(recall[:3], [0, 1 / 2, 1])


class Codes(TransformerMixin, BaseEstimator):
    """Gives back the codes that the rows are."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return getattr(X, "codes", X)

    def __sklearn_is_fitted__(self):
        return True


def two_views():
    codes = np.uint8([[0], [1], [0], [3], [1]])
    is_sketch = np.array([True, False, True, False, False])
    return SimpleNamespace(codes=codes, is_sketch=is_sketch), np.array(list("abbab"))


@pytest.mark.parametrize(
    ("name", "keywords", "metric"),
    [
        ("mean_average_precision", {}, mean_average_precision),
        ("mean_average_precision", {"k": 2}, mean_average_precision),
        ("precision_at_k", {"k": 2}, precision_at_k),
        ("recall_at_k", {"k": 1}, recall_at_k),
    ],
)
def test_scorer_lets_sketches_query_photos(name, keywords, metric):
    X, y = two_views()
    photos = ~X.is_sketch
    expected = metric(X.codes[X.is_sketch], X.codes[photos], y[X.is_sketch], y[photos], **keywords)
    scorer = retrieval_scorer(name, **keywords)
    assert scorer(Codes(), X, y) == expected
    assert pickle.loads(pickle.dumps(scorer))(Codes(), X, y) == expected
    scored = score_codes(X.codes, y, is_sketch=X.is_sketch, metric=name, **keywords)
    assert scored == expected


@pytest.mark.parametrize("is_sketch", [None, np.zeros(30, bool), np.ones(30, bool)])
@pytest.mark.parametrize("keywords", [{}, {"k": 3}])
def test_one_view_is_scored_leaving_one_out(is_sketch, keywords):
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 8, (30, 1)), rng.integers(0, 4, 30)
    rows = np.arange(30)
    each = [
        mean_average_precision(codes[[i]], codes[rows != i], y[[i]], y[rows != i], **keywords)
        for i in rows
    ]
    score = score_codes(codes, y, is_sketch=is_sketch, **keywords)
    assert score == pytest.approx(np.mean(each))


def test_one_code_alone_has_no_score():
    for metric in ("mean_average_precision", "precision_at_k", "recall_at_k"):
        assert np.isnan(score_codes([[1]], [0], metric=metric))


def test_scorer_serves_cross_validation():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 8, (30, 1)), np.arange(30) % 3
    scores = cross_val_score(
        Codes(), codes, y, scoring=retrieval_scorer("precision_at_k", k=3), cv=2
    )
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("k", [0, 20.0])
def test_the_k_of_a_scorer_is_checked_when_made(k):
    with pytest.raises(ValueError, match="k must be an integer of 1 or more"):
        retrieval_scorer("precision_at_k", k=k)


def test_labels_of_signed_and_unsigned_integers_stay_apart():
    labels = np.array([2**60 + 1, 2**60 + 2])  # one number as floats
    for gallery_labels in (labels, labels.astype(np.uint64)):
        score = mean_average_precision([[0]], [[255], [0]], labels[:1], gallery_labels)
        assert score == 0.5


def test_scorer_is_checked_when_made():
    with pytest.raises(ValueError, match=r"Unknown metric 'map': expected one of \['mean_av"):
        retrieval_scorer("map")
    with pytest.raises(TypeError, match=r"precision_at_k takes the keyword k, got \['top'\]"):
        retrieval_scorer("precision_at_k", top=5)


@pytest.mark.parametrize("k", [0, -1, 2.0, "all"])
def test_invalid_k(k):
    with pytest.raises(ValueError, match="k must be an integer of 1 or more, or None, got"):
        precision_at_k([[1]], [[1]], [0], [0], k=k)


VALID = {
    "query_codes": [[1, 2]],
    "gallery_codes": [[1, 2], [3, 4]],
    "query_labels": ["a"],
    "gallery_labels": ["a", "b"],
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gallery_codes": [[1], [2]]}, "gallery_codes has 1 bytes a code, but 2 were expected"),
        ({"query_codes": [[True, False]]}, "Use pack_bits(query_codes)"),
        ({"query_codes": [[0.5, 1.0]]}, "query_codes of dtype float64 holds 0.5"),
        ({"gallery_codes": [[1, np.nan], [1, 1]]}, "Input gallery_codes contains NaN"),
        ({"gallery_labels": ["a"]}, "gallery_codes has 2 rows, but gallery_labels has 1"),
        ({"query_labels": None}, "query_labels is None: retrieval metrics need one label"),
        ({"query_labels": [["a", "b"]]}, "query_labels should be a 1d array of labels"),
        ({"query_labels": [1]}, "must be of one kind, got int64 and <U1"),
        ({"query_labels": [np.nan], "gallery_labels": [1, 2]}, "Input query_labels contains NaN"),
        ({"gallery_labels": [0.5, 1], "query_labels": [1]}, "continuous. gallery_labels must hold"),
        ({"gallery_labels": ["a", None]}, "none missing, got NoneType and str"),
        (
            {"query_labels": [b"a"]},
            "query_labels must hold categories that are all text or all numbers",
        ),
    ],
)
@pytest.mark.parametrize(
    "metric", [mean_average_precision, precision_at_k, recall_at_k, precision_recall_curve]
)
def test_invalid_input(metric, changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        metric(**{**VALID, **changed})


def test_score_codes_needs_a_view_of_each_row():
    with pytest.raises(ValueError, match=r"is_sketch must be a boolean array of shape \(2,\)"):
        score_codes([[1], [2]], [0, 1], is_sketch=[True])
    with pytest.raises(ValueError, match="codes has 2 rows, but y has 1"):
        score_codes([[1], [2]], [0])


def test_precision_curve_at_small_integers():
    gallery = np.zeros((300, 1), dtype=np.uint8)
    ks = np.arange(1, 5, dtype=np.uint8)
    precision, given = precision_at_k_curve(gallery[:1], gallery, [1], np.arange(300) % 2, ks=ks)
    np.testing.assert_array_equal(given, ks)
    np.testing.assert_allclose(precision, 0.5)


def test_precision_curve_is_precision_at_each_k():
    rng = np.random.default_rng(0)
    queries, gallery = (rng.integers(0, 4, (n, 2), dtype=np.uint8) for n in (9, 70))
    labels = rng.integers(0, 5, 9), rng.integers(0, 4, 70)  # a category without photos
    precision, ks = precision_at_k_curve(queries, gallery, *labels)
    assert ks[0] == 1
    assert ks[-1] == 70
    assert (np.diff(ks) > 0).all()
    expected = [precision_at_k(queries, gallery, *labels, k=int(k)) for k in ks]
    np.testing.assert_allclose(precision, expected)
    some, ks = precision_at_k_curve(queries, gallery, *labels, ks=[5, 1000])
    assert ks.tolist() == [5, 70]
    np.testing.assert_allclose(some[0], precision_at_k(queries, gallery, *labels, k=5))
    assert np.isnan(precision_at_k_curve(queries, gallery, labels[0] + 9, labels[1])[0]).all()
    for wrong in ([0], [], [1.5]):
        with pytest.raises(ValueError, match="ks must be integers of 1 or more"):
            precision_at_k_curve(queries, gallery, *labels, ks=wrong)
