"""Hashers without networks to compare with."""

from ._cca import CCAHasher
from ._cvh import CVHHasher
from ._itq import ITQHasher
from ._random_projection import RandomProjectionHasher
from ._scm import SCMHasher

__all__ = ["CCAHasher", "CVHHasher", "ITQHasher", "RandomProjectionHasher", "SCMHasher"]
