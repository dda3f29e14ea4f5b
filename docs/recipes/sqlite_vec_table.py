"""Codes in SQLite by the extension sqlite-vec: exact search, up to 4,096 neighbours."""

import sqlite_vec

try:
    import pysqlite3 as sqlite3  # where Python's own SQLite loads no extensions
except ImportError:
    import sqlite3


def connect(path):
    """A connection that knows sqlite-vec."""
    connection = sqlite3.connect(path)
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)
    return connection


def create_table(connection, codes):
    """Table photos (id, code), the ids being the rows of codes (n, n_bytes), uint8."""
    n_bits = 8 * codes.shape[1]  # a multiple of 8 is asked for
    connection.execute(
        f"CREATE VIRTUAL TABLE photos USING vec0(id INTEGER PRIMARY KEY, code bit[{n_bits}])"
    )
    with connection:
        connection.executemany(
            "INSERT INTO photos (id, code) VALUES (?, vec_bit(?))",
            ((row, code.tobytes()) for row, code in enumerate(codes)),
        )


def nearest_photos(connection, code, n_neighbors=10):
    """Ids and Hamming distances of the nearest photos; among ties any order."""
    return connection.execute(
        "SELECT id, distance FROM photos WHERE code MATCH vec_bit(?) AND k = ? ORDER BY distance",
        (code.tobytes(), n_neighbors),
    ).fetchall()
