"""The codes of a collection of photos, kept in a folder beside the names of their files.

(Long: one class and its folder, a third of it documentation.)
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

import sklearn_dsh

from ._array_files import open_array
from ._forks import ForkSafeLock
from ._labels import one_form
from ._outputs import check_output_folder, named_errors
from ._parquet import ArrowForms
from .codes import check_codes
from .codes._packed import padding_is_set

if TYPE_CHECKING:
    from .retrieval import HammingRetriever

__all__ = ["Gallery", "hash_file"]

_HEADER = "gallery.json"
_FORMAT, _VERSION = "sklearn_dsh gallery", 1
# Every save writes files of new names, and the header, replaced last, says which ones count: so a
# gallery is the old or the new one at any moment, and what another process maps stays as it is.
_CODES_NAME = re.compile(r"codes-[0-9a-f]{8}\.npy")
_ITEMS_NAME = re.compile(r"items-[0-9a-f]{8}\.json")
_HEADER_PART = re.compile(r"gallery-[0-9a-f]{8}\.part")


class Gallery(ArrowForms):
    """Codes of a collection of photos and the files they stand for, kept in a folder.

    Parameters
    ----------
    codes : array-like of shape (n_photos, ceil(n_bits / 8)), dtype uint8
        Packed codes. A C-contiguous uint8 array or memory map is kept without a copy.
    n_bits : int
        Length of the codes.
    paths : sequence of str, of length n_photos
        The photos' files.
    labels : sequence of str, of length n_photos, default=None
        Their categories, kept in the Unicode form NFC; None if they are not known.
    model_id : str, default=None
        `hash_file` of the file of the model that made the codes, which `check_model` compares;
        None if it is not known: then nothing is compared.

    Attributes
    ----------
    codes : ndarray of shape (n_photos, ceil(n_bits / 8)), dtype uint8
        Memory-mapped after :meth:`load`.
    n_bits, paths, labels, model_id
        As above; paths and labels as lists of str.

    Raises
    ------
    ValueError
        If the codes are not packed codes of `n_bits`, or there is not one path, and one label, for
        each.

    See Also
    --------
    HammingRetriever : The search alone, by row numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh.gallery import Gallery
    >>> codes = np.array([[0b11110000], [0b11111111]], dtype=np.uint8)
    >>> gallery = Gallery(codes, 8, ["boat.jpg", "cup.jpg"])
    >>> distances, indices = gallery.search([[0b01111111]], n_neighbors=1)
    >>> [gallery.paths[i] for i in indices[0]], distances[0].tolist()
    (['cup.jpg'], [1])
    """

    def __init__(
        self,
        codes: ArrayLike,
        n_bits: int,
        paths: Sequence[str | os.PathLike[str]],
        labels: Sequence[str] | None = None,
        *,
        model_id: str | None = None,
    ) -> None:
        if not isinstance(n_bits, Integral) or isinstance(n_bits, bool) or n_bits < 1:
            raise ValueError(f"n_bits={n_bits!r}: expected a whole number, at least 1.")
        self.n_bits = int(n_bits)
        self.codes = check_codes(codes)
        n_bytes = -(-self.n_bits // 8)
        if self.codes.shape[1] != n_bytes:
            raise ValueError(
                f"The codes have {self.codes.shape[1]} bytes each, but n_bits={self.n_bits} makes "
                f"{n_bytes}: give the n_bits of the hasher that made them."
            )
        self.paths = _texts(paths, "paths", len(self.codes))
        self.labels = None
        if labels is not None:
            self.labels = [one_form(label) for label in _texts(labels, "labels", len(self.codes))]
        self.model_id = model_id
        # A memory map, as `load` gives it, is not read through.
        if not isinstance(self.codes, np.memmap) and padding_is_set(self.codes, self.n_bits):
            raise ValueError(
                f"The codes have bits beyond n_bits={self.n_bits}: give the n_bits of the hasher "
                "that made them."
            )
        self._retriever, self._lock = None, ForkSafeLock()

    def __getstate__(self):
        return vars(self) | {"_retriever": None, "_lock": None}

    def __setstate__(self, state):
        vars(self).update(state | {"_lock": ForkSafeLock()})

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Gallery(n_photos={len(self)}, n_bits={self.n_bits})"

    @property
    def retriever(self) -> "HammingRetriever":
        """The fitted `HammingRetriever` of the codes; made at first use, by one thread."""
        with self._lock.held():
            if self._retriever is None:
                from .retrieval import HammingRetriever  # numba, only where something is searched

                self._retriever = HammingRetriever().fit(self.codes)
            return self._retriever

    def search(
        self,
        query_codes: ArrayLike,
        n_neighbors: int = 10,
        *,
        mask: ArrayLike | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Find the nearest photos of every query.

        Parameters
        ----------
        query_codes : array-like of shape (n_queries, ceil(n_bits / 8)), dtype uint8
            Codes of sketches, or of photos, by the hasher that made the gallery's.
        n_neighbors : int, default=10
            Photos for each; all of a smaller gallery, or of what `mask` leaves.
        mask : array-like of bool, or of int, default=None
            The photos that may be found: one bool for each, or their rows; None: all.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype int32
        indices : ndarray of shape (n_queries, n_neighbors), dtype intp
            Rows of the gallery, ascending by (distance, index).

        Raises
        ------
        ValueError
            If the queries are not codes of the gallery's width, `n_neighbors` is less than 1, or
            `mask` is neither one bool a photo nor numbers of rows, or leaves none.
        """
        query_codes = check_codes(query_codes, n_bytes=self.codes.shape[1], name="query_codes")
        n_photos = len(self)
        if mask is not None:
            from .retrieval._search import check_mask  # numba, as above

            mask = check_mask(mask, len(self))
            n_photos = int(np.count_nonzero(mask))
            if n_photos == 0:
                raise ValueError("mask lets no photo be found: expected one at least.")
        return self.retriever.kneighbors(query_codes, min(n_neighbors, n_photos), mask=mask)

    def check_model(self, path: str | os.PathLike[str]) -> None:
        """Make sure that the codes are not of another model than that of a file.

        Parameters
        ----------
        path : str or path-like
            File of a fitted hasher.

        Raises
        ------
        ValueError
            If the gallery keeps the `model_id` of another file.
        """
        if self.model_id is not None and self.model_id != hash_file(path):
            raise ValueError(
                f"The gallery was encoded with another model file than {str(path)!r}: take that "
                "one, or encode the photos again with this one."
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, mmap_mode: Literal["r"] | None = "r") -> Self:
        """Open a gallery that was saved.

        Parameters
        ----------
        folder : str or path-like
        mmap_mode : {"r", None}, default="r"
            "r" leaves the codes on disk, None reads them; such a gallery may be searched by a
            faster structure, see :class:`~sklearn_dsh.HammingRetriever`.

        Returns
        -------
        gallery : Gallery

        Raises
        ------
        ValueError
            If the folder is not there, holds something else, is of a newer format, or a file of it
            is missing, cut off or damaged; it is named.
        """
        if mmap_mode not in ("r", None):
            raise ValueError(f"mmap_mode={mmap_mode!r}: expected 'r' or None.")
        folder = Path(folder)
        header = read_header(folder)
        while True:
            try:
                return cls._read(folder, header, mmap_mode)
            except ValueError:  # perhaps it was replaced in between
                before, header = header, read_header(folder)
                if header == before:
                    raise

    @classmethod
    def _read(cls, folder, header, mmap_mode):
        codes_file, items_file = folder / header["codes"], folder / header["items"]
        try:
            codes = open_array(codes_file)
            _check_saved(codes, header["count"])
        except (OSError, ValueError) as error:
            raise _damaged(codes_file, error) from error
        if mmap_mode is None:
            codes = np.array(codes)
        try:
            items = json.loads(items_file.read_text(encoding="utf-8"))
            paths, labels = items["paths"], items["labels"]
            if not (isinstance(paths, list) and isinstance(labels, list | None)):
                raise TypeError("paths and labels are no lists")
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise _damaged(items_file, error) from error
        try:
            return cls(codes, header["n_bits"], paths, labels, model_id=header["model_id"])
        except (TypeError, ValueError) as error:
            raise _damaged(folder, error) from error

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the gallery, or replace the one that is there.

        An interruption, at any moment, leaves the old gallery or the new one, both whole. Only one
        process may save to a folder at a time.

        Parameters
        ----------
        folder : str or path-like
            Made, with those above it, if it is not there.

        Raises
        ------
        ValueError
            If the folder holds anything but a gallery, is no folder, or cannot be written to.
        OSError
            If a file cannot be written, on a full disk, say; it is named, and the gallery that was
            there stays.
        """
        before = check_replaceable(folder)
        folder = Path(os.path.realpath(folder))
        folder.mkdir(parents=True, exist_ok=True)
        tag = secrets.token_hex(4)
        codes, items, header = f"codes-{tag}.npy", f"items-{tag}.json", f"gallery-{tag}.part"
        contents = {
            "format": _FORMAT,
            "version": _VERSION,
            "n_bits": self.n_bits,
            "count": len(self),
            "codes": codes,
            "items": items,
            "model_id": self.model_id,
            "sklearn_dsh": sklearn_dsh.__version__,
        }
        try:
            with _synced(folder / codes) as file:
                np.save(file, self.codes, allow_pickle=False)
            with _synced(folder / items) as file:
                # Escaped to ASCII, so that file names of no valid encoding come back as they were.
                text = json.dumps({"paths": self.paths, "labels": self.labels})
                file.write(text.encode("ascii"))
            with _synced(folder / header) as file:
                file.write(json.dumps(contents, indent=2).encode("ascii") + b"\n")
            os.replace(folder / header, folder / _HEADER)
        except BaseException:
            _remove(folder, [codes, items, header])
            raise
        _remove(folder, before)


def hash_file(path: str | os.PathLike[str]) -> str:
    """What tells a model's file from others, for `model_id` of a `Gallery`.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    model_id : str
        "sha256:" and the SHA-256 of the file's bytes, in hexadecimal.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _texts(values, name, n):
    """A list of n str; ValueError if it is anything else."""
    values = [values] if isinstance(values, (str, bytes)) else list(values)
    texts = [os.fspath(value) if isinstance(value, os.PathLike) else value for value in values]
    wrong = [text for text in texts if not isinstance(text, str)]
    if wrong:
        raise ValueError(f"{name} holds {wrong[0]!r}: expected a str for each photo.")
    if len(texts) != n:
        raise ValueError(f"There are {n} codes and {len(texts)} {name}: expected one for each.")
    return [str(text) for text in texts]  # of numpy's str, too


