import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sklearn_dsh.baselines import _anchors
from sklearn_dsh.baselines._anchors import AnchorHasher, anchor_features, fit_anchors


def rows(n=40, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


def fit(X, n_anchors=10, seed=0, **kwargs):
    return fit_anchors(X, n_anchors, random_state=np.random.RandomState(seed), **kwargs)


def test_features_are_the_formula_less_the_training_mean():
    X, new = rows(), rows(7, seed=1)
    fitted = fit(X, bandwidth=0.7)
    sigma = 0.7 * cdist(X, fitted["anchors"]).mean()

    def plain(rows):
        return np.exp(-(cdist(rows, fitted["anchors"]) ** 2) / (2 * sigma**2))

    np.testing.assert_allclose(anchor_features(new, fitted), plain(new) - plain(X).mean(axis=0))
    np.testing.assert_allclose(anchor_features(X, fitted).mean(axis=0), 0, atol=1e-14)


def test_anchors_are_distinct_rows_drawn_by_the_random_state():
    X = rows()
    anchors = fit(X)["anchors"]
    drawn = (anchors[:, None] == X).all(axis=2)
    assert (drawn.sum(axis=1) == 1).all()
    assert drawn.sum(axis=0).max() == 1
    np.testing.assert_array_equal(anchors, fit(X)["anchors"])
    assert not np.array_equal(anchors, fit(X, seed=1)["anchors"])
    everything = fit(X, 1000)["anchors"]
    np.testing.assert_array_equal(np.sort(everything, axis=0), np.sort(X, axis=0))


def test_bandwidth_is_the_mean_distance_to_the_anchors(monkeypatch):
    X = rows()
    fitted = fit(X)
    assert fitted["bandwidth"] == pytest.approx(cdist(X, fitted["anchors"]).mean())
    monkeypatch.setattr(_anchors, "_SAMPLE", 30)
    assert fit(X)["bandwidth"] == pytest.approx(fitted["bandwidth"], rel=0.1)


def test_features_know_neither_origin_nor_scale():
    X, new = rows(), rows(7, seed=1)
    expected = anchor_features(new, fit(X))
    for scale, shift in ((1e-100, 0), (1e5, 1e9), (1, -1e6)):
        moved = anchor_features(new * scale + shift, fit(X * scale + shift))
        np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize("X", [np.full((5, 3), 0.1), np.array([[1e9, 0.3]])])
def test_rows_without_any_variation_have_no_features(X):
    fitted = fit(X)
    assert fitted["bandwidth"] == 1
    np.testing.assert_array_equal(anchor_features(X, fitted), 0)
    assert np.isfinite(anchor_features(X + 1, fitted)).all()


def test_batches_make_no_difference(monkeypatch):
    X = rows().astype(np.float32)
    expected = fit(X)
    hasher = AnchorHasher()
    hasher.anchors_ = {"sketch": expected}
    hasher.weights_ = {"sketch": rows(10, 3)}
    hasher.intercepts_ = {"sketch": np.array([1.0, 2.0, 3.0])}
    plain = anchor_features(X, expected) @ hasher.weights_["sketch"] + [1, 2, 3]
    assert plain.dtype == np.float64
    for size in (4096, 7):
        monkeypatch.setattr(_anchors, "_BATCH", size)
        np.testing.assert_allclose(fit(X)["mean"], expected["mean"])
        np.testing.assert_allclose(hasher._project_view(X, "sketch"), plain)
