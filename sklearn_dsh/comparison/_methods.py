"""The methods that are compared, by name, and the features that they read."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ..baselines import (
    CCAHasher,
    CMFHHasher,
    CMSSHHasher,
    CVHHasher,
    ITQHasher,
    RandomProjectionHasher,
    SCMHasher,
    SDHHasher,
    SePHHasher,
)
from ..compose import PerView
from ..deep import DeepSketchHasher
from ..preprocessing import GFHOGFeatures, HOGFeatures, SHELOFeatures

RIDGES = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0]


def _same_for_both(transformer):
    return PerView(sketch=transformer, image=transformer)


def _gf_hog(problem):
    """One vocabulary for both views; square roots, whose distance suits histograms."""
    words = GFHOGFeatures(random_state=0).fit(problem.train.take_view("image"))
    return _same_for_both(make_pipeline(FrozenEstimator(words), FunctionTransformer(np.sqrt)))


# Name -> function of a problem that gives an unfitted PerView.
FEATURES = {
    "HOG": lambda problem: _same_for_both(HOGFeatures()),
    "S-HELO": lambda problem: _same_for_both(SHELOFeatures()),
    "GF-HOG": _gf_hog,
}


@dataclass(frozen=True)
class Method:
    """One method of a comparison.

    Attributes
    ----------
    make : callable
        ``make(n_bits, random_state)`` gives an unfitted estimator; None for plain features, which
        are ranked by their Euclidean distance.
    reads : {"images", "HOG", "S-HELO", "GF-HOG"}
        Images, or the features of that name.
    grid : dict
        Settings that are chosen on the training data by cross-validation.
    draws_pairs : bool
        Whether the method is defined for pairs, which are drawn within categories.
    """

    make: Callable | None
    reads: str = "HOG"
    grid: dict = field(default_factory=dict)
    draws_pairs: bool = False

    def __post_init__(self):
        known = ["images", *FEATURES]
        if self.reads not in known:
            raise ValueError(f"reads must be one of {known}, got {self.reads!r}.")


def _hasher(kind, **settings):
    return lambda n_bits, random_state: kind(n_bits, random_state=random_state, **settings)


METHODS = {
    "DSH": Method(_hasher(DeepSketchHasher), reads="images"),
    "SDH": Method(_hasher(SDHHasher), grid={"bandwidth": [0.3, 0.5, 1.0, 2.0]}),
    "SePH": Method(_hasher(SePHHasher), grid={"bandwidth": [0.3, 0.5, 1.0, 2.0]}, draws_pairs=True),
    "SCM-Seq": Method(_hasher(SCMHasher), grid={"reg": RIDGES}),
    "SCM-Orth": Method(_hasher(SCMHasher, sequential=False), grid={"reg": RIDGES}),
    "CVH": Method(_hasher(CVHHasher), grid={"reg": RIDGES}, draws_pairs=True),
    "CMFH": Method(_hasher(CMFHHasher), grid={"gamma": [0.001, 0.01, 0.1]}, draws_pairs=True),
    "CMSSH": Method(_hasher(CMSSHHasher), draws_pairs=True),
    "CCA-ITQ": Method(_hasher(CCAHasher), grid={"reg": RIDGES}),
    "PCA-ITQ": Method(_hasher(ITQHasher)),
    "LSH": Method(_hasher(RandomProjectionHasher)),
} | {name: Method(None, reads=name) for name in FEATURES}


def default_methods():
    """The methods of a comparison: DSH, those it is compared with, and plain features.

    Returns
    -------
    methods : dict of str to Method
        By the names that tables give them. A copy: add methods of your own.

    Examples
    --------
    >>> from sklearn_dsh.comparison import default_methods
    >>> list(default_methods())[:4]
    ['DSH', 'SDH', 'SePH', 'SCM-Seq']
    """
    return dict(METHODS)
