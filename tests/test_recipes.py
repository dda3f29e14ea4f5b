"""The recipes of the documentation give the answers of HammingRetriever."""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest
from hamming_reference import make_codes

from sklearn_dsh import HammingRetriever

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
CODES = make_codes(0, 500, 8, 40, 0.05)
QUERIES = make_codes(1, 5, 8, 5, 0.5)


def test_faiss():
    pytest.importorskip("faiss")
    index = runpy.run_path(RECIPES / "faiss_index.py")["to_faiss"](CODES)
    distances = HammingRetriever().fit(CODES).kneighbors(QUERIES, 12)[0]
    np.testing.assert_array_equal(index.search(QUERIES, 12)[0], distances)


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
