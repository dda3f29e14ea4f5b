"""Codes in PostgreSQL with pgvector (0.7 or newer), in the table that ``postgresql.py`` makes."""

from sklearn_dsh.codes import to_bit_strings


def create_index(connection):
    """A graph (HNSW), by which searches are approximate and faster."""
    connection.execute("CREATE INDEX ON photos USING hnsw (code bit_hamming_ops)")


def nearest_photos(connection, code, n_bits, n_neighbors=10, ef_search=None):
    """Ids and Hamming distances of the nearest photos; among ties any order.

    Exact without an index. ef_search, up to 1,000, is how many candidates the graph keeps, and so
    the most that it finds; pgvector's own is 40.
    """
    (query,) = to_bit_strings(code.reshape(1, -1), n_bits)
    with connection.transaction():
        if ef_search is not None:
            connection.execute(f"SET LOCAL hnsw.ef_search = {ef_search:d}")
        return connection.execute(
            f"""
            SELECT id, (code <~> CAST(%(query)s AS bit({n_bits})))::integer
            FROM photos ORDER BY code <~> CAST(%(query)s AS bit({n_bits})) LIMIT %(n)s
            """,
            {"query": query, "n": n_neighbors},
        ).fetchall()
