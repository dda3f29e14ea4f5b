"""Codes themselves: what is one, packing, bitarray interoperability, Hamming distances."""

import warnings
from collections.abc import Iterable
from numbers import Integral

import numpy as np
from bitarray import bitarray
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from .._arrays import plain_array

# From this width on, an array of nothing but 0 and 1 is taken for bits that nobody packed.
_MANY_COLUMNS = 8
# Rows looked at to tell: codes may be a memory map that should not be read through.
_ROWS_LOOKED_AT = 1000


def check_codes(
    codes: ArrayLike, *, n_bytes: int | None = None, name: str = "codes"
) -> NDArray[np.uint8]:
    """Validate packed codes.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes)
        Packed codes: unsigned bytes, or numbers that are whole and within 0..255.
    n_bytes : int, default=None
        The width the codes must have; None allows any.
    name : str, default="codes"
        What to call them in error messages.

    Returns
    -------
    codes : ndarray of shape (n_codes, n_bytes), dtype uint8
        C-contiguous. The input's own memory where it already is that, memory maps included.

    Raises
    ------
    ValueError
        If the codes are not two-dimensional, empty, boolean, signed bytes (int8), not whole numbers
        in 0..255, NaN or infinite, complex, or of another width than `n_bytes`.
    TypeError
        If the codes are sparse.

    Warns
    -----
    UserWarning
        If the codes look like unpacked bits: 8 columns or more of nothing but 0 and 1.
    """
    is_plain = type(codes) is np.ndarray and codes.dtype == np.uint8 and codes.flags.c_contiguous
    if not (is_plain and codes.ndim == 2 and codes.size):  # what nothing can be wrong with is quick
        codes = check_array(plain_array(codes, name), order="C", input_name=name)
    if codes.dtype == bool:
        raise ValueError(
            f"{name} is a boolean array of shape {codes.shape}: expected packed codes (uint8, "
            f"8 bits a byte). Use pack_bits({name})."
        )
    if codes.dtype == np.int8:
        raise ValueError(_signed_message(codes, name))
    if codes.dtype != np.uint8:
        codes = _to_bytes(codes, name)
    if n_bytes is not None and codes.shape[1] != n_bytes:
        hint = " Use pack_bits if these are unpacked bits." if codes.shape[1] > n_bytes else ""
        raise ValueError(
            f"{name} has {codes.shape[1]} bytes a code, but {n_bytes} were expected: codes that "
            f"are compared must come from the same hasher, with the same n_bits.{hint}"
        )
    if codes.shape[1] >= _MANY_COLUMNS and codes[:_ROWS_LOOKED_AT].max() == 1:
        warnings.warn(
            f"{name} holds only 0 and 1 in {codes.shape[1]} columns, which looks like unpacked "
            f"bits: use pack_bits({name}) if so.",
            UserWarning,
            stacklevel=3,
        )
    return codes


def _signed_message(codes, name):
    """Signed bytes are no codes, not even where none is negative: the rest of them may be."""
    lead = "Negative values in data: " if (codes < 0).any() else ""
    lead += f"{name} of dtype int8 has signed bytes: expected packed codes (uint8, 8 bits a byte)."
    if (np.abs(codes.astype(np.int16)) <= 1).all():
        return f"{lead} For signs, or bits that are not packed, use pack_bits({name} > 0)."
    return (
        f"{lead} sentence-transformers' precision 'binary' is packed bits less 128: use "
        f"from_offset_bytes({name}), the codes of its 'ubinary'. Its precision 'int8' is no "
        "codes, but a number for each value: use pack_bits(embeddings > 0) of the float "
        "embeddings. For bytes of codes that another store calls signed (Vespa, Elasticsearch, "
        f"OpenSearch) use from_signed_bytes({name})."
    )


def _to_bytes(codes, name):
    """Cast numbers to bytes, or say which one is none."""
    wrong = (codes < 0) | (codes > 255) | (codes != np.floor(codes))
    if wrong.any():
        value = codes[wrong][0]
        lead = "Negative values in data: " if value < 0 else ""
        advice = f"If these are values before the sign, use pack_bits({name} >= 0)."
        if codes.dtype.kind in "iu" and codes.dtype.itemsize == 8 and abs(int(value)) > 2**32:
            # No count, nor any number that one would take the sign of.
            advice = f"If these are words of 64 bits, use from_words({name}, n_bits)."
        raise ValueError(
            f"{lead}{name} of dtype {codes.dtype} holds {value}, but packed codes are whole "
            f"numbers in 0..255. {advice}"
        )
    return codes.astype(np.uint8)


def pack_bits(bits: ArrayLike) -> NDArray[np.uint8]:
    """Pack bits to codes, eight a byte, most significant bit first.

    Parameters
    ----------
    bits : array-like of shape (n_codes, n_bits), of bool or of integers 0 and 1

    Returns
    -------
    codes : ndarray of shape (n_codes, ceil(n_bits / 8)), dtype uint8
        The last byte is padded with zero bits.

    Raises
    ------
    ValueError
        If `bits` is not two-dimensional, has no bits, or holds anything but 0 and 1.

    Examples
    --------
    >>> from sklearn_dsh.codes import pack_bits
    >>> pack_bits([[1, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1, 1]])
    array([[129],
           [  3]], dtype=uint8)
    """
    bits = np.asarray(plain_array(bits, "bits"))
    if bits.ndim != 2 or bits.shape[1] == 0:
        raise ValueError(
            f"bits has shape {bits.shape}: expected (n_codes, n_bits) with n_bits >= 1."
        )
    if bits.dtype != bool and not np.issubdtype(bits.dtype, np.integer):
        raise ValueError(
            f"bits has dtype {bits.dtype}: expected bool, or integers 0 and 1. "
            "For values before the sign use pack_bits(values >= 0)."
        )
    if bits.dtype != bool and ((bits < 0) | (bits > 1)).any():
        raise ValueError(
            f"bits holds values from {bits.min()} to {bits.max()}: expected 0 and 1. "
            "For signs use pack_bits(signs > 0)."
        )
    return np.packbits(bits, axis=1, bitorder="big")


