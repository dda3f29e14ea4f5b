"""Codes in balls: what learned codes look like, and what the triangle inequality leaves out.

Codes of one category lie close together and far from those of others. Every code goes to the
nearest of some centres; codes of one centre lie side by side, from the nearest on, in blocks, of
which a query reads only those that can hold something near enough. Equal codes are kept, and
compared, once.
"""

import numpy as np

from sklearn_dsh.codes import hamming_distances
from sklearn_dsh.retrieval import _kernels
from sklearn_dsh.retrieval._distinct import DistinctCodes, sort_distinct
from sklearn_dsh.retrieval._linear_scan import distance_type, read_only, search_nearest

_MOST_CENTRES = 1024
_SAMPLED_CODES = 1 << 16
_MAJORITY_ROUNDS = 3
_CODES_AT_ONCE = 1 << 20
_BLOCK = 4 * _kernels.LANES  # codes
_FARTHEST = 2**13 - 1  # distance that a sort key can hold
# A query that would compare more codes than this share of the gallery's is given up: a scan, which
# reads codes in a row, is then faster.
_MOST_COMPARED = 1 / 3
_LEAST_COMPARED = 1 << 13


class Balls(DistinctCodes):
    """Distinct codes in balls.

    Parameters
    ----------
    codes : ndarray of shape (n, n_bytes), dtype uint8
    centres : ndarray of shape (n_centres, n_bytes), dtype uint8, default=None
        None: those of `find_centres`.
    n_jobs : int, default=None
    """

    name = "balls"

    def __init__(self, codes, *, centres=None, n_jobs=None):
        n, self.n_bytes = codes.shape
        if centres is None:
            centres = find_centres(codes, n_jobs=n_jobs)
        self.n_centres = len(centres)
        major = np.empty(n, dtype=np.uint64)  # the centre, then the distance to it
        for start in range(0, n, _CODES_AT_ONCE):
            chunk = slice(start, start + _CODES_AT_ONCE)
            distances, nearest = search_nearest(centres, codes[chunk], 1, n_jobs=n_jobs)
            major[chunk] = nearest[:, 0] << 13 | np.minimum(distances[:, 0], _FARTHEST)
        self.starts, self.rows = sort_distinct(codes, major)
        self._make_blocks(major[self.rows[self.starts[:-1]]].astype(np.int64))
        self.planes = np.zeros(self.n_bytes * (len(self.starts) - 1) + _kernels.LANES, np.uint8)
        _kernels.fill_block_planes(
            read_only(codes), self.starts, self.rows, self.block_starts, self.planes
        )
        self.centre_planes = np.zeros((self.n_bytes, len(centres) + _kernels.LANES), np.uint8)
        self.centre_planes[:, : len(centres)] = centres.T
        self.most_compared = max(_LEAST_COMPARED, int(_MOST_COMPARED * n))

    def _make_blocks(self, major):
        balls, distances = major >> 13, major & _FARTHEST
        ball_starts = np.searchsorted(balls, np.arange(self.n_centres + 1))
        n_blocks = -(-np.diff(ball_starts) // _BLOCK)
        self.ball_blocks = np.concatenate(([0], np.cumsum(n_blocks)))
        ball_of_block = np.repeat(np.arange(self.n_centres), n_blocks)
        in_ball = np.arange(len(ball_of_block)) - self.ball_blocks[ball_of_block]
        begins = ball_starts[ball_of_block] + _BLOCK * in_ball
        self.block_starts = np.append(begins, len(major))
        self.block_low = distances[begins]
        self.block_high = distances[self.block_starts[1:] - 1]
        # What did not fit into the sort key may be as far as can be.
        self.block_high[self.block_high == _FARTHEST] = 8 * self.n_bytes

    def _search_part(
        self, queries, own_rows, allowed, radius, offsets, distances, rows, counts, stats
    ):
        scratch_type = distance_type(8 * self.n_bytes)
        _kernels.search_balls(
            self.centre_planes, self.n_centres, self.ball_blocks, self.block_starts,
            self.block_low, self.block_high, self.planes, self.starts, self.rows, queries,
            own_rows, allowed, radius, self.most_compared, np.empty(_BLOCK, dtype=scratch_type),
            np.empty(self.centre_planes.shape[1], dtype=scratch_type), offsets, distances, rows,
            counts, stats,
        )  # fmt: skip
        stats[0] += len(queries) * self.n_centres


def find_centres(codes, *, n_jobs=None):
    """Centres of the codes: majorities of the sampled codes that are nearest to each.

    The sample is drawn with a fixed seed: the answers of a search do not depend on it.

    Returns
    -------
    centres : ndarray of shape (n_centres, n_bytes), dtype uint8
        Without duplicates.
    """
    rng = np.random.default_rng(0)
    n = len(codes)
    sample = codes[np.sort(rng.choice(n, min(n, _SAMPLED_CODES), replace=False))]
    n_centres = min(len(sample), _MOST_CENTRES, max(16, 2 * int(n**0.5)))
    centres = np.unique(sample[rng.choice(len(sample), n_centres, replace=False)], axis=0)
    for turn in range(_MAJORITY_ROUNDS):
        distances, nearest = search_nearest(centres, sample, 1, n_jobs=n_jobs)
        counts = np.zeros((len(centres), 8 * codes.shape[1]), dtype=np.int64)
        sizes = np.zeros(len(centres), dtype=np.int64)
        _kernels.sum_bits(read_only(sample), nearest[:, 0], counts, sizes)
        used = sizes > 0
        centres = np.unique(np.packbits(2 * counts[used] > sizes[used, None], axis=1), axis=0)
        if turn == 0:  # centres of one category; those left will have moved to its middle
            centres = _drop_close(centres, distances.mean())
    return centres


def _drop_close(centres, radius):
    """Leave out centres that are within the radius of one before them."""
    close = np.triu(hamming_distances(centres, centres) <= radius, 1)
    kept = np.ones(len(centres), dtype=bool)
    for i in range(len(centres)):
        if kept[i]:
            kept &= ~close[i]
    return centres[kept]
