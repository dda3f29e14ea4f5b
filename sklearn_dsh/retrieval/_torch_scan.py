"""The linear scan by torch, for a GPU: exact, and in the promised order.

Bits are numbers -1 and 1, so that the distances of many queries to a block of codes are one matrix
product, exact in any float that holds the number of bits. A (distance, row) pair is one integer,
whose smallest are the answer.
"""

import numpy as np
import torch

_BYTES_AT_ONCE = 1 << 28  # of the numbers that a block of codes, and its distances, become
_QUERIES_AT_ONCE = 256
# Bytes a query and code: of all keys, and where only what is near gets one.
_OF_KEYS, _OF_DOTS = 20, 3


class TorchScan:
    """A gallery on a device, searched as the structures of `_distinct` are.

    Parameters
    ----------
    gallery : ndarray of shape (n, n_bytes), dtype uint8
    device : torch.device
    """

    name = "linear_scan"
    n_distinct = shares = None

    def __init__(self, gallery, device):
        self.device = device
        self.gallery = torch.tensor(gallery, device=device)
        # Halves are for tensor cores, and hold whole numbers up to 2,048.
        halves = self.device.type != "cpu" and 8 * gallery.shape[1] <= 2048
        self.float = torch.float16 if halves else torch.float32

    @property
    def n_rows(self):
        return len(self.gallery)

    @property
    def n_bytes_taken(self):
        return self.gallery.nbytes

    def nearest(self, queries, k, *, own_rows=None, allowed=None, n_jobs=None):
        """As `DistinctCodes.nearest`."""
        n = self.n_rows
        found = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            part = slice(start, start + _QUERIES_AT_ONCE)
            own = None if own_rows is None else own_rows[part]
            found.append(self._nearest(queries[part], k, own, allowed).cpu().numpy())
        keys = np.concatenate(found)
        distances = (keys // n).astype(np.int32)
        counts = np.count_nonzero(distances <= self._n_bits, axis=1)
        return distances, (keys % n).astype(np.intp), counts, (n * len(queries), 0)

    def _nearest(self, queries, k, own_rows, allowed):
        """The k smallest keys of each query, in ascending order.

        Once k were found, a later row counts only if it is nearer than the farthest of these: of
        two at one distance the first row wins. These are few, and their keys alone are made.
        """
        queries = self._signs(torch.tensor(queries, device=self.device))
        best, start, has_k = None, 0, False
        while start < self.n_rows:
            stop = start + self._block(len(queries), _OF_DOTS if has_k else _OF_KEYS)
            dots = self._dots(queries, slice(start, stop), own_rows, allowed)
            keys = self._nearer(dots, start, best) if has_k else self._keys(dots, start)
            if keys is not None:
                keys = keys if best is None else torch.cat([best, keys], dim=1)
                best = torch.topk(keys, min(k, keys.shape[1]), largest=False).values
            has_k = has_k or (best.shape[1] == k and bool((best < self._out_of_reach).all()))
            start = stop
        return best.sort(dim=1).values

    def _nearer(self, dots, start, best):
        """Keys of what is nearer than the farthest of ``best``, (n_queries, most); None if none."""
        farthest = best.amax(dim=1) // self.n_rows
        at_most = (self._n_bits - 2 * farthest).to(dots.dtype)
        query, place = torch.nonzero(dots > at_most[:, None], as_tuple=True)
        if len(query) == 0:
            return None
        counts = torch.bincount(query, minlength=len(dots))
        column = torch.arange(len(query), device=self.device)
        column -= (counts.cumsum(0) - counts)[query]
        keys = torch.full((len(dots), int(counts.max())), self._out_of_reach, device=self.device)
        keys[query, column] = self._key(dots[query, place], start + place)
        return keys

    def within(self, queries, radius, *, own_rows=None, allowed=None, n_jobs=None):
        """As `DistinctCodes.within`."""
        n = self.n_rows
        found = []
        for first in range(0, len(queries), _QUERIES_AT_ONCE):
            part = slice(first, first + _QUERIES_AT_ONCE)
            own = None if own_rows is None else own_rows[part]
            signs = self._signs(torch.tensor(queries[part], device=self.device))
            size = self._block(len(signs), _OF_DOTS)
            for start in range(0, n, size):
                dots = self._dots(signs, slice(start, start + size), own, allowed)
                query, place = torch.nonzero(dots >= self._n_bits - 2 * radius, as_tuple=True)
                keys = self._key(dots[query, place], start + place)
                found.append(torch.stack([query + first, keys]).cpu().numpy())
        query, keys = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
        order = np.lexsort((keys, query))
        query, keys = query[order], keys[order]
        offsets = np.searchsorted(query, np.arange(len(queries) + 1))
        answer = (keys // n).astype(np.int32), (keys % n).astype(np.intp), offsets
        return answer, np.zeros(len(queries), dtype=bool), (n * len(queries), 0)

    @property
    def _n_bits(self):
        return 8 * self.gallery.shape[1]

    @property
    def _out_of_reach(self):
        return (self._n_bits + 1) * self.n_rows

    def _block(self, n_queries, n_bytes):
        """Codes at once, for so many bytes a query and code."""
        return max(1024, _BYTES_AT_ONCE // (4 * self._n_bits + n_bytes * n_queries))

    def _dots(self, queries, rows, own_rows, allowed):
        """Agreeing less differing bits of queries and the rows of a slice; -inf of hidden rows."""
        dots = queries @ self._signs(self.gallery[rows]).T
        if allowed is not None:
            hidden = torch.tensor(~allowed.mask[rows], device=self.device)
            dots[:, hidden] = -torch.inf
        if own_rows is not None:
            own = torch.tensor(own_rows, device=self.device)
            numbers = torch.arange(rows.start, rows.start + dots.shape[1], device=self.device)
            dots[numbers == own[:, None]] = -torch.inf
        return dots

    def _keys(self, dots, start):
        """distance * n + row of all of a block, int64."""
        rows = torch.arange(start, start + dots.shape[1], device=self.device)
        hidden = torch.isinf(dots)
        keys = self._key(torch.where(hidden, 0, dots), rows)
        return keys.masked_fill_(hidden, self._out_of_reach)

    def _key(self, dots, rows):
        return (self._n_bits - dots).to(torch.int64) // 2 * self.n_rows + rows

    def _signs(self, codes):
        """Packed codes (n, n_bytes) -> -1 and 1 (n, n_bits)."""
        shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=self.device)
        bits = (codes[:, :, None] >> shifts) & 1
        return (bits.to(self.float) * 2 - 1).reshape(len(codes), -1)
