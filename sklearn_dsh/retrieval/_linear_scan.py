"""Exact search by looking at every code: threads, scratch space and the results' layout.

The kernels do the work, see :mod:`sklearn_dsh.retrieval._kernels`. Threads are started for each
call and joined before it returns; there is no pool, so that a search is safe from many threads at
once and after a fork. A part of the work is either some of the queries or, when there are few,
some of the gallery; what comes out does not depend on it.
"""

from itertools import pairwise
from threading import Thread

import numpy as np
from joblib import cpu_count, effective_n_jobs

from sklearn_dsh._forks import cached
from sklearn_dsh.retrieval import _kernels

# Bytes of a gallery block, as planes: half a level-1 cache.
_BLOCK_BYTES = 16384
# Queries that meet a block before the next one is read.
_QUERIES_PER_BLOCK = 128
# Scratch space for candidates, in entries of 12 bytes, that a thread may take.
_MOST_CANDIDATES = 1 << 20
# Byte comparisons (about 0.4 ms of work) below which a thread costs more than it gives.
_BYTES_PER_THREAD = 1 << 24
# Queries a thread, below a block of which the gallery is split: every thread would turn all codes
# to planes for few. Fewer pay where each part of a gallery needs long to find near enough codes,
# one that has less than so many times the neighbours.
_FEWEST_QUERIES = 32
_CODES_A_NEIGHBOUR = 10_000
# Queries of a structure below which a thread costs more than it gives, and rows that take as long
# to put in order as one more query takes.
_QUERIES_PER_THREAD = 100
_ROWS_A_QUERY = 64


def search_nearest(gallery, queries, k, *, own_rows=None, allowed=None, n_jobs=None):
    """The k nearest codes of every query.

    Parameters
    ----------
    gallery : ndarray of shape (n_gallery, n_bytes), dtype uint8, C-contiguous
        May be a memory map, which is read through and never copied.
    queries : ndarray of shape (n_queries, n_bytes), dtype uint8, C-contiguous
    k : int
        At most n_gallery, or n_gallery - 1 with `own_rows`.
    own_rows : ndarray of shape (n_queries,), default=None
        The gallery row that each query leaves out.
    allowed : RowMask, or ndarray of shape (n_gallery,), dtype bool, default=None
        The rows that may be found, at least `k`, or `k` + 1 with `own_rows`; None: all.
    n_jobs : int, default=None
        Threads, as joblib counts them.

    Returns
    -------
    distances : ndarray of shape (n_queries, k), dtype int32
    rows : ndarray of shape (n_queries, k), dtype intp
        Ascending by (distance, row).
    """
    options = {"own_rows": own_rows, "allowed": allowed, "n_jobs": n_jobs}
    return search_some(gallery, queries, k, **options)[:2]


