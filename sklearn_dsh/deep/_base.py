"""What deep hashers share: the settings of their training, and encoding with trained networks."""

import os
from numbers import Integral, Real
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._devices import resolve_device, resolve_encoding_device
from ..base import BaseCrossModalHasher
from ._batches import kind_of, make_source, make_tokens, wants_tokens
from ._computing import compute_outputs
from ._encoder import Encoder
from ._fit import check_settings
from ._optimizer import PRECISIONS, SCHEDULES
from ._polarity import check_strokes
from ._reading import told_of_readers
from ._weights import cached_network, count_bytes, from_arrays, shapes_of
from .architectures import BY_NAME, Architecture, describe_network, resolve_architecture


class BaseDeepHasher(BaseCrossModalHasher):
    """Base class of the hashers whose networks are trained by `fit_networks`.

    What is a class attribute here is a setting that a hasher may offer as a parameter; see
    :class:`~sklearn_dsh.DeepSketchHasher` for what each means. To write one, define ``__init__``
    and ``_fit_views``, which calls `fit_networks`.
    """

    _view_kinds = ("features", "images", "paths")
    _label_use = "required"

    _tells_categories = False  # whether the networks' heads give a number a category
    several_processes = False  # whether processes may share a batch
    architecture = "compact"
    readout = "categories"
    sketch_tokens = "auto"
    schedule = "cosine"
    weight_decay = 0.05
    max_grad_norm = None
    precision = "auto"
    compile = False
    augment = True
    class_balanced = True
    auxiliary_weight = 0.0
    ema_decay = None
    validation_fraction = None
    n_iter_no_change = None
    checkpoint_dir = None
    cache_size = 1024
    cache_dir = None
    n_jobs = None
    device = "auto"
    verbose = 0

    _parameter_constraints: dict = {
        **BaseCrossModalHasher._parameter_constraints,
        "architecture": [StrOptions(set(BY_NAME)), Architecture],
        "sketch_tokens": [StrOptions({"auto"}), None, callable, HasMethods("transform")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "steps_per_iter": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "schedule": [StrOptions(set(SCHEDULES))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [None, Interval(Real, 0, None, closed="neither")],
        "precision": [StrOptions({"auto", *PRECISIONS})],
        "compile": ["boolean"],
        "augment": ["boolean"],
        "class_balanced": ["boolean"],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "ema_decay": [None, Interval(Real, 0, 1, closed="neither")],
        "validation_fraction": [
            None,
            Interval(Real, 0, 1, closed="neither"),
            HasMethods(["split", "get_n_splits"]),
        ],
        "n_iter_no_change": [None, Interval(Integral, 1, None, closed="left")],
        "checkpoint_dir": [str, os.PathLike, None],
        "cache_size": [Interval(Real, 0, None, closed="left")],
        "cache_dir": [str, os.PathLike, None],
        "n_jobs": [None, Integral],
        "device": [str],
        "verbose": ["verbose"],
    }

    def __setstate__(self, state):
        weights, settings = state.get("weights_", {}), state.get("network_settings_", ())
        reads_codes = any(name.startswith("readout.codes_") for name in weights)
        is_older = "readout" not in settings or (
            reads_codes and "readout.temperature" not in weights
        )
        if weights and is_older:
            raise ValueError(
                f"This {type(self).__name__} was fitted by an earlier version, with networks that "
                "were described otherwise: fit it again."
            )
        super().__setstate__(state)

    def _check_loaded(self):
        """ValueError if the weights of a file are not those of the networks that it describes."""
        if not hasattr(self, "weights_"):
            return
        expected = shapes_of(lambda: self.architecture_.build(self.network_settings_))
        held = {name: value.shape for name, value in self.weights_.items()}
        differ = sorted(
            name for name in expected.keys() | held if expected.get(name) != held.get(name)
        )
        if differ:
            raise ValueError(
                f"the networks that {self.architecture_!r} makes have not the weights of the file: "
                f"{len(differ)} differ, {differ[0]!r} among them"
            )

    def _keep(self, fitted):
        """Set the fitted attributes of a dict."""
        for name, value in fitted.items():
            setattr(self, name, value)

    def _check_for_images(self):
        """ValueError for what of the parameters `fit` on images would refuse, whatever they are."""
        kinds = dict.fromkeys(("sketch", "image"), "images")
        resolve_architecture(self.architecture).check(kinds)
        resolve_device(self.device)
        check_settings(self)

    def _about_weight_bytes(self, n_categories):
        """What the networks for images take."""
        architecture = resolve_architecture(self.architecture)
        settings = describe_network(
            architecture,
            self.n_bits,
            dict.fromkeys(("sketch", "image"), "images"),
            {},
            has_tokens=wants_tokens(self.sketch_tokens, architecture),
            n_categories=n_categories if self._tells_categories else None,
            readout=self.readout,
        )
        return count_bytes(lambda: architecture.build(settings), kept=True)

    def build_network(self) -> torch.nn.Module:
        """The trained networks as a torch module, in eval mode, on ``device``.

        Returns
        -------
        network : torch.nn.Module
            With ``sketch(x)`` for x of shape (n, 1, size, size) in [0, 1], strokes 1, and
            ``image(photos, tokens)`` for photos (n, 3, size, size) in [-1, 1] and tokens like
            sketches; both return (n, n_bits), the values before the sign. The paper's networks
            (:class:`~sklearn_dsh.Paper`, `from_caffemodel`) read sketches and tokens of shape
            (n, 3, 200, 200) and photos of shape (n, 3, 227, 227), with the pixels of the authors'
            files: channels in the order blue, green, red unless said otherwise, 0 to 255 less
            their mean, strokes dark. Pretrained networks read all as three channels of the size
            of their backbone, prepared as ``architecture_.pixels()`` says. Feature vectors are
            read as they are. The module is a copy: changing it does not change the hasher.
        """
        check_is_fitted(self)
        return self._rebuild_network().to(resolve_encoding_device(self.device))

    def _encoder(self, view):
        """The networks of a view with their preprocessing, and the shape of a row of theirs.

        Images come in the networks' own size, to which `transform` brings them.
        """
        shape, architecture = self.view_shapes_[view], self.architecture_
        if len(shape) > 1:
            if view == "image" and self.sketch_tokens_ is not None and self.readout != "features":
                raise ValueError(
                    f"Photos are encoded with sketch tokens, which {self.sketch_tokens_!r} makes "
                    "in NumPy: they cannot leave the library. Fit with sketch_tokens=None."
                )
            side = architecture.sizes()[view]
            shape = (side, side) if view == "sketch" else (side, side, 3)
        pixels = architecture.pixels()[view]
        return Encoder(self._rebuild_network(), view, pixels, architecture.polarity), shape

    def _rebuild_network(self):
        with torch.device("meta"):  # only names and shapes: no random weights to be replaced
            network = self.architecture_.build(self.network_settings_)
        network = from_arrays(network, self.weights_).to(memory_format=torch.channels_last)
        return network.eval()

    def _image_size(self, view):
        return resolve_architecture(self.architecture).sizes()[view]

    def features(
        self, X: ArrayLike, view: Literal["sketch", "image"] | None = None
    ) -> NDArray[np.float32]:
        """What the last hidden layer of the trained networks gives: learned features.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...)
            Rows of one view.
        view : {"sketch", "image"}, default=None
            As in `transform`.

        Returns
        -------
        features : ndarray of float32 of shape (n_rows, n_features)
            Of the compact networks 256 for sketches and 512 for photos, not negative.

        Raises
        ------
        ValueError
            As in `transform`.
        """
        check_is_fitted(self)
        view = self._view_of(X) if view is None else view
        rows = self._check_fitted_rows(X, view)
        self._look_at_strokes(rows, view)
        network = self.build_network()
        network.readout = network.feature_readout = None
        head = network.sketch_head if view == "sketch" else network.image_head
        head.forward = head.hidden
        return self._compute(network, rows, view, resolve_encoding_device(self.device))

    def _project_view(self, X, view):
        self._look_at_strokes(X, view)
        device = resolve_encoding_device(self.device)
        network = cached_network(
            self, self.weights_, device, lambda: self._rebuild_network().to(device)
        )
        return self._compute(network, X, view, device)

    def _look_at_strokes(self, X, view):
        if view == "sketch" and kind_of(X) == "images":
            check_strokes(X, self.architecture_)

    @told_of_readers()
    def _compute(self, network, X, view, device):
        sizes = self.architecture_.sizes()

        def tokens(rows, photos):
            if self.sketch_tokens_ is None or network.feature_readout is not None:
                return None
            return make_tokens(self.sketch_tokens_, photos, sizes["sketch"], self.n_jobs)

        source = make_source(X, view, sizes[view], self.architecture_.polarity)
        return compute_outputs(
            network,
            source,
            view,
            device,
            tokens=tokens,
            pixels=self.architecture_.pixels(),
            n_jobs=self.n_jobs,
        )


# What the hashers offer that differ from Deep Sketch Hashing in their loss alone.
LOSS_CONSTRAINTS = {
    name: BaseDeepHasher._parameter_constraints[name]
    for name in (
        "n_bits", "architecture", "sketch_tokens", "max_iter", "steps_per_iter", "batch_size",
        "learning_rate", "augment", "checkpoint_dir", "n_jobs", "device", "verbose", "random_state",
    )
}  # fmt: skip
