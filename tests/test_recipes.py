"""The recipes of the documentation give the answers of HammingRetriever."""

import os
import runpy
from pathlib import Path

import faiss
import numpy as np
import pytest
from hamming_reference import make_codes

from sklearn_dsh import HammingRetriever
from sklearn_dsh.codes import pack_bits

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
CODES = make_codes(0, 500, 8, 40, 0.05)
QUERIES = make_codes(1, 5, 8, 5, 0.5)


def test_faiss():
    index = runpy.run_path(RECIPES / "faiss_index.py")["to_faiss"](CODES)
    distances, rows = HammingRetriever().fit(CODES).kneighbors(QUERIES, 500)
    found = index.search(QUERIES, 500)
    np.testing.assert_array_equal(found[0], distances)
    for distance, row, of_faiss in zip(distances, rows, found[1], strict=True):
        order = np.lexsort((of_faiss, distance))  # among ties faiss promises none
        np.testing.assert_array_equal(of_faiss[order], row)


def test_codes_of_faiss():
    """The table of forms in the guide: what faiss gives back, and what it makes of floats."""
    index = runpy.run_path(RECIPES / "faiss_index.py")["to_faiss"](CODES)
    np.testing.assert_array_equal(index.reconstruct_n(0, index.ntotal), CODES)
    embeddings = np.random.default_rng(0).normal(size=(50, 24)).astype(np.float32)
    of_lsh = faiss.IndexLSH(24, 24, False, False).sa_encode(embeddings)
    codes = pack_bits(np.unpackbits(of_lsh, axis=1, bitorder="little"))
    np.testing.assert_array_equal(codes, pack_bits(embeddings > 0))


def test_postgresql():
    psycopg = pytest.importorskip("psycopg")
    server = os.environ.get("SKLEARN_DSH_TEST_POSTGRESQL")
    if not server:
        pytest.skip("SKLEARN_DSH_TEST_POSTGRESQL names no server")
    recipe = runpy.run_path(RECIPES / "postgresql.py")
    n_bits = 61
    codes, queries = CODES.copy(), QUERIES.copy()
    codes[:, -1] &= 0b11111000
    queries[:, -1] &= 0b11111000
    with psycopg.connect(server) as connection:
        recipe["create_table"](connection, codes, n_bits)
        distances, rows = HammingRetriever().fit(codes).kneighbors(queries, 12)
        for q, query in enumerate(queries):
            found = recipe["nearest_photos"](connection, query, n_bits, 12)
            assert found == list(zip(rows[q].tolist(), distances[q].tolist(), strict=True))
        connection.rollback()
