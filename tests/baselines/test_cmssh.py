import numpy as np
import pytest
from planted_views import two_views

from sklearn_dsh import SketchImageArray
from sklearn_dsh.baselines._cmssh import (
    CMSSHHasher,
    best_offset,
    best_offsets,
    draw_dissimilar_pairs,
    reweighted,
)

CLEARLY_LEARNED = 0.7  # mean average precision, where chance is 0.2


def signs(values):
    return np.where(values >= 0, 1.0, -1.0)


def splits(values):
    """An offset for every way to split the values in two."""
    ordered = np.unique(values)
    return -(ordered[:-1] + ordered[1:]) / 2


@pytest.fixture
def paired():
    """Paired views with labels, a hasher of them, and its pairs: rows of both and signs."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 80)
    X = rng.normal(size=(80, 6)) + 2 * np.eye(4, 6)[y] + 3
    Z = rng.normal(size=(80, 9)) - 2 * np.eye(4, 9)[y]
    hasher = CMSSHHasher(12, random_state=0).fit(X, Z, y)
    x_rows, z_rows = draw_dissimilar_pairs(y, y, 80, np.random.RandomState(0))
    rows = np.append(np.arange(80), x_rows), np.append(np.arange(80), z_rows)
    return X, Z, hasher, rows, np.repeat([1, -1], 80)


def test_first_directions_are_the_leading_singular_vectors(paired):
    X, Z, hasher, rows, s = paired
    X, Z = X - X.mean(axis=0), Z - Z.mean(axis=0)
    cross = sum(s_k * np.outer(X[i], Z[j]) for i, j, s_k in zip(*rows, s, strict=True))
    u, _values, vt = np.linalg.svd(cross)
    p, q = hasher.weights_["sketch"][:, 0], hasher.weights_["image"][:, 0]
    orientation = np.sign(u[:, 0] @ p)
    np.testing.assert_allclose(p, orientation * u[:, 0], atol=1e-6)
    np.testing.assert_allclose(q, orientation * vt[0], atol=1e-6)


def test_bits_are_boosted(paired):
    """Every later bit as well: what it maximises, weights of the pairs, and the loss."""
    X, Z, hasher, (x_rows, z_rows), s = paired
    values = hasher.project(X)[x_rows], hasher.project(Z, view="image")[z_rows]
    margins = s[:, None] * signs(values[0]) * signs(values[1])
    centred = X - X.mean(axis=0), Z - Z.mean(axis=0)
    weights, exponents = np.full(160, 1 / 160), np.zeros(160)
    for t in range(12):
        np.testing.assert_allclose(weights @ margins[:, t], hasher.edges_[t])
        cross = (centred[0][x_rows] * (weights * s)[:, None]).T @ centred[1][z_rows]
        p, q = (hasher.weights_[view][:, t] for view in ("sketch", "image"))
        np.testing.assert_allclose(p @ cross @ q, np.linalg.norm(cross, 2), rtol=1e-6)
        # No other offset of one view does better.
        for own, other in ((0, 1), (1, 0)):
            gains = weights * s * signs(values[other][:, t])
            best = max(gains @ signs(values[own][:, t] + a) for a in splits(values[own][:, t]))
            assert best <= hasher.edges_[t] + 1e-12

        exponents -= min(np.arctanh(hasher.edges_[t]), 1) * margins[:, t]
        np.testing.assert_allclose(np.exp(exponents).mean(), hasher.loss_curve_[t])
        weights = np.exp(exponents) / np.exp(exponents).sum()
    assert (np.diff(hasher.loss_curve_) < 0).all()
    assert hasher.n_iter_ == len(hasher.loss_curve_) == hasher.n_bits


@pytest.mark.parametrize("rounding", [5, 0])  # without and with equal values
def test_offset_against_every_split(rounding):
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, gains = rng.normal(size=15).round(rounding), rng.normal(size=15)
        a, total = best_offset(values, gains)
        np.testing.assert_allclose(gains @ signs(values + a), total)
        np.testing.assert_allclose(
            total, max(gains @ signs(values + other) for other in splits(values))
        )
        assert len(np.unique(signs(values + a))) == 2


def test_offset_of_equal_values():
    a, total = best_offset(np.full(4, 3.0), np.array([1.0, 2.0, -1.0, 0.5]))
    assert a == -3
    assert total == 2.5


def test_pair_of_offsets_against_all_pairs_of_splits():
    rng = np.random.default_rng(0)
    reached = []
    for _ in range(20):
        x, z = rng.normal(size=(2, 30))
        gains = rng.uniform(0, 1, 30) * signs((x - 0.5) * (z + 0.3) + 0.3 * rng.normal(size=30))
        a, b = best_offsets(x, z, gains)
        found = gains @ (signs(x + a) * signs(z + b))
        table = signs(x + splits(x)[:, None]) @ (gains * signs(z + splits(z)[:, None])).T
        reached.append(found / table.max())
    assert max(reached) <= 1 + 1e-12
    assert np.mean(np.isclose(reached, 1)) > 0.7
    assert min(reached) > 0.8


def test_weights_rise_on_mistaken_pairs():
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=50)
    weights /= weights.sum()
    margins = np.where(rng.uniform(size=50) < 0.7, 1.0, -1.0)
    new, total = reweighted(weights, margins, weights @ margins)
    np.testing.assert_allclose(new.sum(), 1)
    assert (new[margins < 0] > weights[margins < 0]).all()
    assert (new[margins > 0] < weights[margins > 0]).all()
    assert total < 1
    # The step is the one that lowers the loss most, after which the bit is of no more use.
    np.testing.assert_allclose(new @ margins, 0, atol=1e-12)
    steps = np.linspace(0, 2, 201)
    assert total <= min(weights @ np.exp(-step * margins) for step in steps) + 1e-12


def test_step_is_at_most_one():
    weights, margins = np.full(200, 1 / 200), np.ones(200)
    new, total = reweighted(weights, margins, 1.0)
    np.testing.assert_allclose(new, weights)
    np.testing.assert_allclose(total, np.exp(-1))


def test_dissimilar_pairs_are_drawn_evenly():
    x_labels, z_labels = np.array([2, 0, 0, 1]), np.array([0, 2, 0, 2, 3])
    x_rows, z_rows = draw_dissimilar_pairs(x_labels, z_labels, 8000, np.random.RandomState(0))
    counts = np.zeros((4, 5))
    np.add.at(counts, (x_rows, z_rows), 1)
    allowed = x_labels[:, None] != z_labels
    expected = 2000 * allowed / allowed.sum(axis=1, keepdims=True)
    assert (counts[~allowed] == 0).all()
    np.testing.assert_allclose(counts, expected, rtol=0.15)


def test_dissimilar_pairs_of_a_category_that_fills_the_other_view():
    x_rows, z_rows = draw_dissimilar_pairs(
        np.array([0, 1, 0]), np.zeros(4, int), 20, np.random.RandomState(0)
    )
    assert (x_rows == 1).all()
    assert set(z_rows) == {0, 1, 2, 3}


@pytest.mark.parametrize("n_bits", [8, 30])
def test_planted_categories_are_found_across_views(n_bits):
    train, test = two_views(0), two_views(1)
    hasher = CMSSHHasher(n_bits, random_state=0).fit(*train)
    assert hasher.score(*test) > CLEARLY_LEARNED
    assert hasher.edges_.shape == (n_bits,)
    assert hasher.project(test[1], view="image").shape == (90, n_bits)
    assert hasher.transform(test[1], view="image").shape == (90, -(-n_bits // 8))


def test_number_of_pairs():
    train, test = two_views(0), two_views(1)
    few, many = (
        np.mean(
            [CMSSHHasher(16, n_pairs=n, random_state=s).fit(*train).score(*test) for s in range(3)]
        )
        for n in (3, 300)
    )
    assert many > few + 0.1


def test_one_view():
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = CMSSHHasher(16, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > CLEARLY_LEARNED
    assert list(hasher.weights_) == list(hasher.means_) == list(hasher.offsets_) == ["sketch"]
    photos = SketchImageArray(None, X_img)
    hasher = CMSSHHasher(16, random_state=0).fit(photos, y_img)
    assert hasher.score(photos, y_img) > CLEARLY_LEARNED
    assert list(hasher.weights_) == list(hasher.means_) == list(hasher.offsets_) == ["image"]


def test_views_need_no_common_scale_or_origin():
    train = two_views()
    _X_sk, X_img, _y = two_views(1)
    plain = CMSSHHasher(8, random_state=0).fit(*train)
    scaled = CMSSHHasher(8, random_state=0).fit(train[0], 1000 * train[1] + 7, train[2])
    np.testing.assert_allclose(
        1000 * plain.project(X_img, "image"),
        scaled.project(1000 * X_img + 7, "image"),
        atol=1e-5,
    )


def test_more_bits_than_features_and_columns_without_variance():
    X_sk, X_img, y = two_views(width=(3, 2))
    codes = CMSSHHasher(20, random_state=0).fit(X_sk, X_img, y).transform(X_sk)
    assert codes.shape == (60, 3)
    assert len(np.unique(codes, axis=0)) > 4
    flat = CMSSHHasher(20, random_state=0).fit(X_sk, np.c_[X_img, np.full((90, 2), 0.1)], y)
    assert np.isfinite(flat.project(X_sk, view="sketch")).all()


def test_random_state():
    train = two_views()
    first, again, other = (CMSSHHasher(8, random_state=s).fit(*train) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.weights_["image"], again.weights_["image"])
    np.testing.assert_array_equal(first.offsets_["image"], again.offsets_["image"])
    assert not np.allclose(first.weights_["image"], other.weights_["image"])


def test_equal_rows_get_equal_codes_in_any_batch():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (6, 12)).astype(float)
    chosen = rng.integers(0, 6, 203)  # equal but for rounding, once they are projected
    y = (chosen + rng.integers(0, 2, 203)) % 3
    hasher = CMSSHHasher(32, random_state=0).fit(rows[chosen], y)
    together = hasher.transform(rows[chosen])
    alone = np.concatenate([hasher.transform(row[None]) for row in rows])
    np.testing.assert_array_equal(together, alone[chosen])


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        CMSSHHasher().fit(X_sk, X_img[:60])
    with pytest.raises(ValueError, match="no category in common"):
        CMSSHHasher().fit(X_sk, X_img, (y_sk, y_img + 5))
    with pytest.raises(ValueError, match="Only one class, 0, in y"):
        CMSSHHasher().fit(X_sk, X_img, (y_sk * 0, y_img * 0))
    with pytest.raises(ValueError, match="The 'n_pairs' parameter"):
        CMSSHHasher(n_pairs=0).fit(X_sk, y_sk)
