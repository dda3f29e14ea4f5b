"""Bits for categories never seen: what the networks know of an image, not which category it is."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .._rotation import itq_rotation

# Chosen on categories held out of those trained on, see docs/measurements.rst.
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
        self.views, self.n_bits = list(views), n_bits
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

    Parameters
    ----------
    features : dict view -> float array (n_view, n_features)
    labels : dict view -> int array (n_view,)
    n_bits : int
    random_state : RandomState

    Returns
    -------
    arrays : dict name -> float32 array
    """
    arrays, x = {}, {}
    for view, values in features.items():
        values = _unit(values.astype(np.float64))
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        deviation = deviation + SHRINKAGE * deviation.mean()
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        arrays |= {f"mean_{view}": mean, f"scale_{view}": scale}
        x[view] = (values - mean) * scale
    categories = np.unique(np.concatenate(list(labels.values())))
    targets = _category_means(x, labels, categories)
    identity, mapped, centres = np.eye(targets.shape[1]), {}, {}
    for view, values in x.items():
        gram = values.T @ values
        ridge = RIDGE * np.trace(gram) / len(gram) * identity
        wanted = targets[np.searchsorted(categories, labels[view])]
        # The smallest ||x W - mu||^2 + r ||W - I||^2.
        of_view = np.linalg.solve(gram + ridge, values.T @ wanted + ridge)
        mapped[view] = _unit(values @ of_view)
        centres[view] = mapped[view].mean(axis=0)
        mapped[view] -= centres[view]
        arrays[f"map_{view}"] = of_view
    means = _category_means(mapped, labels, categories)
    everything = np.concatenate(list(mapped.values()))
    spread = means.T @ means / len(means)
    spread += WITHIN * everything.T @ everything / len(everything)
    _, vectors = np.linalg.eigh(spread)  # in ascending order
    leading = vectors[:, ::-1][:, : min(N_DIRECTIONS, n_bits)]
    rotation, _ = itq_rotation(
        everything @ leading, n_bits, n_iter=N_ITER, random_state=random_state
    )
    arrays["directions"] = leading @ rotation
    for view, centre in centres.items():
        arrays[f"shift_{view}"] = centre @ arrays["directions"]
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def _unit(values):
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _category_means(x, labels, categories):
    """Mean of each category, of the views that have it with equal weight."""
    sums, n_views = 0.0, 0
    for view, values in x.items():
        member = (labels[view][:, None] == categories).astype(float)
        counts = member.sum(axis=0)
        sums = sums + member.T @ values / np.maximum(counts, 1)[:, None]
        n_views = n_views + (counts > 0)
    return sums / np.maximum(n_views, 1)[:, None]
