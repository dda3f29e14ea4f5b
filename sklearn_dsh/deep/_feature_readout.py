"""Bits for categories never seen: what the networks know of an image, not which category it is."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .._zero_shot_codes import learn_zero_shot_codes


class FeatureReadout(nn.Module):
    """Features of both views to bits, as `learn_zero_shot_codes` says.

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
    """The buffers of a `FeatureReadout`: dict name -> float32 array.

    What is stored of images that passed a frozen part may have passed in bfloat16; what is encoded
    later passes in float32, which turns a bit in some hundreds.

    Parameters
    ----------
    features : dict view -> float32 array (n_view, n_features)
    labels : dict view -> int array (n_view,)
    n_bits : int
    random_state : RandomState
    """
    found, directions = learn_zero_shot_codes(features, labels, n_bits, random_state)
    arrays = {
        f"{name}_{view}": values
        for name, of_views in found.items()
        for view, values in of_views.items()
    }
    arrays["directions"] = directions
    return {name: values.astype(np.float32) for name, values in arrays.items()}
