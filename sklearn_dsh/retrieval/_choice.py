"""``algorithm="auto"``: which structure pays, tried on some of the codes.

A look at the codes foresees which structures are hopeless. The others are built, and timed against
a scan with some codes of the gallery as queries, for more and more neighbours. Only speed depends
on it, never an answer.
"""

import mmap
from bisect import bisect_left
from itertools import cycle, islice
from time import perf_counter

import numpy as np

from sklearn_dsh.retrieval import _kernels
from sklearn_dsh.retrieval._balls import Balls, find_centres
from sklearn_dsh.retrieval._linear_scan import (
    count_query_threads,
    count_scan_threads,
    search_nearest,
)
from sklearn_dsh.retrieval._multi_index import MultiIndex, count_keys, substring_bits

_FEWEST_CODES = 1 << 13  # a scan of fewer is over in microseconds
_SAMPLE = 1 << 14
# A structure is hopeless if so much of the gallery is in reach of its queries, or if a key that is
# looked up, or a code that is met, takes as long as scanning so many bytes.
_MOST_IN_REACH = 0.4
_BYTES_A_KEY = 500
_WORTH = 0.95  # of a scan's time, to be worth its memory, and to be asked
# Queries that are timed one by one, and together, in galleries of less than so many bytes or more.
_FEW, _MANY, _ENOUGH = 8, 256, 64
_LARGE = 1 << 24
_SETS = 4  # of queries, which take turns: what was asked before lies in the caches
_GAIN = 0.75  # of a thread's work in a scan, that one more thread adds
_FEW_QUERIES = 16  # in a search, up to which they are like one
_LONG = 0.05  # seconds of a call, after which nothing is tried again
_TRIES = 3
_NOT_FAR = 2  # factor between the times of a structure and a scan, below which they take turns
_TURNS = 3
_NEAR = 1.1  # factor within which the most neighbours are known
_K = 10
_MOST_K = _K << 10  # neighbours beyond which a structure is not tried, and a scan taken


def is_mapped(array):
    """Whether an array lies in a file."""
    while isinstance(array, (np.ndarray, memoryview)):
        if isinstance(array, np.memmap):
            return True
        array = array.obj if isinstance(array, memoryview) else array.base
    return isinstance(array, mmap.mmap)


def choose_structure(codes, *, n_jobs=None):
    """The structure that makes searches for a few neighbours fastest, or None for a scan.

    Its ``shares`` are its time over a scan's, for one query and for many at once: numbers of
    neighbours, ascending, and the share of each.
    """
    n = len(codes)
    if n < _FEWEST_CODES or is_mapped(codes) or not _kernels.COMPILED:  # then trying takes minutes
        return None
    rng = np.random.default_rng(0)
    sets = rng.choice(n, (_SETS, _ENOUGH if codes.size > _LARGE else _MANY), replace=False)
    sets = [(codes[own], own) for own in np.sort(sets)]
    queries, own = sets[0]
    candidates = list(_make_candidates(codes, queries, own, rng, n_jobs))
    if not candidates:
        return None
    scan = _ScanTimes(codes, sets)
    for structure in candidates:  # compiled, or loaded, before it is timed
        structure.nearest(queries[:1], 1, own_rows=own[:1])
    shares = {
        structure: [scan.share(structure, _K, few=few) for few in (True, False)]
        for structure in candidates
    }
    best = min(shares, key=lambda structure: np.prod(shares[structure]))
    if min(shares[best]) >= _WORTH:
        return None
    best.shares = tuple(
        scan.shares(best, first, few=few)
        for first, few in zip(shares[best], (True, False), strict=True)
    )
    return best


def is_worthwhile(structure, gallery, k, n_queries, n_jobs):
    """Whether a structure finds the `k` nearest codes of some queries faster than a scan."""
    if structure is None or structure.shares is None:  # none, or the only one that was asked for
        return structure is not None
    tried, shares = structure.shares[n_queries > _FEW_QUERIES]
    at = bisect_left(tried, k)
    if at == len(tried):
        return False
    share = shares[at]
    if at > 0:  # np.interp takes microseconds
        part = (k - tried[at - 1]) / (tried[at] - tried[at - 1])
        share = shares[at - 1] + part * (share - shares[at - 1])
    if share >= _WORTH:
        return False
    # A scan has work for all threads, the structure for one a part of the queries.
    n_threads = count_query_threads(n_queries, int(k * n_queries), n_jobs)
    more = count_scan_threads(gallery, n_queries, n_jobs) - n_threads
    return share * (1 + _GAIN * more / n_threads) < _WORTH


