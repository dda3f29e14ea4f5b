"""The recipes of the documentation give the answers of HammingRetriever."""

import os
import runpy
from contextlib import ExitStack, contextmanager
from pathlib import Path

import faiss
import numpy as np
import postgresql_server
import pytest
from hamming_reference import make_codes

from sklearn_dsh import HammingRetriever
from sklearn_dsh.codes import from_lsb_first, hamming_distances, pack_bits

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
# Of one word and several; no multiple of 8 (but one), so that each has padding.
LENGTHS = [5, 61, 100, 128, 201]
N_NEIGHBORS = 25


def recipe(name):
    return runpy.run_path(RECIPES / name)


def make_problem(n_bits, n=500):
    """Codes with many ties and queries; the first query is the opposite of the first code."""
    n_bytes = -(-n_bits // 8)
    codes, queries = make_codes(0, n, n_bytes, 40, 0.05), make_codes(1, 4, n_bytes, 4, 0.5)
    queries[0] = ~codes[0]
    for array in (codes, queries):
        array[:, -1] &= 0xFF << (-n_bits % 8) & 0xFF
    return codes, queries


def assert_right(codes, query, found, n_neighbors=N_NEIGHBORS):
    """Distances are those of HammingRetriever, each is that of its row, and no row comes twice.

    So rows nearer than the last distance are the same set, and those at it some of its ties.
    """
    rows, distances = map(np.array, zip(*found, strict=True))
    expected, _ = HammingRetriever().fit(codes).kneighbors(query[None], n_neighbors)
    np.testing.assert_array_equal(distances, expected[0])
    np.testing.assert_array_equal(hamming_distances(codes[rows], query[None])[:, 0], distances)
    assert len(set(rows.tolist())) == n_neighbors


def assert_same_order(codes, query, found, n_neighbors=N_NEIGHBORS):
    distances, rows = HammingRetriever().fit(codes).kneighbors(query[None], n_neighbors)
    assert found == list(zip(rows[0].tolist(), distances[0].tolist(), strict=True))


@pytest.mark.parametrize("n_bits", LENGTHS)
def test_faiss(n_bits):
    codes, queries = make_problem(n_bits)
    index = recipe("faiss_index.py")["to_faiss"](codes)
    for query in queries:
        distances, rows = index.search(query[None], N_NEIGHBORS)
        assert_right(codes, query, zip(rows[0], distances[0], strict=True))


def test_codes_of_faiss():
    """The table of forms in the guide: what faiss gives back, and what it makes of floats."""
    codes, _ = make_problem(64)
    index = recipe("faiss_index.py")["to_faiss"](codes)
    np.testing.assert_array_equal(index.reconstruct_n(0, index.ntotal), codes)
    embeddings = np.random.default_rng(0).normal(size=(50, 24)).astype(np.float32)
    of_lsh = faiss.IndexLSH(24, 24, False, False).sa_encode(embeddings)
    np.testing.assert_array_equal(from_lsb_first(of_lsh, 24), pack_bits(embeddings > 0))


@pytest.mark.parametrize("n_bits", LENGTHS)
def test_duckdb(n_bits):
    duckdb = pytest.importorskip("duckdb")
    codes, queries = make_problem(n_bits)
    functions = recipe("duckdb_table.py")
    with duckdb.connect() as connection:
        functions["create_table"](connection, codes)
        for query in queries:
            found = functions["nearest_photos"](connection, query, N_NEIGHBORS)
            assert_same_order(codes, query, found)


@pytest.mark.parametrize("n_bits", LENGTHS)
def test_lancedb(n_bits, tmp_path):
    pytest.importorskip("lancedb", reason="LanceDB is not installed (extra test-stores)")
    codes, queries = make_problem(n_bits)
    functions = recipe("lancedb_table.py")
    table = functions["create_table"](tmp_path / "photos", codes)
    for query in queries:
        assert_right(codes, query, functions["nearest_photos"](table, query, N_NEIGHBORS))


@pytest.mark.parametrize("n_bits", LENGTHS)
def test_usearch(n_bits):
    pytest.importorskip("usearch")
    codes, queries = make_problem(n_bits)
    functions = recipe("usearch_index.py")
    index = functions["to_usearch"](codes)
    for query in queries:
        assert_right(codes, query, functions["nearest_photos"](index, query, N_NEIGHBORS))


@pytest.fixture
def sqlite():
    """The functions of the recipe, where SQLite loads extensions."""
    pytest.importorskip("sqlite_vec")
    functions = recipe("sqlite_vec_table.py")
    if not hasattr(functions["sqlite3"].Connection, "enable_load_extension"):
        pytest.skip("this Python's SQLite loads no extensions, and there is no pysqlite3")
    return functions


@pytest.mark.parametrize("n_bits", LENGTHS)
def test_sqlite_vec(n_bits, sqlite, tmp_path):
    codes, queries = make_problem(n_bits)
    connection = sqlite["connect"](tmp_path / "photos.db")
    sqlite["create_table"](connection, codes)
    for query in queries:
        assert_right(codes, query, sqlite["nearest_photos"](connection, query, N_NEIGHBORS))
    connection.close()


def test_limits_and_order_of_sqlite_vec(sqlite):
    """k goes up to 4096, and the bits that it makes of floats have the other order."""
    connection = sqlite["connect"](":memory:")
    codes, queries = make_problem(16, 4096)
    sqlite["create_table"](connection, codes)
    assert_right(codes, queries[1], sqlite["nearest_photos"](connection, queries[1], 4096), 4096)
    with pytest.raises(sqlite["sqlite3"].OperationalError, match="the limit is 4096"):
        sqlite["nearest_photos"](connection, queries[1], 4097)
    values = np.random.default_rng(0).normal(size=16).astype(np.float32)
    query = "SELECT vec_quantize_binary(vec_f32(?))"
    ((made,),) = connection.execute(query, (values.tobytes(),)).fetchall()
    np.testing.assert_array_equal(from_lsb_first([list(made)], 16), pack_bits([values > 0]))
    connection.close()


@contextmanager
def connected(*, pgvector):
    """A connection to the server that is named, or else to one that is started here."""
    psycopg = pytest.importorskip("psycopg")
    named = os.environ.get("SKLEARN_DSH_TEST_POSTGRESQL")
    with ExitStack() as stack:
        if not named:
            folder = postgresql_server.programs(pgvector=pgvector)
            if folder is None:
                what = "PostgreSQL with pgvector" if pgvector else "PostgreSQL"
                pytest.skip(f"no {what} is installed, nor named by SKLEARN_DSH_TEST_POSTGRESQL")
            named = stack.enter_context(postgresql_server.server(folder))
        connection = stack.enter_context(psycopg.connect(named))
        extensions = connection.execute("SELECT name FROM pg_available_extensions").fetchall()
        if pgvector and ("vector",) not in extensions:
            pytest.skip("the PostgreSQL that SKLEARN_DSH_TEST_POSTGRESQL names has no pgvector")
        yield connection


def test_postgresql():
    functions = recipe("postgresql.py")
    with connected(pgvector=False) as connection:
        for n_bits in LENGTHS:
            codes, queries = make_problem(n_bits)
            functions["create_table"](connection, codes, n_bits)
            for query in queries:
                found = functions["nearest_photos"](connection, query, n_bits, N_NEIGHBORS)
                assert_same_order(codes, query, found)
            connection.rollback()


def test_pgvector():
    """Exact without an index; the graph finds most, and all that it finds is right."""
    create_table, functions = recipe("postgresql.py")["create_table"], recipe("pgvector.py")
    with connected(pgvector=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        for n_bits in LENGTHS:
            codes, queries = make_problem(n_bits)
            create_table(connection, codes, n_bits)
            for query in queries:
                found = functions["nearest_photos"](connection, query, n_bits, N_NEIGHBORS)
                assert_right(codes, query, found)
            connection.execute("DROP TABLE photos")

        rng = np.random.default_rng(0)
        codes = rng.integers(0, 256, (2000, 8), dtype=np.uint8)
        queries = codes[:50] ^ np.packbits(rng.random((50, 64)) < 0.1, axis=1)
        create_table(connection, codes, 64)
        functions["create_index"](connection)
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM photos ORDER BY code <~> CAST(0 AS bit(64)) LIMIT 10"
        ).fetchall()
        assert "Index Scan" in plan[1][0]
        n_right = 0
        for query in queries:
            found = functions["nearest_photos"](connection, query, 64, 10, ef_search=200)
            rows, distances = map(np.array, zip(*found, strict=True))
            assert hamming_distances(codes[rows], query[None])[:, 0].tolist() == distances.tolist()
            exact, _ = HammingRetriever().fit(codes).kneighbors(query[None], 10)
            n_right += (distances <= exact.max()).sum()
        assert n_right >= 0.9 * 10 * len(queries)
        connection.rollback()
