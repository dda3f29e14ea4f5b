"""The methods that are compared, by name, and the features that they read."""

import time
import warnings
import weakref
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

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
from ..deep import (
    Architecture,
    BackboneFeatures,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    Pretrained,
)
from ..deep.architectures import resolve_architecture
from ..preprocessing import GFHOGFeatures, HOGFeatures, SHELOFeatures
from ..views import SketchImageArray

RIDGES = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]


def _hog(problem):
    return PerView(sketch=HOGFeatures(), image=HOGFeatures())


def _s_helo(problem):
    return PerView(sketch=SHELOFeatures(edges=False), image=SHELOFeatures(edges=True))


def _gf_hog(problem):
    """One vocabulary for both views; square roots, whose distance suits histograms."""
    photo_words = GFHOGFeatures(edges=True, random_state=0).fit(problem.train.take_view("image"))
    sketch_words = copy(photo_words).set_params(edges=False)
    return PerView(
        **{
            view: make_pipeline(FrozenEstimator(words), FunctionTransformer(np.sqrt))
            for view, words in (("sketch", sketch_words), ("image", photo_words))
        }
    )


def _pretrained(backbone, size, device):
    """A function of a problem, one for all methods: those with the same share their features."""

    def features(problem):
        view = BackboneFeatures(backbone, size=size, device=device)
        return PerView(sketch=view, image=view)

    return features


class NetworkFeatures:
    """The last hidden layer of the networks that Deep Sketch Hashing trains, as features.

    Parameters
    ----------
    hasher : deep hasher
        Unfitted.
    """

    def __init__(self, hasher):
        self.hasher = hasher

    def fit_transform(self, X, y):
        self.hasher.fit(X, y)
        return self.transform(X)

    def transform(self, X):
        """The rows of a SketchImageArray as features, in the same order."""
        features, view_rows = [], np.empty(len(X), dtype=np.intp)
        for view, rows in (("sketch", X.is_sketch), ("image", ~X.is_sketch)):
            found = rows.any()
            features.append(self.hasher.features(X.take_view(view), view) if found else None)
            view_rows[rows] = np.arange(np.count_nonzero(rows))
        return SketchImageArray._from_rows(*features, X.is_sketch, view_rows)


class KeptHasher:
    """A hasher that is fitted once on the same rows: what is fitted on them again takes that fit.

    Parameters
    ----------
    hasher : deep hasher
        Unfitted.
    kept : dict
        Shared by those that take each other's fits, and that differ in length and seed alone.

    Attributes
    ----------
    fit_seconds : float
        Of the fit that was made, whichever of them made it.
    """

    def __init__(self, hasher, kept):
        self.hasher, self.kept = hasher, kept

    def set_params(self, **settings):
        self.hasher.set_params(**settings)
        return self

    def fit(self, X, y):
        key = id(X), self.hasher.n_bits, self.hasher.random_state
        if key not in self.kept:
            gone = [other for other, (rows, *_) in self.kept.items() if rows() is None]
            for other in gone:
                del self.kept[other]
            started = time.perf_counter()
            self.hasher.fit(X, y)
            self.kept[key] = weakref.ref(X), self.hasher, time.perf_counter() - started
        _, self.hasher, self.fit_seconds = self.kept[key]
        return self

    def transform(self, X):
        return self.hasher.transform(X)

    def features(self, X, view):
        return self.hasher.features(X, view)


AS_THEY_ARE = ("images", "vectors")  # rows of the data, which nothing is made of
# Name -> function of a problem that gives what turns it into features, unfitted.
FEATURES = {"HOG": _hog, "S-HELO": _s_helo, "GF-HOG": _gf_hog}


@dataclass(frozen=True)
class Method:
    """One method of a comparison.

    Attributes
    ----------
    make : callable
        ``make(n_bits, random_state)`` gives an unfitted estimator; None for plain features, which
        are ranked by their Euclidean distance.
    reads : {"images", "vectors", "HOG", "S-HELO", "GF-HOG"} or callable
        Images; "vectors", where the data hold feature vectors in place of images; the features of
        that name, made of images; or others: a function of a `Problem` that gives a transformer of
        SketchImageArrays, which is fitted on the rows to train on. Methods with the same function
        share their features.
    reads_code : bool
        Whether `reads` is a function of a Problem, the length and the seed: features that are made
        anew for each.
    grid : dict
        Settings that are chosen on the training data by cross-validation.
    draws_pairs : bool
        Whether the method is defined for pairs, which are drawn within categories.
    hashes : bool
        Whether codes are searched. Otherwise photos are ranked by the Euclidean distance of what
        ``project`` gives.
    """

    make: Callable | None
    reads: str | Callable = "HOG"
    reads_code: bool = False
    grid: dict = field(default_factory=dict)
    draws_pairs: bool = False
    hashes: bool = True

    def __post_init__(self):
        known = [*AS_THEY_ARE, *FEATURES]
        if self.reads not in known and not callable(self.reads):
            raise ValueError(f"reads must be one of {known} or a function, got {self.reads!r}.")


def _hasher(kind, **settings):
    return lambda n_bits, random_state, **more: kind(
        n_bits, random_state=random_state, **settings, **more
    )


