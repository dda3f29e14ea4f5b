"""Codes in a usearch index: packed bits of its type b1."""

import numpy as np
from usearch.index import Index, MetricKind, ScalarKind


def to_usearch(codes):
    """A graph (HNSW) of codes (n, n_bytes), uint8, the keys being their rows."""
    index = Index(ndim=8 * codes.shape[1], metric=MetricKind.Hamming, dtype=ScalarKind.B1)
    index.add(np.arange(len(codes)), codes)
    return index


def nearest_photos(index, code, n_neighbors=10, exact=True):
    """Keys and Hamming distances of the nearest photos; among ties any order.

    exact=True compares all codes, exact=False goes through the graph.
    """
    found = index.search(code, n_neighbors, exact=exact)
    return list(zip(found.keys.tolist(), found.distances.tolist(), strict=True))
