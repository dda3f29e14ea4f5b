"""The contract of an architecture."""

import math
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from ..._documentation import DocumentationLink
from .._feature_readout import FeatureReadout
from .._networks import (
    CategoryReadout,
    FeatureTrunk,
    FusionHead,
    LinearHead,
    SketchHead,
    TokenTrunk,
    TripleNetwork,
)
from .._polarity import POLARITIES

# Dropout of the released models by data set: (first, second layer) of the sketch head; (S layers,
# 6/7 layers) of the image head.
DROPOUT = {
    "sketchy": {"sketch": (0.25, 0.25), "image": (0.3, 0.4)},
    "tu_berlin": {"sketch": (0.1, 0.3), "image": (0.2, 0.3)},
}
FEATURE_DROPOUT = 0.5  # of what the trunk makes of feature vectors
WEIGHT_SHARING = ("all", "convolutions", "none")


class Architecture(DocumentationLink, BaseEstimator):
    """Base class: all about the networks of a deep hasher, nothing about their training.

    An architecture has scikit-learn's parameters (``get_params``, ``clone``, and
    ``architecture__size`` in a GridSearchCV over the hasher), loads nothing when it is made, and
    is left as it is by ``fit``: the hasher keeps a copy, ``architecture_``, and the weights. Two
    are equal if they are of one class with equal parameters.

    To write one, define `sizes` and `make_trunk`, and whatever else differs from what stands
    here.
    """

    hidden = (256, 256)  # widths of the two fully connected layers of a head
    reads_features = True  # whether vectors may take the place of images
    has_frozen = False  # whether images pass a part that is never trained, see `make_trunks`
    shares_features = False  # whether the trunks of both views are one, in one space of features
    tokens_pay = True  # whether sketch_tokens="auto" stands for edges, or for none
    # What is trained on images, which tells how long a training should be: "images", networks that
    # start from nothing; "backbone", one that knows images; "features", what follows a frozen one.
    trained_part = "images"
    n_versions = 1  # of an item that pass it, once each: as it is, mirrored, randomly warped
    dropout = "sketchy"
    weight_sharing = "all"
    polarity = "dark"  # of the sketches that are given

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None

    def check(self, kinds: dict[str, str]) -> None:
        """Raise ValueError or TypeError for parameters or data that do not go together.

        Parameters
        ----------
        kinds : dict of str to {"images", "features"}
            What each view holds.
        """
        for name, choices in (
            ("dropout", DROPOUT),
            ("weight_sharing", WEIGHT_SHARING),
            ("polarity", POLARITIES),
        ):
            self._check_choice(name, choices)
        if "features" in kinds.values() and not self.reads_features:
            raise ValueError(
                f"{type(self).__name__} reads images, and feature vectors were given: use "
                "architecture='compact', whose trunks become fully connected for features."
            )

    def _check_choice(self, name, choices):
        value = getattr(self, name)
        if not isinstance(value, str) or value not in choices:
            raise ValueError(
                f"{type(self).__name__}: {name} must be one of {', '.join(map(repr, choices))}, "
                f"got {value!r}."
            )

    def _check_size(self, size):
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 32:
            raise ValueError(
                f"{type(self).__name__}: size must be a number of pixels from 32 up, got {size!r}."
            )

    def sizes(self) -> dict[str, int]:
        """Side in pixels at which "sketch" (tokens too) and "image" are read."""
        raise NotImplementedError

    def pixels(self) -> dict[str, dict[str, Any] | None]:
        """How each view's pixels are prepared, as `describe_pixels` says; None: as they come.

        As they come, sketches and tokens are one channel in [0, 1] with strokes 1, and photos
        three channels in [-1, 1].
        """
        return {"sketch": None, "image": None}

    def make_trunk(self, view: str) -> nn.Module:
        """What reads the images of a view: a module with ``out_shape``, (channels, H, W).

        A trunk that tokens are to read, too, with layers of their own, has ``convolutions`` and
        ``norms``, lists of modules, and ``run(x, convolutions, norms)``.
        """
        raise NotImplementedError

    def make_trunks(self, views: list[str]) -> tuple[dict[str, nn.Module], dict[str, nn.Module]]:
        """The trunks for images, and what the images pass through before.

        Parameters
        ----------
        views : list of {"sketch", "image"}

        Returns
        -------
        trunks : dict of str to nn.Module
        frozen : dict of str to nn.Module
            Of the same views, or empty. It is never trained and always in eval mode, and its
            outputs are what the trunks read; one module may stand for both views.
        """
        return {view: self.make_trunk(view) for view in views}, {}

    def start_weights(self, settings: dict[str, Any]) -> dict[str, np.ndarray]:
        """Weights to start the training from, by their names in the network; others are random.

        Parameters
        ----------
        settings : dict
            Of the network, as of `build`.

        Raises
        ------
        ValueError
            If they cannot be read. This is asked before any image is.
        """
        return {}

    def build(self, settings: dict[str, Any]) -> TripleNetwork:
        """The networks with random weights.

        Parameters
        ----------
        settings : dict
            n_bits; n_categories, if the heads give a number a category and not a bit, or None;
            views, the views with a hash function; inputs, a dict view -> "images" or the
            number of features, which may name sketches for the sake of tokens alone; uses_tokens;
            readout, "categories", or "features" if the bits are read out of the trunks' features.
        """
        n_bits, inputs, views = (settings[name] for name in ("n_bits", "inputs", "views"))
        readout, n_out = None, n_bits
        if settings["n_categories"] is not None:
            n_out = settings["n_categories"]
            readout = CategoryReadout(views, n_out, n_bits)
        trunks = {view: FeatureTrunk(n) for view, n in inputs.items() if n != "images"}
        frozen = {}
        if not trunks:
            trunks, frozen = self.make_trunks(list(inputs))
        c1, c2 = trunks.get("image"), trunks.get("sketch")
        token_trunk = None
        if settings["uses_tokens"]:
            token_trunk = c2
            if self.weight_sharing != "all":
                token_trunk = TokenTrunk(c2, shared=self.weight_sharing == "convolutions")
        if token_trunk is not c2 and "sketch" not in views:
            # C2 is there for its convolutions alone, or not at all: what nothing reads is not
            # trained.
            c2.norms.requires_grad_(False)
            c2.convolutions.requires_grad_(self.weight_sharing == "convolutions")
        shapes = {}
        if "sketch" in views:
            shapes["sketch"] = c2.out_shape
        if c1 is not None:
            shapes["image"] = c1.out_shape
            if settings["uses_tokens"]:
                shapes["image"] = (c1.out_shape[0] + c2.out_shape[0], *c1.out_shape[1:])
        if "images" in inputs.values():
            heads = self.make_heads(shapes, n_out)
        else:
            heads = {v: LinearHead(shape, n_out, FEATURE_DROPOUT) for v, shape in shapes.items()}
        network = TripleNetwork(
            c1,
            c2,
            heads.get("sketch"),
            heads.get("image"),
            token_trunk=token_trunk,
            frozen=frozen,
            readout=readout,
            feature_readout=FeatureReadout(
                views, math.prod((c2 if "sketch" in views else c1).out_shape), n_bits
            )
            if settings["readout"] == "features"
            else None,
        )
        return network.to(memory_format=torch.channels_last)

    def make_heads(self, shapes: dict[str, tuple[int, ...]], n_out: int) -> dict[str, nn.Module]:
        """From features to outputs, by view; modules with ``hidden``, all but the last layer.

        Parameters
        ----------
        shapes : dict of str to tuple of int
            Of the features (channels, H, W); of "image", those of photos and of tokens together.
        n_out : int
        """
        kinds, rates = {"sketch": SketchHead, "image": FusionHead}, DROPOUT[self.dropout]
        return {
            view: kinds[view](shape, n_out, self.hidden, rates[view])
            for view, shape in shapes.items()
        }


