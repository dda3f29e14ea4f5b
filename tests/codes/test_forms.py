"""The forms of other stores: what each is, there and back, with the same distances."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_dsh.codes import (
    from_bit_strings,
    from_hex,
    from_lsb_first,
    from_offset_bytes,
    from_signed_bytes,
    from_words,
    hamming_distances,
    pack_bits,
    to_bit_strings,
    to_bitarrays,
    to_hex,
    to_lsb_first,
    to_offset_bytes,
    to_signed_bytes,
    to_words,
)

# Of codes of zeros and ones, which chance makes.
pytestmark = pytest.mark.filterwarnings("ignore:.* looks like unpacked bits")

bit_matrices = st.tuples(st.integers(1, 6), st.integers(1, 150)).flatmap(
    lambda shape: arrays(bool, shape)
)
# There, and back with the number of bits.
FORMS = {
    "signed": (to_signed_bytes, from_signed_bytes),
    "offset": (to_offset_bytes, from_offset_bytes),
    "lsb_first": (to_lsb_first, from_lsb_first),
    "words": (to_words, from_words),
    "hex": (to_hex, from_hex),
}


def differing_bits(a, b):
    """Of any form that is numbers: what a store's bit_count(xor(a, b)) gives."""
    unsigned = [np.asarray(x).view(np.dtype(f"u{x.itemsize}")) for x in (a, b)]
    return np.bitwise_count(unsigned[0][:, None] ^ unsigned[1]).sum(axis=2)


@pytest.mark.parametrize("name", FORMS)
@given(bits=bit_matrices)
def test_there_and_back(name, bits):
    there, back = FORMS[name]
    codes = pack_bits(bits)
    again = back(there(codes), bits.shape[1])
    assert again.dtype == np.uint8
    assert again.flags.c_contiguous
    np.testing.assert_array_equal(again, codes)


@pytest.mark.parametrize("name", ["signed", "offset", "lsb_first", "words"])
@given(
    pair=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 150)).flatmap(
        lambda s: st.tuples(arrays(bool, (s[0], s[2])), arrays(bool, (s[1], s[2])))
    )
)
def test_distances_stay(name, pair):
    a, b = map(pack_bits, pair)
    there = FORMS[name][0]
    np.testing.assert_array_equal(differing_bits(there(a), there(b)), hamming_distances(a, b))


@given(bits=bit_matrices)
def test_what_each_is(bits):
    codes, n_bits = pack_bits(bits), bits.shape[1]
    np.testing.assert_array_equal(to_signed_bytes(codes), codes.astype(np.int8))
    np.testing.assert_array_equal(to_offset_bytes(codes), codes.astype(int) - 128)
    np.testing.assert_array_equal(to_lsb_first(codes), np.packbits(bits, axis=1, bitorder="little"))
    assert to_hex(codes) == [row.tobytes().hex() for row in codes]
    assert to_bit_strings(codes, n_bits) == [item.to01() for item in to_bitarrays(codes, n_bits)]
    assert to_bit_strings(codes) == [item.to01() for item in to_bitarrays(codes)]
    np.testing.assert_array_equal(from_bit_strings(to_bit_strings(codes, n_bits)), codes)
    words = [
        [int(row.ljust(len(row) + -len(row) % 64, "0")[at : at + 64], 2)
         for at in range(0, len(row), 64)]
        for row in to_bit_strings(codes, n_bits)
    ]  # fmt: skip
    np.testing.assert_array_equal(to_words(codes), np.array(words, dtype=np.uint64))
    assert to_words(codes).dtype == np.uint64


@given(bits=bit_matrices)
def test_padding_is_zero(bits):
    """Bits behind the length are zero in each form that has them."""
    codes, n_bits = pack_bits(bits), bits.shape[1]
    assert not np.unpackbits(to_lsb_first(codes), axis=1, bitorder="little")[:, n_bits:].any()
    words = to_words(codes).astype(">u8").view(np.uint8)
    assert not np.unpackbits(words, axis=1)[:, n_bits:].any()


