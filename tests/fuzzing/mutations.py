"""Damaged copies of sound files: what becomes of them follows from a number alone."""

import random
import re
from typing import NamedTuple

_SIZES = (1, 2, 4, 8)  # of the numbers in binary headers, in bytes
_DIGITS = re.compile(rb"\d+")
_TEXT_NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"65536", b"4294967296", b"9" * 25, b"9" * 5000)
_TOKENS = (b"\x00", b"\n", b"\r", b'"', b",", b" ", b"[", b"{", b"null", b"\xff\xfe", b"\\ud800")
_DEEP = 100_000  # brackets: deeper than any recursion goes


class Mutation(NamedTuple):
    """A damaged file.

    Attributes
    ----------
    content : bytes
    seed : int
        Which of the sound files it was.
    kept : int or None
        How many bytes are left of a file that was cut off, and nothing else; else None.
    """

    content: bytes
    seed: int
    kept: int | None


def mutate(seeds, number, words=()):
    """The damaged file of a number; every fifth is cut off."""
    rng = random.Random(number)
    seed = rng.randrange(len(seeds))
    content = seeds[seed]
    if number % 5 == 0:
        kept = rng.randrange(len(content))
        return Mutation(content[:kept], seed, kept)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_KINDS)(content, rng, seeds, words)
    return Mutation(content, seed, None)


def _flip(content, rng, seeds, words):
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_byte(content, rng, seeds, words):
    return _put(content, rng, bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))]))


def _set_length(content, rng, seeds, words):
    """A number in place of some bytes, as if these were a length, a count or an offset."""
    size = rng.choice(_SIZES)
    largest = (1 << 8 * size) - 1
    value = rng.choice((0, 1, largest, largest >> 1, largest - 1, len(content), len(content) + 1))
    return _put(content, rng, (value & largest).to_bytes(size, rng.choice(("little", "big"))))


def _put(content, rng, value):
    # Headers decide most: half of the changes are near the start.
    end = len(content) if rng.random() < 0.5 else min(64, len(content))
    at = rng.randrange(max(1, end))
    return content[:at] + value + content[at + len(value) :]


def _drop(content, rng, seeds, words):
    first, last = _range(content, rng)
    return content[:first] + content[last:]


def _repeat(content, rng, seeds, words):
    first, last = _range(content, rng)
    return content[:last] + content[first:last] * rng.choice((1, 1, 3)) + content[last:]


def _insert(content, rng, seeds, words):
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.choice((1, 4, 16))) + content[at:]


def _splice(content, rng, seeds, words):
    other = rng.choice(seeds)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other)) :]


def _text_number(content, rng, seeds, words):
    """Another number in place of one that is written in digits."""
    found = list(_DIGITS.finditer(content))
    if not found:
        return _set_length(content, rng, seeds, words)
    place = rng.choice(found)
    return content[: place.start()] + rng.choice(_TEXT_NUMBERS) + content[place.end() :]


def _word(content, rng, seeds, words):
    """A word of the format, or a character that ends or begins something, where none was."""
    word = rng.choice((*_TOKENS, *words))
    at = rng.randrange(len(content) + 1)
    return content[:at] + word + content[at + rng.choice((0, len(word))) :]


def _lines(content, rng, seeds, words):
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return _splice(content, rng, seeds, words)
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = rng.choice(((lines[j], lines[i]), (b"", lines[j]), (lines[j], lines[j])))
    return b"".join(lines)


def _nest(content, rng, seeds, words):
    """Brackets in brackets; seldom, for it is slow."""
    if rng.random() < 0.8:
        return _word(content, rng, seeds, words)
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice((b"[", b'{"a":', b"(")) * _DEEP + content[at:]


def _range(content, rng):
    first = rng.randrange(len(content) + 1)
    return first, min(len(content), first + rng.choice((1, 2, 4, 16, 64, len(content))))


_KINDS = (
    _flip, _flip, _set_byte, _set_length, _set_length, _drop, _repeat, _insert, _splice,
    _text_number, _word, _lines, _nest,
)  # fmt: skip
