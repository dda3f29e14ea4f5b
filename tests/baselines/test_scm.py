import numpy as np
import pytest
from planted_views import two_views
from scipy.linalg import eigh, svd

from sklearn_dsh import SketchImageArray
from sklearn_dsh.baselines import SCMHasher
from sklearn_dsh.baselines._linear import leading_singular_pair

CLEARLY_LEARNED = 0.5  # mean average precision, where chance is 0.2


def semantic_similarity(y_sk, y_img):
    return np.where(y_sk[:, None] == y_img, 1.0, -1.0)


def centred(*views):
    return [X - X.mean(axis=0) for X in views]


def test_directions_at_once_solve_the_published_eigenproblem():
    X, Z, (y_sk, y_img) = two_views()
    hasher = SCMHasher(4, sequential=False, reg=1e-10).fit(X, Z, (y_sk, y_img))
    X, Z = centred(X, Z)
    cross = X.T @ semantic_similarity(y_sk, y_img) @ Z
    within_x, within_z = X.T @ X, Z.T @ Z
    vectors = eigh(cross @ np.linalg.solve(within_z, cross.T), within_x)[1]
    for t in range(4):
        expected, ours = vectors[:, -1 - t], hasher.weights_["sketch"][:, t]
        cosine = expected @ ours / np.linalg.norm(expected) / np.linalg.norm(ours)
        assert abs(cosine) == pytest.approx(1, abs=1e-6)
    A, B = hasher.weights_["sketch"], hasher.weights_["image"]
    np.testing.assert_allclose(A.T @ within_x @ A / len(X), np.eye(4), atol=1e-6)
    np.testing.assert_allclose(B.T @ within_z @ B / len(Z), np.eye(4), atol=1e-6)
    np.testing.assert_allclose(
        np.diag(A.T @ cross @ B) / (len(X) * len(Z)), hasher.correlations_, rtol=1e-6
    )


def test_bits_in_turn_are_those_of_the_formed_similarity():
    X, Z, (y_sk, y_img) = two_views(n_sk=30, n_img=40, width=(5, 6))
    hasher = SCMHasher(6, reg=0.2, random_state=0).fit(X, Z, (y_sk, y_img))
    X, Z = centred(X, Z)
    left = 6 * semantic_similarity(y_sk, y_img)
    within = []
    for A in (X, Z):
        covariance = A.T @ A / len(A)
        within.append(
            covariance + 0.2 * np.trace(covariance) / len(covariance) * np.eye(A.shape[1])
        )
    for t in range(6):
        cross = X.T @ left @ Z / (len(X) * len(Z))
        values, vectors = eigh(cross @ np.linalg.solve(within[1], cross.T), within[0])
        a = vectors[:, -1]
        b = np.linalg.solve(within[1], cross.T @ a) / np.sqrt(values[-1])
        assert hasher.correlations_[t] == pytest.approx(np.sqrt(values[-1]), rel=1e-6)
        sign = np.sign(a @ hasher.weights_["sketch"][:, t])
        np.testing.assert_allclose(sign * hasher.weights_["sketch"][:, t], a, atol=1e-5)
        np.testing.assert_allclose(sign * hasher.weights_["image"][:, t], b, atol=1e-5)
        left -= np.outer(np.where(X @ a >= 0, 1, -1), np.where(Z @ b >= 0, 1, -1))


def test_codes_reproduce_the_similarity_better_with_every_few_bits():
    X, Z, y = two_views()
    S = semantic_similarity(*y)
    losses = []
    for n_bits in (1, 4, 16, 64):
        hasher = SCMHasher(n_bits, reg=0.1, random_state=0).fit(X, Z, y)
        h = np.where(hasher.project(X) >= 0, 1, -1)
        g = np.where(hasher.project(Z, view="image") >= 0, 1, -1)
        losses.append(np.mean((h @ g.T / n_bits - S) ** 2))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize("n_bits", [4, 30])
def test_planted_categories_are_found_across_views(sequential, n_bits):
    train, test = two_views(0), two_views(1)
    hasher = SCMHasher(n_bits, sequential=sequential, reg=0.1, random_state=0).fit(*train)
    assert hasher.score(*test) > CLEARLY_LEARNED
    assert len(hasher.correlations_) == (n_bits if sequential else 4)
    assert hasher.transform(test[1], view="image").shape == (90, -(-n_bits // 8))


@pytest.mark.parametrize("sequential", [True, False])
def test_one_view(sequential):
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = SCMHasher(8, sequential=sequential, reg=0.1, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > CLEARLY_LEARNED
    photos = SketchImageArray(None, X_img)
    hasher = SCMHasher(8, sequential=sequential, reg=0.1, random_state=0).fit(photos, y_img)
    assert hasher.score(photos, y_img) > CLEARLY_LEARNED
    assert list(hasher.weights_) == ["image"]


@pytest.mark.parametrize("shape", [(7, 4), (2, 9), (1, 1)])
def test_leading_singular_pair(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    u, value, v = leading_singular_pair(matrix, np.random.RandomState(0))
    left, values, right = svd(matrix)
    assert value == pytest.approx(values[0])
    np.testing.assert_allclose(np.outer(u, v), np.outer(left[:, 0], right[0]), atol=1e-8)
    assert leading_singular_pair(0 * matrix, np.random.RandomState(0))[1] == 0


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        SCMHasher().fit(X_sk, X_img[:60])
    with pytest.raises(ValueError, match="Only one class, 0, in y"):
        SCMHasher().fit(X_sk, X_img, (y_sk * 0, y_img * 0))
    # The mean of every category is zero.
    X_sk, X_img = np.r_[X_sk, -X_sk], np.r_[X_img, -X_img]
    y_sk, y_img = np.r_[y_sk, y_sk], np.r_[y_img, y_img]
    with pytest.raises(ValueError, match="No direction in the data"):
        SCMHasher(sequential=False).fit(X_sk, X_img, (y_sk, y_img))
