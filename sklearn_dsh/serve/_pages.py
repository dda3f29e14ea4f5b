"""Photos page by page: the nearest to a code, or some from all over the gallery."""

from itertools import count
from math import gcd
from pathlib import PurePath

import numpy as np

# So many photos of an answer can be leafed through: each page searches for all up to its last.
MAX_PHOTOS = 10_008


def sendable(text):
    """A text without what UTF-8 cannot hold: file and folder names may be of another encoding."""
    return str(text).encode("utf-8", "replace").decode()


class Pages:
    """A gallery, `n_results` photos at a time.

    Parameters
    ----------
    gallery : Gallery
    n_results : int
        Photos on a page, or all of a smaller gallery.

    Raises
    ------
    ValueError
        If the gallery is empty.
    """

    def __init__(self, gallery, n_results):
        if len(gallery) == 0:
            raise ValueError("The gallery is empty: add photos to it first.")
        self.gallery = gallery
        self.n_results = min(n_results, len(gallery))
        self._step = _coprime_step(len(gallery))

    def nearest(self, code, start=0, *, like=None, n_judged=0):
        """Photos nearest to a code, from place `start` on.

        Parameters
        ----------
        code : ndarray of uint8, shape (ceil(n_bits / 8),)
        start : int, default=0
        like : int, default=None
            Row of a photo that is left out: the one that the code is of.
        n_judged : int, default=0
            The rows of the nearest so many are returned, too, whatever the page.

        Returns
        -------
        page : dict
            ``results``, a list of dicts with ``index``, ``distance``, ``label`` (a string, or None
            in a gallery without labels) and ``name`` (of the file), nearest first; ``start``;
            ``n_photos``, which the pages hold together; ``n_bits``.
        nearest : ndarray of shape (n_judged,), dtype intp
            Their rows.
        """
        left_out = like is not None
        n_wanted = max(start + self.n_results + left_out, n_judged)
        distances, indices = (x[0] for x in self.gallery.search(code[None], n_wanted))
        if left_out:
            is_other = indices != like
            distances, indices = distances[is_other], indices[is_other]
        n_photos = min(len(self.gallery) - left_out, MAX_PHOTOS)
        shown = slice(start, min(start + self.n_results, n_photos))
        page = self._page(indices[shown], distances[shown].tolist(), start, n_photos)
        return page, indices[:n_judged]

    def all_over(self, start=0):
        """Photos from all over the gallery, so that a page shows many categories; no distances."""
        n_photos = len(self.gallery)
        places = np.arange(start, min(start + self.n_results, n_photos))
        rows = places * self._step % n_photos
        return self._page(rows, [None] * len(rows), start, n_photos)

    def _page(self, rows, distances, start, n_photos):
        paths, labels = self.gallery.paths, self.gallery.labels
        results = [
            {
                "index": row,
                "distance": distance,
                "label": None if labels is None else sendable(labels[row]),
                "name": sendable(PurePath(paths[row]).name),
            }
            for row, distance in zip(rows.tolist(), distances, strict=True)
        ]
        n_bits = int(self.gallery.n_bits)
        return {"results": results, "start": start, "n_photos": n_photos, "n_bits": n_bits}


def _coprime_step(n):
    """Rows apart by this, modulo n, lie evenly over n rows and meet each of them once."""
    golden = n * (5**0.5 - 1) / 2  # spreads best, however many rows are taken
    near = (round(golden) + (-1) ** (i + 1) * (i // 2) for i in count(1))
    return next(step for step in near if step > 0 and gcd(step, n) == 1)
