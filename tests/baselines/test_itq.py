import numpy as np
import pytest
from planted_views import two_views
from sklearn.decomposition import PCA

from sklearn_dsh import ITQHasher

CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2


@pytest.fixture
def views():
    rng = np.random.default_rng(0)
    scale = np.linspace(3, 0.1, 10)
    sketches, photos = (rng.normal(size=(n, 10)) * scale + 4 for n in (50, 80))
    return sketches, photos, (np.zeros(50), np.zeros(80))


def test_rotates_the_principal_components_of_both_views(views):
    hasher = ITQHasher(4, random_state=0).fit(*views)
    union = np.concatenate(views[:2])
    pca = PCA(4, svd_solver="full").fit(union)
    np.testing.assert_allclose(hasher.mean_, union.mean(axis=0))
    # The same subspace, isometrically: weights are orthonormal and span the components.
    np.testing.assert_allclose(hasher.weights_.T @ hasher.weights_, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(
        hasher.weights_ @ hasher.weights_.T, pca.components_.T @ pca.components_, atol=1e-8
    )
    assert hasher.loss_curve_[-1] < hasher.loss_curve_[0]
    assert (np.diff(hasher.loss_curve_) <= 1e-9).all()
    assert len(hasher.loss_curve_) == hasher.n_iter_ + 1 == 51


def test_loss_is_that_of_the_bits(views):
    hasher = ITQHasher(6, random_state=0).fit(views[0])
    values = hasher.project(views[0], "sketch")
    loss = ((np.where(values >= 0, 1, -1) - values) ** 2).sum(axis=1).mean()
    assert hasher.loss_curve_[-1] == pytest.approx(loss)


def test_rotation_balances_bits_that_components_do_not(views):
    spread = ITQHasher(6, random_state=0).fit(*views).project(views[1], "image").std(axis=0)
    components = PCA(6).fit_transform(np.concatenate(views[:2])).std(axis=0)
    assert spread.max() / spread.min() < components.max() / components.min()


@pytest.mark.parametrize("n_bits", [1, 10, 23, 64])
def test_any_number_of_bits(views, n_bits):
    hasher = ITQHasher(n_bits, random_state=0).fit(*views)
    assert hasher.weights_.shape == (10, n_bits)
    codes = hasher.transform(views[1], view="image")
    assert codes.shape == (80, -(-n_bits // 8))
    assert (np.unpackbits(codes, axis=1)[:, n_bits:] == 0).all()
    if n_bits >= 10:  # nothing is lost: distances of values are those of features
        values = hasher.project(views[0], "sketch")
        np.testing.assert_allclose(
            np.linalg.norm(values[0] - values[1:], axis=1),
            np.linalg.norm(views[0][0] - views[0][1:], axis=1),
        )


def test_random_state(views):
    first, again, other = (ITQHasher(8, random_state=s).fit(*views).weights_ for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_fewer_rows_than_bits_and_features():
    X = np.random.default_rng(0).normal(size=(3, 20))
    assert ITQHasher(16, random_state=0).fit(X).transform(X).shape == (3, 2)
    with pytest.raises(ValueError, match="n_samples=1"):
        ITQHasher().fit(X[:1])


def test_views_of_different_width_point_to_cca(views):
    with pytest.raises(ValueError, match="CCAHasher"):
        ITQHasher().fit(views[0], views[1][:, :5], views[2])


@pytest.mark.parametrize("n_bits", [8, 64])
def test_planted_categories_of_one_space_are_found_across_views(n_bits):
    train, test = (two_views(seed, width=(12, 12), one_space=True) for seed in (0, 1))
    hasher = ITQHasher(n_bits, random_state=0).fit(*train)
    assert hasher.score(*test) > CLEARLY_LEARNED
