"""Bits for categories never seen: what the networks know of an image, not which category it is."""

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn
from torch.nn import functional

from .._rotation import itq_rotation

# Chosen with frozen features, on categories held out of those trained on.
RIDGE = 5.0  # in units of the mean eigenvalue
WITHIN = 0.1  # of the covariance of all items, beside that of the categories
SHRINKAGE = 0.1  # of the features' deviations towards their mean
N_DIRECTIONS = 32
N_ITER = 30


class FeatureReadout(nn.Module):
    """Features of both views to bits, by a closed form that leaves alone what it cannot judge.

    The features of each view, of unit length, are standardised and mapped by a ridge regression
    onto the mean features of their category, half photos and half sketches. The ridge pulls the map
    towards the identity, not towards zero: what the categories trained on have no say in stays as
    the network knows it. Of these the directions in which categories differ most are rotated so
    that the signs lose little (iterative quantisation).

    Parameters
    ----------
    views : list of str
    n_features, n_bits : int
    """

    def __init__(self, views, n_features, n_bits):
        super().__init__()
        self.n_bits = n_bits
        for view in views:
            self.register_buffer(f"mean_{view}", torch.zeros(n_features))
            self.register_buffer(f"scale_{view}", torch.ones(n_features))
            self.register_buffer(f"map_{view}", torch.eye(n_features))
            self.register_buffer(f"shift_{view}", torch.zeros(n_bits))
        self.register_buffer("directions", torch.zeros(n_features, n_bits))

    def forward(self, features, view):
        """(n, n_features) -> (n, n_bits)."""
        of = {name: getattr(self, f"{name}_{view}") for name in ("mean", "scale", "map", "shift")}
        x = (functional.normalize(features.float(), dim=1) - of["mean"]) * of["scale"]
        return functional.normalize(x @ of["map"], dim=1) @ self.directions - of["shift"]

    def set_arrays(self, arrays):
        """Take what `learn_readout` gave."""
        for name, values in arrays.items():
            getattr(self, name).copy_(torch.from_numpy(values))


def learn_readout(features, labels, n_bits, random_state):
    """The buffers of a `FeatureReadout`.

    What is stored of images that passed a frozen part may have passed in bfloat16; what is encoded
    later passes in float32, which turns a bit in some hundreds.

    Parameters
    ----------
    features : dict view -> float32 array (n_view, n_features)
    labels : dict view -> int array (n_view,)
    n_bits : int
    random_state : RandomState

    Returns
    -------
    arrays : dict name -> float32 array
    """
    arrays, x = {}, {}
    for view, values in features.items():
        x[view] = _unit(values)
        mean, deviation = x[view].mean(axis=0, dtype=float), x[view].std(axis=0, dtype=float)
        deviation[deviation <= 1e-6 * np.abs(mean)] = 0  # constant but for rounding
        deviation += SHRINKAGE * deviation.mean()
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        arrays |= {f"mean_{view}": mean, f"scale_{view}": scale}
        x[view] -= mean.astype(np.float32)
        x[view] *= scale.astype(np.float32)
    categories = np.unique(np.concatenate(list(labels.values())))
    sums = {view: _category_sums(values, labels[view], categories) for view, values in x.items()}
    targets = _mean_of_views(sums)
    centres, spread, n_items = {}, 0.0, sum(map(len, x.values()))
    for view, values in x.items():
        gram = _gram(values)
        ridge = RIDGE * max(np.trace(gram) / len(gram), 1e-12) * np.eye(len(gram))
        of_category, _ = sums[view]
        # The smallest ||x W - mu||^2 + r ||W - I||^2.
        arrays[f"map_{view}"] = np.linalg.solve(gram + ridge, of_category.T @ targets + ridge)
        x[view] = _unit(values @ arrays[f"map_{view}"].astype(np.float32))
        centres[view] = x[view].mean(axis=0, dtype=float)
        x[view] -= centres[view].astype(np.float32)
        spread = spread + WITHIN * _gram(x[view]) / n_items
        sums[view] = _category_sums(x[view], labels[view], categories)
    means = _mean_of_views(sums)
    _, vectors = np.linalg.eigh(spread + means.T @ means / len(means))  # in ascending order
    leading = vectors[:, ::-1][:, : min(N_DIRECTIONS, n_bits)]
    everything = np.concatenate([values @ leading for values in x.values()])
    rotation, _ = itq_rotation(everything, n_bits, n_iter=N_ITER, random_state=random_state)
    arrays["directions"] = leading @ rotation
    for view, centre in centres.items():
        arrays[f"shift_{view}"] = centre @ arrays["directions"]
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def _unit(values):
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _gram(values):
    """X'X in double precision, of some rows at a time: X may be large."""
    total = 0.0
    for rows in gen_batches(len(values), 4096):
        block = values[rows].astype(float)
        total = total + block.T @ block
    return total


def _category_sums(values, labels, categories):
    """The sum (n_categories, n_features) and number of the items of each category."""
    at = np.searchsorted(categories, labels)
    sums = np.zeros((len(categories), values.shape[1]))
    np.add.at(sums, at, values)
    return sums, np.bincount(at, minlength=len(categories))


def _mean_of_views(sums):
    """Mean of each category, of the views that have it with equal weight."""
    means = sum(total / np.maximum(n, 1)[:, None] for total, n in sums.values())
    return means / sum(n > 0 for _, n in sums.values())[:, None]