def search_some(gallery, queries, k, *, own_rows=None, allowed=None, n_jobs=None):
    """As :func:`search_nearest`, where fewer than `k` may be found by a query.

    Returns
    -------
    distances, rows
        As `search_nearest` gives them; the first ``counts[q]`` columns of query q are set.
    counts : ndarray of shape (n_queries,), dtype int64
    """
    n_queries = len(queries)
    plan = _Plan(gallery, queries, n_jobs, k=k)
    own_rows = no_rows(n_queries) if own_rows is None else own_rows.astype(np.int64)
    allowed = row_bits(allowed)
    out_distances = np.empty((n_queries, k), dtype=np.int32)
    out_rows = np.empty((n_queries, k), dtype=np.intp)
    at_once = max(1, min(_QUERIES_PER_BLOCK, _MOST_CANDIDATES // (k + max(k, 1024))))

    def scan(part, distances, rows, counts, k_part):
        chosen, first, last = part
        _kernels.scan_nearest(
            plan.gallery, first, last, plan.queries[chosen], own_rows[chosen], allowed, k_part,
            at_once, plan.block, plan.scratch(), distances, rows, counts,
        )  # fmt: skip

    if not plan.splits_gallery:
        counts = np.empty(n_queries, dtype=np.int64)
        run_tasks([
            lambda part=part: scan(part, out_distances[part[0]], out_rows[part[0]],
                                   counts[part[0]], k)
            for part in plan.parts
        ])  # fmt: skip
        return out_distances, out_rows, counts

    k_part = min(k, max(last - first for _, first, last in plan.parts))
    shape = (len(plan.parts), n_queries, k_part)
    distances, rows = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.intp)
    counts = np.empty(shape[:2], dtype=np.int64)
    run_tasks([
        lambda p=p, part=part: scan(part, distances[p], rows[p], counts[p], k_part)
        for p, part in enumerate(plan.parts)
    ])  # fmt: skip
    _kernels.merge_nearest(distances, rows, counts, k, plan.largest, out_distances, out_rows)
    return out_distances, out_rows, np.minimum(counts.sum(axis=0), k)


def search_within(gallery, queries, radius, *, own_rows=None, allowed=None, n_jobs=None):
    """All codes within a radius of every query.

    Parameters
    ----------
    gallery, queries, own_rows, allowed, n_jobs
        As in :func:`search_nearest`.
    radius : int
        The largest distance that counts, 0 or more.

    Returns
    -------
    distances : ndarray of shape (n_found,), dtype int32
    rows : ndarray of shape (n_found,), dtype intp
        Query by query, each ascending by (distance, row).
    offsets : ndarray of shape (n_queries + 1,), dtype int64
        The answer of query q lies at ``offsets[q]:offsets[q + 1]``.
    """
    n_queries = len(queries)
    plan = _Plan(gallery, queries, n_jobs)
    own_rows = no_rows(n_queries) if own_rows is None else own_rows.astype(np.int64)
    allowed = row_bits(allowed)
    radius = min(radius, plan.largest)
    n_shards = len(plan.parts) if plan.splits_gallery else 1
    positions = np.zeros((n_shards, n_queries, radius + 1), dtype=np.int64)

    def scan(p, part, out_rows):
        chosen, first, last = part
        _kernels.scan_within(
            plan.gallery, first, last, plan.queries[chosen], own_rows[chosen], allowed, radius,
            _QUERIES_PER_BLOCK, plan.block, plan.scratch(),
            positions[p if plan.splits_gallery else 0, chosen], out_rows,
        )  # fmt: skip

    def scan_all(out_rows):
        run_tasks(
            [lambda p=p, part=part: scan(p, part, out_rows) for p, part in enumerate(plan.parts)]
        )

    scan_all(np.empty(0, dtype=np.intp))
    # What comes first: the query, then the distance, then the part of the gallery.
    numbers = positions.transpose(1, 2, 0).copy()
    ends = np.cumsum(numbers).reshape(numbers.shape)
    positions[:] = (ends - numbers).transpose(2, 0, 1)
    offsets = np.concatenate(([0], ends[:, -1, -1]))
    rows = np.empty(offsets[-1], dtype=np.intp)
    if len(rows):
        scan_all(rows)
    per_distance = numbers.sum(axis=2)
    each = np.broadcast_to(np.arange(radius + 1, dtype=np.int32), per_distance.shape)
    return np.repeat(each.ravel(), per_distance.ravel()), rows, offsets


def count_by_distance(
    query_codes, gallery_codes, query_labels=None, gallery_labels=None, *, n_jobs=None
):
    """Count, for every query, the gallery codes at each distance.

    Parameters
    ----------
    query_codes : ndarray of shape (n_queries, n_bytes), dtype uint8, C-contiguous
    gallery_codes : ndarray of shape (n_gallery, n_bytes), dtype uint8, C-contiguous
    query_labels, gallery_labels : ndarray of int of shape (n_queries,) and (n_gallery,), \
            default=None
        One label each; both or none.
    n_jobs : int, default=None
        Threads, as joblib counts them.

    Returns
    -------
    total : ndarray of shape (n_queries, 8 * n_bytes + 1), dtype int64
        Codes at distance 0, 1, ...
    relevant : ndarray of shape (n_queries, 8 * n_bytes + 1), dtype int64, or None
        Those with the query's label; None without labels.
    """
    plan = _Plan(gallery_codes, query_codes, n_jobs)
    labelled = query_labels is not None
    if labelled:
        query_labels = np.ascontiguousarray(query_labels, dtype=np.int64)
        gallery_labels = np.ascontiguousarray(gallery_labels, dtype=np.int64)
    else:
        query_labels, gallery_labels = no_rows(len(query_codes)), no_rows(len(gallery_codes))
    n_shards = len(plan.parts) if plan.splits_gallery else 1
    counts = np.zeros((n_shards, len(query_codes), plan.largest + 1, 2), dtype=np.int64)

    def scan(p, part):
        chosen, first, last = part
        _kernels.scan_counts(
            plan.gallery, first, last, plan.queries[chosen], gallery_labels, query_labels[chosen],
            _QUERIES_PER_BLOCK, plan.block, plan.scratch(),
            counts[p if plan.splits_gallery else 0, chosen],
        )  # fmt: skip

    run_tasks([lambda p=p, part=part: scan(p, part) for p, part in enumerate(plan.parts)])
    counts = counts.sum(axis=0)
    return counts.sum(axis=2), (counts[:, :, 1].copy() if labelled else None)


class _Plan:
    """How one call splits its work.

    `parts` are (slice of the queries, first gallery row, last gallery row), one a thread; `k` is
    the number of neighbours, 0 if others are sought.
    """

    def __init__(self, gallery, queries, n_jobs, k=0):
        # Numba compiles for writeable and read-only arrays separately: show it one kind.
        self.gallery, self.queries = read_only(gallery), read_only(queries)
        n_bytes = gallery.shape[1]
        self.largest = 8 * n_bytes
        lanes = _kernels.LANES
        self.block = lanes * max(4, min(_BLOCK_BYTES // n_bytes // lanes, 64))
        n_threads = count_scan_threads(gallery, len(queries), n_jobs)
        fewest = _QUERIES_PER_BLOCK if k * _CODES_A_NEIGHBOUR <= len(gallery) else _FEWEST_QUERIES
        self.splits_gallery = n_threads > 1 and len(queries) < fewest * n_threads
        if self.splits_gallery:
            n_threads = min(n_threads, max(1, len(gallery) // self.block))
            ends = np.linspace(0, len(gallery), n_threads + 1).astype(int)
            ends[1:-1] -= ends[1:-1] % lanes
            self.parts = [(slice(None), first, last) for first, last in pairwise(ends)]
        else:
            ends = np.linspace(0, len(queries), n_threads + 1).astype(int)
            self.parts = [(slice(a, b), 0, len(gallery)) for a, b in pairwise(ends)]

    def scratch(self):
        """Room for a block of distances, of the smallest type that also holds `largest` + 1."""
        return np.empty(self.block + _kernels.LANES, dtype=distance_type(self.largest))


def distance_type(largest):
    """The smallest type that also holds ``largest + 1``."""
    return np.min_scalar_type(largest + 1)


def count_threads(n_jobs):
    """As joblib's `effective_n_jobs`, which lets daemons, as Dask's workers are, have none."""
    if n_jobs is None or n_jobs == 0:  # the context's; an error
        return effective_n_jobs(n_jobs)
    return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)


def count_scan_threads(gallery, n_queries, n_jobs):
    """Threads that are worth starting."""
    return _at_most(gallery.size * n_queries // _BYTES_PER_THREAD, n_jobs)


def count_query_threads(n_queries, n_rows, n_jobs):
    """Threads that are worth starting where each query takes some microseconds.

    ``n_rows``: what all queries find.
    """
    return _at_most((n_queries + n_rows // _ROWS_A_QUERY) // _QUERIES_PER_THREAD, n_jobs)


def _at_most(n_worthwhile, n_jobs):
    """At least one thread; joblib, which takes its time to count, is asked for more alone."""
    if n_worthwhile < 2 and n_jobs != 0:  # joblib has an error for it
        return 1
    return max(1, min(count_threads(n_jobs), n_worthwhile))


class RowMask:
    """Rows that may be found, whose number and words are worked out once.

    Parameters
    ----------
    mask : ndarray of shape (n,), dtype bool
    """

    def __init__(self, mask):
        self.mask = mask

    def __len__(self):
        return len(self.mask)

    def __getitem__(self, rows):
        return RowMask(self.mask[rows])

    @cached
    def count(self):
        return int(np.count_nonzero(self.mask))

    @cached
    def words(self):
        return row_bits(self.mask)


def row_bits(allowed):
    """Booleans as words of `LANES` bits, the first row lowest; None as no words."""
    if allowed is None:
        return np.empty(0, dtype=np.uint64)
    if isinstance(allowed, RowMask):
        return allowed.words
    bits = np.packbits(allowed, bitorder="little")
    words = np.zeros(-(-len(allowed) // _kernels.LANES) * 8, dtype=np.uint8)
    words[: len(bits)] = bits
    return words.view("<u8").astype(np.uint64, copy=False)


def no_rows(n):
    return np.full(n, -1, dtype=np.int64)


def read_only(array):
    view = array.view()
    view.flags.writeable = False
    return view


def run_tasks(tasks):
    """Call the tasks at the same time, the first in this thread; raise what one raises."""
    errors = []

    def guarded(task):
        try:
            task()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=guarded, args=(task,)) for task in tasks[1:]]
    for thread in threads:
        thread.start()
    guarded(tasks[0])
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def split_queries(n_queries, n_rows, n_jobs):
    """Slices of the queries, one a thread, see `count_query_threads`."""
    n_parts = min(n_queries, count_query_threads(n_queries, n_rows, n_jobs)) or 1
    ends = np.linspace(0, n_queries, n_parts + 1).astype(int)
    return [slice(a, b) for a, b in pairwise(ends)]
