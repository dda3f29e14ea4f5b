"""The torch modules of Deep Sketch Hashing: trunks, heads and the three networks put together.

Nothing here trains, decodes or augments; see ``_training`` and ``_batches``.
"""

import copy

import torch
from torch import nn

from . import _paper_networks as paper
from ._pixels import check_pixels

# Strokes need fewer channels than natural photos, and C2 reads twice as many images.
WIDTHS = {"sketch": (32, 48, 96, 192), "image": (32, 64, 128, 256)}
HIDDEN = (512, 256)
DROPOUT = paper.DROPOUT["sketchy"]
PIXEL_DEVIATION = 64  # of natural photos, from 0 to 255
DEFAULTS = {
    "architecture": "compact",
    "dropout": "sketchy",
    "sharing": "all",  # of C2's layers by sketches and tokens: "all", "convolutions" or "none"
    "pixels": None,  # see `_pixels`
}


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


class TokenTrunk(nn.Module):
    """The copy of C2 that reads tokens, with batch norms of its own.

    Parameters
    ----------
    c2 : CompactTrunk or PaperSketchTrunk
    shared : bool, default=True
        Whether the copy has C2's own convolutions.
    """

    def __init__(self, c2, *, shared=True):
        super().__init__()
        self.norms, self.convolutions = copy.deepcopy(c2.norms), None
        if not shared:
            self.convolutions = copy.deepcopy(c2.convolutions)
            for convolution in self.convolutions:
                convolution.reset_parameters()
        self._c2 = (c2,)  # in a tuple, so that its weights are not listed twice

    def forward(self, x):
        (c2,) = self._c2
        return c2.run(x, self.convolutions or c2.convolutions, self.norms)


class FeatureTrunk(nn.Module):
    """The stand-in for a convolutional trunk on feature vectors: (n, n_features) -> (n, d, 1, 1).

    ``mean`` and ``scale`` standardise the features; they are buffers, so they are kept with the
    weights.
    """

    def __init__(self, n_features, width=256):
        super().__init__()
        # Double precision until the mean is gone: features may be large and far from zero.
        self.register_buffer("mean", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(n_features, dtype=torch.float64))
        self.layers = nn.Sequential(
            nn.Linear(n_features, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        )
        self.out_shape = (width, 1, 1)

    def forward(self, x):
        return self.layers(((x - self.mean) / self.scale).float())[:, :, None, None]


def _fc(n_in, n_out, dropout):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(inplace=True), nn.Dropout(dropout))


def _flat(shape):
    return shape[0] * shape[1] * shape[2]


class SketchHead(nn.Module):
    """C2's features of a sketch -> fc_a -> fc_b -> fc_p: (n, d, h, w) -> (n, n_bits)."""

    def __init__(self, in_shape, n_bits, hidden=HIDDEN, dropout=DROPOUT["sketch"]):
        super().__init__()
        self.fc_a = _fc(_flat(in_shape), hidden[0], dropout[0])
        self.fc_b = _fc(hidden[0], hidden[1], dropout[1])
        self.fc_p = nn.Linear(hidden[1], n_bits)

    def forward(self, features):
        return self.fc_p(self.fc_b(self.fc_a(features.flatten(1))))


class FusionHead(nn.Module):
    """Cross-weight late fusion (Liu et al. 2017, section 3.1) of C2(token) and C1(photo).

    The features are concatenated on the channel axis and read by two parallel fully connected
    layers, twice; the last concatenation is mapped to the bits. Without tokens the features of
    the photo alone take the place of the first concatenation.
    """

    def __init__(self, in_shape, n_bits, hidden=HIDDEN, dropout=DROPOUT["image"]):
        super().__init__()
        a, b = hidden
        self.fc_a_s, self.fc_a_i = (_fc(_flat(in_shape), a, p) for p in dropout)
        self.fc_b_s, self.fc_b_i = (_fc(2 * a, b, p) for p in dropout)
        self.fc_fuse = nn.Linear(2 * b, n_bits)

    def forward(self, features):
        x = features.flatten(1)
        x = torch.cat([self.fc_a_s(x), self.fc_a_i(x)], dim=1)
        x = torch.cat([self.fc_b_s(x), self.fc_b_i(x)], dim=1)
        return self.fc_fuse(x)


class TripleNetwork(nn.Module):
    """C1 (photos), C2 (sketches and, with the same weights, sketch tokens) and the two heads.

    Either view may be missing: its trunk and head are then None.

    Parameters
    ----------
    c1, c2, sketch_head, image_head : nn.Module or None
    token_trunk : nn.Module or None
        What reads tokens: ``c2`` itself, a `TokenTrunk`, or None without tokens.
    """

    def __init__(self, c1, c2, sketch_head, image_head, *, token_trunk):
        super().__init__()
        self.c1, self.c2 = c1, c2
        self.sketch_head, self.image_head = sketch_head, image_head
        self.uses_tokens = token_trunk is not None
        self.token_trunk = None if token_trunk is c2 else token_trunk

    def sketch(self, x):
        """Sketches, or features (n, d) -> (n, n_bits)."""
        return self.sketch_head(self.c2(x))

    def image(self, photos, tokens=None):
        """Photos, or features (n, d), and the photos' tokens -> (n, n_bits)."""
        if self.uses_tokens and tokens is None:
            raise ValueError("this network was built with sketch tokens: give tokens=")
        _, token_features = self.strokes(None, tokens if self.uses_tokens else None)
        return self.image_head(self.fuse(self.c1(photos), token_features))

    def strokes(self, sketches, tokens):
        """C2's features of sketches and of tokens, either of which may be None."""
        if self.token_trunk is not None:
            return (
                None if sketches is None else self.c2(sketches),
                None if tokens is None else self.token_trunk(tokens),
            )
        if sketches is None or tokens is None:
            return (
                None if sketches is None else self.c2(sketches),
                None if tokens is None else self.c2(tokens),
            )
        # One pass, one set of batch statistics.
        features = self.c2(torch.cat([sketches, tokens]))
        return features[: len(sketches)], features[len(sketches) :]

    @staticmethod
    def fuse(photo_features, token_features):
        """concat1 of the paper: tokens first, then photos."""
        if token_features is None:
            return photo_features
        return torch.cat([token_features, photo_features], dim=1)


