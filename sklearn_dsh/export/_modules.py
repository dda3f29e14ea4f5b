"""What the linear and kernel hashers compute, as torch modules in double precision."""

import numpy as np
import torch
from torch import nn

from ..baselines import ITQHasher, RandomProjectionHasher, ZeroShotHasher
from ..baselines._anchors import AnchorHasher
from ..baselines._linear import LinearHasher


class Linear(nn.Module):
    """``(X - mean) @ weights + offset``."""

    def __init__(self, mean, weights, offset=0.0):
        super().__init__()
        _keep(self, mean=mean, weights=weights, offset=offset)

    def forward(self, rows):
        return (rows - self.mean) @ self.weights + self.offset


class Anchors(nn.Module):
    """As `anchor_features` and a linear function of them."""

    def __init__(self, fitted, weights, intercept):
        super().__init__()
        origin, bandwidth = fitted["anchors"][0], fitted["bandwidth"]
        anchors = (fitted["anchors"] - origin) / bandwidth
        _keep(self, origin=origin, bandwidth=bandwidth, anchors=anchors, mean=fitted["mean"])
        _keep(self, weights=weights, intercept=intercept)

    def forward(self, rows):
        x = (rows - self.origin) / self.bandwidth
        squares = (x**2).sum(dim=1, keepdim=True) + (self.anchors**2).sum(dim=1)
        distances = (squares - 2 * x @ self.anchors.T).clamp(min=0)
        return (torch.exp(-0.5 * distances) - self.mean) @ self.weights + self.intercept


class Transferred(nn.Module):
    """As `ZeroShotHasher`: unit rows, centred, scaled, mapped, and turned into bits."""

    def __init__(self, mean, scale, mapping, directions, shift):
        super().__init__()
        _keep(self, mean=mean, scale=scale, mapping=mapping, directions=directions, shift=shift)

    def forward(self, rows):
        x = (_unit_rows(rows) - self.mean) * self.scale
        return _unit_rows(x @ self.mapping) @ self.directions - self.shift


def _unit_rows(rows):
    lengths = (rows**2).sum(dim=1, keepdim=True).sqrt()
    return rows / torch.where(lengths > 0, lengths, torch.ones_like(lengths))


def _keep(module, **arrays):
    for name, values in arrays.items():
        module.register_buffer(name, torch.tensor(np.asarray(values, dtype=np.float64)))


def make_module(hasher, view):
    """The module that gives what ``project`` of a fitted hasher does; None if there is none."""
    if isinstance(hasher, ITQHasher | RandomProjectionHasher):
        return Linear(hasher.mean_, hasher.weights_)
    if isinstance(hasher, LinearHasher):
        offset = getattr(hasher, "offsets_", {view: 0.0})[view]
        return Linear(hasher.means_[view], hasher.weights_[view], offset)
    if isinstance(hasher, AnchorHasher):
        parts = (hasher.anchors_, hasher.weights_, hasher.intercepts_)
        return Anchors(*(part[view] for part in parts))
    if isinstance(hasher, ZeroShotHasher):
        parts = (hasher.means_, hasher.scales_, hasher.maps_)
        mean, scale, mapping = (part[view] for part in parts)
        return Transferred(mean, scale, mapping, hasher.directions_, hasher.shifts_[view])
    return None
