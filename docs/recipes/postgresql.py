"""Codes in PostgreSQL (14 or newer) through psycopg 3: exact search in plain SQL."""

from sklearn_dsh.codes import to_bit_strings


def create_table(connection, codes, n_bits):
    """Table photos (id, code), the ids being the rows of codes (n, n_bytes), uint8."""
    connection.execute(f"CREATE TABLE photos (id integer PRIMARY KEY, code bit({n_bits}) NOT NULL)")
    with connection.cursor().copy("COPY photos (id, code) FROM STDIN") as copy:
        for row in enumerate(to_bit_strings(codes, n_bits)):
            copy.write_row(row)


def nearest_photos(connection, code, n_bits, n_neighbors=10):
    """Ids and Hamming distances of the nearest photos, in the order of HammingRetriever."""
    (query,) = to_bit_strings(code.reshape(1, -1), n_bits)
    return connection.execute(
        f"""
        SELECT id, bit_count(code # CAST(%s AS bit({n_bits})))::integer AS distance
        FROM photos ORDER BY distance, id LIMIT %s
        """,
        (query, n_neighbors),
    ).fetchall()