def image_size(hasher, view):
    """Side in pixels at which the networks of a hasher read a view."""
    if hasher.architecture != "paper":
        return 64 if hasher.image_size == "auto" else int(hasher.image_size)
    if hasher.image_size != "auto":
        raise ValueError(
            f"architecture='paper' reads sketches of {paper.SIZES['sketch']} and photos of "
            f"{paper.SIZES['image']} pixels: leave image_size='auto', got {hasher.image_size}."
        )
    return paper.SIZES[view]


def describe_network(hasher, views, kinds):
    """The settings of the networks that a hasher trains, for `build_network`.

    Parameters
    ----------
    hasher : DeepSketchHasher
    views : dict view -> array
        Read for the number of features.
    kinds : dict view -> {"images", "features"}
    """
    is_paper = hasher.architecture == "paper"
    if is_paper and "features" in kinds.values():
        raise ValueError(
            "architecture='paper' reads images, and feature vectors were given: use "
            "architecture='compact', whose trunks become fully connected for features."
        )
    if not is_paper and (hasher.pixels != "auto" or hasher.c1_weights is not None):
        raise ValueError("pixels= and c1_weights= are for architecture='paper' alone.")
    if hasher.c1_weights is not None and "image" not in kinds:
        raise ValueError("c1_weights= starts C1, which reads photos, and only sketches were given.")
    uses_tokens = kinds.get("image") == "images" and hasher.sketch_tokens is not None
    trunks = {
        view: ("features", int(views[view].shape[1]))
        if kind == "features"
        else ("images", 1 if view == "sketch" and not is_paper else 3)
        for view, kind in kinds.items()
    }
    if uses_tokens:
        trunks.setdefault("sketch", ("images", 3 if is_paper else 1))
    sharing = hasher.weight_sharing
    if sharing == "auto":
        sharing = "convolutions" if is_paper else "all"
    pixels = {} if hasher.pixels == "auto" else hasher.pixels
    return {
        "n_bits": int(hasher.n_bits),
        "views": list(kinds),
        "trunks": trunks,
        "uses_tokens": uses_tokens,
        "architecture": hasher.architecture,
        "dropout": hasher.dropout,
        "sharing": sharing,
        "sizes": {view: image_size(hasher, view) for view in ("sketch", "image")},
        "pixels": check_pixels(pixels) if is_paper else None,
    }


def build_network(settings):
    """The network that ``settings`` describes, with random weights.

    Parameters
    ----------
    settings : dict
        n_bits; views, the views with a hash function; trunks, a dict view -> ("images", number of
        channels) or ("features", number of features); uses_tokens. What else there is, with its
        default, in `DEFAULTS`.

    Returns
    -------
    network : TripleNetwork
    """
    settings = DEFAULTS | settings
    n_bits, trunks = settings["n_bits"], settings["trunks"]
    is_paper = settings["architecture"] == "paper"
    hidden = paper.HIDDEN if is_paper else HIDDEN
    dropout = paper.DROPOUT[settings["dropout"]]
    c1 = c2 = token_trunk = sketch_head = image_head = None
    if "image" in trunks:
        c1 = _make_trunk(settings, "image")
    if "sketch" in trunks:
        c2 = _make_trunk(settings, "sketch")
    if settings["uses_tokens"]:
        token_trunk = c2
        if settings["sharing"] != "all":
            token_trunk = TokenTrunk(c2, shared=settings["sharing"] == "convolutions")
    if token_trunk is not c2 and "sketch" not in settings["views"]:
        # C2 is there for its convolutions alone, or not at all: what nothing reads is not trained.
        c2.norms.requires_grad_(False)
        c2.convolutions.requires_grad_(settings["sharing"] == "convolutions")
    if "sketch" in settings["views"]:
        sketch_head = SketchHead(c2.out_shape, n_bits, hidden, dropout["sketch"])
    if c1 is not None:
        shape = c1.out_shape
        if settings["uses_tokens"]:
            shape = (shape[0] + c2.out_shape[0], *shape[1:])
        image_head = FusionHead(shape, n_bits, hidden, dropout["image"])
    network = TripleNetwork(c1, c2, sketch_head, image_head, token_trunk=token_trunk)
    return network.to(memory_format=torch.channels_last)


def _make_trunk(settings, view):
    kind, n_inputs = settings["trunks"][view]
    if kind == "features":
        return FeatureTrunk(n_inputs)
    if settings["architecture"] == "paper":
        if view == "sketch":
            return paper.PaperSketchTrunk()
        return paper.PaperPhotoTrunk(deviation=PIXEL_DEVIATION * settings["pixels"]["scale"])
    return CompactTrunk(n_inputs, WIDTHS[view])
