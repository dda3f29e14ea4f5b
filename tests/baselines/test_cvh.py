import numpy as np
import pytest
from planted_views import two_views

from sklearn_dsh import SketchImageArray
from sklearn_dsh.baselines import CVHHasher
from sklearn_dsh.baselines._correlation import pair_cca
from sklearn_dsh.baselines._cvh import _similar_scatter

CLEARLY_LEARNED = 0.5  # mean average precision, where chance is 0.2


def test_scatter_equals_the_sum_over_all_pairs():
    rng = np.random.default_rng(0)
    X, Z, labels = rng.normal(size=(17, 3)), rng.normal(size=(17, 4)), rng.integers(0, 4, 17)
    W = (labels[:, None] == labels).astype(float)
    W /= W.sum() / len(W)
    x_terms, cross, z_terms = _similar_scatter(X, Z, labels)
    a, b = rng.normal(size=3), rng.normal(size=4)
    px, pz = X @ a, Z @ b
    expected = sum(
        W[i, j] * ((px[i] - px[j]) ** 2 + (pz[i] - pz[j]) ** 2 + (px[i] - pz[j]) ** 2)
        for i in range(17)
        for j in range(17)
    )
    np.testing.assert_allclose(a @ x_terms @ a + b @ z_terms @ b - 2 * a @ cross @ b, expected)


def test_pairs_alone_give_canonical_correlation_analysis():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(80, 3))
    X = hidden @ rng.normal(size=(3, 6)) + rng.normal(size=(80, 6))
    Z = hidden @ rng.normal(size=(3, 5)) + rng.normal(size=(80, 5))
    hasher = CVHHasher(5, reg=0.1).fit(X, Z)
    _, directions, correlations = pair_cca(X, Z, reg=0.1)
    np.testing.assert_allclose(1 - hasher.eigenvalues_, correlations)
    for view, theirs in zip(("sketch", "image"), directions, strict=True):
        ours = hasher.weights_[view]
        cosines = np.sum(ours * theirs, axis=0) / np.linalg.norm(ours, axis=0)
        np.testing.assert_allclose(np.abs(cosines), np.linalg.norm(theirs, axis=0))


def test_directions_are_the_best_that_satisfy_the_constraint():
    X, Z, (y_sk, _) = two_views()
    hasher = CVHHasher(3, reg=1e-9, random_state=0).fit(X[:50], Z[:50], y_sk[:50])
    X, Z = X[:50] - X[:50].mean(axis=0), Z[:50] - Z[:50].mean(axis=0)
    x_terms, cross, z_terms = _similar_scatter(X, Z, y_sk[:50])
    near = np.block([[x_terms, -cross], [-cross.T, z_terms]])
    zeros = np.zeros((12, 20))
    scatter = np.block([[X.T @ X, zeros], [zeros.T, Z.T @ Z]])
    A = np.concatenate([hasher.weights_["sketch"], hasher.weights_["image"]])
    np.testing.assert_allclose(A.T @ scatter @ A, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(np.diag(A.T @ near @ A), hasher.eigenvalues_, atol=1e-6)
    half = np.linalg.cholesky(np.linalg.inv(scatter + 1e-9 * np.eye(32)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = half @ np.linalg.qr(rng.normal(size=(32, 3)))[0]
        assert np.trace(other.T @ near @ other) > hasher.eigenvalues_.sum()


@pytest.mark.parametrize("n_bits", [4, 30])
def test_planted_categories_are_found_across_views(n_bits):
    train, test = two_views(0), two_views(1)
    hasher = CVHHasher(n_bits, reg=0.1, random_state=0).fit(*train)
    assert hasher.score(*test) > CLEARLY_LEARNED
    assert len(hasher.eigenvalues_) == 4  # of five categories
    assert (np.diff(hasher.eigenvalues_) >= 0).all()
    assert hasher.transform(test[1], view="image").shape == (90, -(-n_bits // 8))


def test_pairs_or_categories():
    X_sk, X_img, (y_sk, y_img) = two_views()
    options = {"random_state": 0, "reg": 0.1}
    auto = CVHHasher(4, **options).fit(X_sk, X_img, (y_sk, y_img))
    named = CVHHasher(4, similarity="categories", **options).fit(X_sk, X_img, (y_sk, y_img))
    pairs = CVHHasher(4, similarity="pairs", **options).fit(X_sk, X_img, (y_sk, y_img))
    np.testing.assert_array_equal(auto.weights_["image"], named.weights_["image"])
    assert not np.allclose(auto.weights_["image"], pairs.weights_["image"])
    assert pairs.score(*two_views(1)) > CLEARLY_LEARNED
    few = CVHHasher(4, n_pairs=20, **options).fit(X_sk, X_img, (y_sk, y_img))
    assert not np.allclose(few.weights_["image"], auto.weights_["image"])


def test_one_view():
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = CVHHasher(8, reg=0.1, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > CLEARLY_LEARNED
    assert list(hasher.weights_) == ["sketch"]
    photos = SketchImageArray(None, X_img)
    hasher = CVHHasher(8, reg=0.1, random_state=0).fit(photos, y_img)
    assert hasher.score(photos, y_img) > CLEARLY_LEARNED
    assert list(hasher.weights_) == ["image"]


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        CVHHasher().fit(X_sk)
    with pytest.raises(ValueError, match="similarity='categories' requires y"):
        CVHHasher(similarity="categories").fit(X_sk, X_img[:60])
    with pytest.raises(ValueError, match="Only one class, 0, in y"):
        CVHHasher().fit(X_sk, X_img, (y_sk * 0, y_img * 0))
    with pytest.raises(ValueError, match="The views share a single category"):
        CVHHasher().fit(X_sk, X_img, (y_sk, y_img + 4))
    with pytest.raises(ValueError, match="The 'n_pairs' parameter"):
        CVHHasher(n_pairs=0).fit(X_sk, y_sk)
