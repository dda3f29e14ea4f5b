from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_dsh.deep import _sampling
from sklearn_dsh.deep._sampling import BatchSampler, Step, StepPlanner

LABELS = {"sketch": np.arange(12) % 3, "image": np.arange(15) % 3}


def make_planner(n_steps=20, *, balanced=True, mixes=True, paired=False):
    settings = SimpleNamespace(batch_size=6, class_balanced=balanced)
    rng = np.random.RandomState(0)
    return StepPlanner(LABELS, n_steps, rng, settings, mixes=mixes, paired=paired)


def test_balanced_batches_draw_categories_equally_and_rows_in_turn():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 10)
    sampler = BatchSampler(labels, 30, np.random.RandomState(0))
    drawn = np.concatenate([sampler.draw() for _ in range(20)])
    np.testing.assert_array_equal(np.bincount(labels[drawn]), [200, 200, 200])
    counts = np.bincount(drawn, minlength=63)
    for category in range(3):
        of_category = counts[labels == category]
        assert of_category.max() - of_category.min() <= 1


def test_unbalanced_batches_are_shuffled_epochs():
    sampler = BatchSampler(np.array([0] * 9 + [1]), 5, np.random.RandomState(0), balanced=False)
    drawn = np.concatenate([sampler.draw(), sampler.draw()])
    assert sorted(drawn) == list(range(10))


def test_a_batch_larger_than_the_view_repeats_rows():
    assert len(BatchSampler(np.array([4, 4]), 7, np.random.RandomState(0)).draw()) == 7


def test_mixing_is_for_photos_of_all_but_the_last_steps(monkeypatch):
    monkeypatch.setattr(_sampling, "MIXUP_PROBABILITY", 1.0)
    steps = make_planner().plan(0, 20)
    assert [step.partner is not None for step in steps] == [True] * 18 + [False] * 2
    assert all(0 <= step.weight <= 1 for step in steps[:18])
    assert all(sorted(step.partner) == list(range(6)) for step in steps[:18])
    assert all(step.partner is None for step in make_planner(mixes=False).plan(0, 20))


def test_steps_of_pairs_take_the_same_rows_of_both_views():
    for step in make_planner(mixes=False, paired=True).plan(0, 5):
        np.testing.assert_array_equal(step.rows["sketch"], step.rows["image"])
        assert step.rows["image"].max() < 12
    step = make_planner(mixes=False).plan(0, 1)[0]
    assert (step.rows["sketch"] != step.rows["image"]).any()


def test_a_process_reads_its_part_of_the_batch_and_the_partners_of_its_photos():
    step = Step({"sketch": np.arange(6), "image": np.arange(6)}, 0.3, np.array([5, 0, 4, 1, 2, 3]))
    own = np.array([0, 1, 2])
    np.testing.assert_array_equal(step.needed("sketch", own), own)
    np.testing.assert_array_equal(step.needed("image", own), [0, 1, 2, 4, 5])
    np.testing.assert_array_equal(step.needed("image", np.arange(6)), np.arange(6))


@pytest.mark.parametrize("balanced", [True, False])
def test_a_restored_planner_goes_on_where_it_was(balanced):
    planner = make_planner(balanced=balanced)
    planner.plan(0, 7)
    state, numbers = planner.state_dict(), planner.random_state.get_state()
    expected = planner.plan(7, 5)
    other = make_planner(balanced=balanced)
    other.load_state_dict(state)
    other.random_state.set_state(numbers)
    for a, b in zip(other.plan(7, 5), expected, strict=True):
        for view in LABELS:
            np.testing.assert_array_equal(a.rows[view], b.rows[view])
        assert a.weight == b.weight
