import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from sklearn.cross_decomposition import CCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sklearn_dsh.baselines._correlation import category_cca, label_cca, pair_cca


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(200, 3))
    X = shared @ rng.normal(size=(3, 6)) + rng.normal(size=(200, 6)) + 5
    Y = shared @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(200, 4)) - 2
    return X, Y


def ridge(covariance, reg):
    return covariance + reg * np.trace(covariance) / len(covariance) * np.eye(len(covariance))


def generalised_eigenproblem(X, Y, reg):
    """The textbook's CCA: correlations and directions of both views from one big eigenproblem."""
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    cxx, cyy, cxy = X.T @ X / len(X), Y.T @ Y / len(X), X.T @ Y / len(X)
    zero = np.zeros_like
    left = np.block([[zero(cxx), cxy], [cxy.T, zero(cyy)]])
    right = np.block([[ridge(cxx, reg), zero(cxy)], [zero(cxy.T), ridge(cyy, reg)]])
    values, vectors = eigh(left, right)
    order = np.argsort(-values)[: min(len(cxx), len(cyy))]
    # Both halves of an eigenvector have half of its unit length.
    vectors = vectors[:, order] * np.sqrt(2)
    return values[order], vectors[: len(cxx)], vectors[len(cxx) :]


def same_up_to_sign(A, B, **tolerance):
    signs = np.sign(np.sum(A * B, axis=0))
    np.testing.assert_allclose(A * signs, B, **tolerance)


@pytest.mark.parametrize("reg", [1e-6, 0.1, 3.0])
@pytest.mark.parametrize("n", [200, 3])
def test_pairs_agree_with_the_generalised_eigenproblem(pairs, reg, n):
    X, Y = pairs[0][:n], pairs[1][:n]
    means, (wx, wy), correlations = pair_cca(X, Y, reg=reg)
    values, vx, vy = generalised_eigenproblem(X, Y, reg)
    k = len(correlations)
    assert k == min(4, n - 1)
    np.testing.assert_allclose(means[0], X.mean(axis=0))
    np.testing.assert_allclose(means[1], Y.mean(axis=0))
    np.testing.assert_allclose(correlations, values[:k], atol=1e-8)
    same_up_to_sign(wx, vx[:, :k], atol=1e-5)
    same_up_to_sign(wy, vy[:, :k], atol=1e-5)
    # The signs of both views belong together.
    cross = ((X - means[0]) @ wx).T @ ((Y - means[1]) @ wy) / n
    np.testing.assert_allclose(cross, np.diag(correlations), atol=1e-8)


def test_pairs_agree_with_scikit_learn(pairs):
    X, Y = pairs
    means, (wx, _wy), correlations = pair_cca(X, Y, reg=1e-9)
    model = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12).fit(X, Y)
    ours = (X - means[0]) @ wx[:, :3]
    theirs = model.transform(X)
    for a, b, _r in zip(ours.T, theirs.T, correlations, strict=False):
        assert abs(np.corrcoef(a, b)[0, 1]) == pytest.approx(1, abs=1e-4)
    u, v = model.transform(X, Y)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(u.T, v.T, strict=True)]
    np.testing.assert_allclose(correlations[:3], expected, atol=1e-4)


@given(
    n_x=st.integers(2, 15),
    n_y=st.integers(2, 15),
    n_classes=st.integers(2, 4),
    reg=st.sampled_from([0.01, 1.0, 5.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_categories_equal_their_explicit_pairs(n_x, n_y, n_classes, reg, seed):
    rng = np.random.default_rng(seed)
    x_codes = np.concatenate([[0, 1], rng.integers(0, n_classes, n_x - 2)])
    y_codes = np.concatenate([[0, 1], rng.integers(0, n_classes, n_y - 2)])
    X, Y = rng.normal(size=(n_x, 5)) + 3, rng.normal(size=(n_y, 3)) - 1
    i, j = np.nonzero(x_codes[:, None] == y_codes)
    expected_means, expected, expected_r = pair_cca(X[i], Y[j], reg=reg)
    means, directions, correlations = category_cca(X, Y, x_codes, y_codes, reg=reg)
    for a, b in zip(means, expected_means, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)
    np.testing.assert_allclose(correlations, expected_r, atol=1e-9)
    # A class sum with rank as high as the number of classes in both views, less one.
    assert len(correlations) <= len(np.intersect1d(x_codes, y_codes)) - 1
    for d in range(len(correlations)):
        gaps = np.abs(np.delete(expected_r, d) - expected_r[d])
        if expected_r[d] > 1e-3 and (gaps > 1e-3).all():  # the direction is well defined
            for a, b in zip(directions, expected, strict=True):
                same_up_to_sign(a[:, d : d + 1], b[:, d : d + 1], atol=1e-5)


def test_labels_equal_cca_with_one_hot_vectors():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 100)
    X = rng.normal(size=(100, 6)) + 2 * np.eye(4, 6)[codes]
    means, (w,), correlations = label_cca(X, codes, reg=0.5)
    # One column less makes the one-hot vectors' covariance invertible, and loses nothing.
    centred = X - X.mean(axis=0)
    one_hot = np.eye(4)[codes][:, 1:]
    one_hot = one_hot - one_hot.mean(axis=0)
    cross = centred.T @ one_hot / 100
    between = cross @ np.linalg.solve(one_hot.T @ one_hot / 100, cross.T)
    values, vectors = eigh(between, ridge(centred.T @ centred / 100, 0.5))
    np.testing.assert_allclose(means[0], X.mean(axis=0))
    np.testing.assert_allclose(correlations, np.sqrt(values[::-1][:3]), atol=1e-9)
    same_up_to_sign(w, vectors[:, ::-1][:, :3], atol=1e-8)


def test_labels_without_ridge_are_discriminant_analysis():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, 90)
    X = rng.normal(size=(90, 4)) + 2 * np.eye(3, 4)[codes]
    means, (w,), _ = label_cca(X, codes, reg=1e-10)
    ours = (X - means[0]) @ w
    theirs = LinearDiscriminantAnalysis(solver="eigen").fit(X, codes).transform(X)
    for a, b in zip(ours.T, theirs.T, strict=True):
        assert abs(np.corrcoef(a, b)[0, 1]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("learn", [pair_cca, label_cca])
def test_constant_features_correlate_with_nothing(learn):
    X = np.full((6, 2), 0.1)
    other = X if learn is pair_cca else np.array([0, 1] * 3)
    with pytest.raises(ValueError, match="No direction in the data correlates"):
        learn(X, other, reg=1.0)


def test_too_little_ridge_is_named():
    X = np.random.default_rng(0).normal(size=(3, 400))
    with pytest.raises(ValueError, match="cannot be inverted with reg=1e-18: raise reg"):
        pair_cca(X, X, reg=1e-18)