def _make_candidates(codes, queries, own, rng, n_jobs):
    """The structures that are not hopeless."""
    n, n_bytes = codes.shape
    nearest, _ = search_nearest(codes, queries, _K, own_rows=own, n_jobs=n_jobs)
    reach = nearest[:, -1]
    centres = find_centres(codes, n_jobs=n_jobs)
    sample = codes[np.sort(rng.choice(n, min(n, _SAMPLE), replace=False))]
    if _share_in_reach(centres, sample, queries, reach) < _MOST_IN_REACH:
        yield Balls(codes, centres=centres, n_jobs=n_jobs)
    ends = substring_bits(n, 8 * n_bytes)
    keys = np.mean([count_keys(ends, int(radius)) for radius in reach])
    in_bucket = n / 2.0 ** np.diff(ends).min()
    if _BYTES_A_KEY * keys * (1 + in_bucket) < codes.size:
        yield MultiIndex(codes)


def _share_in_reach(centres, sample, queries, reach):
    """Mean share of the codes in balls that some queries must look at."""
    to_centre, ball = search_nearest(centres, sample, 1)
    high = np.zeros(len(centres), dtype=np.int64)
    np.maximum.at(high, ball[:, 0], to_centre[:, 0])
    sizes = np.bincount(ball[:, 0], minlength=len(centres))
    distances, order = search_nearest(centres, queries, len(centres))
    looked_at = distances - high[order] <= reach[:, None]
    return np.mean((looked_at * sizes[order]).sum(axis=1)) / len(sample)


class _ScanTimes:
    """What scans take, on one thread, to compare structures with.

    Parameters
    ----------
    codes : ndarray of shape (n, n_bytes)
    sets : list of (queries, their rows in the codes)
    """

    def __init__(self, codes, sets):
        self.codes, self.sets = codes, sets
        self.next_sets = cycle(sets)
        self.most_k = min(_MOST_K, len(codes) - 1)
        self.seconds = {
            few: [self._scan(k, few) for k in (_K, self.most_k)] for few in (True, False)
        }

    def share(self, structure, k, *, few):
        """A structure's time over that of a scan, for `k` neighbours."""
        given_up = []

        def search(queries, own):
            counts = structure.nearest(queries, k, own_rows=own, n_jobs=1)[2]
            given_up.append(np.mean(counts < 0))

        seconds = self._time(search, few)
        # A scan's time grows with the neighbours, evenly.
        scan = np.interp(k, [_K, self.most_k], self.seconds[few])
        if 1 / _NOT_FAR < seconds / scan < _NOT_FAR:
            scan = np.inf
            started = perf_counter()
            for _ in range(_TURNS):  # close by, so that what disturbs one disturbs the other
                scan = min(scan, self._scan(k, few))
                seconds = min(seconds, self._time(search, few))
                if perf_counter() - started > _LONG:
                    break
        return seconds / scan + np.mean(given_up)

    def shares(self, structure, first, *, few):
        """Of more and more neighbours, as far as a structure is faster: (numbers, shares).

        ``first`` is the share of `_K`.
        """
        found, last, k = {_K: first}, None, _K
        while found[k] < 1 and k < self.most_k:
            last, k = k, min(2 * k, self.most_k)
            found[k] = self.share(structure, k, few=few)
        if found[k] >= 1 and last is not None:
            while k > max(_NEAR * last, last + 1):  # a category ends somewhere
                middle = max(last + 1, int((last * k) ** 0.5))
                found[middle] = self.share(structure, middle, few=few)
                last, k = (middle, k) if found[middle] < 1 else (last, middle)
        tried = sorted(found)
        return tried, [float(found[k]) for k in tried]

    def _scan(self, k, few):
        def search(queries, own):
            search_nearest(self.codes, queries, k, own_rows=own, n_jobs=1)

        return self._time(search, few)

    def _time(self, search, few):
        """Seconds of a query, the least of some tries."""
        seconds = []
        for queries, own in islice(self.next_sets, _TRIES):
            parts = np.split(np.arange(_FEW), _FEW) if few else [slice(None)]
            started = perf_counter()
            for part in parts:
                search(queries[part], own[part])
            seconds.append((perf_counter() - started) / len(parts))
            if sum(seconds) > _LONG:
                break
        return min(seconds) / (1 if few else len(queries))
