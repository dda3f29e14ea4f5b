"""The networks of the paper, layer for layer as in the authors' released models.

Pooling rounds up as Caffe's does; local response normalisation is Caffe's (torch's formula is the
same). The heads are those of ``_networks`` with the paper's widths.
"""

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from .._pixels import describe_pixels
from ._architecture import Architecture

SIZES = {"sketch": 200, "image": 227}  # side in pixels; tokens have the sketches'
HIDDEN = (4096, 1024)
PIXEL_DEVIATION = 64  # of natural photos, from 0 to 255
# Channels in and out, kernel, stride, padding, and whether a max-pool 3/2 follows.
C2_LAYERS = (
    (3, 64, 14, 3, 0, True),
    (64, 128, 3, 1, 1, False),
    (128, 128, 3, 1, 1, True),
    (128, 256, 3, 1, 1, False),
    (256, 256, 3, 1, 1, True),
)


def _pool(padding=0):
    return nn.MaxPool2d(3, 2, padding, ceil_mode=True)


class PaperSketchTrunk(nn.Module):
    """C2: (n, 3, 200, 200) -> (n, 256, 7, 7)."""

    out_shape = (256, 7, 7)

    def __init__(self):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, k, s, p) for a, b, k, s, p, _ in C2_LAYERS
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, *_ in C2_LAYERS)
        self.pool = _pool()

    def run(self, x, convolutions, norms):
        """The trunk with other convolutions or norms of the same shapes."""
        for convolution, norm, layer in zip(convolutions, norms, C2_LAYERS, strict=True):
            x = norm(convolution(x)).relu_()
            if layer[-1]:
                x = self.pool(x)
        return x

    def forward(self, x):
        return self.run(x, self.convolutions, self.norms)


class PaperPhotoTrunk(nn.Module):
    """C1, CaffeNet's convolutions: (n, 3, 227, 227) -> (n, 256, 7, 7), pool5 being padded.

    Parameters
    ----------
    deviation : float
        Of the pixels, about: there is no batch norm to make up for it, so the random weights do.
    """

    out_shape = (256, 7, 7)

    def __init__(self, deviation=1.0):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, 4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.pool = _pool()
        self.pool5 = _pool(padding=1)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)
        with torch.no_grad():
            self.conv1.weight /= deviation

    def forward(self, x):
        x = self.norm(self.pool(self.conv1(x).relu_()))
        x = self.norm(self.pool(self.conv2(x).relu_()))
        x = self.conv4(self.conv3(x).relu_()).relu_()
        return self.pool5(self.conv5(x).relu_())


class Paper(Architecture):
    """The networks of the released models, layer for layer: for images only, and for a GPU.

    What ``architecture="paper"`` stands for: C1 is CaffeNet's and reads photos of 227 x 227
    pixels, C2 reads sketches and tokens of 200 x 200; 220 million weights.

    How the authors prepared pixels is not released. The defaults are CaffeNet's habit: values
    from 0 to 255, less the mean, times the scale, dark strokes on white.

    Parameters
    ----------
    weight_sharing : {"all", "convolutions", "none"}, default="convolutions"
        Which layers of C2 sketches and tokens share; "convolutions", as released, leaves each its
        batch norm.
    dropout : {"sketchy", "tu_berlin"}, default="sketchy"
        Dropout of the heads, as in the models released for the data set of that name.
    order : {"bgr", "rgb"}, default="bgr"
        Of the photos' channels.
    mean : float or sequence of three float, default=(104.00699, 116.66877, 122.67892)
        Subtracted from the channels, in their order.
    scale : float or sequence of three float, default=1.0
        What the channels are multiplied with then.
    strokes : {"dark", "bright"}, default="dark"
        How sketches and tokens come to the network: dark on white, or bright on black.
    c1_weights : str or path-like, default=None
        A .caffemodel file of CaffeNet: ImageNet's weights, say, as a start for C1.
    polarity : {"dark", "bright", "auto"}, default="dark"
        What the strokes of the sketches that are given are: dark on white; bright on black, which
        are turned round; "auto" looks at each, and turns those round that are mostly dark.

    See Also
    --------
    Compact : The networks for a CPU.
    DeepSketchHasher.from_caffemodel : A hasher with the released weights.

    Examples
    --------
    >>> from sklearn_dsh import DeepSketchHasher, Paper
    >>> hasher = DeepSketchHasher(128, architecture=Paper(order="rgb", mean=127.5))
    """

    reads_features = False

    def __init__(
        self,
        *,
        weight_sharing: Literal["all", "convolutions", "none"] = "convolutions",
        dropout: Literal["sketchy", "tu_berlin"] = "sketchy",
        order: Literal["bgr", "rgb"] = "bgr",
        mean: float | Sequence[float] = (104.00699, 116.66877, 122.67892),
        scale: float | Sequence[float] = 1.0,
        strokes: Literal["dark", "bright"] = "dark",
        c1_weights: str | os.PathLike[str] | None = None,
        polarity: Literal["dark", "bright", "auto"] = "dark",
    ) -> None:
        self.weight_sharing = weight_sharing
        self.dropout = dropout
        self.order = order
        self.mean = mean
        self.scale = scale
        self.strokes = strokes
        self.c1_weights = c1_weights
        self.polarity = polarity

    @property
    def hidden(self):
        return HIDDEN

    def check(self, kinds: dict[str, str]) -> None:
        super().check(kinds)
        self.pixels()
        if self.c1_weights is not None and "image" not in kinds:
            raise ValueError(
                "c1_weights= starts C1, which reads photos, and only sketches were given."
            )

    def sizes(self) -> dict[str, int]:
        return dict(SIZES)

    def pixels(self) -> dict[str, dict[str, Any] | None]:
        return dict.fromkeys(
            SIZES, describe_pixels(self.order, self.mean, self.scale, self.strokes)
        )

    def make_trunk(self, view: str) -> nn.Module:
        if view == "sketch":
            return PaperSketchTrunk()
        scale = sum(self.pixels()["image"]["scale"]) / 3
        return PaperPhotoTrunk(deviation=PIXEL_DEVIATION * scale)

    def start_weights(self, settings: dict[str, Any]) -> dict[str, np.ndarray]:
        if self.c1_weights is None:
            return {}
        from .._caffe_weights import caffenet_weights  # which reads the layers above

        return {f"c1.{name}": value for name, value in caffenet_weights(self.c1_weights).items()}
