"""Bits read out of features, for categories never seen."""

import numpy as np
import pytest
import torch

from sklearn_dsh.deep import _feature_readout
from sklearn_dsh.deep._feature_readout import FeatureReadout, learn_readout
from sklearn_dsh.metrics import mean_average_precision

N_FEATURES = 24


def draw(seed=0, n_seen=12, n_unseen=6):
    """Two views of categories in one space: sketches are scaled, moved and noisier."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_seen + n_unseen, N_FEATURES))
    scale, shift = rng.uniform(0.2, 4, N_FEATURES), 3 * rng.normal(size=N_FEATURES)
    parts = {}
    for part, categories in (
        ("seen", np.arange(n_seen)), ("unseen", np.arange(n_seen, n_seen + n_unseen))
    ):  # fmt: skip
        y = {"sketch": np.repeat(categories, 10), "image": np.repeat(categories, 15)}
        noise = {view: rng.normal(scale=0.5, size=(len(y[view]), N_FEATURES)) for view in y}
        x = {view: means[y[view]] + noise[view] for view in y}
        x["sketch"] = x["sketch"] * scale + shift
        parts[part] = {view: values.astype(np.float32) for view, values in x.items()}, y
    return parts


def learn(features, labels, n_bits=32):
    arrays = learn_readout(features, labels, n_bits, np.random.RandomState(0))
    readout = FeatureReadout(list(features), N_FEATURES, n_bits)
    readout.set_arrays(arrays)
    return arrays, readout


def bits(readout, features):
    return {
        view: np.packbits(readout(torch.from_numpy(x), view).numpy() >= 0, axis=1)
        for view, x in features.items()
    }


def search(readout, part):
    codes, y = bits(readout, part[0]), part[1]
    return mean_average_precision(codes["sketch"], codes["image"], y["sketch"], y["image"])


def test_categories_never_seen_are_found_across_views():
    parts = draw()
    _, readout = learn(*parts["seen"])
    as_it_comes = FeatureReadout(["sketch", "image"], N_FEATURES, N_FEATURES)
    as_it_comes.directions.copy_(torch.eye(N_FEATURES))
    assert search(readout, parts["unseen"]) > 0.85
    assert search(as_it_comes, parts["unseen"]) < 0.6


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_the_map_is_the_smallest_of_what_it_minimises():
    features, labels = draw()["seen"]
    arrays, _ = learn(features, labels)
    x = {
        view: (unit(values) - arrays[f"mean_{view}"]) * arrays[f"scale_{view}"]
        for view, values in features.items()
    }
    means = np.stack([
        (x["sketch"][labels["sketch"] == c].mean(0) + x["image"][labels["image"] == c].mean(0)) / 2
        for c in range(12)
    ])  # fmt: skip
    rng = np.random.default_rng(1)
    for view in features:
        ridge = _feature_readout.RIDGE * (x[view] ** 2).sum() / N_FEATURES

        def value(w, view=view, ridge=ridge):
            fit = ((x[view] @ w - means[labels[view]]) ** 2).sum()
            return fit + ridge * ((w - np.eye(N_FEATURES)) ** 2).sum()

        found = arrays[f"map_{view}"].astype(float)
        for _ in range(20):  # in every direction it grows, and by as much as in the opposite one
            step = 1e-3 * rng.normal(size=found.shape)
            more, less = value(found + step) - value(found), value(found - step) - value(found)
            assert min(more, less) > 0
            assert more == pytest.approx(less, rel=1e-2)


def test_a_ridge_without_end_leaves_the_features_alone(monkeypatch):
    monkeypatch.setattr(_feature_readout, "RIDGE", 1e12)
    arrays, _ = learn(*draw()["seen"])
    for view in ("sketch", "image"):
        np.testing.assert_allclose(arrays[f"map_{view}"], np.eye(N_FEATURES), atol=1e-6)


def test_bits_are_balanced_and_depend_on_direction_alone():
    features, labels = draw()["seen"]
    _, readout = learn(features, labels)
    for view, x in features.items():
        values = readout(torch.from_numpy(x), view).numpy()
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
        larger = readout(torch.from_numpy(7 * x), view).numpy()
        np.testing.assert_allclose(larger, values, atol=1e-5)


def test_more_bits_than_directions_are_a_tight_frame():
    arrays, _ = learn(*draw()["seen"], n_bits=100)
    directions = arrays["directions"].astype(float)
    assert directions.shape == (N_FEATURES, 100)
    np.testing.assert_allclose(directions @ directions.T, np.eye(N_FEATURES), atol=1e-5)


def test_constant_features_and_categories_of_one_view():
    features, labels = draw()["seen"]
    for x in features.values():
        x[:, 3] = 0
    keep = labels["sketch"] > 2
    features["sketch"], labels["sketch"] = features["sketch"][keep], labels["sketch"][keep]
    arrays, readout = learn(features, labels)
    assert all(np.isfinite(values).all() for values in arrays.values())
    assert search(readout, (features, labels)) > 0.5


@pytest.mark.parametrize("collapsed", ["one row", "zero", "constant"])
def test_a_view_that_does_not_vary(collapsed):
    features, labels = draw()["seen"]
    if collapsed == "one row":
        features["sketch"], labels["sketch"] = features["sketch"][:1], labels["sketch"][:1]
    else:
        features["sketch"][:] = 0 if collapsed == "zero" else np.arange(1, N_FEATURES + 1)
    arrays, readout = learn(features, labels)
    assert all(np.isfinite(values).all() for values in arrays.values())
    np.testing.assert_array_equal(arrays["scale_sketch"], 0)
    np.testing.assert_allclose(arrays["map_sketch"], np.eye(N_FEATURES), atol=1e-6)
    assert search(readout, ({"image": features["image"], "sketch": features["image"]},
                            {"image": labels["image"], "sketch": labels["image"]})) > 0  # fmt: skip


def test_one_view():
    features, labels = draw()["seen"]
    arrays, readout = learn({"image": features["image"]}, {"image": labels["image"]})
    assert set(arrays) == {"mean_image", "scale_image", "map_image", "shift_image", "directions"}
    assert readout(torch.from_numpy(features["image"]), "image").shape == (180, 32)
