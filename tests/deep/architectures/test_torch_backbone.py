"""The guide's recipes for networks of other packages, run against stand-ins of these."""

import importlib.util
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_dsh import DeepSketchHasher, TorchBackbone

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "pretrained.rst"
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)
WIDTH = 6


class Vision(nn.Module):
    """Features of the first pixel of each cell; a head that is not wanted."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 8, 8)
        self.layer4 = nn.Conv2d(5, WIDTH, 1)
        self.fc = nn.Linear(WIDTH, 1000)

    def features(self, x):
        assert x.shape[1:] == (3, 32, 32)
        return self.layer4(self.stem(x).relu())

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


class Tower(Vision):
    """The image tower of open_clip: a projected vector."""

    def forward(self, x):
        return self.features(x).mean((2, 3))


class Transformer(Vision):
    """A vision model of transformers: an output with names."""

    def forward(self, pixel_values):
        tokens = self.features(pixel_values).flatten(2).transpose(1, 2)
        return SimpleNamespace(last_hidden_state=tokens, pooler_output=tokens[:, 0])


def fake_timm():
    def create_model(name, pretrained, num_classes):
        assert pretrained
        assert num_classes == 0
        model = Tower()
        model.pretrained_cfg = {}
        return model

    config = {"input_size": (3, 32, 32), "mean": MEAN, "std": STD, "crop_pct": 0.875}
    data = SimpleNamespace(resolve_model_data_config=lambda model: config)
    return {"timm": {"create_model": create_model, "data": data}}


def fake_torchvision():
    transforms = SimpleNamespace(crop_size=[32], resize_size=[40], mean=MEAN, std=STD)
    weights = SimpleNamespace(IMAGENET1K_V2=SimpleNamespace(transforms=lambda: transforms))

    def resnet50(weights):
        assert weights.transforms() is transforms
        return Vision()

    return {"torchvision": {"models": SimpleNamespace(ResNet50_Weights=weights, resnet50=resnet50)}}


def fake_open_clip():
    def create_model(name, pretrained):
        return SimpleNamespace(visual=Tower())

    config = {"size": (32, 32), "mean": MEAN, "std": STD, "mode": "RGB"}
    return {
        "open_clip": {
            "create_model": create_model, "get_model_preprocess_cfg": lambda model: config
        }
    }  # fmt: skip


def fake_transformers():
    processor = SimpleNamespace(
        crop_size={"height": 32, "width": 32}, size={"shortest_edge": 40}, image_mean=list(MEAN),
        image_std=list(STD),
    )  # fmt: skip
    return {
        "transformers": {
            "AutoModel": SimpleNamespace(from_pretrained=lambda name: Transformer()),
            "AutoImageProcessor": SimpleNamespace(from_pretrained=lambda name: processor),
        }
    }


FAKES = {
    "timm": fake_timm,
    "torchvision": fake_torchvision,
    "open_clip": fake_open_clip,
    "transformers": fake_transformers,
}


def recipe(package):
    """The code block of the guide under the heading of a package."""
    lines = PAGE.read_text().splitlines()
    start = lines.index(package)
    assert set(lines[start + 1]) == {"~"}
    block = []
    for line in lines[lines.index(".. code-block:: python", start) + 1 :]:
        if line and not line.startswith(" "):
            break
        block.append(line[4:])
    return "\n".join(block)


@pytest.mark.parametrize("package", FAKES)
def test_recipes_of_the_guide(package, monkeypatch, tmp_path):
    for name, contents in FAKES[package]().items():
        fake = ModuleType(name)
        vars(fake).update(contents)
        monkeypatch.setitem(sys.modules, name, fake)
    path = tmp_path / f"recipe_{package}.py"
    path.write_text(recipe(package))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)  # so that its functions can be pickled
    spec.loader.exec_module(module)

    backbone = module.backbone
    assert backbone.size == 32
    pixels = backbone.pixels()
    x = np.array([10.0, 100.0, 250.0])
    ours = (x - pixels["mean"]) * pixels["scale"]
    np.testing.assert_allclose(ours, (x / 255 - MEAN) / STD)
    assert pixels["order"] == "rgb"

    rng = np.random.default_rng(0)
    y = np.arange(8) % 2
    X = rng.integers(0, 256, (8, 40, 40), np.uint8), rng.integers(0, 256, (8, 40, 40, 3), np.uint8)
    hasher = module.hasher.set_params(max_iter=1, steps_per_iter=2, batch_size=4, random_state=0)
    hasher.fit(*X, y)
    codes = hasher.transform(X[1], view="image")
    again = pickle.loads(pickle.dumps(hasher))
    np.testing.assert_array_equal(again.transform(X[1], view="image"), codes)
    trunk = next(name for name in hasher.weights_ if name.endswith("stem.weight"))
    assert trunk.startswith("c2.tuned." if package == "torchvision" else "frozen.0.")
    feature_width = hasher.network_settings_["inputs"], hasher.features(X[0], "sketch").shape[1]
    assert feature_width[1] == (WIDTH if package == "torchvision" else 1024)


def test_torchvision_itself():
    models = pytest.importorskip("torchvision").models
    network = models.resnet18(weights=None)  # weights cannot be downloaded by a test
    network.fc = nn.Identity()
    transforms = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    backbone = TorchBackbone(
        network,
        size=64,
        mean=[255 * m for m in transforms.mean],
        scale=[1 / (255 * s) for s in transforms.std],
        last=["layer4"],
    )
    check_real_package(backbone, 512)


def test_timm_itself():
    timm = pytest.importorskip("timm")
    network = timm.create_model("resnet10t", pretrained=False, num_classes=0)
    config = timm.data.resolve_model_data_config(network)
    backbone = TorchBackbone(
        network,
        size=64,
        mean=[255 * m for m in config["mean"]],
        scale=[1 / (255 * s) for s in config["std"]],
        last=["layer4"],
    )
    check_real_package(backbone, 512)


def check_real_package(backbone, width):
    from sklearn_dsh import BackboneFeatures, Pretrained

    rng = np.random.default_rng(0)
    y = np.arange(8) % 2
    X = rng.integers(0, 256, (8, 40, 40), np.uint8), rng.integers(0, 256, (8, 40, 40, 3), np.uint8)
    assert BackboneFeatures(backbone).fit_transform(X[1]).shape == (8, width)
    for trained in ("none", "last"):
        hasher = DeepSketchHasher(
            8, architecture=Pretrained(backbone, trained=trained), max_iter=1, steps_per_iter=2,
            batch_size=4, random_state=0,
        )  # fmt: skip
        assert hasher.fit(*X, y).transform(X[0]).shape == (8, 1)


class TestOutputs:
    IMAGES = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)

    def features(self, **settings):
        from sklearn_dsh import BackboneFeatures

        torch.manual_seed(0)
        settings = {"size": 32} | settings
        return BackboneFeatures(TorchBackbone(Transformer(), **settings)).transform(self.IMAGES)

    def test_a_name_or_a_function(self):
        pooled = self.features(output="pooler_output")
        first = self.features(output=first_token)
        np.testing.assert_array_equal(pooled, first)

    def test_maps_are_averaged(self):
        torch.manual_seed(0)
        tower = Tower()
        torch.manual_seed(0)
        maps = nn.Sequential(nn.Conv2d(3, 5, 8, 8), nn.ReLU(), nn.Conv2d(5, WIDTH, 1))
        from sklearn_dsh import BackboneFeatures

        found = [
            BackboneFeatures(TorchBackbone(module, size=32)).transform(self.IMAGES)
            for module in (tower, maps)
        ]
        np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)

    def test_another_output_is_refused(self):
        with pytest.raises(ValueError, match=r"got SimpleNamespace\. Choose it by output="):
            self.features()
        with pytest.raises(ValueError, match=r"got \(1, 16, 6\)"):
            self.features(output="last_hidden_state")


def first_token(found):
    return found.last_hidden_state[:, 0]
