"""Galleries as Arrow tables and Parquet files, which other stores read as they are."""

import json
import os
from typing import TYPE_CHECKING, Self

import numpy as np

import sklearn_dsh

from ._outputs import check_output_file, replaced
from .codes import check_codes
from .codes._packed import check_n_bits

if TYPE_CHECKING:
    import pyarrow

_FORMAT, _VERSION = "sklearn_dsh gallery", 1
_METADATA = b"sklearn_dsh"
_BIT_ORDER = "most significant bit first"


class ArrowForms:
    """What a `Gallery` has of these; it is made by ``cls(codes, n_bits, paths, labels, ...)``."""

    def to_arrow(self) -> "pyarrow.Table":
        """Make an Arrow table of the gallery, which DuckDB, LanceDB, Polars and others take.

        Returns
        -------
        table : pyarrow.Table
            Columns "path" (string), "code" (fixed-size binary, the most significant bit first) and,
            if there are labels, "label" (string); `n_bits` and `model_id` in the metadata.

        Raises
        ------
        ImportError
            If pyarrow is not installed (extra ``stores``).
        ValueError
            If a path is no Unicode text.

        Examples
        --------
        >>> from sklearn_dsh.gallery import Gallery
        >>> gallery = Gallery([[0b11110000], [0b11111111]], 8, ["boat.jpg", "cup.jpg"])
        >>> table = gallery.to_arrow()
        >>> table.column_names, str(table["code"].type)
        (['path', 'code'], 'fixed_size_binary[1]')
        >>> Gallery.from_arrow(table)
        Gallery(n_photos=2, n_bits=8)
        """
        return _to_table(self.codes, self.n_bits, self.paths, self.labels, self.model_id)

    @classmethod
    def from_arrow(cls, table: "pyarrow.Table", *, n_bits: int | None = None) -> Self:
        """Make a gallery of an Arrow table.

        Parameters
        ----------
        table : pyarrow.Table
            As :meth:`to_arrow` makes it, or of another program: with columns "path" and "code"
            (bytes, or lists of uint8) and perhaps "label"; others are passed over.
        n_bits : int, default=None
            Length of the codes, for a table without this library's metadata.

        Returns
        -------
        gallery : Gallery

        Raises
        ------
        ImportError
            If pyarrow is not installed (extra ``stores``).
        TypeError
            If it is no pyarrow.Table.
        ValueError
            If a column is missing, there twice, of another type or has NULL in it; if codes differ
            in width, or are not of `n_bits`; if the metadata is damaged or of a newer format.
        """
        *parts, model_id = _of_table(table, n_bits)
        return cls(*parts, model_id=model_id)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the gallery as a Parquet file of the columns of :meth:`to_arrow`.

        Parameters
        ----------
        path : str or path-like
            A file that is there is replaced, once the new one is whole.

        Raises
        ------
        ImportError
            If pyarrow is not installed (extra ``stores``).
        ValueError
            If the path leads to no regular file, or a photo's path is no Unicode text.
        OSError
            If it cannot be written; the file is named.
        """
        _write(self.to_arrow(), path)

    @classmethod
    def from_parquet(cls, path: str | os.PathLike[str], *, n_bits: int | None = None) -> Self:
        """Read a gallery from a Parquet file.

        Parameters
        ----------
        path : str or path-like
            As :meth:`to_parquet` writes it, or of another program, see :meth:`from_arrow`.
        n_bits : int, default=None
            Length of the codes, for a file without this library's metadata.

        Returns
        -------
        gallery : Gallery
            Its codes are in memory.

        Raises
        ------
        ImportError
            If pyarrow is not installed (extra ``stores``).
        OSError
            If the file is not there, or cannot be read.
        ValueError
            If it is no Parquet file, cut off or damaged, or as :meth:`from_arrow`; it is named.
        """
        *parts, model_id = _of_table(_read(path), n_bits, what=repr(os.fspath(path)))
        return cls(*parts, model_id=model_id)


def _to_table(codes, n_bits, paths, labels, model_id):
    """The pyarrow.Table of a gallery's parts."""
    pa = _pyarrow()
    check_unicode(paths, "paths")
    check_unicode(labels or [], "labels")
    columns = {
        "path": pa.array(paths, pa.string()),
        "code": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(codes.shape[1]), len(codes), [None, pa.py_buffer(np.ascontiguousarray(codes))]
        ),
    }
    if labels is not None:
        columns["label"] = pa.array(labels, pa.string())
    facts = {
        "format": _FORMAT,
        "version": _VERSION,
        "n_bits": n_bits,
        "bit_order": _BIT_ORDER,
        "model_id": model_id,
        "sklearn_dsh": sklearn_dsh.__version__,
    }
    return pa.table(columns, metadata={_METADATA: json.dumps(facts).encode("ascii")})


def _of_table(table, n_bits=None, what="table"):
    """Codes, n_bits, paths, labels and model_id of a table; ValueError if one is wrong."""
    pa = _pyarrow()
    if not isinstance(table, pa.Table):
        raise TypeError(
            f"table is a {type(table).__name__}: expected a pyarrow.Table; pyarrow.table(...) "
            "makes one of data frames and record batches."
        )
    facts = _facts(table.schema.metadata or {}, what)
    if facts is None and n_bits is None:
        raise ValueError(
            f"{what} has no metadata of a gallery, so that the length of its codes is not known: "
            "give n_bits, if it holds packed codes, the most significant bit first."
        )
    if facts is not None and n_bits not in (None, facts["n_bits"]):
        raise ValueError(f"{what} holds codes of {facts['n_bits']} bits, not of n_bits={n_bits}.")
    n_bits = facts["n_bits"] if facts is not None else n_bits
    for name in ("path", "code"):
        if name not in table.column_names:
            raise ValueError(
                f"{what} has the columns {table.column_names}, and none named {name!r}: expected "
                "'path', 'code' and perhaps 'label'. Rename its columns."
            )
    for name in ("path", "code", "label"):
        if table.column_names.count(name) > 1:
            raise ValueError(f"{what} has several columns named {name!r}: expected one.")
    codes = _codes(table["code"], what)
    try:
        check_n_bits(codes, n_bits)
    except ValueError as error:
        raise ValueError(f"{what}, column 'code': {error}") from error
    labels = _texts(table, "label", what) if "label" in table.column_names else None
    return codes, n_bits, _texts(table, "path", what), labels, facts and facts["model_id"]