METHODS = {
    "DSH": Method(_hasher(DeepSketchHasher), reads="images"),
    "DCMH": Method(_hasher(DCMHHasher), reads="images", draws_pairs=True),
    "SDH": Method(_hasher(SDHHasher), grid={"bandwidth": [0.3, 0.5, 1.0, 2.0]}),
    "SePH": Method(
        _hasher(SePHHasher),
        grid={"bandwidth": [0.5, 1.0], "C": [10.0, 100.0, 1000.0, 10_000.0]},
        draws_pairs=True,
    ),
    "SCM-Seq": Method(_hasher(SCMHasher), grid={"reg": RIDGES}),
    "SCM-Orth": Method(_hasher(SCMHasher, sequential=False), grid={"reg": RIDGES}),
    "CVH": Method(_hasher(CVHHasher), grid={"reg": RIDGES}, draws_pairs=True),
    "CMFH": Method(
        _hasher(CMFHHasher),
        grid={"gamma": [0.0001, 0.001, 0.01], "n_pairs": ["auto", 10_000]},
        draws_pairs=True,
    ),
    "CMSSH": Method(_hasher(CMSSHHasher), grid={"n_pairs": [20_000, 40_000]}, draws_pairs=True),
    "CCA-ITQ": Method(_hasher(CCAHasher), grid={"reg": RIDGES}),
    "PCA-ITQ": Method(_hasher(ITQHasher)),
    "LSH": Method(_hasher(RandomProjectionHasher)),
    "triplet, not hashed": Method(_hasher(DeepMetricHasher), reads="images", hashes=False),
    "Siamese, not hashed": Method(
        _hasher(DeepMetricHasher, loss="contrastive"), reads="images", hashes=False
    ),
    "HOG, not hashed": Method(None, reads="HOG"),
    "S-HELO, not hashed": Method(None, reads="S-HELO"),
    "GF-HOG, not hashed": Method(None, reads="GF-HOG"),
}


def _reads_one_space(method):
    """Whether both views go through one hash function."""
    return method.make(1, 0)._shared_feature_space


def of_vectors(known):
    """Those of the known methods that read vectors, and the vectors on their own."""
    chosen = {
        name: replace(method, reads="vectors")
        for name, method in known.items()
        if method.make is not None
    }
    return chosen | {"vectors, not hashed": Method(None, reads="vectors")}


def warn_of_left_out(known, stacklevel):
    """Name those of the known methods that `of_vectors` leaves out."""
    left_out = [name for name, method in known.items() if method.make is None]
    warnings.warn(
        f"Left out, as they are made of images and the data are vectors: {'; '.join(left_out)}.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def default_methods(
    features: Literal["HOG", "fc", "pretrained", "vectors"] = "HOG",
    *,
    architecture: Literal["compact", "paper", "pretrained"] | Architecture = "compact",
    device: str = "auto",
) -> dict[str, "Method"]:
    """The methods of a comparison: DSH, those it is compared with, and plain features.

    Parameters
    ----------
    features : {"HOG", "fc", "pretrained", "vectors"}, default="HOG"
        What the linear and kernel methods read. "pretrained": those of
        :class:`~sklearn_dsh.BackboneFeatures`, with the backbone of `architecture` if it has one;
        they are ranked on their own, too. "fc": Deep Sketch Hashing, and on the last hidden layer
        of its networks, of the same length and seed, those of these methods that have a hash
        function a view: the layers of sketches and of photos have nothing in common. "vectors":
        the data hold feature vectors in place of images, say of CLIP; every method reads them, the
        deep ones by small fully connected networks, and they are ranked on their own, too.
    architecture : {"compact", "paper", "pretrained"} or Architecture, default="compact"
        The networks of the deep methods.
    device : str, default="auto"
        Where networks compute: "auto", or the name of a torch device.

    Returns
    -------
    methods : dict of str to Method
        By the names that tables give them. A copy: add methods of your own.

    Raises
    ------
    ValueError
        If there are no such features, or the networks of `architecture` read no vectors.

    Warns
    -----
    UserWarning
        With "vectors", of what is left out, as it reads images.

    Examples
    --------
    >>> from sklearn_dsh.comparison import default_methods
    >>> list(default_methods())[:4]
    ['DSH', 'DCMH', 'SDH', 'SePH']
    """
    known = {
        name: replace(method, make=partial(method.make, architecture=architecture, device=device))
        if method.reads == "images"
        else method
        for name, method in METHODS.items()
    }
    if features == "HOG":
        return known
    if features == "vectors":
        networks = resolve_architecture(architecture)
        if not networks.reads_features:
            raise ValueError(
                f"{type(networks).__name__} reads images, and features='vectors' are read by fully "
                "connected networks: leave architecture out."
            )
        warn_of_left_out(known, stacklevel=2)
        return of_vectors(known)
    if features == "pretrained":
        architecture = resolve_architecture(architecture)
        is_one = isinstance(architecture, Pretrained)
        reads = _pretrained(
            architecture.backbone if is_one else None,
            architecture.size if is_one else None,
            device,
        )
        chosen = {name: method for name, method in known.items() if method.reads == "images"}
        chosen |= {
            f"{name}, pretrained": replace(method, reads=reads)
            for name, method in known.items()
            if method.reads == "HOG" and method.make is not None
        }
        return chosen | {"features, not hashed": Method(None, reads=reads)}
    if features != "fc":
        raise ValueError(
            f"features must be 'HOG', 'fc', 'pretrained' or 'vectors', got {features!r}."
        )

    kept = {}

    def make(n_bits, random_state):
        settings = {"architecture": architecture, "device": device, "random_state": random_state}
        return KeptHasher(DeepSketchHasher(n_bits, **settings), kept)

    def networks(problem, n_bits, random_state):
        return NetworkFeatures(make(n_bits, random_state))

    return {"DSH": Method(make, reads="images")} | {
        f"{name}, fc": replace(method, reads=networks, reads_code=True)
        for name, method in METHODS.items()
        if method.reads == "HOG" and method.make is not None and not _reads_one_space(method)
    }
