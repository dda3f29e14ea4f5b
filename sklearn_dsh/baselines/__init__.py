"""Hashers without networks to compare with."""

from ._cca import CCAHasher
from ._cmfh import CMFHHasher
from ._cmssh import CMSSHHasher
from ._cvh import CVHHasher
from ._itq import ITQHasher
from ._random_projection import RandomProjectionHasher
from ._scm import SCMHasher
from ._sdh import SDHHasher
from ._seph import SePHHasher
from ._zero_shot import ZeroShotHasher

__all__ = [
    "CCAHasher",
    "CMFHHasher",
    "CMSSHHasher",
    "CVHHasher",
    "ITQHasher",
    "RandomProjectionHasher",
    "SCMHasher",
    "SDHHasher",
    "SePHHasher",
    "ZeroShotHasher",
]
