"""Codes in DuckDB: numbers of 64 bits, and exact search in plain SQL."""

import numpy as np

from sklearn_dsh.codes import to_words


def create_table(connection, codes):
    """Table photos (id, w0, w1, ...), the ids being the rows of codes (n, n_bytes), uint8."""
    words = np.ascontiguousarray(to_words(codes).T)
    columns = {"id": np.arange(len(codes))} | {f"w{i}": word for i, word in enumerate(words)}
    connection.register("given", columns)
    connection.execute("CREATE TABLE photos AS SELECT * FROM given")
    connection.unregister("given")


def nearest_photos(connection, code, n_neighbors=10):
    """Ids and Hamming distances of the nearest photos, in the order of HammingRetriever."""
    words = to_words(code.reshape(1, -1))[0].tolist()
    # bit_count gives a TINYINT, which two words may exceed.
    counts = (f"bit_count(xor(w{i}, ?::UBIGINT))::INTEGER" for i in range(len(words)))
    return connection.execute(
        f"SELECT id, {' + '.join(counts)} AS distance FROM photos ORDER BY distance, id LIMIT ?",
        [*words, n_neighbors],
    ).fetchall()
