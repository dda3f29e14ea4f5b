import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from sklearn_dsh._rotation import itq_rotation


@given(
    n=st.integers(1, 40),
    n_directions=st.integers(1, 8),
    extra=st.integers(0, 12),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_rows_are_orthonormal_and_the_loss_never_increases(n, n_directions, extra, seed):
    rng = np.random.RandomState(seed)
    projected = rng.normal(size=(n, n_directions)) * rng.uniform(0.1, 3, n_directions)
    rotation, losses = itq_rotation(projected, n_directions + extra, n_iter=15, random_state=rng)
    assert rotation.shape == (n_directions, n_directions + extra)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(n_directions), atol=1e-10)
    assert len(losses) == 16
    assert (np.diff(losses) <= 1e-9 * losses[0]).all()
    values = projected @ rotation
    signs = np.where(values >= 0, 1, -1)
    np.testing.assert_allclose(losses[-1], ((signs - values) ** 2).sum(axis=1).mean())


def test_each_update_is_the_procrustes_solution():
    rng = np.random.RandomState(0)
    projected = rng.normal(size=(50, 4))
    start, _ = itq_rotation(projected, 4, n_iter=0, random_state=np.random.RandomState(3))
    once, _ = itq_rotation(projected, 4, n_iter=1, random_state=np.random.RandomState(3))
    signs = np.where(projected @ start >= 0, 1, -1)
    np.testing.assert_allclose(once, orthogonal_procrustes(projected, signs)[0], atol=1e-10)


def test_no_other_rotation_is_nearer_to_the_signs():
    """Also with more bits than directions, where scipy's square solver does not apply."""
    rng = np.random.RandomState(0)
    projected = rng.normal(size=(30, 3))
    start, _ = itq_rotation(projected, 5, n_iter=0, random_state=np.random.RandomState(1))
    best, _ = itq_rotation(projected, 5, n_iter=1, random_state=np.random.RandomState(1))
    signs = np.where(projected @ start >= 0, 1, -1)

    def loss(rotation):
        return ((signs - projected @ rotation) ** 2).sum()

    for _ in range(200):
        other = ortho_group.rvs(5, random_state=rng)[:3]
        assert loss(best) < loss(other)
        nearby = np.linalg.svd(best + 0.01 * rng.normal(size=best.shape), full_matrices=False)
        assert loss(best) <= loss(nearby[0] @ nearby[2])


def test_planted_rotation_is_recovered():
    rng = np.random.RandomState(0)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T.repeat(20, axis=0)
    hidden = ortho_group.rvs(3, random_state=rng)
    projected = (signs + 0.05 * rng.normal(size=signs.shape)) @ hidden
    losses = [
        itq_rotation(projected, 3, n_iter=60, random_state=np.random.RandomState(s))[1][-1]
        for s in range(5)
    ]
    assert min(losses) == pytest.approx(3 * 0.05**2, rel=0.2)


def test_random_state():
    projected = np.random.RandomState(0).normal(size=(30, 3))
    first, again, other = (
        itq_rotation(projected, 6, n_iter=5, random_state=np.random.RandomState(s))[0]
        for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
