"""One search: from an uploaded picture to the nearest photos of the gallery."""

import time
import warnings

import numpy as np

from .._forks import ForkSafeLock
from .._pipelines import last_step, project
from ..codes import pack_bits
from ..views import SketchImageArray
from ._images import read_upload, to_sketch
from ._pages import sendable

_SIDE_OF_FEATURES = 256  # what transformers that resize on their own are given


class DrawingSearch:
    """A fitted hasher and a gallery, behind calls that threads may share.

    Parameters
    ----------
    hasher : fitted hasher, or Pipeline that ends in one
        With a sketch view.
    pages : Pages
        Of the gallery.
    confidence : Confidence, default=None
        What tells whether an answer is sure; None if that is not known.

    Raises
    ------
    ValueError
        If hasher and gallery do not go together.
    """

    def __init__(self, hasher, pages, confidence=None):
        self.hasher, self.pages, self.confidence = hasher, pages, confidence
        self._lock = ForkSafeLock()
        self.shape = sketch_shape(hasher)
        n_bits, gallery = last_step(hasher).n_bits, pages.gallery
        if n_bits != gallery.n_bits:
            raise ValueError(
                f"The hasher gives codes of {n_bits} bits and the gallery holds codes of "
                f"{gallery.n_bits}: encode the gallery's photos with this hasher."
            )
        if getattr(last_step(hasher), "_sketches_were_dark", False):
            warnings.warn(
                "The model learned from sketches that are mostly dark, and drawings here are "
                "dark on white: it will find little. Train it with another polarity of the "
                "architecture, 'auto' say.",
                stacklevel=3,
            )
        # Now, so that the first drawing need not wait until networks are built and kernels loaded.
        self._find(np.full((1, *self.shape), 255, dtype=np.uint8))

    def __call__(self, body):
        """Find the photos nearest to a drawing.

        Parameters
        ----------
        body : bytes
            An image file.

        Returns
        -------
        answer : dict
            What `Pages.nearest` gives; ``code``, the drawing's, in hexadecimal, for further pages;
            ``category``, ``sure`` and ``reason`` of the `Confidence`, all None without one;
            milliseconds as ``read_ms``, ``encode_ms`` and ``search_ms``.

        Raises
        ------
        UploadError
            If the picture cannot be read.
        """
        start = time.perf_counter()
        sketch = to_sketch(read_upload(body), self.shape)
        read_ms = 1000 * (time.perf_counter() - start)
        return self._find(sketch) | {"read_ms": read_ms}

    def nearest(self, code, start, *, like=None):
        """A page of the photos nearest to a code, as `Pages.nearest` gives it."""
        with self._lock.held():
            return self.pages.nearest(code, start, like=like)[0]

    def _find(self, sketch):
        # One at a time: each takes every core, and two together take longer than one by one.
        n_judged = self.confidence.n_neighbors if self.confidence else 0
        with self._lock.held():
            start = time.perf_counter()
            values = project_sketches(self.hasher, sketch)[0]
            code = pack_bits(values[None] >= 0)[0]
            encoded = time.perf_counter()
            page, nearest = self.pages.nearest(code, n_judged=n_judged)
            done = time.perf_counter()
        times = {"encode_ms": 1000 * (encoded - start), "search_ms": 1000 * (done - encoded)}
        return page | {"code": code.tobytes().hex()} | self._judge(values, nearest) | times

    def _judge(self, values, nearest):
        if self.confidence is None:
            return {"category": None, "sure": None, "reason": None}
        gallery = self.pages.gallery
        labels = [gallery.labels[i] for i in nearest]
        category, sure, reason = self.confidence.judge(values, gallery.codes[nearest], labels)
        return {"category": sendable(category), "sure": sure, "reason": reason}


def project_sketches(hasher, sketches):
    """What a hasher makes of sketches that are dark on white, whatever it was fitted on."""
    architecture = getattr(last_step(hasher), "architecture_", None)
    if getattr(architecture, "polarity", "dark") == "bright":
        sketches = 255 - sketches
    return project(hasher, SketchImageArray(sketches, None))


def sketch_shape(hasher):
    """Height and width at which a hasher reads sketches."""
    last = last_step(hasher)
    if not hasattr(last, "views_"):
        raise ValueError(
            f"{type(last).__name__} is no fitted hasher: call its fit, or give one that was fitted."
        )
    if "sketch" not in last.views_:
        raise ValueError(
            f"{type(last).__name__} was fitted on photos only, and a drawing is a sketch: fit it "
            "on both views."
        )
    shape = last.view_shapes_["sketch"]
    # Of one side only: feature vectors, made of sketches by an earlier step.
    return tuple(shape) if len(shape) == 2 else (_SIDE_OF_FEATURES, _SIDE_OF_FEATURES)
