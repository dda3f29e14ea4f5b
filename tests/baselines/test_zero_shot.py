"""Codes for categories never seen."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_dsh import CCAHasher, ITQHasher, SketchImageArray, ZeroShotHasher

N_FEATURES = 24


def draw(seed=0, n_seen=12, n_unseen=6):
    """Two views of categories in one space: sketches are scaled and moved."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_seen + n_unseen, N_FEATURES))
    scale, shift = rng.uniform(0.2, 4, N_FEATURES), 3 * rng.normal(size=N_FEATURES)
    parts = []
    for categories in (np.arange(n_seen), np.arange(n_seen, n_seen + n_unseen)):
        y = np.repeat(categories, 10), np.repeat(categories, 15)
        X_sk, X_img = (
            means[labels] + rng.normal(scale=0.5, size=(len(labels), N_FEATURES)) for labels in y
        )
        parts.append((X_sk * scale + shift, X_img, y))
    return parts


SEEN, UNSEEN = draw()


def test_categories_never_seen_are_found_across_views():
    hasher = ZeroShotHasher(32, random_state=0).fit(*SEEN)
    assert hasher.score(*UNSEEN) > 0.85
    assert ITQHasher(32, random_state=0).fit(*SEEN).score(*UNSEEN) < 0.6
    assert hasher.score(*UNSEEN) > CCAHasher(32, random_state=0).fit(*SEEN).score(*UNSEEN)


def standardised(hasher, X, view):
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    return (X - hasher.means_[view]) * hasher.scales_[view]


def test_rows_are_standardised_in_each_view():
    hasher = ZeroShotHasher(32, random_state=0).fit(*SEEN)
    for view, X in zip(("sketch", "image"), SEEN, strict=False):
        x = standardised(hasher, X, view)
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-9)
        deviation = (X / np.linalg.norm(X, axis=1, keepdims=True)).std(axis=0)
        expected = deviation / (deviation + 0.1 * deviation.mean())
        np.testing.assert_allclose(x.std(axis=0), expected)


def test_the_map_is_the_smallest_of_what_it_minimises():
    ridge = 3.0
    hasher = ZeroShotHasher(32, ridge=ridge, random_state=0).fit(*SEEN)
    X_sk, X_img, (y_sk, y_img) = SEEN
    x = {
        "sketch": standardised(hasher, X_sk, "sketch"),
        "image": standardised(hasher, X_img, "image"),
    }
    labels = {"sketch": y_sk, "image": y_img}
    means = np.stack([
        (x["sketch"][y_sk == c].mean(axis=0) + x["image"][y_img == c].mean(axis=0)) / 2
        for c in range(12)
    ])  # fmt: skip
    rng = np.random.default_rng(1)
    for view in x:
        weight = ridge * (x[view] ** 2).sum() / N_FEATURES

        def value(w, view=view, weight=weight):
            fit = ((x[view] @ w - means[labels[view]]) ** 2).sum()
            return fit + weight * ((w - np.eye(N_FEATURES)) ** 2).sum()

        found = hasher.maps_[view]
        for _ in range(20):  # in every direction it grows, and by as much as in the opposite one
            step = 1e-3 * rng.normal(size=found.shape)
            more, less = value(found + step) - value(found), value(found - step) - value(found)
            assert min(more, less) > 0
            assert more == pytest.approx(less, rel=1e-6)


def test_a_ridge_without_end_leaves_the_features_alone():
    hasher = ZeroShotHasher(32, ridge=1e12).fit(*SEEN)
    for view in ("sketch", "image"):
        np.testing.assert_allclose(hasher.maps_[view], np.eye(N_FEATURES), atol=1e-9)


def test_directions_are_those_in_which_categories_differ_most():
    hasher = ZeroShotHasher(5, n_directions=5, random_state=0).fit(*SEEN)
    mapped, sums, total = [], [], 0
    for view, X, y in zip(("sketch", "image"), SEEN, SEEN[2], strict=False):
        x = standardised(hasher, X, view) @ hasher.maps_[view]
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        x -= x.mean(axis=0)
        sums.append(np.stack([x[y == c].mean(axis=0) for c in range(12)]))
        mapped.append(x)
    means, everything = np.mean(sums, axis=0), np.concatenate(mapped)
    total = means.T @ means / 12 + 0.1 * everything.T @ everything / len(everything)
    leading = np.linalg.eigh(total)[1][:, -5:]
    expected = leading @ leading.T  # of the directions, whatever their rotation
    np.testing.assert_allclose(hasher.directions_ @ hasher.directions_.T, expected, atol=1e-9)


def test_bits_are_balanced_and_depend_on_direction_alone():
    hasher = ZeroShotHasher(32, random_state=0).fit(*SEEN)
    for view, X in zip(("sketch", "image"), SEEN, strict=False):
        values = hasher.project(X, view=view)
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(hasher.project(7 * X, view=view), values)


def test_more_bits_than_directions_are_a_tight_frame():
    directions = ZeroShotHasher(100, random_state=0).fit(*SEEN).directions_
    assert directions.shape == (N_FEATURES, 100)
    np.testing.assert_allclose(directions @ directions.T, np.eye(N_FEATURES), atol=1e-9)


def test_categories_of_one_view_and_constant_features():
    X_sk, X_img, (y_sk, y_img) = (*(X.copy() for X in SEEN[:2]), SEEN[2])
    X_sk[:, 3] = X_img[:, 3] = 0
    keep = y_sk > 2
    hasher = ZeroShotHasher(32, random_state=0).fit(X_sk[keep], X_img, (y_sk[keep], y_img))
    assert hasher.score(X_sk[keep], X_img, (y_sk[keep], y_img)) > 0.5
    assert np.isfinite(hasher.project(X_img, view="image")).all()


def test_a_view_of_one_row():
    X_sk, X_img, (y_sk, y_img) = SEEN
    X_sk, y_sk = X_sk[:1], y_sk[:1]
    hasher = ZeroShotHasher(32, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    np.testing.assert_array_equal(hasher.scales_["sketch"], 0)
    np.testing.assert_allclose(hasher.maps_["sketch"], np.eye(N_FEATURES), atol=1e-9)
    assert np.isfinite(hasher.project(X_img, view="image")).all()


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_one_view(view):
    X = SketchImageArray(SEEN[0], None) if view == "sketch" else SketchImageArray(None, SEEN[1])
    y = SEEN[2][view == "image"]
    hasher = ZeroShotHasher(16, random_state=0).fit(X, y)
    assert hasher.transform(X).shape == (len(y), 2)
    assert set(hasher.maps_) == {view}


def test_the_seed_decides_and_bad_settings_are_refused():
    first, again, other = (ZeroShotHasher(8, random_state=s).fit(*SEEN) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.directions_, again.directions_)
    assert not np.array_equal(first.directions_, other.directions_)
    for wrong in ({"ridge": 0}, {"n_directions": 0}, {"n_iter": -1}):
        with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter"):
            clone(first).set_params(**wrong).fit(*SEEN)
    with pytest.raises(ValueError, match="Only one class"):
        ZeroShotHasher().fit(SEEN[0], SEEN[1], (SEEN[2][0] * 0, SEEN[2][1] * 0))
    with pytest.raises(ValueError, match="one feature space"):
        ZeroShotHasher().fit(SEEN[0][:, :5], SEEN[1], SEEN[2])
