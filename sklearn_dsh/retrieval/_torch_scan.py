"""The linear scan by torch, for a GPU: exact, and in the promised order.

Bits are numbers -1 and 1, so that the distances of many queries to a block of codes are one matrix
product, exact in any float that holds the number of bits. A (distance, row) pair is one integer,
whose smallest are the answer.
"""

import numpy as np
import torch

_BYTES_AT_ONCE = 1 << 28  # of the numbers that a block of codes, and its distances, become
_QUERIES_AT_ONCE = 256


class TorchScan:
    """A gallery on a device, searched as the structures of `_distinct` are.

    Parameters
    ----------
    gallery : ndarray of shape (n, n_bytes), dtype uint8
    device : str
        Of torch.

    Raises
    ------
    ValueError
        If there is no such device.
    """

    name = "linear_scan"
    n_distinct = shares = None

    def __init__(self, gallery, device):
        try:
            self.device = torch.device(device)
            self.gallery = torch.empty(gallery.shape, dtype=torch.uint8, device=self.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise ValueError(
                f"device={device!r} was asked for, but torch {torch.__version__} sees no such "
                f"device ({error}): use device='cpu', or install a build of torch that has it."
            ) from error
        self.gallery.copy_(torch.tensor(gallery))
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
            best = None
            for keys in self._keys(queries[part], own, allowed):
                keys = torch.topk(keys, min(k, keys.shape[1]), largest=False).values
                if best is not None:
                    keys = torch.cat([best, keys], dim=1)
                    keys = torch.topk(keys, min(k, keys.shape[1]), largest=False).values
                best = keys
            found.append(best.sort(dim=1).values.cpu().numpy())
        keys = np.concatenate(found)
        distances = (keys // n).astype(np.int32)
        counts = np.count_nonzero(distances <= 8 * self.gallery.shape[1], axis=1)
        return distances, (keys % n).astype(np.intp), counts, (n * len(queries), 0)

    def within(self, queries, radius, *, own_rows=None, allowed=None, n_jobs=None):
        """As `DistinctCodes.within`."""
        n = self.n_rows
        found = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            part = slice(start, start + _QUERIES_AT_ONCE)
            own = None if own_rows is None else own_rows[part]
            for keys in self._keys(queries[part], own, allowed):
                query, place = torch.nonzero(keys < (radius + 1) * n, as_tuple=True)
                found.append(torch.stack([query + start, keys[query, place]]).cpu().numpy())
        query, keys = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
        order = np.lexsort((keys, query))
        query, keys = query[order], keys[order]
        offsets = np.searchsorted(query, np.arange(len(queries) + 1))
        answer = (keys // n).astype(np.int32), (keys % n).astype(np.intp), offsets
        return answer, np.zeros(len(queries), dtype=bool), (n * len(queries), 0)

    def _keys(self, queries, own_rows, allowed):
        """Yield distance * n + row of some queries and a block of the gallery, int64."""
        n, n_bytes = self.gallery.shape
        n_bits = 8 * n_bytes
        out_of_reach = (n_bits + 1) * n
        queries = self._signs(torch.tensor(queries, device=self.device))
        size = max(1024, _BYTES_AT_ONCE // (4 * n_bits + 12 * len(queries)))
        for start in range(0, n, size):
            codes = self._signs(self.gallery[start : start + size])
            distances = (n_bits - queries @ codes.T).to(torch.int64) // 2
            rows = torch.arange(start, start + len(codes), device=self.device)
            keys = distances * n + rows
            if allowed is not None:
                hidden = torch.tensor(~allowed.mask[start : start + size], device=self.device)
                keys[:, hidden] = out_of_reach
            if own_rows is not None:
                own = torch.tensor(own_rows, device=self.device)
                keys[rows == own[:, None]] = out_of_reach
            yield keys

    def _signs(self, codes):
        """Packed codes (n, n_bytes) -> -1 and 1 (n, n_bits)."""
        shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=self.device)
        bits = (codes[:, :, None] >> shifts) & 1
        return (bits.to(self.float) * 2 - 1).reshape(len(codes), -1)
