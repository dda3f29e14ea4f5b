"""The contract of a pretrained backbone."""

from typing import Any, Literal, get_args

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from ..._documentation import DocumentationLink
from .._pixels import describe_pixels

Trained = Literal["none", "last", "all"]  # what of a backbone is
TRAINED = get_args(Trained)


class Backbone(DocumentationLink, BaseEstimator):
    """Base class: a network that knows images, with its weights and how its pixels are prepared.

    It reads three channels of ``size`` x ``size`` pixels, from 0 to 255 in the order ``order``,
    less ``mean``, times ``scale``, and gives a vector of features an image. Like an
    :class:`~sklearn_dsh.Architecture`, it loads nothing when it is made.

    To write one, define `make_parts`, and the attributes or parameters named here.
    """

    size = 224
    order = "rgb"
    mean = 127.5
    scale = 1 / 127.5
    strokes = "dark"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_params() == other.get_params()

    __hash__ = None

    def pixels(self) -> dict[str, Any]:
        """How pixels are prepared, as `describe_pixels` says."""
        return describe_pixels(self.order, self.mean, self.scale, self.strokes)

    def has_frozen(self, trained: Trained) -> bool:
        """Whether `make_parts` gives a part that is never trained."""
        return trained != "all"

    def make_parts(self, trained: Trained) -> tuple[nn.Module | None, nn.Module | None]:
        """The part that is never trained, and what is trained and reads its outputs.

        Parameters
        ----------
        trained : {"none", "last", "all"}
            What is trained. "none": the second part is None. "all": the first is.

        Returns
        -------
        frozen, tuned : nn.Module or None
            The last of them gives features (n, n_features).
        """
        raise NotImplementedError

    def start_weights(
        self, trained: Trained
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The weights of both parts, if `make_parts` leaves them random, by name.

        Raises
        ------
        ImportError
            If the package with the weights is not installed.
        ValueError
            If the file with the weights is another.
        """
        return {}, {}
