"""One search: from an uploaded picture to the nearest photos of the gallery."""

import threading
import time

import numpy as np

from .._pipelines import last_step
from ._images import read_upload, to_sketch

_SIDE_OF_FEATURES = 256  # what transformers that resize on their own are given


def _sendable(label):
    """A label without what UTF-8 cannot hold: folder names may be of another encoding."""
    return str(label).encode("utf-8", "replace").decode()


class DrawingSearch:
    """A fitted hasher and a gallery, behind one call that threads may share.

    Parameters
    ----------
    hasher : fitted hasher, or Pipeline that ends in one
        With a sketch view.
    gallery : Gallery
    n_results : int
        Photos that a search returns, or all of a smaller gallery.

    Raises
    ------
    ValueError
        If hasher and gallery do not go together, or the gallery is empty.
    """

    def __init__(self, hasher, gallery, n_results):
        self.hasher, self.gallery = hasher, gallery
        self._lock = threading.Lock()
        if len(gallery) == 0:
            raise ValueError("The gallery is empty: add photos to it first.")
        self.n_results = min(n_results, len(gallery))
        self.shape = _sketch_shape(hasher)
        n_bits = last_step(hasher).n_bits
        if n_bits != gallery.n_bits:
            raise ValueError(
                f"The hasher gives codes of {n_bits} bits and the gallery holds codes of "
                f"{gallery.n_bits}: encode the gallery's photos with this hasher."
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
            ``results``, a list of dicts with ``index``, ``distance`` and ``label`` (a string, or
            None in a gallery without labels), nearest first; ``n_bits``; milliseconds as
            ``read_ms``, ``encode_ms`` and ``search_ms``.

        Raises
        ------
        UploadError
            If the picture cannot be read.
        """
        start = time.perf_counter()
        sketch = to_sketch(read_upload(body), self.shape)
        read_ms = 1000 * (time.perf_counter() - start)
        distances, indices, encode_ms, search_ms = self._find(sketch)
        labels = self.gallery.labels
        results = [
            {
                "index": int(index),
                "distance": int(distance),
                "label": None if labels is None else _sendable(labels[index]),
            }
            for distance, index in zip(distances[0], indices[0], strict=True)
        ]
        return {
            "results": results,
            "n_bits": int(self.gallery.n_bits),
            "read_ms": read_ms,
            "encode_ms": encode_ms,
            "search_ms": search_ms,
        }

    def _find(self, sketch):
        # One at a time: each takes every core, and two together take longer than one by one.
        with self._lock:
            start = time.perf_counter()
            codes = self.hasher.transform(sketch)
            encoded = time.perf_counter()
            distances, indices = self.gallery.search(codes, self.n_results)
            done = time.perf_counter()
        return distances, indices, 1000 * (encoded - start), 1000 * (done - encoded)


def _sketch_shape(hasher):
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
