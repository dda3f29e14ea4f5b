"""Bytes and words in the forms of other stores, and back: none of them changes a distance."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import plain_array
from ._packed import check_codes, of_length

# Each byte with its bits in the opposite order.
_REVERSED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, bitorder="little"
).ravel()


def to_signed_bytes(codes: ArrayLike) -> NDArray[np.int8]:
    """View codes as signed bytes, as Vespa, Elasticsearch and OpenSearch take them.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8

    Returns
    -------
    signed : ndarray of shape (n_codes, n_bytes), dtype int8
        The same bits: bytes from 128 on are negative (two's complement). The codes' own memory.

    Raises
    ------
    ValueError
        If the input is not codes, see :func:`check_codes`.

    See Also
    --------
    to_offset_bytes : The other signed bytes, which sentence-transformers calls "binary".

    Examples
    --------
    >>> from sklearn_dsh.codes import pack_bits, to_signed_bytes
    >>> to_signed_bytes(pack_bits([[1, 0, 0, 0, 0, 0, 0, 1]]))
    array([[-127]], dtype=int8)
    """
    return check_codes(codes).view(np.int8)


def from_signed_bytes(signed: ArrayLike, n_bits: int | None = None) -> NDArray[np.uint8]:
    """Turn signed bytes (two's complement) to codes.

    Parameters
    ----------
    signed : array-like of shape (n_codes, n_bytes)
        int8, or whole numbers in -128..127.
    n_bits : int, default=None
        Length of the codes: then the padding is looked at. None takes any.

    Returns
    -------
    codes : ndarray of shape (n_codes, n_bytes), dtype uint8

    Raises
    ------
    ValueError
        If `signed` is not two-dimensional, empty or holds other numbers; if `n_bits` does not go
        with its width, or a padding bit is set.

    Examples
    --------
    >>> from sklearn_dsh.codes import from_signed_bytes
    >>> from_signed_bytes([[-127, 64]], n_bits=10)
    array([[129,  64]], dtype=uint8)
    """
    return of_length(_int8(signed, "signed").view(np.uint8), n_bits)


def to_offset_bytes(codes: ArrayLike) -> NDArray[np.int8]:
    """Turn codes to bytes less 128, the precision "binary" of sentence-transformers.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8

    Returns
    -------
    offset : ndarray of shape (n_codes, n_bytes), dtype int8
        The codes less 128: 0 becomes -128, and 255 becomes 127.

    Raises
    ------
    ValueError
        If the input is not codes, see :func:`check_codes`.

    See Also
    --------
    to_signed_bytes : Two's complement, as stores take it.

    Examples
    --------
    >>> from sklearn_dsh.codes import to_offset_bytes
    >>> to_offset_bytes([[0, 129]])
    array([[-128,    1]], dtype=int8)
    """
    return (check_codes(codes) ^ np.uint8(128)).view(np.int8)


def from_offset_bytes(offset: ArrayLike, n_bits: int | None = None) -> NDArray[np.uint8]:
    """Turn bytes less 128, the precision "binary" of sentence-transformers, to codes.

    Parameters
    ----------
    offset : array-like of shape (n_codes, n_bytes)
        int8, or whole numbers in -128..127.
    n_bits : int, default=None
        Length of the codes: then the padding is looked at. None takes any.

    Returns
    -------
    codes : ndarray of shape (n_codes, n_bytes), dtype uint8
        The precision "ubinary" of the same embeddings.

    Raises
    ------
    ValueError
        As :func:`from_signed_bytes`.

    Examples
    --------
    >>> from sklearn_dsh.codes import from_offset_bytes
    >>> from_offset_bytes([[-128, 1]])
    array([[  0, 129]], dtype=uint8)
    """
    return of_length(_int8(offset, "offset").view(np.uint8) ^ np.uint8(128), n_bits)


def to_lsb_first(codes: ArrayLike) -> NDArray[np.uint8]:
    """Turn codes to bytes with the least significant bit first.

    faiss (``IndexLSH``) and sqlite-vec (``vec_quantize_binary``) make such bytes of vectors of
    their own: codes beside them must be of the same order.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8

    Returns
    -------
    lsb_first : ndarray of shape (n_codes, n_bytes), dtype uint8
        ``numpy.packbits(..., bitorder="little")`` of the same bits; zeros fill the upper end of
        the last byte.

    Raises
    ------
    ValueError
        If the input is not codes, see :func:`check_codes`.

    Examples
    --------
    >>> from sklearn_dsh.codes import to_lsb_first
    >>> to_lsb_first([[0b10000000, 0b11000000]])
    array([[1, 3]], dtype=uint8)
    """
    return _REVERSED[check_codes(codes)]


def from_lsb_first(lsb_first: ArrayLike, n_bits: int | None = None) -> NDArray[np.uint8]:
    """Turn bytes with the least significant bit first to codes.

    Parameters
    ----------
    lsb_first : array-like of shape (n_codes, n_bytes), dtype uint8
    n_bits : int, default=None
        Length of the codes: then the padding is looked at. None takes any.

    Returns
    -------
    codes : ndarray of shape (n_codes, n_bytes), dtype uint8

    Raises
    ------
    ValueError
        If the input is not bytes, see :func:`check_codes`; if `n_bits` does not go with its width,
        or a padding bit is set.

    Examples
    --------
    >>> from sklearn_dsh.codes import from_lsb_first
    >>> from_lsb_first([[1, 3]], n_bits=10)
    array([[128, 192]], dtype=uint8)
    """
    return of_length(_REVERSED[check_codes(lsb_first, name="lsb_first")], n_bits)


def to_words(codes: ArrayLike) -> NDArray[np.uint64]:
    """Turn codes to numbers of 64 bits, as SQL's UBIGINT has them.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8

    Returns
    -------
    words : ndarray of shape (n_codes, ceil(n_bytes / 8)), dtype uint64
        Bit 0 is the most significant bit of the first word; zeros fill the last one. For a signed
        BIGINT take ``words.view(np.int64)``.

    Raises
    ------
    ValueError
        If the input is not codes, see :func:`check_codes`.

    Examples
    --------
    >>> from sklearn_dsh.codes import to_words
    >>> [hex(word) for word in to_words([[1, 2, 3, 4, 5, 6, 7, 8, 9]])[0]]
    ['0x102030405060708', '0x900000000000000']
    """
    codes = check_codes(codes)
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return padded.view(">u8").astype(np.uint64)


def from_words(words: ArrayLike, n_bits: int) -> NDArray[np.uint8]:
    """Turn numbers of 64 bits to codes.

    Parameters
    ----------
    words : array-like of shape (n_codes, ceil(n_bits / 64)), dtype uint64 or int64
        Bit 0 is the most significant bit of the first word. One word a code may be of shape
        (n_codes,), as a column is.
    n_bits : int
        Length of the codes.

    Returns
    -------
    codes : ndarray of shape (n_codes, ceil(n_bits / 8)), dtype uint8

    Raises
    ------
    ValueError
        If the words are of another type or number, there is none, or bits behind `n_bits` are set.

    Examples
    --------
    >>> from sklearn_dsh.codes import from_words
    >>> from_words([[0x0102030405060708, 0x0900000000000000]], n_bits=72)
    array([[1, 2, 3, 4, 5, 6, 7, 8, 9]], dtype=uint8)
    """
    if not isinstance(n_bits, Integral) or isinstance(n_bits, bool) or n_bits < 1:
        raise ValueError(f"n_bits={n_bits!r}: expected a whole number, at least 1.")
    words = np.asarray(plain_array(words, "words"))
    if words.ndim == 1:
        words = words[:, None]
    n_words = -(-int(n_bits) // 64)
    if words.dtype.kind not in "iu" or words.dtype.itemsize != 8:
        raise ValueError(
            f"words has dtype {words.dtype}: expected uint64 or int64, 64 bits of a code each."
        )
    if words.ndim != 2 or not len(words) or words.shape[1] != n_words:
        raise ValueError(
            f"words has shape {words.shape}: expected (n_codes, {n_words}), as many as hold "
            f"n_bits={n_bits}."
        )
    # Of int64 the same bits: no number of 64 bits is cast to one of others.
    unsigned = np.ascontiguousarray(words).view(words.dtype.str.replace("i", "u"))
    codes = unsigned.astype(">u8").view(np.uint8)
    n_bytes = -(-int(n_bits) // 8)
    if codes[:, n_bytes:].any():
        raise ValueError(
            f"words has bits set behind bit {n_bits}, where only zeros were expected: n_bits is "
            "too small for these codes, or they begin at the least significant bit."
        )
    return of_length(np.ascontiguousarray(codes[:, :n_bytes]), n_bits)


def _int8(signed, name):
    """Signed bytes as a contiguous int8 array; ValueError if they are something else."""
    signed = np.asarray(plain_array(signed, name))
    if signed.ndim != 2 or not signed.size:
        raise ValueError(f"{name} has shape {signed.shape}: expected (n_codes, n_bytes).")
    if signed.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} has dtype {signed.dtype}: expected int8, or whole numbers in -128..127."
        )
    if signed.dtype != np.int8:
        wrong = ~((signed >= -128) & (signed <= 127) & (signed == np.floor(signed)))  # NaN, too
        if wrong.any():
            value = signed[wrong][0]
            advice = " Unsigned bytes are codes already." if 127 < value < 256 else ""
            raise ValueError(
                f"{name} holds {value}: expected signed bytes, whole numbers in -128..127.{advice}"
            )
    return np.ascontiguousarray(signed, dtype=np.int8)
