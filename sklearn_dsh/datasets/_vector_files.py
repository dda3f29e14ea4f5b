"""Reading files of word vectors: word2vec, GloVe and fastText, of which few words are wanted."""

import gzip
import re
import warnings
import zlib
from itertools import chain, count

import numpy as np

_CHUNK = 1 << 20  # bytes of a binary file that are read at once
# What is beyond these is no file of word vectors: memory is bounded, whatever a file says.
_LONGEST_LINE = 1 << 20  # bytes
_MOST_VALUES = 1 << 17
_LARGEST_VALUE = float(np.finfo(np.float32).max)  # in which they are kept
_MOST_DIGITS = 18
_SAMPLE = 4096  # bytes by which text is told from binary
# What may stand behind the header of a text file: anything but these.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OTHER_KINDS = {
    b"\xba\x16\x4f\x2f": "a fastText model: take the .vec file that goes with it",
    b"PK\x03\x04": "a zip archive: extract it first",
}


def read_vectors(path, format, wanted, enough):
    """Vectors of the words of a file.

    Parameters
    ----------
    path : Path
    format : {"auto", "text", "binary"}
    wanted : dict of bytes to str
        The words, as the file has them.
    enough : set of str
        Reading stops when all of these are found.

    Returns
    -------
    found : dict of str to ndarray of float64, shape (d,)
    """
    found = {}
    try:
        if format == "auto":
            format = _format(path)
        with _open(path) as file:
            vectors = (_text_vectors if format == "text" else _binary_vectors)(file, path, wanted)
            for word, vector in vectors:
                found.setdefault(wanted[word], vector)
                if enough <= found.keys():
                    break
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{str(path)!r}: the gzip data are damaged or cut off ({error}). Get the file again."
        ) from error
    return found


def _open(path):
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if compressed else open(path, "rb", buffering=_CHUNK)


def _format(path):
    with _open(path) as file:
        line, sample = file.readline(_SAMPLE), file.read(_SAMPLE)
    for magic, kind in _OTHER_KINDS.items():
        if line.startswith(magic):
            raise ValueError(f"{str(path)!r} is {kind}.")
    if _header(line, path) is None:
        return "text"  # GloVe: a binary file has a header
    try:
        sample[: sample.rfind(b" ") + 1].decode()  # up to the last space: no character is cut
    except UnicodeDecodeError:
        return "binary"
    return "binary" if _CONTROL.search(sample) else "text"


def _header(line, path):
    """Number of words and of dimensions, or None if the line is no header."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() and field.strip(b"0") for field in fields):
        return None
    n_words, n_values = (
        int(field) if len(field) <= _MOST_DIGITS else 10**_MOST_DIGITS for field in fields
    )
    if n_values > _MOST_VALUES:
        raise ValueError(
            f"{str(path)!r} tells of vectors of {n_values} values in its header: expected "
            f"{_MOST_VALUES} at most."
        )
    return n_words, n_values


def _lines(file, path):
    """The lines of a text file and their numbers, from 1."""
    for number in count(1):
        line = file.readline(_LONGEST_LINE)
        if not line:
            return
        if len(line) == _LONGEST_LINE:
            raise ValueError(
                f"{str(path)!r}, line {number}: it is longer than {_LONGEST_LINE} bytes, expected "
                "a word and its values."
            )
        yield number, line


def _text_vectors(file, path, wanted):
    """Yield wanted words (bytes) and their vectors, in the order of a text file."""
    lines = _lines(file, path)
    _, first = next(lines, (1, b""))
    header = _header(first, path)
    n_words, n_values = header or (None, first.rstrip().count(b" "))
    if not 1 <= n_values <= _MOST_VALUES:
        raise ValueError(
            f"{str(path)!r}, line 1: {first[:40]!r}, expected a word and its values, separated by "
            "spaces, or the numbers of words and of dimensions."
        )
    beginnings = {word.split(b" ")[0] for word in wanted}
    n_read = 0
    for number, line in lines if header else chain([(1, first)], lines):
        is_whole = line.endswith(b"\n")
        line = line.rstrip()
        if not line:
            continue
        n_read += 1
        n_spaces = line.count(b" ")
        enough = n_spaces >= n_values
        if enough and line[: line.find(b" ")] not in beginnings:
            continue
        where = f"{str(path)!r}, line {number}"
        # Values are counted from the right, because words of GloVe may have spaces.
        word, *values = line.rsplit(b" ", n_values)
        too_many = n_spaces > n_values and all(map(_is_number, word.split(b" ")[1:]))
        if too_many or not enough:
            says = "the header" if header else "line 1"
            raise ValueError(f"{where}: {n_spaces} values, expected {n_values} as by {says}.")
        if word in wanted:
            if not is_whole:
                warnings.warn(
                    f"{where}: the vector of {wanted[word]!r} is the end of the file and no line "
                    "break comes after it: its last value may be cut off.",
                    UserWarning,
                    stacklevel=2,
                )
            yield word, _finite(values, where)
    if n_words not in (None, n_read):
        _warn_of_number(path, n_words, n_read)


def _binary_vectors(file, path, wanted):
    """Yield wanted words (bytes) and their vectors, in the order of a binary file."""
    line = file.readline(_SAMPLE)
    header = _header(line, path)
    if header is None:
        raise ValueError(
            f"{str(path)!r}, byte 0: {line[:40]!r}, expected the numbers of words and of "
            "dimensions, as a word2vec binary file begins."
        )
    n_words, n_values = header
    n_bytes = 4 * n_values
    block, start, block_at = b"", 0, len(line)
    for number in range(n_words):
        space = block.find(b" ", start)
        if space < 0 or len(block) < space + 1 + n_bytes:
            block_at += start
            block, start = block[start:] + file.read(_CHUNK + n_bytes), 0
            space = block.find(b" ")
            if not block.strip(b"\n"):
                _warn_of_number(path, n_words, number)
                return
            if space < 0 or len(block) < space + 1 + n_bytes:
                raise ValueError(
                    f"{str(path)!r}, byte {block_at}: expected word {number + 1} of {n_words}, a "
                    f"space and {n_values} float32 values, got {len(block)} bytes that are not "
                    "that. The file is cut off, or of another kind."
                )
        word = block[start:space].lstrip(b"\n")  # word2vec ends every vector with a line break
        if word in wanted:
            values = np.frombuffer(block, "<f4", n_values, space + 1)
            yield word, _finite(values, f"{str(path)!r}, byte {block_at + start}")
        start = space + 1 + n_bytes


def _warn_of_number(path, n_words, n_read):
    warnings.warn(
        f"{str(path)!r} tells of {n_words} words in its header and has {n_read}: the file may be "
        "cut off, or edited.",
        UserWarning,
        stacklevel=2,
    )


def _finite(values, where):
    """The values of one line or record as float64; where one is no number, ValueError."""
    for position, value in enumerate(values, start=1):
        if not _is_number(value):
            shown = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            raise ValueError(f"{where}: value {position} is {shown!r}, expected a finite number.")
    return np.array([float(value) for value in values])


def _is_number(value):
    try:
        return abs(float(value)) <= _LARGEST_VALUE  # nan is not
    except ValueError:
        return False
