"""Deep Cross-Modal Hashing (Jiang and Li, CVPR 2017)."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from torch.nn import functional

from .._pairs import draw_pairs
from ._base import LOSS_CONSTRAINTS, BaseDeepHasher
from ._fit import fit_networks
from ._rounds import LossOnly
from .architectures import Architecture

ROWS_AT_ONCE = 512  # of the objective's comparisons
START = 3.0  # T of two similar items before the first round


class DCMHHasher(BaseDeepHasher):
    """Deep cross-modal hashing: codes from the likelihood of pairwise similarities.

    With F and G the outputs of the two networks (bits by items), B the codes of the pairs, and S
    whose entries say whether two items are of one category, the method minimises [1]_

    ``- sum_ij (S_ij T_ij - log(1 + exp(T_ij))) + gamma (||B - F||^2 + ||B - G||^2) + eta
    (||F 1||^2 + ||G 1||^2)``, where ``T = F' G / 2``,

    by gradient steps in F and G, and ``B = sign(F + G)`` after each round of them. As in the
    paper, a step compares the items of a batch with the latest outputs for all items of the other
    view, which are kept. Networks and training are those of
    :class:`~sklearn_dsh.DeepSketchHasher`, with sketch tokens, but without its helper losses and
    mixed photos.

    The paper starts from networks that know images. Here they start from random weights, for which
    three things differ, or nothing is learned: F and G begin at one random vector a category, with
    T = 3 for similar items, in place of one an item, and stand for the outputs of the other view
    throughout the first round; the sums of the balance are estimated from the batch, since those of
    outputs that were kept come too late and let the training diverge; and `eta` is smaller.

    The method is defined for pairs: where the views are not paired, pairs are drawn within the
    categories.

    ``fit`` and ``score`` take the forms of every hasher: ``(X_sk, X_img, (y_sk, y_img))``,
    ``(X_sk, X_img, y)``, or ``(X, y)`` with a :class:`~sklearn_dsh.SketchImageArray` or the rows
    of one view.

    Parameters
    ----------
    n_bits : int, default=64
        Length of the codes.
    gamma : float, default=1.0
        Weight of the quantisation.
    eta : float, default=0.1
        Weight of the balance: every bit 1 for half of the items. 1 in the paper.
    n_pairs : int or "auto", default="auto"
        How many pairs to draw where the views are not paired. "auto": of each category that both
        views have, as many as it has rows in the larger of its views.
    architecture : {"compact", "paper", "pretrained"} or Architecture, default="compact"
        The networks, as in DeepSketchHasher.
    sketch_tokens : "auto", None, callable or transformer, default="auto"
        As in DeepSketchHasher.
    max_iter : int, default=3
        Rounds: gradient steps, then new codes.
    steps_per_iter : int, list of int or "auto", default="auto"
        Gradient steps of one round, or of each. "auto": as in DeepSketchHasher.
    batch_size : int, default=32
        Pairs in one gradient step.
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
        Rounds run.
    loss_curve_ : list of float
        The loss of every gradient step, divided by the number of comparisons in it.
    objective_curve_ : list of float
        The objective after the codes of each round, divided by the number of pairs squared.
    classes_, n_features_in_, feature_names_in_, view_shapes_, views_
        See :class:`~sklearn_dsh.base.BaseCrossModalHasher`.
    weights_, architecture_, network_settings_, sketch_tokens_
        See :class:`~sklearn_dsh.DeepSketchHasher`.

    References
    ----------
    .. [1] Q.-Y. Jiang, W.-J. Li, "Deep Cross-Modal Hashing", CVPR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import DCMHHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = np.arange(40) % 2, np.arange(60) % 2
    >>> X_sk = rng.normal(size=(40, 5)) + 3 * y_sk[:, None]
    >>> X_img = rng.normal(size=(60, 8)) - 3 * y_img[:, None]
    >>> hasher = DCMHHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (60, 2)
    """

    _parameter_constraints: dict = {
        **LOSS_CONSTRAINTS,
        "gamma": [Interval(Real, 0, None, closed="left")],
        "eta": [Interval(Real, 0, None, closed="left")],
        "n_pairs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        gamma: float = 1.0,
        eta: float = 0.1,
        n_pairs: int | Literal["auto"] = "auto",
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
        self.gamma = gamma
        self.eta = eta
        self.n_pairs = n_pairs
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
        def make_likelihood(labels, random_state):
            return PairLikelihood(labels, self.n_bits, self.gamma, self.eta, random_state)

        def choose_pairs():
            """Rows of both views, so that row i of each is of one category."""
            random_state = check_random_state(self.random_state)
            rows = draw_pairs(data.y_sketch, data.y_image, self.n_pairs, random_state)
            return dict(zip(data.views, rows, strict=True))

        are_drawn = len(data.views) == 2 and not data.paired
        fitted, _ = fit_networks(
            self, data, make_likelihood, choose_rows=choose_pairs if are_drawn else None
        )
        self._keep(fitted)


class PairLikelihood(LossOnly):
    """F, G and B over the rounds of a fit: see `alternate` for what is called when.

    With one view alone, that view stands on both sides.

    Parameters
    ----------
    labels : dict view -> int array (n_pairs,), the same for both
    n_bits : int
    gamma, eta : float
    random_state : RandomState
    """

    paired, updates = True, True

    def __init__(self, labels, n_bits, gamma, eta, random_state):
        self.labels, self.gamma, self.eta = next(iter(labels.values())), gamma, eta
        # From a random vector for every item, networks with random weights come to tell one
        # category, which is the easiest, from all the others, or nothing.
        start = random_state.randn(1 + self.labels.max(), n_bits) * np.sqrt(2 * START / n_bits)
        self.outputs = dict.fromkeys(labels, start.astype(np.float32)[self.labels])
        self.codes, self.trained, self.kept = None, False, None

    def update(self, outputs=None):
        """B of the networks' outputs (n_pairs, n_bits); the objective, a pair of items."""
        if outputs is not None:
            self.outputs, self.trained = outputs, True
        self.codes = np.where(sum(self.outputs.values()) >= 0, 1, -1).astype(np.int8)
        return self.objective()

    def objective(self):
        """What is minimised, divided by the number of pairs squared."""
        f, g = (x.astype(np.float64) for x in self._both_sides())
        total = sum(
            self.gamma * np.sum((self.codes - x) ** 2) + self.eta * np.sum(x.sum(axis=0) ** 2)
            for x in (f, g)
        )
        for rows in gen_batches(len(f), ROWS_AT_ONCE):
            halves = f[rows] @ g.T / 2
            similar = self.labels[rows, None] == self.labels
            total += np.logaddexp(0, halves).sum() - halves[similar].sum()
        return total / len(f) ** 2

    def make_loss(self, device):
        """What the networks are trained with until the next update."""
        outputs = [torch.from_numpy(x).to(device, copy=True) for x in self._both_sides()]
        self.kept = outputs  # those of items whose turn came are changed in every step
        labels, codes = (torch.from_numpy(x).to(device) for x in (self.labels, self.codes))
        views = list(self.outputs)
        sides = [(views[0], outputs[0], outputs[1]), (views[-1], outputs[1], outputs[0])]

        def loss(outputs, drawn):
            rows = torch.from_numpy(drawn[views[0]].rows).to(device)
            if self.trained:  # before, outputs are too small to learn from
                for view, own, _ in sides:
                    own[rows] = outputs[view].detach()
            similar = (labels[rows, None] == labels).float()
            total = 0.0
            for view, _, other in sides[: len(views)]:
                x = outputs[view]
                halves = x @ other.T / 2
                total = total + (functional.softplus(halves) - similar * halves).sum()
                total = total + self.gamma * (codes[rows] - x).square().sum()
                # Its gradient is that of all rows, estimated: kept outputs of others are too old.
                total = total + self.eta * len(other) / len(x) * x.sum(dim=0).square().sum()
            return total / similar.numel()

        return loss

    def state_dict(self):
        """All that decides the steps to come, those of a round that has begun, too."""
        first, last = self.kept
        return {
            "codes": torch.from_numpy(self.codes),
            "outputs": {"first": first.cpu(), "last": last.cpu()},
            "trained": self.trained,
        }

    def load_state_dict(self, state):
        self.codes, self.trained = state["codes"].numpy(), state["trained"]
        views, outputs = list(self.outputs), state["outputs"]
        self.outputs = {view: outputs["first"].numpy() for view in views}
        if len(views) == 2:
            self.outputs[views[1]] = outputs["last"].numpy()

    def _both_sides(self):
        sides = list(self.outputs.values())
        return sides[0], sides[-1]
