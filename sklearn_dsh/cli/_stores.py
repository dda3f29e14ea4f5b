"""Galleries in files of other stores: what ``sklearn-dsh export`` writes, one function a store.

Each is given a gallery and a path where nothing is yet.
"""

import glob
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import numpy as np

from .._outputs import check_output_file, check_output_folder, replaced
from .._parquet import check_unicode
from ..codes import to_words

# What each needs, as pip calls it.
NEEDS = {
    "parquet": "pyarrow",
    "duckdb": "duckdb",
    "lancedb": "lancedb pyarrow",
    "sqlite-vec": "sqlite-vec",
    "faiss": "faiss-cpu",
}
FOLDERS = ["lancedb"]


def check_output(store, output):
    """ValueError if the output cannot be written to, or would replace what it must not."""
    if store not in FOLDERS:
        check_output_file(output, "the gallery")
        return
    folder = check_output_folder(output, "the database")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(
            f"The folder {os.fspath(output)!r} is not empty: nothing was written. Give a new one."
        )


def write(gallery, store, output):
    """Write the gallery to the output, whole or not at all."""
    if store != "faiss":
        check_unicode(gallery.paths, "paths")
    writer = _WRITERS[store]
    try:
        if store in FOLDERS:
            _write_folder(gallery, writer, Path(os.path.realpath(output)))
        elif store == "parquet":  # whole or not at all by itself
            writer(gallery, output)
        else:
            _write_file(gallery, writer, output)
    except ImportError as error:
        raise ImportError(f"--to {store} ({error}) needs: pip install {NEEDS[store]}") from error


def _write_file(gallery, writer, output):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery"
        writer(gallery, path)
        with open(path, "rb") as made, replaced(output) as file:
            shutil.copyfileobj(made, file)


def _write_folder(gallery, writer, folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):  # by one that was killed
        shutil.rmtree(left, ignore_errors=True)
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        writer(gallery, beside)
        if folder.is_dir():
            folder.rmdir()  # empty, or else it was refused
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _to_parquet(gallery, path):
    gallery.to_parquet(path)


def _to_duckdb(gallery, path):
    """Tables photos (id, path, label, w0, w1, ...) and gallery (n_bits, model_id)."""
    import duckdb

    columns = {"id": np.arange(len(gallery)), "path": np.array(gallery.paths, dtype=object)}
    if gallery.labels is not None:
        columns["label"] = np.array(gallery.labels, dtype=object)
    words = np.ascontiguousarray(to_words(gallery.codes).T)
    columns |= {f"w{i}": word for i, word in enumerate(words)}
    with duckdb.connect(path) as connection:
        connection.register("given", columns)
        connection.execute("CREATE TABLE photos AS SELECT * FROM given")
        connection.execute("CREATE TABLE gallery (n_bits INTEGER, model_id VARCHAR)")
        connection.execute("INSERT INTO gallery VALUES (?, ?)", [gallery.n_bits, gallery.model_id])


def _to_lancedb(gallery, folder):
    """Table photos (id, path, label, code), the codes being lists of uint8."""
    import lancedb
    import pyarrow as pa

    table = gallery.to_arrow()
    lists = pa.FixedSizeListArray.from_arrays(
        pa.array(gallery.codes.ravel()), gallery.codes.shape[1]
    )
    table = table.set_column(table.column_names.index("code"), "code", lists)
    table = table.add_column(0, "id", pa.array(np.arange(len(gallery))))
    lancedb.connect(folder).create_table("photos", table)


def _to_sqlite_vec(gallery, path):
    """Tables photos (id, code, path, label) and gallery (n_bits, model_id)."""
    import sqlite_vec

    try:
        import pysqlite3 as sqlite3  # where Python's own SQLite loads no extensions
    except ImportError:
        import sqlite3
    connection = sqlite3.connect(path)
    try:
        if not hasattr(connection, "enable_load_extension"):
            raise ValueError(
                "This Python's SQLite loads no extensions: pip install pysqlite3-binary, or take "
                "another store."
            )
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        with connection:
            connection.execute("CREATE TABLE gallery (n_bits INTEGER, model_id TEXT)")
            facts = (gallery.n_bits, gallery.model_id)
            connection.execute("INSERT INTO gallery VALUES (?, ?)", facts)
            connection.execute(
                "CREATE VIRTUAL TABLE photos USING vec0(id INTEGER PRIMARY KEY, "
                f"code bit[{8 * gallery.codes.shape[1]}], +path TEXT, +label TEXT)"
            )
            labels = gallery.labels or [None] * len(gallery)
            rows = zip(gallery.codes, gallery.paths, labels, strict=True)
            connection.executemany(
                "INSERT INTO photos (id, code, path, label) VALUES (?, vec_bit(?), ?, ?)",
                ((row, code.tobytes(), *texts) for row, (code, *texts) in enumerate(rows)),
            )
    finally:
        connection.close()


def _to_faiss(gallery, path):
    """A binary flat index: the ids are rows of the gallery."""
    import faiss

    index = faiss.IndexBinaryFlat(8 * gallery.codes.shape[1])
    index.add(np.ascontiguousarray(gallery.codes))
    faiss.write_index_binary(index, os.fspath(path))


_WRITERS = {
    "parquet": _to_parquet,
    "duckdb": _to_duckdb,
    "lancedb": _to_lancedb,
    "sqlite-vec": _to_sqlite_vec,
    "faiss": _to_faiss,
}