def unpack_bits(codes: ArrayLike, n_bits: int) -> NDArray[np.uint8]:
    """Unpack codes to bits.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8
    n_bits : int
        The number of bits of a code; ``ceil(n_bits / 8)`` must be n_bytes.

    Returns
    -------
    bits : ndarray of shape (n_codes, n_bits), dtype uint8
        Zeros and ones.

    Raises
    ------
    ValueError
        If `n_bits` does not go with the width of the codes, or a padding bit is set.
    """
    codes = check_codes(codes)
    check_n_bits(codes, n_bits)
    return np.unpackbits(codes, axis=1, count=int(n_bits), bitorder="big")


def check_n_bits(codes, n_bits):
    """ValueError if codes are not of `n_bits`: of another width, or with padding that is set."""
    n_bytes = codes.shape[1]
    if not isinstance(n_bits, Integral) or -(-int(n_bits) // 8) != n_bytes:
        raise ValueError(
            f"n_bits={n_bits!r} does not go with codes of {n_bytes} bytes: expected an integer "
            f"from {8 * n_bytes - 7} to {8 * n_bytes}."
        )
    if padding_is_set(codes, n_bits):
        raise ValueError(
            f"codes has bits set behind bit {n_bits}, where only zero padding was expected: "
            "n_bits is too small for these codes."
        )


def of_length(codes, n_bits):
    """The codes, after a look at their padding if a length is given."""
    if n_bits is not None:
        check_n_bits(codes, n_bits)
    return codes


def padding_is_set(codes, n_bits):
    """Whether a packed code has bits behind the first n_bits, in its last byte."""
    return n_bits % 8 > 0 and bool((codes[:, -1] & (0xFF >> int(n_bits) % 8)).any())


def to_bitarrays(codes: ArrayLike, n_bits: int | None = None) -> list[bitarray]:
    """Turn codes to a list of bitarrays.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8
    n_bits : int, default=None
        The length of each bitarray; None keeps the padding: 8 * n_bytes.

    Returns
    -------
    bitarrays : list of bitarray.bitarray
        One a code, big-endian (bitarray's default).

    Raises
    ------
    ValueError
        As :func:`unpack_bits`.
    """
    codes = check_codes(codes)
    if n_bits is None:
        n_bits = 8 * codes.shape[1]
    check_n_bits(codes, n_bits)
    bitarrays = []
    for row in codes:
        bits = bitarray(endian="big")
        bits.frombytes(row.tobytes())
        bitarrays.append(bits[:n_bits])
    return bitarrays


def from_bitarrays(bitarrays: Iterable[bitarray]) -> NDArray[np.uint8]:
    """Turn bitarrays of one length to packed codes.

    Parameters
    ----------
    bitarrays : iterable of bitarray.bitarray
        At least one, all of one length >= 1; of either endianness: bit i of the code is item i.

    Returns
    -------
    codes : ndarray of shape (n_codes, ceil(n_bits / 8)), dtype uint8

    Raises
    ------
    ValueError
        If there is none, or they are empty or differ in length.
    TypeError
        If an item is no bitarray.
    """
    bitarrays = list(bitarrays)
    for item in bitarrays:
        if not isinstance(item, bitarray):
            raise TypeError(f"from_bitarrays expects bitarrays, got {type(item).__name__}.")
    lengths = sorted({len(item) for item in bitarrays})
    if len(lengths) != 1 or lengths[0] == 0:
        raise ValueError(
            "from_bitarrays expects at least one bitarray, all of the same length >= 1; "
            f"got {len(bitarrays)} of lengths {lengths}."
        )
    packed = b"".join(bitarray(item, endian="big").tobytes() for item in bitarrays)
    return np.frombuffer(packed, dtype=np.uint8).reshape(len(bitarrays), -1).copy()


def hamming_distances(A: ArrayLike, B: ArrayLike) -> NDArray[np.int32]:
    """Hamming distances between all pairs of two sets of codes.

    For nearest neighbours in many codes use :class:`~sklearn_dsh.HammingRetriever`, which never
    forms this matrix.

    Parameters
    ----------
    A : array-like of shape (n_a, n_bytes), dtype uint8
    B : array-like of shape (n_b, n_bytes), dtype uint8

    Returns
    -------
    distances : ndarray of shape (n_a, n_b), dtype int32
        The number of differing bits.

    Raises
    ------
    ValueError
        If the widths differ or an input is not codes, see :func:`check_codes`.
    """
    A = check_codes(A, name="A")
    B = check_codes(B, n_bytes=A.shape[1], name="B")
    A, B = _as_words(A), _as_words(B)
    distances = np.empty((len(A), len(B)), dtype=np.int32)
    for i, row in enumerate(A):
        np.sum(np.bitwise_count(row ^ B), axis=1, dtype=np.int32, out=distances[i])
    return distances


def _as_words(codes):
    """View codes as 64-bit words, padded with zero bytes where their width asks for it."""
    padding = -codes.shape[1] % 8
    return np.pad(codes, ((0, 0), (0, padding))).view(np.uint64)