def read_header(folder):
    """The header of the gallery in a folder (Path), a dict; ValueError if it is not sound."""
    path = folder / _HEADER
    if not folder.is_dir():
        raise ValueError(f"There is no folder {str(folder)!r}: expected one that holds a gallery.")
    if not path.is_file():
        raise ValueError(f"{str(folder)!r} is no gallery: it has no file {_HEADER!r}.")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError(f"{str(folder)!r} is no gallery: {_HEADER!r} is of something else.")
    version = header.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise ValueError(
            f"The gallery {str(folder)!r} is of format {version}, written by sklearn_dsh "
            f"{header.get('sklearn_dsh')}: this version, {sklearn_dsh.__version__}, reads up to "
            f"format {_VERSION}. Update it."
        )
    names_are_sound = all(
        isinstance(header.get(key), str) and pattern.fullmatch(header[key])
        for key, pattern in (("codes", _CODES_NAME), ("items", _ITEMS_NAME))
    )
    if not names_are_sound or not {"n_bits", "count", "model_id"} <= header.keys():
        raise _damaged(path, "entries are missing")
    if not isinstance(header["model_id"], str | None):
        raise _damaged(path, f"model_id is {header['model_id']!r}, expected a text or null")
    return header


def check_replaceable(folder):
    """Names of what a gallery left in a folder, but for the header; none if it is not there.

    Raises
    ------
    ValueError
        If the folder holds anything else, or cannot be written to.
    """
    folder = check_output_folder(folder, "the gallery")
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    ours = [
        name
        for name in names  # of this gallery, or left by a save that was killed
        if any(pattern.fullmatch(name) for pattern in (_CODES_NAME, _ITEMS_NAME, _HEADER_PART))
    ]
    if _HEADER in names:
        read_header(folder)
        return ours
    foreign = sorted(set(names) - set(ours))
    if foreign:
        raise ValueError(
            f"The folder {str(folder)!r} is no gallery and not empty (it holds {foreign[0]!r}): "
            "nothing was written. Give a new folder, or one that holds a gallery, to be replaced."
        )
    return ours


def _check_saved(codes, count):
    """ValueError if an array is not `count` codes as `Gallery.save` writes them."""
    if codes.dtype != np.uint8 or codes.ndim != 2 or not codes.flags.c_contiguous:
        raise ValueError(f"it holds {codes.dtype} of shape {codes.shape}, which are no codes")
    if len(codes) != count:
        raise ValueError(f"it has {len(codes)} codes of {count}")


def _damaged(path, reason):
    return ValueError(
        f"{str(path)!r} is missing, cut off or damaged ({reason}): copy the gallery again, or "
        "remove its folder and encode it again."
    )


@contextmanager
def _synced(path):
    """A new file whose contents are on disk afterwards."""
    with named_errors(path), open(path, "xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _remove(folder, names):
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except PermissionError:  # Windows keeps what a process has mapped
            continue
