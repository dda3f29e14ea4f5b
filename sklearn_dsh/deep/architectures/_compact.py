"""Six convolutions a trunk, for small images and a CPU."""

from typing import Literal

from torch import nn

from ._architecture import Architecture

# Strokes need fewer channels than natural photos, and C2 reads twice as many images.
WIDTHS = {"sketch": (32, 48, 96, 192), "image": (32, 64, 128, 256)}
CHANNELS = {"sketch": 1, "image": 3}


class CompactTrunk(nn.Module):
    """Six convolutions for images of about 64 x 64 pixels: (n, channels, H, W) -> (n, d, 4, 4).

    A plain stack whose early layers keep their resolution: on small images it generalises better
    than a strided residual one of the same cost.
    """

    pooled = (True, False, True, False, True, False)

    def __init__(self, in_channels, widths):
        super().__init__()
        a, b, c, d = widths
        widths = (a, b, b, c, c, d)
        inputs = (in_channels, *widths[:-1])
        kernels = [{"kernel_size": 5, "stride": 2, "padding": 2}]
        kernels += [{"kernel_size": 3, "padding": 1}] * 5
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_in, n_out, bias=False, **kernel)
            for n_in, n_out, kernel in zip(inputs, widths, kernels, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n_out) for n_out in widths)
        self.out_shape = (d, 4, 4)

    def run(self, x, convolutions, norms):
        """The trunk with other convolutions or norms of the same shapes."""
        for convolution, norm, pool in zip(convolutions, norms, self.pooled, strict=True):
            x = norm(convolution(x))
            if pool:  # before the ReLU, which gives the same and leaves it a quarter of the work
                x = nn.functional.max_pool2d(x, 2)
            x = x.relu_()
        return nn.functional.adaptive_avg_pool2d(x, 4)

    def forward(self, x):
        return self.run(x, self.convolutions, self.norms)


class Compact(Architecture):
    """Networks of six convolutions a trunk, for images of about 64 x 64 pixels and a CPU.

    What ``architecture="compact"`` stands for. For feature vectors, a fully connected layer takes
    the place of the convolutions.

    Parameters
    ----------
    size : int, default=64
        Side in pixels at which sketches and photos are read, 32 or more. Files, and arrays of
        another size, are brought to it; for training once, before it starts, as bytes.
    weight_sharing : {"all", "convolutions", "none"}, default="all"
        Which layers of C2 sketches and tokens share; "convolutions" leaves each its batch norm.
    dropout : {"sketchy", "tu_berlin"}, default="sketchy"
        Dropout of the heads, as in the models released for the data set of that name.
    polarity : {"dark", "bright", "auto"}, default="dark"
        What the strokes of the sketches that are given are: dark on white; bright on black, which
        are turned round; "auto" looks at each, and turns those round that are mostly dark.

    See Also
    --------
    Paper : The networks of the paper.

    Examples
    --------
    >>> from sklearn_dsh import Compact, DeepSketchHasher
    >>> hasher = DeepSketchHasher(64, architecture=Compact(size=96))
    >>> hasher.set_params(architecture__size=128).architecture
    Compact(size=128)
    """

    def __init__(
        self,
        size: int = 64,
        *,
        weight_sharing: Literal["all", "convolutions", "none"] = "all",
        dropout: Literal["sketchy", "tu_berlin"] = "sketchy",
        polarity: Literal["dark", "bright", "auto"] = "dark",
    ) -> None:
        self.size = size
        self.weight_sharing = weight_sharing
        self.dropout = dropout
        self.polarity = polarity

    def check(self, kinds: dict[str, str]) -> None:
        super().check(kinds)
        self._check_size(self.size)

    def sizes(self) -> dict[str, int]:
        return dict.fromkeys(("sketch", "image"), int(self.size))

    def make_trunk(self, view: str) -> nn.Module:
        return CompactTrunk(CHANNELS[view], WIDTHS[view])
