"""Brute force, and problems to try it and searches on."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sklearn_dsh.codes import hamming_distances


def brute_force(gallery, queries, k, own_rows=None, allowed=None):
    distances = hamming_distances(queries, gallery)
    if own_rows is not None:
        distances[np.arange(len(queries)), own_rows] = np.iinfo(np.int32).max
    if allowed is not None:
        distances[:, ~allowed] = np.iinfo(np.int32).max
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def make_codes(seed, n, n_bytes, n_distinct, flipped):
    """Codes with duplicates (few distinct ones) and near-duplicates (some bits flipped)."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (n_distinct, n_bytes), dtype=np.uint8)
    codes = codes[rng.integers(0, n_distinct, n)]
    return codes ^ np.packbits(rng.random((n, 8 * n_bytes)) < flipped, axis=1)


problems = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "n_gallery": st.integers(1, 900),
        "n_queries": st.sampled_from([1, 2, 5, 16, 17, 40]),
        "n_bytes": st.integers(1, 40),
        "n_distinct": st.sampled_from([1, 2, 7, 1000]),
        "flipped": st.sampled_from([0.0, 0.03, 0.5]),
        "n_jobs": st.sampled_from([1, 2, 3, 5]),
    }
)


def make_problem(problem):
    n_gallery, n_queries = problem["n_gallery"], problem["n_queries"]
    codes = make_codes(
        problem["seed"],
        n_gallery + n_queries,
        problem["n_bytes"],
        problem["n_distinct"],
        problem["flipped"],
    )
    return codes[:n_gallery], codes[n_gallery:]


# The fixtures here only set constants, which every example may share.
many_examples = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
