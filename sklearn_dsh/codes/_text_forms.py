"""Codes as text, and back: hexadecimal digits, and a character a bit."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._packed import check_codes, of_length, pack_bits, unpack_bits


def to_hex(codes: ArrayLike) -> list[str]:
    """Turn codes to hexadecimal text.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8

    Returns
    -------
    texts : list of str
        One a code, of two digits a byte, in lower case.

    Raises
    ------
    ValueError
        If the input is not codes, see :func:`check_codes`.

    Examples
    --------
    >>> from sklearn_dsh.codes import to_hex
    >>> to_hex([[15, 255]])
    ['0fff']
    """
    codes = check_codes(codes)
    return _cut(codes.tobytes().hex(), 2 * codes.shape[1])


def from_hex(texts: Iterable[str], n_bits: int | None = None) -> NDArray[np.uint8]:
    """Turn hexadecimal text to codes.

    Parameters
    ----------
    texts : iterable of str
        One a code, of two digits a byte, all of one length.
    n_bits : int, default=None
        Length of the codes: then the padding is looked at. None takes any.

    Returns
    -------
    codes : ndarray of shape (n_codes, n_bytes), dtype uint8

    Raises
    ------
    ValueError
        If there is none, one is no hexadecimal text, or of another length; if `n_bits` does not go
        with the length, or a padding bit is set.
    TypeError
        If one is no str.

    Examples
    --------
    >>> from sklearn_dsh.codes import from_hex
    >>> from_hex(["0fff", "0F00"], n_bits=16)
    array([[ 15, 255],
           [ 15,   0]], dtype=uint8)
    """
    texts = _texts(texts, "0123456789abcdefABCDEF", "two hexadecimal digits a byte")
    if len(texts[0]) % 2:
        raise ValueError(
            f"texts[0] has {len(texts[0])} hexadecimal digits: expected two a byte. Of numbers "
            "that lost a zero in front, text.zfill puts it back."
        )
    packed = np.frombuffer(bytes.fromhex("".join(texts)), dtype=np.uint8)
    return of_length(packed.reshape(len(texts), -1).copy(), n_bits)


def to_bit_strings(codes: ArrayLike, n_bits: int | None = None) -> list[str]:
    """Turn codes to text of 0 and 1, as ``bit(n)`` of PostgreSQL and BIT of DuckDB read it.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bytes), dtype uint8
    n_bits : int, default=None
        The length of each text; None keeps the padding: 8 * n_bytes.

    Returns
    -------
    texts : list of str
        One a code, bit 0 first.

    Raises
    ------
    ValueError
        As :func:`unpack_bits`.

    Examples
    --------
    >>> from sklearn_dsh.codes import to_bit_strings
    >>> to_bit_strings([[178, 192]], n_bits=11)
    ['10110010110']
    """
    codes = check_codes(codes)
    bits = unpack_bits(codes, 8 * codes.shape[1] if n_bits is None else n_bits)
    return _cut((bits + np.uint8(ord("0"))).tobytes().decode("ascii"), bits.shape[1])


def from_bit_strings(texts: Iterable[str]) -> NDArray[np.uint8]:
    """Turn text of 0 and 1 to codes.

    Parameters
    ----------
    texts : iterable of str
        One a code, bit 0 first, all of one length.

    Returns
    -------
    codes : ndarray of shape (n_codes, ceil(n_bits / 8)), dtype uint8

    Raises
    ------
    ValueError
        If there is none, one holds anything but 0 and 1, or is of another length.
    TypeError
        If one is no str.

    Examples
    --------
    >>> from sklearn_dsh.codes import from_bit_strings
    >>> from_bit_strings(["10110010110"])
    array([[178, 192]], dtype=uint8)
    """
    texts = _texts(texts, "01", "a 0 or 1 for each bit")
    characters = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8)
    return pack_bits((characters == ord("1")).reshape(len(texts), -1))


def _texts(texts, characters, expected):
    """A list of str of one length, of these characters only."""
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts:
        raise ValueError("texts is empty: expected one text a code, at least one.")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{row}] is {text!r}: expected a str, {expected}.")
        if len(text) != len(texts[0]) or not text:
            raise ValueError(
                f"texts[{row}] has {len(text)} characters, and texts[0] has {len(texts[0])}: "
                "expected all of one length, at least 1."
            )
    if set().union(*texts) - set(characters):
        row = next(row for row, text in enumerate(texts) if set(text) - set(characters))
        raise ValueError(f"texts[{row}] is {texts[row]!r}: expected {expected}, and nothing else.")
    return texts


def _cut(text, length):
    """A text in pieces of one length."""
    return [text[start : start + length] for start in range(0, len(text), length)]
