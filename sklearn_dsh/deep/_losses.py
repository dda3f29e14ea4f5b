"""What the networks' step minimises: the outputs follow the codes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

LABEL_SMOOTHING = 0.05
REGRESSION_WEIGHT = 0.3


@dataclass
class Drawn:
    """The items of one view whose outputs a step gives.

    Attributes
    ----------
    rows : int array (n,)
        Of the training set.
    labels : long tensor (n,)
    weight : float32 tensor () or None
        Item i was mixed as ``weight * i + (1 - weight) * partner``; None if none was.
    partner_rows : int array (n,), or None
    partner_labels : long tensor (n,), or None
    """

    rows: np.ndarray
    labels: torch.Tensor
    weight: torch.Tensor | None = None
    partner_rows: np.ndarray | None = None
    partner_labels: torch.Tensor | None = None

    def mix(self, values):
        """The items' rows of an array (n_view, ...), mixed as they were, as float32 tensor."""

        def take(rows):
            return torch.from_numpy(values[rows]).to(self.labels.device, torch.float32)

        if self.weight is None:
            return take(self.rows)
        return self.weight * take(self.rows) + (1 - self.weight) * take(self.partner_rows)

    def cross_entropy(self, logits):
        """Of the labels, smoothed, and mixed as the items were."""

        def loss(labels):
            return functional.cross_entropy(
                logits, labels, label_smoothing=LABEL_SMOOTHING, reduction="none"
            )

        value = loss(self.labels)
        if self.weight is not None:
            value = self.weight * value + (1 - self.weight) * loss(self.partner_labels)
        return value.mean()


class CodeLoss:
    """The outputs of a step follow the codes: what `NetworkTrainer.run` takes.

    Parameters
    ----------
    item_codes : dict view -> int8 array (n_view, n_bits)
    category_codes : dict view -> int8 array (n_categories, n_bits)
    kind : {"cross_entropy", "regression"}
    extra : float
        Weight of the helper losses, of tokens as sketches and of C1 on its own.
    device : torch.device
    """

    def __init__(self, item_codes, category_codes, kind, extra, device):
        self.item_codes, self.kind, self.extra = item_codes, kind, extra
        self.category_codes = {
            view: torch.from_numpy(codes).to(device, torch.float32)
            for view, codes in category_codes.items()
        }

    def __call__(self, outputs, drawn):
        """The loss of one step.

        Parameters
        ----------
        outputs : dict of float32 tensors (n, n_bits), "helper" (n, n_categories)
        drawn : dict view -> Drawn
        """
        loss = 0.0
        for name, view, weight in (
            ("sketch", "sketch", 1.0),
            ("token", "image", self.extra),
            ("image", "image", 1.0),
        ):
            if name in outputs:
                codes = drawn[view].mix(self.item_codes[view])
                value = code_loss(
                    outputs[name], codes, drawn[view], self.category_codes[view], self.kind
                )
                loss = loss + weight * value
        if "helper" in outputs:
            loss = loss + self.extra * drawn["image"].cross_entropy(outputs["helper"])
        return loss


def code_loss(outputs, codes, drawn, category_codes, kind):
    """Loss of the outputs of one view.

    "regression" is the network step of the paper: the squared error of the outputs (n, n_bits) to
    the codes. With "cross_entropy" the outputs (n, n_categories) are logits, and the squared error
    is that of the codes they stand for, ``softmax(z) C``: what decides a ranking is which
    category is nearest, not how well each bit is hit.

    Parameters
    ----------
    codes : float tensor (n, n_bits) of -1 and +1, or mixtures of these
        The items' own.
    drawn : Drawn
    category_codes : float tensor (n_categories, n_bits)
    """
    if kind == "regression":
        return functional.mse_loss(outputs, codes)
    squared = functional.mse_loss(torch.softmax(outputs, dim=1) @ category_codes, codes)
    return drawn.cross_entropy(outputs) + REGRESSION_WEIGHT * squared
