"""What stands in for numba under ``NUMBA_DISABLE_JIT=1``: the kernels as plain, slow Python.

The operations that :mod:`sklearn_dsh.retrieval._kernels` gives as LLVM code have nothing that
Python could run, so each is here once more in numpy, by its name.
"""

from functools import wraps

import numpy as np

_LANES = 64


def njit(**options):
    """A decorator that leaves a kernel as it is, but for integers that wrap around silently."""

    def decorate(kernel):
        @wraps(kernel)
        def run(*args):
            with np.errstate(over="ignore"):
                return kernel(*args)

        return run

    return decorate


def intrinsic(declaration):
    """The operation of that name in numpy."""
    return _OPERATIONS[declaration.__name__]


def _set_distances(planes, spread, n_bytes, out, i):
    query = spread[:n_bytes].astype(np.uint8)[:, None]
    codes = planes[:n_bytes, i : i + _LANES]
    out[i : i + codes.shape[1]] = np.bitwise_count(codes ^ query).sum(axis=0)


def _mask_below(values, i, limit):
    below = np.zeros(_LANES, dtype=bool)
    found = values[i : i + _LANES] < limit
    below[: len(found)] = found
    return np.packbits(below, bitorder="little").view("<u8")[0].astype(np.uint64)


def _load_word(codes, row, byte):
    return codes[row, byte : byte + 8].view(np.uint64)[0]


def _load_word_at(codes, position):
    return codes.reshape(-1)[position : position + 8].view(np.uint64)[0]


def _load_half_at(codes, position):
    return codes.reshape(-1)[position : position + 4].view(np.uint32)[0]


def _prefetch(codes, position):
    pass


def _popcount(word):
    return type(word)(np.bitwise_count(word))


def _lowest_bit(mask):
    mask = int(mask)
    return (mask & -mask).bit_length() - 1


_OPERATIONS = {
    operation.__name__: operation
    for operation in (
        _set_distances, _mask_below, _load_word, _load_word_at, _load_half_at, _prefetch,
        _popcount, _lowest_bit,
    )
}  # fmt: skip
