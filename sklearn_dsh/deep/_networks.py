"""The torch modules of Deep Sketch Hashing: trunks, heads and the three networks put together.

Nothing here trains, decodes or augments; see ``_training`` and ``_batches``.
"""

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
    "shared_convolutions": True,  # False: the copy of C2 for tokens has convolutions of its own
    "pixels": None,  # see `_pixels`
}


def _conv_block(n_in, n_out, kernel_size=3, stride=1, *, pool=False):
    layers = [
        nn.Conv2d(n_in, n_out, kernel_size, stride, kernel_size // 2, bias=False),
        nn.BatchNorm2d(n_out),
    ]
    if pool:  # before the ReLU, which gives the same and leaves it a quarter of the work
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class CompactTrunk(nn.Module):
    """Six convolutions for images of about 64 x 64 pixels: (n, channels, H, W) -> (n, d, 4, 4).

    A plain stack whose early layers keep their resolution: on small images it generalises better
    than a strided residual one of the same cost.
    """

    def __init__(self, in_channels, widths):
        super().__init__()
        a, b, c, d = widths
        self.layers = nn.Sequential(
            _conv_block(in_channels, a, kernel_size=5, stride=2, pool=True),
            _conv_block(a, b),
            _conv_block(b, b, pool=True),
            _conv_block(b, c),
            _conv_block(c, c, pool=True),
            _conv_block(c, d),
            nn.AdaptiveAvgPool2d(4),
        )
        self.out_shape = (d, 4, 4)

    def forward(self, x):
        return self.layers(x)


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
        What reads tokens: ``c2`` itself, a copy with C2's convolutions, or None without tokens.
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
    uses_tokens = kinds.get("image") == "images" and hasher.sketch_tokens is not None
    trunks = {
        view: ("features", int(views[view].shape[1]))
        if kind == "features"
        else ("images", 1 if view == "sketch" and not is_paper else 3)
        for view, kind in kinds.items()
    }
    if uses_tokens:
        trunks.setdefault("sketch", ("images", 3 if is_paper else 1))
    pixels = {} if hasher.pixels == "auto" else hasher.pixels
    return {
        "n_bits": int(hasher.n_bits),
        "views": list(kinds),
        "trunks": trunks,
        "uses_tokens": uses_tokens,
        "architecture": hasher.architecture,
        "dropout": hasher.dropout,
        "shared_convolutions": True,
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
        if is_paper:
            token_trunk = paper.PaperTokenTrunk(c2, shared=settings["shared_convolutions"])
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
