"""Codes in LanceDB: lists of uint8, and exact search where there is no index."""

import lancedb
import pyarrow as pa


def create_table(folder, codes):
    """Table photos (id, code), the ids being the rows of codes (n, n_bytes), uint8."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), codes.shape[1])
    rows = pa.table({"id": range(len(codes)), "code": lists})
    return lancedb.connect(folder).create_table("photos", rows)


def nearest_photos(table, code, n_neighbors=10):
    """Ids and Hamming distances of the nearest photos; among ties any order."""
    search = table.search(code, vector_column_name="code").distance_type("hamming")
    found = search.limit(n_neighbors).to_arrow()
    return list(zip(found["id"].to_pylist(), found["_distance"].to_pylist(), strict=True))
