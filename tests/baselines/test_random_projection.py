import numpy as np
import pytest
from planted_views import two_views

from sklearn_dsh import RandomProjectionHasher

CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2


def test_share_of_differing_bits_is_the_angle():
    """P(bits differ) = angle / pi (Charikar 2002), here within four standard errors."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6)) + 10
    n_bits = 20_000
    hasher = RandomProjectionHasher(n_bits, random_state=0).fit(X)
    bits = hasher.project(X) >= 0
    centred = X - X.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = np.arccos(np.clip(unit[0] @ unit[1:].T, -1, 1)) / np.pi
    differing = (bits[0] != bits[1:]).mean(axis=1)
    np.testing.assert_allclose(differing, expected, atol=4 * 0.5 / np.sqrt(n_bits))


def test_is_centred_on_both_views():
    X, Y = np.tile([[-1.0], [1.0]], (5, 3)), np.tile([[3.0], [5.0]], (15, 3))
    hasher = RandomProjectionHasher(random_state=0).fit(X, Y, (np.zeros(10), np.zeros(30)))
    np.testing.assert_allclose(hasher.mean_, 3)
    centres = np.zeros((1, 3)), np.full((1, 3), 4.0)
    of_sketches, of_photos = map(hasher.project, centres, ("sketch", "image"))
    np.testing.assert_allclose(of_sketches, -3 * of_photos)


def test_random_state():
    X = np.eye(5)
    first, again, other = (
        RandomProjectionHasher(16, random_state=s).fit(X).weights_ for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    fresh = [RandomProjectionHasher(16).fit(X).weights_ for _ in range(2)]
    assert not np.allclose(*fresh)


def test_views_of_different_width_point_to_cca():
    with pytest.raises(ValueError, match="CCAHasher"):
        RandomProjectionHasher().fit(np.eye(3), np.eye(4), ([0, 0, 1], [0, 0, 1, 1]))


@pytest.mark.parametrize("n_bits", [8, 64])
def test_planted_categories_of_one_space_are_found_across_views(n_bits):
    train, test = (two_views(seed, width=(12, 12), one_space=True) for seed in (0, 1))
    hasher = RandomProjectionHasher(n_bits, random_state=0).fit(*train)
    assert hasher.score(*test) > CLEARLY_LEARNED
