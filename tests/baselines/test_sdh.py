import numpy as np
import pytest
from planted_views import two_views
from scipy.linalg import lstsq
from scipy.spatial.distance import cdist

from sklearn_dsh import SketchImageArray
from sklearn_dsh.baselines._anchors import anchor_features, fit_anchors
from sklearn_dsh.baselines._sdh import (
    CodeRegression,
    SDHHasher,
    first_codes,
    fit_class_weights,
    learn_codes,
    update_codes,
)

CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2


def problem(seed=0, n=(20, 30), n_bits=6, n_features=4, n_classes=5):
    """Random codes and labels of all items, and centred features of both views."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, sum(n))
    codes = rng.choice([-1.0, 1.0], size=(sum(n), n_bits))
    features = [rng.normal(size=(rows, n_features)) for rows in n]
    return codes, labels, [part - part.mean(axis=0) for part in features]


def plain_objective(codes, labels, weights, functions, *, ridge, nu):
    """The formula of the docstring, in loops over items."""
    total = ridge * (weights**2).sum()
    for label, code in zip(labels, codes, strict=True):
        total += ((np.eye(5)[label] - weights.T @ code) ** 2).sum()
    rows = iter(codes)
    for f in functions:
        total += nu * 0.01 * (f.weights**2).sum()
        for phi in f.features:
            total += nu * ((next(rows) - f.weights.T @ phi - f.intercept) ** 2).sum()
    return total


def test_classifier_is_ridge_regression_of_one_hot_labels():
    codes, labels, _ = problem()
    stacked = np.concatenate([codes, np.sqrt(0.7) * np.eye(6)])
    wanted = np.concatenate([np.eye(5)[labels], np.zeros((6, 5))])
    np.testing.assert_allclose(
        fit_class_weights(codes, labels, 5, 0.7), lstsq(stacked, wanted)[0], atol=1e-12
    )


def test_hash_function_is_ridge_regression_of_codes_with_a_free_intercept():
    codes, _, (features, _) = problem()
    function = CodeRegression(features)
    values = function.fit(codes[:20])
    stacked = np.concatenate([features, 0.1 * np.eye(4)])
    stacked = np.column_stack([stacked, [1] * 20 + [0] * 4])
    expected = lstsq(stacked, np.concatenate([codes[:20], np.zeros((4, 6))]))[0]
    np.testing.assert_allclose(function.weights, expected[:4], atol=1e-12)
    np.testing.assert_allclose(function.intercept, expected[4], atol=1e-12)
    np.testing.assert_allclose(values, stacked[:20] @ expected, atol=1e-12)
    assert function.penalty() == pytest.approx(0.01 * (expected[:4] ** 2).sum())


def test_bits_follow_the_formula_one_after_the_other():
    codes, _, _ = problem()
    rng = np.random.default_rng(1)
    targets, weights = rng.normal(size=codes.shape), rng.normal(size=(6, 5))
    expected = codes.copy()
    for _ in range(10):
        for bit in range(6):
            others = np.arange(6) != bit
            for code, target in zip(expected, targets, strict=True):
                z = target[bit] - code[others] @ weights[others] @ weights[bit]
                code[bit] = 1 if z > 0 else -1
    n_changed = update_codes(codes, targets, weights)
    np.testing.assert_array_equal(codes, expected)
    assert n_changed > 0
    assert update_codes(codes, targets, weights) == 0


def test_a_zero_keeps_the_old_bit():
    codes = np.array([[1.0, -1.0], [-1.0, 1.0]])
    before = codes.copy()
    assert update_codes(codes, np.zeros((2, 2)), np.eye(2)) == 0
    np.testing.assert_array_equal(codes, before)


@pytest.mark.parametrize("nu", [1e-5, 0.5])
def test_no_single_bit_can_be_improved_in_the_end(nu):
    codes, labels, features = problem()
    functions = [CodeRegression(part) for part in features]
    params = {"ridge": 1.0, "nu": nu}
    weights, curve = learn_codes(codes, labels, 5, functions, max_iter=50, **params)
    assert len(curve) <= 50  # it ended because no bit changed
    for item, bit in np.ndindex(codes.shape):
        codes[item, bit] *= -1
        changed = plain_objective(codes, labels, weights, functions, **params)
        assert changed > curve[-1] - 1e-12
        codes[item, bit] *= -1


@pytest.mark.parametrize("params", [{"ridge": 1.0, "nu": 1e-5}, {"ridge": 0.1, "nu": 0.5}])
def test_objective_is_the_formula_and_never_increases(params):
    for seed in range(10):
        codes, labels, features = problem(seed)
        functions = [CodeRegression(part) for part in features]
        weights, curve = learn_codes(codes, labels, 5, functions, max_iter=20, **params)
        assert (np.diff(curve) <= 1e-9).all()
        assert curve[-1] < 0.9 * curve[0]
        expected = plain_objective(codes, labels, weights, functions, **params)
        assert curve[-1] == pytest.approx(expected)


@pytest.mark.parametrize(("n_bits", "score"), [(3, CLEARLY_LEARNED), (8, 0.95), (30, 0.95)])
def test_planted_categories_are_found_across_views(n_bits, score):
    train, test = two_views(0), two_views(1)
    hasher = SDHHasher(n_bits, random_state=0).fit(*train)
    assert hasher.score(*test) > score
    assert hasher.project(test[1], view="image").shape == (90, n_bits)
    assert hasher.weights_["sketch"].shape == (60, n_bits)
    assert hasher.class_weights_.shape == (n_bits, 5)
    assert (np.diff(hasher.loss_curve_) <= 1e-9).all()
    assert len(hasher.loss_curve_) == hasher.n_iter_ + 1 <= 6


def test_classifier_knows_the_categories_from_the_codes_of_either_view():
    train, (X_sk, X_img, y) = two_views(0), two_views(1)
    hasher = SDHHasher(16, random_state=0).fit(*train)
    for X, view, labels in ((X_sk, "sketch", y[0]), (X_img, "image", y[1])):
        bits = np.where(hasher.project(X, view=view) >= 0, 1, -1)
        assert ((bits @ hasher.class_weights_).argmax(axis=1) == labels).mean() > 0.95


def test_one_view():
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = SDHHasher(16, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > 0.95
    assert list(hasher.weights_) == list(hasher.anchors_) == ["sketch"]
    photos = SketchImageArray(None, X_img)
    assert SDHHasher(16, random_state=0).fit(photos, y_img).score(photos, y_img) > 0.95


def test_few_anchors_and_more_bits_than_features():
    X_sk, X_img, y = two_views(width=(3, 2))
    hasher = SDHHasher(20, n_anchors=10, bandwidth=0.5, random_state=0).fit(X_sk, X_img, y)
    assert hasher.anchors_["image"]["anchors"].shape == (10, 2)
    distances = cdist(X_img, hasher.anchors_["image"]["anchors"])
    assert hasher.anchors_["image"]["bandwidth"] == pytest.approx(0.5 * distances.mean())
    assert hasher.weights_["image"].shape == (10, 20)
    assert hasher.transform(X_sk).shape == (60, 3)
    assert hasher.score(X_sk, X_img, y) > CLEARLY_LEARNED


def test_random_state():
    train = two_views()
    first, again, other = (SDHHasher(8, random_state=s).fit(*train) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.weights_["image"], again.weights_["image"])
    assert not np.allclose(first.weights_["image"], other.weights_["image"])


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        SDHHasher().fit(X_sk, X_img[:60])
    with pytest.raises(ValueError, match="Only one class, 0, in y"):
        SDHHasher().fit(X_sk, X_img, (y_sk * 0, y_img * 0))
    bad = {"n_anchors": 0, "bandwidth": 0, "ridge": 0, "nu": -1, "max_iter": 0}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            SDHHasher(**{name: value}).fit(X_sk, y_sk)


@pytest.mark.parametrize("n_bits", [16, 32, 64, 128, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_as_many_bits_as_rows_learn_as_well_as_few(n_bits, seed):
    train, test = two_views(seed), two_views(seed + 10)
    hasher = SDHHasher(n_bits, random_state=seed).fit(*train)
    assert hasher.score(*train) > 0.95
    assert hasher.score(*test) > 0.9


@pytest.mark.parametrize("n_bits", [128, 200])
def test_one_view_with_as_many_bits_as_rows(n_bits):
    _, X, (_, y) = two_views()
    assert SDHHasher(n_bits, random_state=0).fit(X, y).score(X, y) > 0.95


def test_the_first_codes_depend_on_labels_only_where_rows_are_few():
    labels = np.repeat([0, 1, 2], 20)
    many = first_codes(labels, 3, 15, np.random.RandomState(0))
    expected = np.random.RandomState(0).choice([-1.0, 1.0], size=(60, 15))
    np.testing.assert_array_equal(many, expected)
    few = first_codes(labels, 3, 16, np.random.RandomState(0))
    assert few.shape == (60, 16)
    assert len(np.unique(few, axis=0)) == 3
    np.testing.assert_array_equal(few, few[[0, 20, 40]][labels])


def test_the_start_by_category_ends_at_a_far_lower_objective():
    X, _, (labels, _) = two_views()
    rng = np.random.RandomState(0)
    features = anchor_features(X, fit_anchors(X, 1000, random_state=rng))
    random = rng.choice([-1.0, 1.0], size=(60, 64))
    by_category = first_codes(labels, 5, 64, rng)
    stuck, learned = (
        learn_codes(codes, labels, 5, [CodeRegression(features)], ridge=1, nu=1e-5, max_iter=5)[1]
        for codes in (random, by_category)
    )
    assert learned[-1] < 0.1 * stuck[-1]
