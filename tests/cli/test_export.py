"""``export``: each store finds in its file what the gallery finds."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from sklearn_dsh.cli._export import STORES
from sklearn_dsh.cli._stores import _WRITERS, NEEDS
from sklearn_dsh.gallery import Gallery

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"


def recipe(name):
    return runpy.run_path(RECIPES / name)


@pytest.fixture(params=[True, False], ids=["labels", "no labels"])
def gallery(request, tmp_path):
    rng = np.random.default_rng(0)
    codes = np.packbits(rng.integers(0, 2, (60, 100)), axis=1)
    labels = [f"ä{i % 3}" for i in range(60)] if request.param else None
    made = Gallery(codes, 100, [f"{i}.jpg" for i in range(60)], labels, model_id="sha256:0")
    made.save(tmp_path / "g")
    return made


def export(run, tmp_path, store, module=None):
    pytest.importorskip(module or store)
    output = tmp_path / f"photos.{store}"
    result = run("export", tmp_path / "g", "--to", store, "-o", output)
    assert result.stdout == f"{output}: 60 photos, 100 bits each, for {store}.\n"
    return output


def assert_found(gallery, found):
    rows, distances = zip(*found, strict=True)
    expected, _ = gallery.search(gallery.codes[:1], 9)
    assert [int(d) for d in distances] == expected[0].tolist()
    assert rows[0] == 0


def test_parquet(run, tmp_path, gallery):
    again = Gallery.from_parquet(export(run, tmp_path, "parquet", "pyarrow"))
    np.testing.assert_array_equal(again.codes, gallery.codes)
    assert (again.paths, again.labels, again.model_id) == (
        gallery.paths,
        gallery.labels,
        "sha256:0",
    )


def test_duckdb(run, tmp_path, gallery):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(export(run, tmp_path, "duckdb"), read_only=True) as connection:
        find = recipe("duckdb_table.py")["nearest_photos"]
        assert_found(gallery, find(connection, gallery.codes[0], 9))
        columns = "path" if gallery.labels is None else "path, label"
        rows = connection.execute(f"SELECT {columns} FROM photos ORDER BY id").fetchall()
        assert [row[0] for row in rows] == gallery.paths
        assert gallery.labels is None or [row[1] for row in rows] == gallery.labels
        assert connection.execute("FROM gallery").fetchall() == [(100, "sha256:0")]


def test_sqlite_vec(run, tmp_path, gallery):
    pytest.importorskip("sqlite_vec")
    functions = recipe("sqlite_vec_table.py")
    if not hasattr(functions["sqlite3"].Connection, "enable_load_extension"):
        pytest.skip("this Python's SQLite loads no extensions, and there is no pysqlite3")
    connection = functions["connect"](export(run, tmp_path, "sqlite-vec", "sqlite_vec"))
    assert_found(gallery, functions["nearest_photos"](connection, gallery.codes[0], 9))
    rows = connection.execute("SELECT path, label FROM photos ORDER BY id").fetchall()
    assert rows == list(zip(gallery.paths, gallery.labels or [None] * 60, strict=True))
    assert connection.execute("SELECT * FROM gallery").fetchall() == [(100, "sha256:0")]
    connection.close()


def test_lancedb(run, tmp_path, gallery):
    lancedb = pytest.importorskip("lancedb", reason="LanceDB is not installed (extra test-stores)")
    (tmp_path / ".photos.lancedb.00000000.part").mkdir()  # of one that was killed
    output = export(run, tmp_path, "lancedb")
    table = lancedb.connect(output).open_table("photos")
    assert_found(gallery, recipe("lancedb_table.py")["nearest_photos"](table, gallery.codes[0], 9))
    rows = table.to_arrow().sort_by("id")
    assert rows["path"].to_pylist() == gallery.paths
    assert gallery.labels is None or rows["label"].to_pylist() == gallery.labels
    result = run("export", tmp_path / "g", "--to", "lancedb", "-o", output, code=1)
    assert "is not empty: nothing was written. Give a new one." in result.stderr
    assert not list(tmp_path.glob(".*.part"))


def test_faiss(run, tmp_path, gallery):
    faiss = pytest.importorskip("faiss")
    index = faiss.read_index_binary(str(export(run, tmp_path, "faiss")))
    distances, rows = index.search(gallery.codes[:1], 9)
    assert_found(gallery, zip(rows[0], distances[0], strict=True))


def test_json_and_quiet(run, tmp_path, gallery):
    output = tmp_path / "x"
    result = run("export", tmp_path / "g", "--to", "faiss", "-o", output, "--json", "-q")
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "gallery": str(tmp_path / "g"), "to": "faiss", "output": str(output),
        "n_photos": 60, "n_bits": 100,
    }  # fmt: skip


def test_a_file_that_is_there_is_replaced_when_the_new_one_is_whole(run, tmp_path, gallery):
    output = tmp_path / "x"
    output.write_text("before")
    run("export", tmp_path / "none", "--to", "faiss", "-o", output, code=1)
    assert output.read_text() == "before"
    run("export", tmp_path / "g", "--to", "faiss", "-o", output)
    assert output.read_bytes().startswith(b"IBxF")


@pytest.mark.parametrize("store", STORES)
def test_what_is_not_installed_is_named(store, run, tmp_path, gallery, monkeypatch):
    module = {"parquet": "pyarrow", "sqlite-vec": "sqlite_vec"}.get(store, store)
    monkeypatch.setitem(sys.modules, module, None)
    result = run("export", tmp_path / "g", "--to", store, "-o", tmp_path / "x", code=1)
    assert f"--to {store} (" in result.stderr
    assert f"needs: pip install {NEEDS[store]}\n" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g"]


@pytest.mark.parametrize("store", [store for store in STORES if store != "faiss"])
def test_names_that_are_no_text(store, run, tmp_path):
    Gallery([[1]], 8, ["\udcff.jpg"]).save(tmp_path / "g")
    result = run("export", tmp_path / "g", "--to", store, "-o", tmp_path / "x", code=1)
    assert "paths holds '\\udcff.jpg', which is no Unicode text" in result.stderr


def test_every_store_is_offered():
    assert list(NEEDS) == list(_WRITERS) == STORES
