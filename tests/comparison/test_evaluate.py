import json
from dataclasses import replace

import numpy as np
import pytest
from planted_views import two_views
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sklearn_dsh import CCAHasher, DeepSketchHasher, PerView, SketchImageArray
from sklearn_dsh.comparison import _evaluate as module
from sklearn_dsh.comparison import evaluate, evaluate_features, evaluate_projections, make_problem
from sklearn_dsh.comparison._methods import NetworkFeatures
from sklearn_dsh.metrics import mean_average_precision, precision_at_k


@pytest.fixture(scope="module")
def problem():
    X_sk, X_img, (y_sk, y_img) = two_views(width=(20, 20))
    return make_problem(Bunch(sketches=X_sk, images=X_img, y_sketch=y_sk, y_image=y_img))


def test_a_hasher_is_measured_on_the_queries(problem):
    result = evaluate(CCAHasher(16, random_state=0), problem, k=5)
    hasher = CCAHasher(16, random_state=0).fit(problem.train, problem.y_train)
    codes = (
        hasher.transform(problem.queries, view="sketch"),
        hasher.transform(problem.gallery, view="image"),
    )
    np.testing.assert_array_equal(result.query_codes, codes[0])
    np.testing.assert_array_equal(result.gallery_codes, codes[1])
    labels = problem.y_query, problem.y_gallery
    assert result.mean_average_precision == mean_average_precision(*codes, *labels)
    assert result.precision == precision_at_k(*codes, *labels, k=5)
    assert result.bytes_per_photo == 2
    assert min(result.encode_microseconds, result.search_microseconds, result.fit_seconds) > 0


def test_curves_end_where_the_whole_gallery_is_retrieved(problem):
    points = module.curves(evaluate(CCAHasher(16, random_state=0), problem), problem)
    recall, precision = points["precision_recall"]
    assert recall[-1] == 1
    assert np.isfinite(precision).all()
    ks, precision = points["precision_at_k"]
    assert ks[-1] == len(problem.gallery)
    assert precision[-1] == pytest.approx(np.mean(
        [np.mean(problem.y_gallery == y) for y in problem.y_query]
    ))  # fmt: skip


@pytest.mark.parametrize("at_once", [100, 5])
def test_features_are_ranked_by_distance(problem, monkeypatch, at_once):
    monkeypatch.setattr(module, "_QUERIES_AT_ONCE", at_once)
    result = evaluate_features(problem, k=5)
    averages, precisions = [], []
    for query, label in zip(problem.queries, problem.y_query, strict=True):
        distances = np.linalg.norm(problem.gallery - query, axis=1)
        relevant = problem.y_gallery == label
        averages.append(average_precision_score(relevant, -distances))
        precisions.append(relevant[np.argsort(distances)[:5]].mean())
    assert result.mean_average_precision == pytest.approx(np.mean(averages))
    assert result.precision == pytest.approx(np.mean(precisions))
    assert result.bytes_per_photo == 8 * 20


def test_features_that_are_bytes_are_no_codes(problem):
    rng = np.random.default_rng(0)
    as_bytes = replace(
        problem,
        queries=rng.integers(0, 256, (len(problem.queries), 3), dtype=np.uint8),
        gallery=rng.integers(0, 256, (len(problem.gallery), 3), dtype=np.uint8),
    )
    as_floats = replace(
        problem, queries=as_bytes.queries.astype(float), gallery=as_bytes.gallery.astype(float)
    )
    of_bytes, of_floats = (evaluate_features(each, k=5) for each in (as_bytes, as_floats))
    assert of_bytes.mean_average_precision == of_floats.mean_average_precision
    assert module.curves(of_bytes, as_bytes) == module.curves(of_floats, as_floats)
    assert module.retrieved(of_bytes, as_bytes) == module.retrieved(of_floats, as_floats)
    assert of_bytes.bytes_per_photo == 3