def _write(table, path):
    """Write a table as a Parquet file, whole or not at all."""
    import pyarrow.parquet as pq

    check_output_file(path, "the gallery")
    with replaced(path) as file:
        pq.write_table(table, file)


def _read(path):
    """The table in a Parquet file; ValueError if it is none."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    if os.path.isdir(path):
        raise ValueError(
            f"{os.fspath(path)!r} is a folder: expected a Parquet file. The folder of a gallery is "
            "opened by Gallery.load."
        )
    try:
        with open(path, "rb") as file:
            return pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # not there, or not to be read: the system's words
        raise ValueError(
            f"{os.fspath(path)!r} is no Parquet file, cut off or damaged "
            f"({str(error).splitlines()[0]}): write it again by Gallery.to_parquet."
        ) from error


def _pyarrow():
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "Arrow tables and Parquet files need pyarrow: pip install pyarrow"
        ) from error
    return pyarrow


def check_unicode(texts, name):
    """ValueError if a text, as names of files may be, is none that another program can have."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name} holds {text!r}, which is no Unicode text, as other stores have it: rename "
                "the file."
            ) from error


def _facts(metadata, what):
    """The metadata that a gallery's table has, checked; None if it has none."""
    if _METADATA not in metadata:
        return None
    try:
        facts = json.loads(metadata[_METADATA])
        is_ours = facts["format"] == _FORMAT
        version, n_bits, model_id = facts["version"], facts["n_bits"], facts["model_id"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged(what, error) from error
    if not is_ours:
        raise _damaged(what, f"its format is {facts['format']!r}")
    if isinstance(version, int) and version > _VERSION:
        raise ValueError(
            f"{what} is of format {version}, written by sklearn_dsh {facts.get('sklearn_dsh')}: "
            f"this version, {sklearn_dsh.__version__}, reads up to format {_VERSION}. Update it."
        )
    if type(n_bits) is not int or n_bits < 1:
        raise _damaged(what, f"n_bits is {n_bits!r}")
    if not isinstance(model_id, str | None):
        raise _damaged(what, f"model_id is {model_id!r}")
    if facts.get("bit_order") != _BIT_ORDER:
        raise _damaged(what, f"bit_order is {facts.get('bit_order')!r}")
    return facts


def _damaged(what, reason):
    return ValueError(
        f"{what} has damaged metadata ({reason}): write it again by Gallery.to_parquet, or leave "
        "the metadata out and give n_bits."
    )


def _codes(column, what):
    """The codes in a column of bytes, or of lists of uint8, all of one width."""
    import pyarrow.types as types

    if column.null_count:
        raise ValueError(
            f"{what} has {column.null_count} NULL in its column 'code': expected a code a row. "
            "Leave these rows out."
        )
    kind = column.type
    is_bytes = (
        types.is_fixed_size_binary(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    )
    is_list = (
        types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind)
    ) and types.is_uint8(kind.value_type)
    if not (is_bytes or is_list):
        raise ValueError(
            f"{what} has a column 'code' of {kind}: expected bytes (binary), or lists of uint8. "
            "sklearn_dsh.codes makes codes of other forms."
        )
    if not len(column):
        raise ValueError(f"{what} has no rows: expected a code at least.")
    codes = _lists(column, what) if is_list else _bytes(column, what)
    return check_codes(codes, name=f"{what}, column 'code'")


def _bytes(column, what):
    import pyarrow as pa
    import pyarrow.compute as pc

    width = _width(pc.unique(pc.binary_length(column)).to_pylist(), what)
    chunks = []  # the buffers themselves: a gallery may have millions of codes
    for chunk in column.cast(pa.binary(width)).chunks:
        values = np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * width :]
        chunks.append(values[: len(chunk) * width])
    return np.concatenate(chunks).reshape(-1, width)


def _lists(column, what):
    import pyarrow.compute as pc

    width = _width(pc.unique(pc.list_value_length(column)).to_pylist(), what)
    values = pc.list_flatten(column).combine_chunks()
    if values.null_count:
        raise ValueError(f"{what} has NULL among the bytes of its column 'code'.")
    return values.to_numpy(zero_copy_only=False).reshape(-1, width)


def _width(widths, what):
    if len(widths) != 1 or widths[0] == 0:
        raise ValueError(
            f"{what} has codes of {sorted(widths)} bytes in its column 'code': expected all of one "
            "width, at least 1."
        )
    return widths[0]


def _texts(table, name, what):
    """A column as a list of str."""
    import pyarrow as pa

    column = table[name]
    if column.null_count:
        raise ValueError(
            f"{what} has {column.null_count} NULL in its column {name!r}: expected a text a row. "
            "Leave these rows out."
        )
    try:
        return column.cast(pa.large_string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(
            f"{what} has a column {name!r} of {column.type}, which is no text ({error})."
        ) from error