def test_signed_bytes_of_vespa():
    """Its table in "Binarizing Vectors"."""
    bits = [[1] * 8, [0] * 8, [1, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(to_signed_bytes(pack_bits(bits)).ravel(), [-1, 0, -128, -127])


def test_signed_bytes_of_opensearch():
    """Its example of a binary vector."""
    np.testing.assert_array_equal(to_signed_bytes(from_bit_strings(["01100011"])), [[99]])


def test_signed_bytes_and_hex_of_elasticsearch():
    """Its example of bit vectors: 18 of the 40 bits of these two differ, a score of 0.55."""
    signed, texts = [[127, -127, 0, 1, 42]], ["8100012a7f"]
    distances = hamming_distances(from_signed_bytes(signed, 40), from_hex(texts, 40))
    assert distances.tolist() == [[18]]


def test_the_two_signed_forms_are_not_the_same():
    codes = np.arange(256, dtype=np.uint8)[:, None]
    assert (to_signed_bytes(codes) != to_offset_bytes(codes)).all()
    assert (from_signed_bytes(to_offset_bytes(codes)) == codes ^ 128).all()


def test_no_copy_for_signed_bytes():
    codes = np.random.default_rng(0).integers(0, 256, (4, 3), dtype=np.uint8)
    assert np.shares_memory(to_signed_bytes(codes), codes)


def test_numbers_of_other_types():
    np.testing.assert_array_equal(from_signed_bytes([[-1.0, 5.0]]), [[255, 5]])
    np.testing.assert_array_equal(from_offset_bytes([[-128, 127]]), [[0, 255]])
    big = np.array([[2**63 + 1]], dtype=np.uint64)
    for words in (big, big.astype(">u8"), big.view(np.int64), big[0], np.asfortranarray(big)):
        np.testing.assert_array_equal(from_words(words, 64), [[128, 0, 0, 0, 0, 0, 0, 1]])
    np.testing.assert_array_equal(from_hex(iter(["aB", "01"])), [[171], [1]])


@pytest.mark.parametrize("back", [from_signed_bytes, from_offset_bytes, from_lsb_first, from_hex])
def test_a_length_that_does_not_go_with_the_width(back):
    given = ["0000"] if back is from_hex else np.zeros((1, 2), np.int8).view("u1")
    for n_bits in (8, 17, 12.5, "16"):
        with pytest.raises(ValueError, match=re.escape("does not go with codes of 2 bytes")):
            back(given, n_bits)


@pytest.mark.parametrize("name", FORMS)
def test_padding_that_is_set(name):
    there, back = FORMS[name]
    for n_bits in (9, 15, 13):
        with pytest.raises(ValueError, match=f"has bits set behind bit {n_bits}, where only zero"):
            back(there([[0, 1]]), n_bits)


@pytest.mark.parametrize("back", [from_signed_bytes, from_offset_bytes])
@pytest.mark.parametrize(
    ("signed", "message"),
    [
        ([1, 2], "has shape (2,): expected (n_codes, n_bytes)."),
        (np.zeros((0, 2), np.int8), "has shape (0, 2)"),
        ([[True]], "has dtype bool: expected int8, or whole numbers in -128..127."),
        ([["1"]], "has dtype <U1"),
        ([[1, 200]], "holds 200: expected signed bytes, whole numbers in -128..127. Unsigned"),
        ([[1, -129]], "holds -129: expected signed bytes, whole numbers in -128..127."),
        ([[0.5]], "holds 0.5"),
        ([[np.nan]], "holds nan"),
        ([[np.inf]], "holds inf"),
    ],
)
def test_what_are_no_signed_bytes(back, signed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        back(signed)


@pytest.mark.parametrize(
    ("words", "n_bits", "message"),
    [
        ([[1.0]], 64, "words has dtype float64: expected uint64 or int64"),
        (np.ones((1, 1), np.uint32), 64, "words has dtype uint32"),
        ([[1, 2]], 64, "words has shape (1, 2): expected (n_codes, 1), as many as hold n_bits=64."),
        ([1, 2], 65, "words has shape (2, 1): expected (n_codes, 2)"),
        (np.zeros((0, 1), np.uint64), 5, "words has shape (0, 1)"),
        ([[1]], 0, "n_bits=0: expected a whole number, at least 1."),
        ([[1]], True, "n_bits=True"),
        ([[1]], 8, "words has bits set behind bit 8, where only zeros were expected"),
    ],
)
def test_what_are_no_words(words, n_bits, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        from_words(words, n_bits)


@pytest.mark.parametrize("back", [from_hex, from_bit_strings])
def test_what_are_no_texts(back):
    with pytest.raises(ValueError, match="texts is empty"):
        back([])
    with pytest.raises(TypeError, match=r"texts\[1\] is None: expected a str"):
        back(["01", None])
    with pytest.raises(TypeError, match=r"texts\[0\] is b'01'"):
        back([b"01"])
    for texts in (["01", "011"], ["01", ""], [""]):
        with pytest.raises(ValueError, match="expected all of one length, at least 1"):
            back(texts)
    for text in ("0g", "0 ", "0x", "-1", "0\u0661"):
        with pytest.raises(ValueError, match=r"texts\[1\] is .*, and nothing else"):
            back(["01", text])
    np.testing.assert_array_equal(back("0101"), back(["0101"]))  # one text is one code


def test_half_a_byte_of_hex():
    with pytest.raises(ValueError, match="has 3 hexadecimal digits: expected two a byte"):
        from_hex(["abc"])


@pytest.mark.parametrize(
    "there", [to_signed_bytes, to_offset_bytes, to_lsb_first, to_words, to_hex, to_bit_strings]
)
def test_only_codes_go_there(there):
    with pytest.raises(ValueError, match="packed codes are whole"):
        there([[300]])