def test_curves_of_features_are_by_rank(problem):
    result = evaluate_features(problem, k=5)
    points = module.curves(result, problem)
    ks, precision = points["precision_at_k"]
    assert ks[-1] == len(problem.gallery)
    assert precision[ks.index(5)] == pytest.approx(result.precision)
    found = np.zeros(len(ks))
    for query, label in zip(problem.queries, problem.y_query, strict=True):
        order = np.argsort(np.linalg.norm(problem.gallery - query, axis=1))
        found += np.cumsum(problem.y_gallery[order] == label)[np.array(ks) - 1]
    assert precision == pytest.approx(found / (np.array(ks) * len(problem.queries)))
    recall, same = points["precision_recall"]
    assert recall == pytest.approx(found / found[-1])
    assert same == precision


def test_queries_without_a_photo_of_their_category_are_left_out(problem):
    y_query = np.where(problem.y_query == 0, 9, problem.y_query)  # between and after the others
    some = problem.y_query != 0
    fewer = replace(problem, queries=problem.queries[some], y_query=problem.y_query[some])
    for_all = evaluate_features(replace(problem, y_query=y_query), k=5)
    expected = evaluate_features(fewer, k=5)
    assert for_all.mean_average_precision == pytest.approx(expected.mean_average_precision)
    assert for_all.precision == pytest.approx(expected.precision)


@pytest.mark.parametrize("kind", ["codes", "floats"])
def test_what_was_retrieved_is_nearest(problem, kind):
    if kind == "codes":
        result = evaluate(CCAHasher(16, random_state=0), problem, k=5)
        bits = np.unpackbits(result.query_codes, axis=1)
        distances = (bits[:, None] != np.unpackbits(result.gallery_codes, axis=1)).sum(axis=2)
    else:
        result = evaluate_features(problem, k=5)
        distances = np.linalg.norm(problem.queries[:, None] - problem.gallery, axis=2)
    shown = json.loads(json.dumps(module.retrieved(result, problem)))
    assert len(set(problem.y_query[shown["queries"]])) == len(set(problem.y_query))
    for query, found, their in zip(
        shown["queries"], shown["found"], shown["distances"], strict=True
    ):
        np.testing.assert_allclose(distances[query, found], their)
        np.testing.assert_allclose(np.sort(distances[query])[:10], their)


def test_the_fastest_of_several_calls_is_told(monkeypatch):
    times = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    assert module.timed(lambda a: a + 1, 1) == (2, 2.0)


def test_projections_are_ranked_as_features(problem):
    hasher = CCAHasher(16, random_state=0)
    result = evaluate_projections(hasher, problem, k=5)
    projected = replace(
        problem,
        queries=hasher.project(problem.queries, view="sketch"),
        gallery=hasher.project(problem.gallery, view="image"),
    )
    expected = evaluate_features(projected, k=5)
    assert result.mean_average_precision == expected.mean_average_precision
    assert result.precision == expected.precision
    assert min(result.fit_seconds, result.encode_microseconds) > 0


def test_network_features_keep_the_order_of_the_rows(problem):
    order = np.random.default_rng(0).permutation(len(problem.train))
    X, y = problem.train[order], problem.y_train[order]
    network = NetworkFeatures(DeepSketchHasher(8, steps_per_iter=5, random_state=0))
    features = network.fit_transform(X, y)
    np.testing.assert_array_equal(features.is_sketch, X.is_sketch)
    for view in ("sketch", "image"):
        expected = network.hasher.features(X.take_view(view), view)
        np.testing.assert_array_equal(features.take_view(view), expected)
    only = network.transform(SketchImageArray(problem.queries, None))
    np.testing.assert_array_equal(
        only.take_view("sketch"), network.hasher.features(problem.queries, "sketch")
    )


def test_features_are_fitted_on_what_is_trained_on(problem):
    moved = module.with_features(problem, PerView(sketch=StandardScaler(), image=StandardScaler()))
    train = problem.train.take_view("sketch")[:]
    np.testing.assert_allclose(
        moved.queries, (problem.queries - train.mean(axis=0)) / train.std(axis=0)
    )
    assert moved.train.take_view("image")[:].std(axis=0) == pytest.approx(1)
    assert moved.gallery.shape == problem.gallery.shape
    assert moved.y_query is problem.y_query