def describe_network(
    architecture, n_bits, kinds, widths, *, has_tokens, n_categories=None, readout="categories"
):
    """The settings of the networks for some data, for `Architecture.build`.

    Parameters
    ----------
    architecture : Architecture
    n_bits : int
    kinds : dict view -> {"images", "features"}
    widths : dict view -> int
        Numbers of features.
    has_tokens : bool
        Whether photos have tokens, if they are images.
    n_categories : int, default=None
        If the heads give a number a category.
    readout : {"categories", "features"}, default="categories"
        What the bits are read out of.
    """
    architecture.check(kinds)
    if readout == "features" and not (architecture.shares_features and "images" in kinds.values()):
        raise ValueError(
            "readout='features' compares the features of sketches and of photos, which one trained "
            "network must give: it is for images and architecture='pretrained' with "
            f"trained='last' or 'all', not for {architecture!r} and {sorted(set(kinds.values()))}."
        )
    uses_tokens = kinds.get("image") == "images" and has_tokens
    inputs = {view: widths[view] if kind == "features" else kind for view, kind in kinds.items()}
    if uses_tokens:
        inputs.setdefault("sketch", "images")
    return {
        "n_bits": int(n_bits),
        "n_categories": n_categories,
        "views": list(kinds),
        "inputs": inputs,
        "uses_tokens": uses_tokens,
        "readout": readout,
    }
