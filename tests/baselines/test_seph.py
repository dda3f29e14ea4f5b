import numpy as np
import pytest
from planted_views import two_views
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from sklearn_dsh import SketchImageArray
from sklearn_dsh._calls import ViewData
from sklearn_dsh.baselines._anchors import anchor_features
from sklearn_dsh.baselines._seph import (
    SePHHasher,
    fit_bits,
    label_affinities,
    learn_codes,
    objective,
    pair_rows,
)

CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2
LABELS = np.array([0, 1, 0, 2, 2, 1, 0])


def test_affinities_are_those_of_the_labels():
    P = label_affinities(LABELS)
    assert P.sum() == pytest.approx(1)
    assert (P.diagonal() == 0).all()
    for i, j in np.ndindex(P.shape):
        same = i != j and LABELS[i] == LABELS[j]
        assert P[i, j] == pytest.approx(same / (3 * 2 + 2 * 1 + 2 * 1))


def test_objective_is_the_formula():
    H = np.random.default_rng(0).normal(size=(7, 4))
    P, Q = label_affinities(LABELS), np.zeros((7, 7))
    for i, j in np.ndindex(7, 7):
        if i != j:
            Q[i, j] = 1 / (1 + ((H[i] - H[j]) ** 2).sum() / 4)
    Q /= Q.sum()
    off = ~np.eye(7, dtype=bool)
    expected = entropy(P[off], Q[off]) + 0.3 / 28 * ((np.abs(H) - 1) ** 2).sum()
    assert objective(H.ravel(), P, 0.3)[0] == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0, 0.3])
def test_gradient_agrees_with_finite_differences(alpha):
    P = label_affinities(LABELS)
    flat = np.random.default_rng(0).normal(size=28)
    numeric = approx_fprime(flat, lambda x: objective(x, P, alpha)[0], 1e-7)
    np.testing.assert_allclose(objective(flat, P, alpha)[1], numeric, atol=1e-6)


def test_codes_of_a_category_agree_and_those_of_others_differ():
    labels = np.arange(40) % 4
    P = label_affinities(labels)
    relaxed, curve = learn_codes(P, 16, 0.01, 50, np.random.RandomState(0))
    assert (np.diff(curve) <= 1e-12).all()
    assert curve[-1] < 0.2 * curve[0]
    value, gradient = objective(relaxed.ravel(), P, 0.01)
    assert curve[-1] == pytest.approx(value)
    assert np.abs(gradient).max() < 1e-4
    bits = relaxed >= 0
    np.testing.assert_array_equal(bits, bits[labels])
    apart = (bits[:4, None] != bits[:4]).sum(axis=2)
    assert apart[~np.eye(4, dtype=bool)].min() >= 4


def test_pairs_are_of_one_category():
    y_sk, y_img = np.arange(30) % 3, np.arange(50) % 3
    data = ViewData(np.zeros((30, 1)), np.zeros((50, 1)), y_sk, y_img)
    for n_pairs, expected in ((20, 20), (1000, 50)):
        rows, labels = pair_rows(data, n_pairs, np.random.RandomState(0))
        assert rows.shape == (2, expected)
        np.testing.assert_array_equal(y_sk[rows[0]], labels)
        np.testing.assert_array_equal(y_img[rows[1]], labels)
        assert len(np.unique(rows[1])) == expected


def test_paired_rows_stay_pairs():
    y = np.arange(30) % 3
    data = ViewData(np.zeros((30, 1)), np.zeros((30, 1)), y, y, paired=True)
    rows, labels = pair_rows(data, 20, np.random.RandomState(0))
    np.testing.assert_array_equal(rows[0], rows[1])
    assert len(np.unique(rows[0])) == 20
    np.testing.assert_array_equal(labels, y[rows[0]])


