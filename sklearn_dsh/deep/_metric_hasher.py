"""Siamese and triplet networks: one space for sketches and photos, learned from distances."""

import os
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import LOSS_CONSTRAINTS, BaseDeepHasher
from ._fit import fit_networks
from ._rounds import LossOnly
from .architectures import Architecture

MARGINS = {"triplet": 0.3, "contrastive": 1.0}


class DeepMetricHasher(BaseDeepHasher):
    """Siamese or triplet networks: real-valued references, and the signs of their outputs.

    The networks of :class:`~sklearn_dsh.DeepSketchHasher`, with sketch tokens, put sketches and
    photos on the unit sphere of ``n_bits`` dimensions, where the distance d of a sketch and a
    photo is small within a category and large between two:

    * "triplet" [1]_: ``max(0, margin + d(sketch, same) - d(sketch, other))``, the mean of all
      triplets of a batch that are not zero [2]_;
    * "contrastive", the Siamese network [3]_: ``d^2`` within a category and
      ``max(0, margin - d)^2`` between two, the mean of both kinds of pairs in equal parts.

    ``project`` gives the points on the sphere, for search by Euclidean distance, which is what the
    methods are: `n_bits` floats an item. ``transform`` gives their signs.

    ``fit`` and ``score`` take the forms of every hasher: ``(X_sk, X_img, (y_sk, y_img))``,
    ``(X_sk, X_img, y)``, or ``(X, y)`` with a :class:`~sklearn_dsh.SketchImageArray` or the rows
    of one view.

    Parameters
    ----------
    n_bits : int, default=64
        Dimensions of the space, and length of the codes.
    loss : {"triplet", "contrastive"}, default="triplet"
        What is minimised.
    margin : float or "auto", default="auto"
        Between 0 and 2, the largest distance on the sphere. "auto": 0.3 for triplets, else 1.
    architecture : {"compact", "paper", "pretrained"} or Architecture, default="compact"
        The networks, as in DeepSketchHasher.
    sketch_tokens : "auto", None, callable or transformer, default="auto"
        As in DeepSketchHasher.
    max_iter : int, default=3
        Times ``steps_per_iter`` is the number of gradient steps.
    steps_per_iter : int, list of int or "auto", default="auto"
        "auto": as in DeepSketchHasher.
    batch_size : int, default=32
        Items of each view in one gradient step.
    learning_rate : float, default=1e-3
        The largest rate of AdamW, reached after a warm-up.
    augment : bool, default=True
        While training, flip and deform images, vary stroke widths and colours, erase parts of
        photos. Photos are not mixed.
    checkpoint_dir : str or path-like, default=None
        As in DeepSketchHasher.
    n_jobs : int, default=None
        Processes that decode files ahead of the networks, and threads that draw tokens.
    device : str, default="auto"
        "auto" takes CUDA when torch sees it, else the CPU; or a torch device name.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState instance or None, default=None
        An int gives the same codes again on the same machine with the same number of threads.

    Attributes
    ----------
    n_iter_ : int
        Times ``steps_per_iter`` steps that were run.
    loss_curve_ : list of float
        The loss of every gradient step.
    classes_, n_features_in_, feature_names_in_, view_shapes_, views_
        See :class:`~sklearn_dsh.base.BaseCrossModalHasher`.
    weights_, architecture_, network_settings_, sketch_tokens_
        See :class:`~sklearn_dsh.DeepSketchHasher`.

    References
    ----------
    .. [1] P. Sangkloy, N. Burnell, C. Ham, J. Hays, "The Sketchy Database: Learning to Retrieve
       Badly Drawn Bunnies", SIGGRAPH 2016.
    .. [2] A. Hermans, L. Beyer, B. Leibe, "In Defense of the Triplet Loss for Person
       Re-Identification", 2017.
    .. [3] Y. Qi, Y.-Z. Song, H. Zhang, J. Liu, "Sketch-based Image Retrieval via Siamese
       Convolutional Neural Network", ICIP 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import DeepMetricHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = np.arange(40) % 2, np.arange(60) % 2
    >>> X_sk = rng.normal(size=(40, 5)) + 3 * y_sk[:, None]
    >>> X_img = rng.normal(size=(60, 8)) - 3 * y_img[:, None]
    >>> hasher = DeepMetricHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.project(X_img, view="image").shape
    (60, 16)
    """

    _parameter_constraints: dict = {
        **LOSS_CONSTRAINTS,
        "loss": [StrOptions(set(MARGINS))],
        "margin": [StrOptions({"auto"}), Interval(Real, 0, 2, closed="neither")],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        loss: Literal["triplet", "contrastive"] = "triplet",
        margin: float | Literal["auto"] = "auto",
        architecture: Literal["compact", "paper", "pretrained"] | Architecture = "compact",
        sketch_tokens: Any = "auto",
        max_iter: int = 3,
        steps_per_iter: int | Sequence[int] | Literal["auto"] = "auto",
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        augment: bool = True,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.loss = loss
        self.margin = margin
        self.architecture = architecture
        self.sketch_tokens = sketch_tokens
        self.max_iter = max_iter
        self.steps_per_iter = steps_per_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _fit_views(self, data):
        margin = MARGINS[self.loss] if self.margin == "auto" else self.margin

        def make_metric(labels, random_state):
            return Metric(list(labels), self.loss, margin)

        fitted, _ = fit_networks(self, data, make_metric)
        del fitted["objective_curve_"]  # no codes, no objective of theirs
        self._keep(fitted)

    def _project_view(self, X, view):
        return normalize(super()._project_view(X, view), copy=False)


class Metric(LossOnly):
    """The losses of distances: see `alternate` for what is called when.

    Parameters
    ----------
    views : list of str
        With one view alone, its items stand on both sides.
    kind : {"triplet", "contrastive"}
    margin : float
    """

    def __init__(self, views, kind, margin):
        self.views, self.margin = views, margin
        self.of_distances = {"triplet": triplet_loss, "contrastive": contrastive_loss}[kind]

    def make_loss(self, device):
        first, last = self.views[0], self.views[-1]

        def loss(outputs, drawn):
            points = {view: torch.nn.functional.normalize(outputs[view]) for view in self.views}
            a, b = points[first], points[last]
            # On the sphere; the square root has no gradient at zero.
            distances = (2 - 2 * a @ b.T).clamp_min(1e-6).sqrt()
            same = drawn[first].labels[:, None] == drawn[last].labels
            compared = torch.ones_like(same)
            if first == last:  # an item says nothing about itself, nor does its repetition
                rows = drawn[first].rows
                compared = torch.from_numpy(rows[:, None] != rows).to(device)
            return self.of_distances(distances, same & compared, ~same, self.margin)

        return loss


def triplet_loss(distances, same, other, margin):
    """Mean of the triplets (row, column of its category, column of another) that are not zero."""
    losses = (margin + distances[:, :, None] - distances[:, None, :]).clamp_min(0)
    losses = losses * (same[:, :, None] & other[:, None, :])
    return losses.sum() / (losses > 0).sum().clamp_min(1)


def contrastive_loss(distances, same, other, margin):
    """Mean pull of the pairs of one category and mean push of the others, in equal parts."""
    pull = (distances.square() * same).sum() / same.sum().clamp_min(1)
    push = ((margin - distances).clamp_min(0).square() * other).sum() / other.sum().clamp_min(1)
    return (pull + push) / 2
