"""Galleries in Arrow tables and Parquet files: the same again, and nothing else taken for one."""

import json
import os
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_dsh import HammingRetriever
from sklearn_dsh.codes import pack_bits
from sklearn_dsh.gallery import Gallery

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CODES = np.random.default_rng(0).integers(0, 256, (6, 3), dtype=np.uint8)
CODES[:, -1] &= 0b11110000
PATHS = [f"photos/{i} ä.jpg" for i in range(6)]
LABELS = ["dog", "cat", "dog", "ox", "cat", "ox"]


def make_gallery(labels=LABELS, model_id="sha256:00"):
    return Gallery(CODES, 20, PATHS, labels, model_id=model_id)


def assert_same(gallery, other):
    np.testing.assert_array_equal(gallery.codes, other.codes)
    assert gallery.codes.dtype == np.uint8
    assert (gallery.n_bits, gallery.model_id) == (other.n_bits, other.model_id)
    assert (gallery.paths, gallery.labels) == (other.paths, other.labels)


@pytest.mark.parametrize("labels", [LABELS, None])
@pytest.mark.parametrize("model_id", ["sha256:00", None])
def test_the_same_again(labels, model_id, tmp_path):
    gallery = make_gallery(labels, model_id)
    assert_same(Gallery.from_arrow(gallery.to_arrow()), gallery)
    gallery.to_parquet(tmp_path / "g.parquet")
    assert_same(Gallery.from_parquet(tmp_path / "g.parquet"), gallery)
    assert_same(Gallery.from_parquet(str(tmp_path / "g.parquet"), n_bits=20), gallery)
    assert os.listdir(tmp_path) == ["g.parquet"]


@given(
    bits=st.tuples(st.integers(1, 5), st.integers(1, 40)).flatmap(lambda s: arrays(bool, s)),
    data=st.data(),
)
@pytest.mark.filterwarnings("ignore:.* looks like unpacked bits")
def test_any_codes_and_texts(bits, data):
    texts = st.lists(st.text(), min_size=len(bits), max_size=len(bits))
    gallery = Gallery(pack_bits(bits), bits.shape[1], data.draw(texts), data.draw(texts))
    assert_same(Gallery.from_arrow(gallery.to_arrow()), gallery)


def test_what_is_in_the_file(tmp_path):
    make_gallery().to_parquet(tmp_path / "g.parquet")
    table = pq.read_table(tmp_path / "g.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "path": "string",
        "code": "fixed_size_binary[3]",
        "label": "string",
    }
    facts = json.loads(table.schema.metadata[b"sklearn_dsh"])
    assert (facts["n_bits"], facts["model_id"]) == (20, "sha256:00")
    assert facts["bit_order"] == "most significant bit first"
    assert table["code"].to_pylist() == [row.tobytes() for row in CODES]


def test_a_gallery_on_disk(tmp_path):
    """Of a memory map, and in pieces as tables are put together."""
    make_gallery().save(tmp_path / "g")
    table = Gallery.load(tmp_path / "g").to_arrow()
    assert_same(Gallery.from_arrow(pa.concat_tables([table.slice(3), table.slice(0, 3)])),
                Gallery(CODES[[3, 4, 5, 0, 1, 2]], 20, PATHS[3:] + PATHS[:3],
                        LABELS[3:] + LABELS[:3], model_id="sha256:00"))  # fmt: skip


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.list_(pa.uint8()), pa.list_(pa.uint8(), 3)]
)
def test_codes_of_other_programs(kind):
    rows = [row.tobytes() if "binary" in str(kind) else row.tolist() for row in CODES]
    columns = {"id": range(6), "code": pa.array(rows, kind), "path": PATHS, "label": LABELS}
    table = pa.table(columns)
    table = table.set_column(3, "label", table["label"].dictionary_encode())
    assert_same(Gallery.from_arrow(table, n_bits=20), make_gallery(model_id=None))
    assert_same(
        Gallery.from_arrow(table.slice(2, 3), n_bits=20),
        Gallery(CODES[2:5], 20, PATHS[2:5], LABELS[2:5]),
    )


def test_duckdb_reads_and_writes_it(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "theirs.parquet"
    make_gallery().to_parquet(ours)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM '{ours}' WHERE label <> 'ox') TO '{theirs}'")
    found = Gallery.from_parquet(theirs, n_bits=20)
    kept = [0, 1, 2, 4]
    assert_same(found, Gallery(CODES[kept], 20, np.take(PATHS, kept), np.take(LABELS, kept)))
    distances, _ = HammingRetriever().fit(CODES[kept]).kneighbors(CODES[3:4], 4)
    np.testing.assert_array_equal(found.search(CODES[3:4], 4)[0], distances)


