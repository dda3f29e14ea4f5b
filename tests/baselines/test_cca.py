import numpy as np
import pytest
from planted_views import two_views
from sklearn.metrics import pairwise_distances

from sklearn_dsh import CCAHasher, ITQHasher, SketchImageArray, stack_views


@pytest.mark.parametrize("n_bits", [3, 8, 30])
def test_planted_categories_are_found_across_views(n_bits):
    train, test = two_views(0), two_views(1)
    hasher = CCAHasher(n_bits, reg=0.1, random_state=0).fit(*train)
    assert hasher.score(*test) > (0.7 if n_bits == 3 else 0.95)
    assert hasher.correlations_.shape == (min(n_bits, 4),)
    assert (hasher.correlations_[:4] > 0.6).all()
    assert (np.diff(hasher.correlations_) <= 0).all()
    assert (np.diff(hasher.loss_curve_) <= 1e-9).all()
    assert hasher.project(test[1], view="image").shape == (90, n_bits)
    assert hasher.transform(test[1], view="image").shape == (90, -(-n_bits // 8))


def test_pairs_meet_without_labels():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 6))
    X = hidden @ rng.normal(size=(6, 10)) + 0.05 * rng.normal(size=(300, 10))
    Y = hidden @ rng.normal(size=(6, 15)) + 0.05 * rng.normal(size=(300, 15))
    hasher = CCAHasher(64, reg=0.01, random_state=0).fit(X[:200], Y[:200])
    assert not hasattr(hasher, "classes_")
    sketch = hasher.project(X[200:], "sketch") >= 0
    photo = hasher.project(Y[200:], view="image") >= 0
    distances = pairwise_distances(sketch, photo, metric="hamming")
    assert (distances.argmin(axis=1) == np.arange(100)).mean() > 0.9


def test_pairs_take_precedence_over_labels():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), rng.integers(0, 2, 40)
    labelled = CCAHasher(8, random_state=0).fit(X, X[:, ::-1], y)
    plain = CCAHasher(8, random_state=0).fit(X, X[:, ::-1])
    np.testing.assert_array_equal(labelled.project(X, "sketch"), plain.project(X, "sketch"))
    assert list(labelled.classes_) == [0, 1]


def test_one_view_with_labels():
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = CCAHasher(16, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > 0.95
    assert list(hasher.weights_) == ["sketch"]
    photos = SketchImageArray(None, X_img)
    hasher = CCAHasher(16, random_state=0).fit(photos, y_img)
    assert hasher.score(photos, y_img) > 0.95
    assert list(hasher.weights_) == ["image"]
    assert len(hasher.correlations_) == 4


def test_container_equals_separate_arrays():
    X_sk, X_img, y = two_views()
    container, rows = stack_views(X_sk, X_img, y)
    a = CCAHasher(8, random_state=0).fit(X_sk, X_img, y)
    b = CCAHasher(8, random_state=0).fit(container, rows)
    np.testing.assert_allclose(a.project(X_img, "image"), b.project(X_img, "image"), atol=1e-10)


def test_views_need_no_common_scale_or_origin():
    train = two_views()
    _X_sk, X_img, _y = two_views(1)
    plain = CCAHasher(8, random_state=0).fit(*train)
    scaled = CCAHasher(8, random_state=0).fit(train[0], 1000 * train[1] + 7, train[2])
    np.testing.assert_allclose(
        plain.project(X_img, "image"), scaled.project(1000 * X_img + 7, "image"), atol=1e-8
    )


def test_power_weights_directions_by_correlation():
    train = two_views(noise=3.0)
    flat, weighted = (
        CCAHasher(4, power=p, n_iter=0, random_state=0).fit(*train).weights_["image"]
        for p in (0, 1)
    )
    # Both are (directions x diagonal) R with the same R: what maps one to the other is similar to
    # the diagonal, whose entries are the powers.
    correlations = CCAHasher(4, power=0, random_state=0).fit(*train).correlations_
    mapping = np.linalg.pinv(flat) @ weighted
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(mapping).real)[::-1], correlations)


def test_more_bits_than_features():
    X_sk, X_img, y = two_views(width=(3, 2))
    codes = CCAHasher(20, random_state=0).fit(X_sk, X_img, y).transform(X_sk)
    assert codes.shape == (60, 3)
    assert len(np.unique(codes, axis=0)) > 4


def test_random_state():
    train = two_views()
    first, again, other = (CCAHasher(8, random_state=s).fit(*train) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.weights_["image"], again.weights_["image"])
    assert not np.allclose(first.weights_["image"], other.weights_["image"])


def test_better_than_unsupervised_across_views():
    train, test = two_views(width=(12, 12)), two_views(1, width=(12, 12))
    cca, itq = (H(16, random_state=0).fit(*train).score(*test) for H in (CCAHasher, ITQHasher))
    assert cca > itq + 0.2


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        CCAHasher().fit(X_sk)
    with pytest.raises(ValueError, match="no category in common"):
        CCAHasher().fit(X_sk, X_img, (y_sk, y_img + 5))
    with pytest.raises(ValueError, match="Only one class, 0, in y"):
        CCAHasher().fit(X_sk, X_img, (y_sk * 0, y_img * 0))
    with pytest.raises(ValueError, match="The 'reg' parameter"):
        CCAHasher(reg=0).fit(X_sk, y_sk)
    with pytest.raises(ValueError, match="The 'power' parameter"):
        CCAHasher(power=-1).fit(X_sk, y_sk)
