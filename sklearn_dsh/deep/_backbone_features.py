"""Features of a pretrained backbone, for methods that read vectors."""

from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import StrOptions

from .._devices import resolve_encoding_device
from ..preprocessing._images import ImageInputMixin, check_images
from ._batches import ImageSource, as_tensor, read_blocks
from ._pixels import to_network
from ._polarity import POLARITIES, check_strokes
from ._reading import told_of_readers
from ._weights import cached_network, start_from
from .architectures import Backbone, Pretrained, TorchBackbone, describe_network


class BackboneFeatures(
    ImageInputMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Images or paths to the features of a network that knows images.

    The same for sketches and photos: what :class:`~sklearn_dsh.Pretrained` with
    ``trained="none"`` reads, for every other method. Nothing is learned; `fit` only checks.

    Parameters
    ----------
    backbone : Backbone, default=None
        None: :class:`~sklearn_dsh.EfficientNetLite0`, from ImageNet.
    size : int, default=None
        Side in pixels at which images are read, 32 or more. None: that of the backbone.
    polarity : {"dark", "bright", "auto"}, default="dark"
        Of the strokes of sketches, as in :class:`~sklearn_dsh.Pretrained`.
    n_jobs : int, default=None
        Processes that decode files ahead of the network.
    device : str, default="auto"
        "auto" takes CUDA when torch sees it, else the CPU; or a torch device name.

    See Also
    --------
    HOGFeatures : Histograms of oriented gradients.
    sklearn_dsh.PerView : Applies one transformer per view.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_dsh import BackboneFeatures, TorchBackbone
    >>> backbone = TorchBackbone(torch.nn.Conv2d(3, 8, 5, 4), size=64)
    >>> photos = np.random.default_rng(0).integers(0, 256, (5, 48, 40, 3), dtype=np.uint8)
    >>> BackboneFeatures(backbone).fit_transform(photos).shape
    (5, 8)
    """

    _parameter_constraints = {
        "backbone": [Backbone, None],
        "size": [int, None],
        "polarity": [StrOptions(set(POLARITIES))],
        "n_jobs": [int, None],
        "device": [str],
    }

    def __init__(
        self,
        backbone: Backbone | None = None,
        *,
        size: int | None = None,
        polarity: Literal["dark", "bright", "auto"] = "dark",
        n_jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.polarity = polarity
        self.n_jobs = n_jobs
        self.device = device

    polarity = "dark"  # of those that were pickled before there was another

    def _architecture(self):
        architecture = Pretrained(
            self.backbone, size=self.size, trained="none", polarity=self.polarity
        )
        architecture.check({"image": "images"})
        return architecture

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Check the parameters and the kind of X; nothing is learned.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches, dark on white, or photos, or the files they are in.
        y : Ignored

        Returns
        -------
        self : BackboneFeatures

        Raises
        ------
        ValueError
            If X holds no images.
        """
        check_images(X)
        self._architecture()
        return self

    @told_of_readers()
    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """The features of each image.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches, dark on white, or photos, of any size, or the files they are in.

        Returns
        -------
        features : ndarray of float32, shape (n, n_features_out)

        Raises
        ------
        ValueError
            If X holds no images or a file cannot be read (the path is named).
        ImportError
            If the package with the weights is not installed.
        RuntimeError
            If a process that decodes files was killed.
        """
        self._validate_params()
        X = check_images(X)
        architecture = self._architecture()
        network, pixels = self._network(architecture), architecture.pixels()["image"]
        device = next(network.parameters()).device
        view = "sketch" if X.ndim == 3 else "image"
        if view == "sketch":
            check_strokes(X, architecture)
        parts = []
        with torch.inference_mode():
            for _, batch in read_blocks(
                ImageSource(X, view, architecture.sizes()[view], self.polarity), self.n_jobs
            ):
                parts.append(network(to_network(as_tensor(batch, device), pixels)).cpu().numpy())
        return np.concatenate(parts)

    def _check_loaded(self):
        if isinstance(self.backbone, TorchBackbone) and not self.backbone._has_weights_of_file():
            raise ValueError(
                "the network that was handed over has other weights than the one that was saved, "
                "and BackboneFeatures keeps none of its own"
            )

    def _network(self, architecture):
        """The frozen part alone, kept between calls while the parameters stay."""
        device = resolve_encoding_device(self.device)

        def build():
            settings = describe_network(architecture, 1, {"image": "images"}, {}, has_tokens=False)
            network = architecture.build(settings)
            start_from(network, architecture.start_weights(settings))
            return network.eval().to(device).frozen_part("image")

        return cached_network(self, self.backbone, device, build)

    @property
    def _n_features_out(self):
        architecture = self._architecture()
        trunks, _ = architecture.make_trunks(["image"])
        return trunks["image"].n_features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