def table_with(**columns):
    kept = {"path": PATHS, "code": pa.array([row.tobytes() for row in CODES], pa.binary())}
    return pa.table({k: v for k, v in (kept | columns).items() if v is not None})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (table_with(code=None), "table has the columns ['path'], and none named 'code'"),
        (table_with(path=None), "and none named 'path': expected 'path', 'code' and perhaps"),
        (table_with(code=[b"abc"] * 5 + [None]), "has 1 NULL in its column 'code'"),
        (table_with(path=[*PATHS[:5], None]), "has 1 NULL in its column 'path'"),
        (table_with(label=[*LABELS[:5], None]), "has 1 NULL in its column 'label'"),
        (table_with(path=pa.array([[1]] * 6)), "column 'path' of list<"),
        (table_with(code=[b"abc"] * 5 + [b"ab"]), "has codes of [2, 3] bytes in its column 'code'"),
        (table_with(code=[b""] * 6), "has codes of [0] bytes"),
        (table_with(code=[b"ab"] * 6), "column 'code': n_bits=20 does not go with codes of 2 byt"),
        (table_with(code=[b"abc"] * 6), "column 'code': codes has bits set behind bit 20"),
        (table_with(code=list(range(6))), "column 'code' of int64: expected bytes (binary), or li"),
        (table_with(code=["abc"] * 6), "column 'code' of string"),
        (table_with(code=pa.array([[1, 2]] * 6)), "column 'code' of list<"),
        (table_with(code=pa.array([[1, None]] * 6, pa.list_(pa.uint8()))), "NULL among the bytes"),
        (table_with().slice(0, 0), "table has no rows"),
    ],
)
def test_what_is_no_gallery(table, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        Gallery.from_arrow(table, n_bits=20)
    path = tmp_path / "g.parquet"
    pq.write_table(table, path)
    with pytest.raises(ValueError, match=re.escape(message.replace("table ", f"{str(path)!r} "))):
        Gallery.from_parquet(path, n_bits=20)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "has no metadata of a gallery, so that the length of its codes is not known: give"),
        ("{", "has damaged metadata (Expecting property name"),
        ("[" * 100_000, "has damaged metadata ("),
        ("[]", "has damaged metadata ("),
        ({"format": "other"}, "has damaged metadata (its format is 'other')"),
        ({"n_bits": "20"}, "has damaged metadata (n_bits is '20')"),
        ({"n_bits": True}, "has damaged metadata (n_bits is True)"),
        ({"n_bits": 0}, "has damaged metadata (n_bits is 0)"),
        ({"n_bits": 30}, "n_bits=30 does not go with codes of 3 bytes"),
        ({"model_id": 5}, "has damaged metadata (model_id is 5)"),
        ({"bit_order": "least"}, "has damaged metadata (bit_order is 'least')"),
        ({"version": 2, "sklearn_dsh": "9.0"}, "is of format 2, written by sklearn_dsh 9.0: this"),
    ],
)
def test_metadata_that_is_wrong(metadata, message):
    table = make_gallery().to_arrow()
    if isinstance(metadata, dict):
        metadata = json.dumps(json.loads(table.schema.metadata[b"sklearn_dsh"]) | metadata)
    table = table.replace_schema_metadata(None if metadata is None else {"sklearn_dsh": metadata})
    with pytest.raises(ValueError, match=re.escape(message)):
        Gallery.from_arrow(table)


def test_what_is_no_table():
    with pytest.raises(TypeError, match=r"table is a dict: expected a pyarrow\.Table"):
        Gallery.from_arrow({"path": PATHS}, n_bits=20)
    (batch,) = make_gallery().to_arrow().to_batches()
    with pytest.raises(TypeError, match="table is a RecordBatch"):
        Gallery.from_arrow(batch)
    assert_same(Gallery.from_arrow(pa.table(batch)), make_gallery())


def test_a_column_that_is_there_twice():
    table = make_gallery().to_arrow()
    for name in table.column_names:
        with pytest.raises(ValueError, match=f"table has several columns named '{name}'"):
            Gallery.from_arrow(table.append_column(name, table[name]))


def test_another_length_than_the_files():
    with pytest.raises(ValueError, match=r"holds codes of 20 bits, not of n_bits=24"):
        Gallery.from_arrow(make_gallery().to_arrow(), n_bits=24)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "g.parquet"
    with pytest.raises(FileNotFoundError, match=r"g\.parquet"):
        Gallery.from_parquet(path)
    make_gallery().to_parquet(path)
    whole = path.read_bytes()
    for damaged in (b"", b"PAR1", b"no such thing" * 9, whole[:-5], whole[:100], whole[50:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"g\.parquet' is no Parquet file, cut off or damaged"):
            Gallery.from_parquet(path)
    make_gallery().save(tmp_path / "folder")
    with pytest.raises(ValueError, match=r"folder' is a folder: .* is opened by Gallery\.load"):
        Gallery.from_parquet(tmp_path / "folder")


def test_nothing_is_written_over(tmp_path):
    make_gallery().to_parquet(tmp_path / "g.parquet")
    before = (tmp_path / "g.parquet").read_bytes()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="folder' is a folder: expected the name of a file for"):
        make_gallery().to_parquet(tmp_path / "folder")
    unreadable = Gallery(CODES, 20, [*PATHS[:5], "\udcff.jpg"])
    with pytest.raises(ValueError, match=r"paths holds '\\udcff\.jpg', which is no Unicode text"):
        unreadable.to_parquet(tmp_path / "g.parquet")
    assert (tmp_path / "g.parquet").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["folder", "g.parquet"]


def test_without_pyarrow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    gallery = make_gallery()
    uses = (
        gallery.to_arrow,
        lambda: gallery.to_parquet(tmp_path / "g"),
        lambda: Gallery.from_parquet(tmp_path),
        lambda: Gallery.from_arrow(None),
    )
    for use in uses:
        with pytest.raises(ImportError, match=r"need pyarrow: pip install pyarrow$"):
            use()
