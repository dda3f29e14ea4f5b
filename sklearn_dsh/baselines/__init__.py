"""Hashers without networks to compare with: CCA, ITQ and random projections."""

from ._cca import CCAHasher
from ._itq import ITQHasher
from ._random_projection import RandomProjectionHasher

__all__ = ["CCAHasher", "ITQHasher", "RandomProjectionHasher"]
