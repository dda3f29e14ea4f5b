"""What the structures of distinct codes have in common."""

import numpy as np

from sklearn_dsh._forks import cached
from sklearn_dsh.retrieval import _kernels
from sklearn_dsh.retrieval._linear_scan import (
    no_rows,
    read_only,
    row_bits,
    run_tasks,
    split_queries,
)

_HASH_BITS = 40  # of a sort key, the rest is for what comes before the hash


def sort_distinct(codes, major=None):
    """Put equal codes side by side.

    Parameters
    ----------
    codes : ndarray of shape (n, n_bytes), dtype uint8
    major : ndarray of shape (n,), dtype uint64, default=None
        Less than 2 ** 24; what is sorted by first: a function of the code.

    Returns
    -------
    starts : ndarray of shape (n_distinct + 1,)
    rows : ndarray of shape (n,)
        Rows of distinct code j, ascending: ``rows[starts[j]:starts[j + 1]]``.
    """
    number_type = np.int32 if len(codes) < 2**31 else np.int64
    keys = np.empty(len(codes), dtype=np.uint64)
    _kernels.hash_codes(read_only(codes), keys)
    if major is not None:
        keys >>= np.uint64(64 - _HASH_BITS)
        keys |= major << np.uint64(_HASH_BITS)
    rows = np.argsort(keys).astype(number_type)
    is_first = _kernels.order_equal_keys(read_only(codes), keys, rows)
    starts = np.append(np.flatnonzero(is_first), len(codes)).astype(number_type)
    return starts, rows


class DistinctCodes:
    """Base of the structures that find rows through distinct codes.

    A subclass has its ``name``, ``n_bytes`` (of a code), `starts` and `rows` as `sort_distinct`
    gives them, and
    ``_search_part(queries, own_rows, allowed, radius, offsets, distances, rows, counts, stats)``,
    which writes the answers of some queries as the kernels do.
    """

    shares = None  # of a scan's time, set where "auto" chose

    @property
    def n_rows(self):
        """Rows of the gallery that can be found."""
        return len(self.rows)

    @property
    def n_distinct(self):
        return len(self.starts) - 1

    @cached
    def n_bytes_taken(self):
        """Memory of the structure."""
        return sum(value.nbytes for value in vars(self).values() if hasattr(value, "nbytes"))

    def nearest(self, queries, k, *, own_rows=None, allowed=None, n_jobs=None):
        """As `search_nearest`, and ``stats``, an int64 array of what was done.

        Answers that have fewer than `k` rows, or none because the query was given up, are told by
        ``counts``.

        Returns
        -------
        distances : ndarray of shape (n_queries, k), dtype int32
        rows : ndarray of shape (n_queries, k), dtype intp
        counts : ndarray of shape (n_queries,), dtype int64
        stats : ndarray of shape (2,), dtype int64
            Codes compared, and keys looked up.
        """
        offsets = np.arange(len(queries) + 1) * k
        distances, rows, counts, stats = self._search(
            queries, 8 * self.n_bytes, offsets, own_rows, allowed, n_jobs
        )
        return distances.reshape(-1, k), rows.reshape(-1, k), counts, stats

    def within(self, queries, radius, *, own_rows=None, allowed=None, n_jobs=None):
        """As `search_within`, and what was done.

        Returns
        -------
        answer : tuple
            As `search_within` gives it, without rows for queries that were given up.
        given_up : ndarray of shape (n_queries,), dtype bool
        stats : ndarray of shape (2,), dtype int64
            Codes compared, and keys looked up.
        """
        n_none = np.zeros(len(queries) + 1, dtype=np.int64)
        counts, stats = self._search(queries, radius, n_none, own_rows, allowed, n_jobs)[2:]
        given_up = counts < 0
        kept = ~given_up
        ends = np.concatenate(([0], np.cumsum(counts[kept])))
        distances, rows, _, more = self._search(
            queries[kept],
            radius,
            ends,
            None if own_rows is None else own_rows[kept],
            allowed,
            n_jobs,
        )
        offsets = ends[np.concatenate(([0], np.cumsum(kept)))]
        return (distances, rows, offsets), given_up, stats + more

    def _search(self, queries, radius, offsets, own_rows, allowed, n_jobs):
        queries, allowed = read_only(queries), row_bits(allowed)
        own_rows = no_rows(len(queries)) if own_rows is None else own_rows.astype(np.int64)
        distances = np.empty(offsets[-1], dtype=np.int32)
        rows = np.empty(offsets[-1], dtype=np.intp)
        counts = np.zeros(len(queries), dtype=np.int64)
        parts = split_queries(len(queries), offsets[-1], n_jobs)
        stats = np.zeros((len(parts), 2), dtype=np.int64)

        def search(p, part):
            ends = slice(part.start, part.stop + 1)
            self._search_part(
                queries[part], own_rows[part], allowed, radius, offsets[ends], distances, rows,
                counts[part], stats[p],
            )  # fmt: skip

        run_tasks([lambda p=p, part=part: search(p, part) for p, part in enumerate(parts)])
        return distances, rows, counts, stats.sum(axis=0)
