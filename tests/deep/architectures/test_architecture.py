"""What every architecture keeps to, and how a hasher takes them."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_dsh import (
    Architecture,
    Compact,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    Paper,
    StratifiedViewKFold,
    retrieval_scorer,
    stack_views,
)
from sklearn_dsh.deep.architectures import resolve_architecture
from sklearn_dsh.deep.architectures._compact import CompactTrunk

QUICK = {"max_iter": 1, "steps_per_iter": 2, "batch_size": 6, "random_state": 0}
RNG = np.random.default_rng(0)
Y = np.arange(12) % 3
IMAGES = (
    RNG.integers(0, 256, (12, 40, 40), dtype=np.uint8),
    RNG.integers(0, 256, (12, 40, 40, 3), dtype=np.uint8),
    (Y, Y),
)


class Averages(Architecture):
    """A stranger's: one convolution, and its average over sixteen places."""

    def __init__(self, width=4):
        self.width = width

    def sizes(self):
        return {"sketch": 32, "image": 48}

    def make_trunk(self, view):
        channels = 1 if view == "sketch" else 3
        trunk = nn.Sequential(nn.Conv2d(channels, self.width, 3), nn.AdaptiveAvgPool2d(4))
        trunk.out_shape = (self.width, 4, 4)
        return trunk


ALL = [Compact(40), Paper(order="rgb"), Averages(3)]


@pytest.mark.parametrize("architecture", ALL)
def test_copies_are_equal_and_others_are_not(architecture):
    for copy in (clone(architecture), pickle.loads(pickle.dumps(architecture))):
        assert copy == architecture
        assert copy.get_params() == architecture.get_params()
    assert architecture != type(architecture)()
    assert architecture != "compact"


@pytest.mark.parametrize("size", [32, 64, 75])
def test_the_compact_trunk_ends_in_four_by_four_whatever_the_size(size):
    trunk = CompactTrunk(1, (4, 8, 8, 12)).eval()
    assert trunk(torch.zeros(2, 1, size, size)).shape == (2, *trunk.out_shape)


@pytest.mark.parametrize("hasher", [DeepSketchHasher, DCMHHasher, DeepMetricHasher])
def test_every_deep_hasher_takes_an_object(hasher):
    architecture = Averages(5)
    fitted = hasher(8, architecture=architecture, **QUICK).fit(*IMAGES)
    assert architecture.get_params() == {"width": 5}
    assert vars(architecture) == {"width": 5}
    assert fitted.architecture is architecture
    assert fitted.architecture_ == architecture
    assert fitted.architecture_ is not architecture
    assert fitted.weights_["c1.0.weight"].shape == (5, 3, 3, 3)
    project = fitted.project(IMAGES[1], view="image")
    again = pickle.loads(pickle.dumps(fitted)).project(IMAGES[1], view="image")
    np.testing.assert_array_equal(again, project)


def test_an_object_is_what_its_name_stands_for():
    named = DeepSketchHasher(8, architecture="compact", **QUICK).fit(*IMAGES)
    given = DeepSketchHasher(8, architecture=Compact(), **QUICK).fit(*IMAGES)
    np.testing.assert_array_equal(named.project(IMAGES[0]), given.project(IMAGES[0]))


def test_grid_search_over_the_parameters_of_an_architecture():
    X, y = stack_views(*IMAGES)
    search = GridSearchCV(
        DeepSketchHasher(8, architecture=Averages(), **QUICK),
        {"architecture__width": [2, 3]},
        scoring=retrieval_scorer("mean_average_precision"),
        cv=StratifiedViewKFold(2),
    )
    search.fit(X, y)
    best = search.best_params_["architecture__width"]
    assert search.best_estimator_.architecture_ == Averages(best)
    assert search.best_estimator_.weights_["c2.0.weight"].shape[0] == best
    assert search.estimator.architecture == Averages()


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("deep", "'architecture' parameter of DeepSketchHasher must be"),
        (3, "'architecture' parameter of DeepSketchHasher must be"),
        (Compact(31), "Compact: size must be a number of pixels from 32 up, got 31"),
        (Compact("64"), "size must be a number of pixels"),
        (Compact(weight_sharing="some"), "weight_sharing must be one of 'all', 'convolutions'"),
        (Compact(dropout=0.3), "dropout must be one of"),
    ],
)
def test_wrong_architectures(architecture, message):
    with pytest.raises(ValueError, match=message):
        DeepSketchHasher(8, architecture=architecture).fit(*IMAGES)


def test_a_pickle_from_before_says_to_fit_again():
    fitted = DeepSketchHasher(8, architecture=Averages(2), **QUICK).fit(*IMAGES)
    del fitted.network_settings_["readout"]
    with pytest.raises(ValueError, match="fit it again"):
        pickle.loads(pickle.dumps(fitted))


def test_sizes_for_names():
    assert resolve_architecture("compact", 96) == Compact(96)
    assert resolve_architecture("paper") == Paper()
    with pytest.raises(ValueError, match="reads images at sizes of its own"):
        resolve_architecture("paper", 96)
    with pytest.raises(ValueError, match="expected one of 'compact', 'paper'"):
        resolve_architecture("deep")


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise InterruptedError

    monkeypatch.setattr("sklearn_dsh.deep._checkpoint.Checkpoint.remove", stop)
    with pytest.raises(InterruptedError):
        DeepSketchHasher(8, architecture=Averages(2), checkpoint_dir=tmp_path, **QUICK).fit(*IMAGES)
    with pytest.raises(ValueError, match="another fit, with other architecture__width"):
        DeepSketchHasher(8, architecture=Averages(3), checkpoint_dir=tmp_path, **QUICK).fit(*IMAGES)
