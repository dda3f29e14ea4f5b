"""The networks of the paper, layer for layer as in the authors' released models.

Pooling rounds up as Caffe's does; local response normalisation is Caffe's (torch's formula is the
same). The heads are those of ``_networks`` with the paper's widths.
"""

import torch
from torch import nn

SIZES = {"sketch": 200, "image": 227}  # side in pixels; tokens have the sketches'
HIDDEN = (4096, 1024)
# (first, second layer) of the sketch head; (S layers, 6/7 layers) of the image head.
DROPOUT = {
    "sketchy": {"sketch": (0.25, 0.25), "image": (0.3, 0.4)},
    "tu_berlin": {"sketch": (0.1, 0.3), "image": (0.2, 0.3)},
}
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