def test_bits_are_predicted_by_regularised_logistic_regression():
    rng = np.random.default_rng(0)
    features, C = rng.normal(size=(50, 3)), 0.7
    bits = features @ rng.normal(size=(3, 4)) + rng.normal(size=(50, 4)) >= 0
    bits[:, 1], bits[:, 2] = True, False
    bits = bits[:, [0, 1, 2, 3, 0]]
    weights, intercepts = fit_bits(features, bits, C)
    np.testing.assert_array_equal(weights[:, 1:3], 0)
    np.testing.assert_array_equal(intercepts[1:3], [1, -1])
    np.testing.assert_array_equal(weights[:, 4], weights[:, 0])
    for bit in (0, 3, 4):
        signs = np.where(bits[:, bit], 1, -1)

        def loss(x, signs=signs):
            values = features @ x[:3] + x[3]
            return x[:3] @ x[:3] / 2 + C * np.logaddexp(0, -signs * values).sum()

        solution = np.append(weights[:, bit], intercepts[bit])
        np.testing.assert_allclose(approx_fprime(solution, loss, 1e-6), 0, atol=0.02)
        assert (np.sign(features @ solution[:3] + solution[3]) == signs).mean() > 0.7


@pytest.mark.parametrize(("n_bits", "score"), [(3, CLEARLY_LEARNED), (8, 0.95), (30, 0.95)])
def test_planted_categories_are_found_across_views(n_bits, score):
    train, test = two_views(0), two_views(1)
    hasher = SePHHasher(n_bits, random_state=0).fit(*train)
    assert hasher.score(*test) > score
    assert hasher.weights_["image"].shape == (90, n_bits)
    assert hasher.intercepts_["image"].shape == (n_bits,)
    assert (np.diff(hasher.loss_curve_) <= 1e-12).all()
    assert len(hasher.loss_curve_) == hasher.n_iter_ + 1 <= 101
    features = anchor_features(test[1], hasher.anchors_["image"])
    np.testing.assert_allclose(
        hasher.project(test[1], view="image"),
        features @ hasher.weights_["image"] + hasher.intercepts_["image"],
    )


def test_paired_call():
    X_sk, X_img, (y_sk, y_img) = two_views()
    X, Y, y = (
        np.concatenate([rows[labels == k][:8] for k in range(5)])
        for rows, labels in ((X_sk, y_sk), (X_img, y_img), (y_sk, y_sk))
    )
    hasher = SePHHasher(16, n_pairs=30, random_state=0).fit(X, Y, y)
    test = two_views(1)
    assert hasher.score(*test) > 0.9


def test_one_view():
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = SePHHasher(16, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > 0.95
    assert list(hasher.weights_) == list(hasher.anchors_) == ["sketch"]
    photos = SketchImageArray(None, X_img)
    assert SePHHasher(16, random_state=0).fit(photos, y_img).score(photos, y_img) > 0.95


def test_few_pairs_and_anchors_and_more_bits_than_features():
    X_sk, X_img, y = two_views(width=(3, 2))
    hasher = SePHHasher(20, n_pairs=40, n_anchors=10, bandwidth=0.5, random_state=0)
    hasher.fit(X_sk, X_img, y)
    assert hasher.anchors_["image"]["anchors"].shape == (10, 2)
    distances = cdist(X_img, hasher.anchors_["image"]["anchors"])
    assert hasher.anchors_["image"]["bandwidth"] == pytest.approx(0.5 * distances.mean())
    assert hasher.transform(X_sk).shape == (60, 3)
    assert hasher.score(X_sk, X_img, y) > CLEARLY_LEARNED


def test_random_state():
    train = two_views()
    first, again, other = (SePHHasher(8, random_state=s).fit(*train) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.weights_["image"], again.weights_["image"])
    assert not np.allclose(first.weights_["image"], other.weights_["image"])


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        SePHHasher().fit(X_sk, X_img[:60])
    with pytest.raises(ValueError, match="Only one class, 0, in y"):
        SePHHasher().fit(X_sk, X_img, (y_sk * 0, y_img * 0))
    with pytest.raises(ValueError, match="The 90 pairs are all of one class"):
        SePHHasher().fit(X_sk, X_img, (np.append(1, y_sk[1:] * 0), y_img * 0))
    with pytest.raises(ValueError, match="The 5 pairs are of one class each"):
        label_affinities(np.arange(5))
    bad = {"n_pairs": 1, "alpha": -1, "n_anchors": 0, "bandwidth": 0, "C": 0, "max_iter": 0}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            SePHHasher(**{name: value}).fit(X_sk, y_sk)
