"""What the networks' step minimises: the outputs follow the codes."""

import torch
from torch.nn import functional

LABEL_SMOOTHING = 0.05
SHARPNESS = 8.0
REGRESSION_WEIGHT = 0.3


class Targets:
    """The codes one view's outputs are to follow, with mixup of pairs of rows.

    Parameters
    ----------
    codes : float tensor (n, n_bits) of -1 and +1, the items' own codes
    labels : long tensor (n,)
    weight, partner : float and long tensor (n,), optional
        Mixup: row i is ``weight * i + (1 - weight) * partner[i]``.
    """

    def __init__(self, codes, labels, weight=None, partner=None):
        self.codes, self.labels, self.weight, self.other_labels = codes, labels, weight, None
        if weight is not None:
            self.codes = weight[:, None] * codes + (1 - weight[:, None]) * codes[partner]
            self.other_labels = labels[partner]

    def take(self, rows):
        """The targets of some rows."""
        taken = Targets(self.codes[rows], self.labels[rows])
        if self.weight is not None:
            taken.weight, taken.other_labels = self.weight[rows], self.other_labels[rows]
        return taken

    def cross_entropy(self, logits):
        def loss(labels):
            return functional.cross_entropy(
                logits, labels, label_smoothing=LABEL_SMOOTHING, reduction="none"
            )

        value = loss(self.labels)
        if self.weight is not None:
            value = self.weight * value + (1 - self.weight) * loss(self.other_labels)
        return value.mean()


def code_loss(outputs, targets, category_codes, kind):
    """Loss of the outputs (n, n_bits) of one view.

    "regression" is the network step of the paper: the squared error to the codes. With
    "cross_entropy" the outputs are also classified by their nearest category code, with logits
    ``8 tanh(F) C' / m``; what decides a ranking is which category's code is nearest, not how
    well each bit is hit.

    Parameters
    ----------
    category_codes : float tensor (n_categories, n_bits)
    """
    squared = functional.mse_loss(outputs, targets.codes)
    if kind == "regression":
        return squared
    logits = SHARPNESS * torch.tanh(outputs) @ category_codes.T / outputs.shape[1]
    return targets.cross_entropy(logits) + REGRESSION_WEIGHT * squared
