"""Networks that start from one that knows images."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ...views import VIEWS
from .._networks import FeatureTrunk, LinearHead, Same
from ._architecture import FEATURE_DROPOUT, Architecture
from ._backbone import TRAINED, Backbone
from ._efficientnet_lite import EfficientNetLite0

TUNED_DROPOUT = 0.2  # of the features of a backbone that is trained


class TunedTrunk(nn.Module):
    """What of a backbone is trained: inputs -> features (n, n_features, 1, 1).

    Parameters
    ----------
    tuned : nn.Module
        Gives features (n, n_features).
    n_features : int
    rate : float
        Factor of the learning rate.
    trains_norms : bool
        Whether its batch norms take the statistics of the batches while training.
    """

    def __init__(self, tuned, n_features, rate, trains_norms):
        super().__init__()
        self.tuned, self.rate_factor, self.trains_norms = tuned, rate, trains_norms
        self.out_shape = (n_features, 1, 1)

    def train(self, mode=True):
        super().train(mode)
        if not self.trains_norms:
            for module in self.modules():
                if hasattr(module, "running_mean"):  # batch norms, those of several processes too
                    module.eval()
        return self

    def forward(self, x):
        return self.tuned(x)[:, :, None, None]


class Pretrained(Architecture):
    """Networks that begin with a backbone that knows images.

    What ``architecture="pretrained"`` stands for. One backbone reads sketches, tokens and photos;
    a fully connected layer or two follow.

    With ``trained="none"`` every item passes the backbone once in each of its `n_versions`, and
    only what follows is trained: the fit costs little more than these passes. With "last" the
    items pass the lower stages once, whose outputs are kept, and the upper stages are trained with
    what follows. With "all" the whole backbone is, on images that are changed anew in every step,
    which wants a GPU.

    Parameters
    ----------
    backbone : Backbone, default=None
        None: :class:`~sklearn_dsh.EfficientNetLite0`, from ImageNet.
    size : int, default=None
        Side in pixels at which images are read, 32 or more. None: that of the backbone.
    trained : {"none", "last", "all"}, default="last"
        What of the backbone is trained: nothing, its last stages or everything.
    rate : float, default=0.2
        Factor of the hasher's learning rate for what of the backbone is trained.
    trains_norms : bool, default=False
        Whether batch norms of the backbone that are trained take the statistics of the batches.
        (`EfficientNetLite0` has none: they are folded into its convolutions.)
    n_versions : int, default=4
        Versions of each image that pass what is not trained, while the hasher augments: 1, as it
        is; 2, mirrored, too; more, randomly warped.
    polarity : {"dark", "bright", "auto"}, default="dark"
        What the strokes of the sketches that are given are: dark on white; bright on black, which
        are turned round; "auto" looks at each, and turns those round that are mostly dark.

    See Also
    --------
    TorchBackbone : Networks of other packages.
    Compact : Networks that start from nothing.

    Examples
    --------
    >>> from sklearn_dsh import DeepSketchHasher, EfficientNetLite0, Pretrained
    >>> hasher = DeepSketchHasher(64, architecture=Pretrained(EfficientNetLite0(size=192)))
    >>> hasher.set_params(architecture__size=224).architecture.sizes()
    {'sketch': 224, 'image': 224}
    """

    # Sketches and photos meet in the backbone already; edges were measured to cost a little.
    tokens_pay = False

    def __init__(
        self,
        backbone: Backbone | None = None,
        *,
        size: int | None = None,
        trained: Literal["none", "last", "all"] = "last",
        rate: float = 0.2,
        trains_norms: bool = False,
        n_versions: int = 4,
        polarity: Literal["dark", "bright", "auto"] = "dark",
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.trained = trained
        self.rate = rate
        self.trains_norms = trains_norms
        self.n_versions = n_versions
        self.polarity = polarity

    @property
    def has_frozen(self):
        return self._backbone().has_frozen(self.trained)

    @property
    def shares_features(self):
        return self.trained != "none"

    @property
    def trained_part(self):
        return "features" if self.trained == "none" else "backbone"

    def _backbone(self):
        return EfficientNetLite0() if self.backbone is None else self.backbone

    def _side(self):
        return self._backbone().size if self.size is None else self.size

    def check(self, kinds: dict[str, str]) -> None:
        super().check(kinds)
        self._check_choice("trained", TRAINED)
        if not isinstance(self._backbone(), Backbone):
            raise TypeError(
                f"Pretrained: backbone must be None or a Backbone, got {self.backbone!r}. Put "
                "another network into TorchBackbone."
            )
        self._check_size(self._side())
        if not isinstance(self.rate, Real) or not self.rate > 0:
            raise ValueError(f"Pretrained: rate must be a positive number, got {self.rate!r}.")
        if not isinstance(self.n_versions, Integral) or self.n_versions < 1:
            raise ValueError(
                f"Pretrained: n_versions must be an integer of 1 or more, got {self.n_versions!r}."
            )
        self.pixels()

    def sizes(self) -> dict[str, int]:
        return dict.fromkeys(VIEWS, int(self._side()))

    def pixels(self) -> dict[str, dict[str, Any] | None]:
        return dict.fromkeys(VIEWS, self._backbone().pixels())

    def make_trunks(self, views: list[str]) -> tuple[dict[str, nn.Module], dict[str, nn.Module]]:
        frozen, tuned = self._backbone().make_parts(self.trained)
        n_features = _count_features(frozen, tuned, self._side())
        if tuned is None:
            trunks = {view: FeatureTrunk(n_features) for view in views}
        else:
            trunk = TunedTrunk(tuned, n_features, float(self.rate), self.trains_norms)
            # One for both: what photos have few of to learn from, sketches teach it, too.
            trunks = {view: Same(trunk) if i else trunk for i, view in enumerate(views)}
        return trunks, {} if frozen is None else dict.fromkeys(views, frozen)

    def make_heads(self, shapes: dict[str, tuple[int, ...]], n_out: int) -> dict[str, nn.Module]:
        is_tuned = self.trained != "none"
        rate = TUNED_DROPOUT if is_tuned else FEATURE_DROPOUT
        heads = {view: LinearHead(shape, n_out, rate) for view, shape in shapes.items()}
        if is_tuned and len(set(shapes.values())) == 1:
            first, *others = heads
            heads |= {view: Same(heads[first]) for view in others}
        return heads

    def start_weights(self, settings: dict[str, Any]) -> dict[str, np.ndarray]:
        inputs = settings["inputs"]
        if "images" not in inputs.values():
            return {}
        frozen, tuned = self._backbone().start_weights(self.trained)
        trunk = {"sketch": "c2", "image": "c1"}[next(iter(inputs))]
        return {f"frozen.0.{name}": value for name, value in frozen.items()} | {
            f"{trunk}.tuned.{name}": value for name, value in tuned.items()
        }


def _count_features(frozen, tuned, side):
    """Length of what comes out of both parts, whichever there are."""
    parts = [part for part in (frozen, tuned) if part is not None]
    first = next((p for part in parts for p in part.parameters()), torch.empty(0))
    with torch.inference_mode():
        x = torch.zeros(1, 3, side, side, device=first.device)
        for part in parts:
            x = part.eval()(x)
    return x.shape[1]
