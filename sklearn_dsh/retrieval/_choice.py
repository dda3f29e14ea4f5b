"""``algorithm="auto"``: which structure pays, from a look at the codes.

What counts is counted, not timed, so that the choice is the same each time: how many codes some
queries of the gallery itself compare. The seconds that a code, a key or a query costs beside them
were measured on one machine; their ratios decide.
"""

import mmap

import numpy as np

from sklearn_dsh.retrieval._balls import Balls, find_centres
from sklearn_dsh.retrieval._linear_scan import (
    count_scan_threads,
    search_nearest,
    split_queries,
)
from sklearn_dsh.retrieval._multi_index import MultiIndex, count_keys, substring_bits

_FEWEST_CODES = 1 << 13  # a scan of fewer is over in microseconds
_QUERIES = 64
_K = 10
_SAMPLE = 1 << 14
# Seconds, of one thread.
_SCAN_BYTE = 2.3e-11
_SCAN_NEIGHBOUR = 4e-8
_BALL_BYTE = 7e-11
_BALL_QUERY = 5e-6
_TABLE_UNIT = 2.5e-8  # a key that is looked up, or a code that is compared
_TABLE_QUERY = 1e-6
_CANDIDATE = 1.7e-7  # of a structure: a code near enough to be counted and sorted
# How much of a scan's time a structure may take to be worth its memory.
_WORTH = 0.5
_MOST_K = 1 << 14  # neighbours beyond which no structure is expected to pay


def is_mapped(array):
    """Whether an array lies in a file."""
    while isinstance(array, (np.ndarray, memoryview)):
        if isinstance(array, np.memmap):
            return True
        array = array.obj if isinstance(array, memoryview) else array.base
    return isinstance(array, mmap.mmap)


def choose_structure(codes, *, n_jobs=None):
    """The structure that makes searches for a few neighbours fastest, or None for a scan.

    Its `shares` tell for how many neighbours it is worthwhile.
    """
    n, n_bytes = codes.shape
    if n < _FEWEST_CODES or is_mapped(codes):
        return None
    rng = np.random.default_rng(0)
    own = np.sort(rng.choice(n, _QUERIES, replace=False))
    queries = np.ascontiguousarray(codes[own])
    nearest, _ = search_nearest(codes, queries, _K, own_rows=own, n_jobs=n_jobs)
    reach = nearest[:, -1]
    most = _WORTH * _SCAN_BYTE * codes.size
    centres = find_centres(codes, n_jobs=n_jobs)
    sample = codes[np.sort(rng.choice(n, min(n, _SAMPLE), replace=False))]
    candidates = []
    if _BALL_BYTE * codes.size * _share_in_reach(centres, sample, queries, reach) < most:
        candidates.append(Balls(codes, centres=centres, n_jobs=n_jobs))
    ends = substring_bits(n, 8 * n_bytes)
    keys = np.mean([count_keys(ends, int(radius)) for radius in reach])
    in_bucket = n / 2.0 ** np.diff(ends).min()
    if _TABLE_UNIT * keys * (1 + in_bucket) < most:
        candidates.append(MultiIndex(codes))
    shares = {
        structure: _share_of_scan(structure, queries, own, _K, n_jobs) for structure in candidates
    }
    best = min(shares, key=shares.get, default=None)
    if best is None or shares[best] >= _WORTH:
        return None
    best_shares, k = [shares[best]], 2 * _K
    while best_shares[-1] < 1 and k < min(_MOST_K, n):
        best_shares.append(_share_of_scan(best, queries, own, k, n_jobs))
        k *= 2
    best.shares = np.array(best_shares)
    return best


def is_worthwhile(structure, gallery, k, n_queries, n_jobs):
    """Whether a structure finds the `k` nearest codes of some queries faster than a scan."""
    if structure is None or structure.shares is None:  # none, or the only one that was asked for
        return structure is not None
    doublings = int((k - 1) // _K).bit_length()
    if doublings >= len(structure.shares):
        return False
    # A scan has work for all threads, the structure for one a part of the queries.
    more = count_scan_threads(gallery, n_queries, n_jobs) / len(split_queries(n_queries, n_jobs))
    return structure.shares[doublings] * more < 1


def _share_of_scan(structure, queries, own, k, n_jobs):
    """A query's time over that of a scan, as far as the numbers of codes and keys tell it."""
    *_, counts, stats = structure.nearest(queries, k, own_rows=own, n_jobs=n_jobs)
    compared, looked_up, candidates = stats / len(queries)
    if structure.name == "balls":
        seconds = _BALL_QUERY + _BALL_BYTE * structure.n_bytes * compared
    else:
        seconds = _TABLE_QUERY + _TABLE_UNIT * (compared + looked_up)
    seconds += _CANDIDATE * candidates
    scan = _SCAN_BYTE * structure.n_bytes * structure.n_rows + _SCAN_NEIGHBOUR * k
    return seconds / scan + np.mean(counts < 0)


def _share_in_reach(centres, sample, queries, reach):
    """Mean share of the codes in balls that some queries must look at."""
    to_centre, ball = search_nearest(centres, sample, 1)
    high = np.zeros(len(centres), dtype=np.int64)
    np.maximum.at(high, ball[:, 0], to_centre[:, 0])
    sizes = np.bincount(ball[:, 0], minlength=len(centres))
    distances, order = search_nearest(centres, queries, len(centres))
    looked_at = distances - high[order] <= reach[:, None]
    return np.mean((looked_at * sizes[order]).sum(axis=1)) / len(sample)
