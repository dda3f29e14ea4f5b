"""Multi-index hashing (Norouzi, Punjani and Fleet, CVPR 2012), exact, in sorted arrays."""

from math import comb

import numpy as np

from sklearn_dsh.retrieval import _kernels
from sklearn_dsh.retrieval._distinct import DistinctCodes, sort_distinct
from sklearn_dsh.retrieval._linear_scan import read_only

_WIDEST = 22  # bits of a substring: 2 ** bits + 1 ends a table
# A query that would look up more keys, and compare more codes, than this share of the gallery's
# bytes is given up: a scan, which reads codes in a row, is then faster.
_MOST_WORK = 1 / 1000
_LEAST_WORK = 1000


def substring_bits(n_codes, n_bits):
    """First bit of every substring, and the end: about log2(n) bits each, as in the paper."""
    width = int(np.clip(round(np.log2(max(n_codes, 2))), 4, _WIDEST))
    n_tables = -(-n_bits // width)
    return np.linspace(0, n_bits, n_tables + 1).astype(np.int64)


def count_keys(first_bits, radius):
    """Keys that are looked up until all codes within the radius are found."""
    widths = [int(width) for width in np.diff(first_bits)]
    steps = range(radius + 1)
    return sum(comb(widths[step % len(widths)], step // len(widths)) for step in steps)


class MultiIndex(DistinctCodes):
    """A table for each substring of the codes.

    Parameters
    ----------
    codes : ndarray of shape (n, n_bytes), dtype uint8
    """

    name = "multi_index"

    def __init__(self, codes):
        self.n_bytes = codes.shape[1]
        self.starts, self.rows = sort_distinct(codes)
        self.codes = np.ascontiguousarray(codes[self.rows[self.starts[:-1]]])
        n = len(self.codes)
        self.first_bits = substring_bits(n, 8 * self.n_bytes)
        widths = np.diff(self.first_bits)
        number_type = self.rows.dtype
        self.table_ends = np.zeros((len(widths), (1 << int(widths.max())) + 1), dtype=number_type)
        self.table_numbers = np.empty((len(widths), n), dtype=number_type)
        keys = np.empty(n, dtype=np.int32)
        for t, width in enumerate(widths):
            _kernels.fill_table(
                read_only(self.codes), self.first_bits[t], width, keys,
                self.table_ends[t, : (1 << int(width)) + 1], self.table_numbers[t],
            )  # fmt: skip
        self.choices = np.array(
            [[comb(int(w), a) for a in range(int(widths.max()) + 1)] for w in widths]
        )
        self.most_work = max(_LEAST_WORK, int(_MOST_WORK * self.codes.size))

    def _search_part(
        self, queries, own_rows, allowed, radius, offsets, distances, rows, counts, stats
    ):
        _kernels.search_tables(
            read_only(self.codes), self.first_bits, self.choices, self.table_ends,
            self.table_numbers, self.starts, self.rows, queries, own_rows, allowed, radius,
            self.most_work, offsets, distances, rows, counts, stats,
        )  # fmt: skip
