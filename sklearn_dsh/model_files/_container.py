"""A safetensors file of arrays, a structure of JSON and facts that are read on their own.

Nothing here knows estimators. The format is safetensors', whose library checks every offset and
length of a header before anything is read; it holds numbers alone.
"""

import json
import math
import os

import numpy as np

from .._outputs import replaced

FORMAT, VERSION = "sklearn_dsh model", 1
_STRUCTURE = "structure"  # the name of the JSON among the arrays
MAX_STRUCTURE = 4 << 20  # bytes of JSON; long lists are arrays
MAX_FACTS = 1 << 20
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
DTYPES = frozenset(np.dtype(name) for name in _DTYPES.values())


def write(path, facts, structure, arrays):
    """Write a file whole or not at all.

    Parameters
    ----------
    path : path-like
    facts : dict
        What `read_facts` gives.
    structure : JSON value
    arrays : dict of str to ndarray
        Of dtypes in `DTYPES`, C-contiguous.

    Raises
    ------
    OSError
        If it cannot be written.
    ValueError
        If the structure is larger than a reader takes.
    """
    from safetensors.numpy import save

    text = json.dumps(structure, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > MAX_STRUCTURE:
        raise ValueError(
            f"What describes the model takes {len(text)} bytes, more than the {MAX_STRUCTURE} of a "
            "model file: keep large things in arrays."
        )
    metadata = {"format": FORMAT, "version": str(VERSION), "facts": json.dumps(facts)}
    arrays = arrays | {_STRUCTURE: np.frombuffer(text, dtype=np.uint8)}
    content = save(arrays, metadata=metadata)
    with replaced(path) as file:
        file.write(content)


def is_model_file(path):
    """Whether a file begins as safetensors files do, which no pickle does."""
    with open(path, "rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32


def read_facts(path):
    """The facts of a file; nothing else of it is read.

    Raises
    ------
    ValueError
        If the file is no model, damaged, or of a later version.
    """
    return _Reader(path).facts


class _Reader:
    """The header of a file, checked."""

    def __init__(self, path):
        from safetensors import SafetensorError, safe_open

        self.path = os.fspath(path)
        try:
            with safe_open(self.path, framework="numpy") as file:
                metadata = file.metadata() or {}
        except SafetensorError as error:
            raise ValueError(f"{self.path!r} is cut off, damaged or no model ({error}).") from error
        if metadata.get("format") != FORMAT:
            raise ValueError(f"{self.path!r} is a safetensors file and no model of sklearn-dsh.")
        version = metadata.get("version", "")
        if version != str(VERSION):
            raise ValueError(
                f"{self.path!r} is a model of format {version!r}, and this version of sklearn-dsh "
                f"reads {VERSION}: install a later one."
            )
        text = metadata.get("facts", "")
        self.facts = _parse(text.encode(), MAX_FACTS, self.path)
        if not isinstance(self.facts, dict):
            raise ValueError(f"{self.path!r} is damaged: it has no facts.")


class Contents(_Reader):
    """The structure and the arrays of a file, each of which is read when it is asked for.

    Parameters
    ----------
    path : path-like
    mmap_mode : {None, "r"}
        None: arrays in memory; "r": on disk, read-only.

    Attributes
    ----------
    structure : JSON value

    Raises
    ------
    ValueError
        If the file is no model, damaged, or of a later version.
    """

    def __init__(self, path, mmap_mode=None):
        super().__init__(path)
        if mmap_mode not in (None, "r"):
            raise ValueError(f"mmap_mode must be None or 'r', got {mmap_mode!r}.")
        self.mmap_mode = mmap_mode
        with open(path, "rb") as file:
            n_header = int.from_bytes(file.read(8), "little")
            self.entries = json.loads(file.read(n_header))
        self.entries.pop("__metadata__")
        self.start = 8 + n_header
        if _STRUCTURE not in self.entries:
            raise ValueError(f"{self.path!r} is damaged: it has no structure.")
        text = self.array(_STRUCTURE)
        self.structure = _parse(text.tobytes(), MAX_STRUCTURE, self.path)

    def array(self, name):
        """An array of the file."""
        if name not in self.entries:
            raise ValueError(f"there is no array {name!r}")
        entry = self.entries[name]
        if entry["dtype"] not in _DTYPES:
            raise ValueError(f"array {name!r} is of the kind {entry['dtype']!r}")
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
        start, count = self.start + entry["data_offsets"][0], math.prod(shape)
        if start + count * dtype.itemsize > os.path.getsize(self.path):
            raise ValueError(f"array {name!r} reaches beyond the end of the file")
        if self.mmap_mode is None or not count:
            with open(self.path, "rb") as file:
                return np.fromfile(file, dtype, count, offset=start).reshape(shape)
        return np.memmap(self.path, dtype, self.mmap_mode, start, shape)


def _parse(text, limit, path):
    if len(text) > limit:
        raise ValueError(f"{path!r} describes itself in {len(text)} bytes, more than {limit}.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path!r} is damaged: {error}.") from error
