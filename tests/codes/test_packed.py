import re

import numpy as np
import pandas as pd
import pytest
from bitarray import bitarray
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from sklearn_dsh.codes import (
    check_codes,
    from_bitarrays,
    from_offset_bytes,
    from_signed_bytes,
    from_words,
    hamming_distances,
    pack_bits,
    to_bitarrays,
    unpack_bits,
)

bit_matrices = st.tuples(st.integers(1, 6), st.integers(1, 40)).flatmap(
    lambda shape: arrays(bool, shape)
)


def test_most_significant_bit_comes_first_and_padding_is_zero():
    bits = [[1, 0, 0, 0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]]
    np.testing.assert_array_equal(pack_bits(bits), [[128, 192], [1, 64]])


@given(bits=bit_matrices)
def test_pack_and_unpack_are_inverse(bits):
    codes = pack_bits(bits)
    assert codes.dtype == np.uint8
    assert codes.shape == (len(bits), -(-bits.shape[1] // 8))
    np.testing.assert_array_equal(unpack_bits(codes, bits.shape[1]), bits)


@given(bits=bit_matrices)
def test_codes_are_bit_identical_to_bitarray(bits):
    codes = pack_bits(bits)
    expected = [bitarray(row.tolist()) for row in bits]
    assert to_bitarrays(codes, bits.shape[1]) == expected
    assert [item.tobytes() for item in expected] == [row.tobytes() for row in codes]
    np.testing.assert_array_equal(from_bitarrays(expected), codes)


def test_to_bitarrays_keeps_the_padding_by_default():
    assert to_bitarrays([[0b10100000]]) == [bitarray("10100000")]


def test_from_bitarrays_reads_items_whatever_their_endianness():
    items = "1000000001"
    little, big = bitarray(items, endian="little"), bitarray(items, endian="big")
    np.testing.assert_array_equal(from_bitarrays([little, big]), [[128, 64], [128, 64]])


@given(
    pair=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 40)).flatmap(
        lambda s: st.tuples(arrays(bool, (s[0], s[2])), arrays(bool, (s[1], s[2])))
    )
)
def test_distances_count_differing_bits(pair):
    A, B = pair
    distances = hamming_distances(pack_bits(A), pack_bits(B))
    assert distances.dtype == np.int32
    np.testing.assert_array_equal(distances, (A[:, None] != B[None]).sum(axis=2))


def test_wide_codes_do_not_overflow():
    zeros, ones = np.zeros((1, 4000), np.uint8), np.full((1, 4000), 255, np.uint8)
    assert hamming_distances(zeros, ones) == 32000


def test_check_codes_takes_whole_numbers_lists_and_frames():
    expected = np.array([[0, 255], [7, 1]], dtype=np.uint8)
    for codes in (expected.tolist(), expected.astype(float), pd.DataFrame(expected)):
        checked = check_codes(codes)
        assert checked.dtype == np.uint8
        assert checked.flags.c_contiguous
        np.testing.assert_array_equal(checked, expected)
    assert check_codes(np.asfortranarray(expected)).flags.c_contiguous


def test_check_codes_does_not_copy_bytes_or_memory_maps(tmp_path):
    codes = np.arange(12, dtype=np.uint8).reshape(6, 2)
    assert np.shares_memory(check_codes(codes), codes)
    np.save(tmp_path / "codes.npy", codes)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    assert np.shares_memory(check_codes(mapped), mapped)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[0.5, 1.0]], "holds 0.5, but packed codes are whole numbers in 0..255"),
        ([[256, 1]], "holds 256, but packed codes are whole numbers in 0..255"),
        ([[-1, 1]], "Negative values in data: X of dtype int64 holds -1"),
        ([[-0.7, 0.2]], "use pack_bits(X >= 0)"),
        ([[True, False]], "X is a boolean array of shape (1, 2): expected packed codes"),
        ([[True, False]], "Use pack_bits(X)"),
        (np.int8([[-128, 127]]), "Negative values in data: X of dtype int8 has signed bytes"),
        (np.int8([[-128, 127]]), "use from_offset_bytes(X), the codes of its 'ubinary'"),
        (np.int8([[-128, 127]]), "use from_signed_bytes(X)."),
        (np.int8([[-128, 127]]), "use pack_bits(embeddings > 0) of the float embeddings"),
        (np.int8([[5, 127]]), "X of dtype int8 has signed bytes"),  # of others some are negative
        (np.int8([[-1, 1]]), "For signs, or bits that are not packed, use pack_bits(X > 0)."),
        ([1, 2, 3], "Expected 2D array, got 1D array instead"),
        (np.zeros((0, 2)), "Found array with 0 sample(s)"),
        (np.zeros((2, 0)), "Found array with 0 feature(s)"),
        ([[np.nan, 1.0]], "Input X contains NaN"),
        ([[np.inf, 1.0]], "Input X contains infinity"),
        ([[1j, 1.0]], "Complex data not supported"),
        ([["a", "b"]], "dtype='numeric' is not compatible"),
    ],
)
def test_invalid_codes_are_refused(codes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_codes(codes, name="X")


def test_what_is_told_of_signed_bytes_is_right():
    """The formulas of sentence-transformers 6.2, `quantize_embeddings`."""
    embeddings = np.random.default_rng(0).normal(size=(50, 44))
    ubinary = np.packbits(embeddings > 0, axis=-1)
    binary = (np.packbits(embeddings > 0, axis=-1) - 128).astype(np.int8)
    np.testing.assert_array_equal(from_offset_bytes(binary), ubinary)
    np.testing.assert_array_equal(pack_bits(embeddings > 0), ubinary)
    # Bytes taken as they are differ in the first bit of each: right among themselves alone.
    raw = binary.view(np.uint8)
    expected = hamming_distances(ubinary, ubinary)
    np.testing.assert_array_equal(hamming_distances(raw, raw), expected)
    np.testing.assert_array_equal(np.diag(hamming_distances(raw, ubinary)), np.full(50, 6))
    # Of plain casts.
    np.testing.assert_array_equal(from_signed_bytes(ubinary.astype(np.int8)), ubinary)


def test_sparse_codes_are_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        check_codes(csr_matrix([[1, 2]]))


def test_another_width_is_refused():
    with pytest.raises(
        ValueError,
        match=r"B has 3 bytes a code, but 2 were expected: .* same n_bits\. Use pack_bits",
    ):
        hamming_distances([[1, 2]], [[1, 2, 3]])
    with pytest.raises(ValueError, match=r"B has 1 bytes a code, but 2 .* same n_bits\.$"):
        hamming_distances([[1, 2]], [[1]])


def test_n_bits_of_a_small_type():
    codes = pack_bits(np.ones((2, 250), dtype=bool))
    np.testing.assert_array_equal(unpack_bits(codes, np.uint8(250)), np.ones((2, 250)))


def test_unpacked_bits_warn():
    bits = np.eye(8, dtype=np.uint8)
    with pytest.warns(UserWarning, match=r"only 0 and 1 in 8 columns.*use pack_bits\(gallery\)"):
        check_codes(bits, name="gallery")


@pytest.mark.filterwarnings("error")
def test_codes_that_could_be_real_do_not_warn():
    check_codes(np.eye(7, dtype=np.uint8))
    check_codes(np.zeros((3, 32), dtype=np.uint8))
    check_codes(2 * np.eye(32, dtype=np.uint8))


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ([1, 0, 1], "bits has shape (3,): expected (n_codes, n_bits)"),
        (np.zeros((2, 0), bool), "bits has shape (2, 0): expected (n_codes, n_bits)"),
        ([[0.5, -0.5]], "bits has dtype float64: expected bool, or integers 0 and 1"),
        ([[0.5, -0.5]], "use pack_bits(values >= 0)"),
        ([[-1, 1]], "bits holds values from -1 to 1: expected 0 and 1"),
        ([[0, 2]], "bits holds values from 0 to 2"),
    ],
)
def test_pack_bits_refuses_what_is_no_bit(bits, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pack_bits(bits)


@pytest.mark.parametrize("n_bits", [0, 8, 17, 12.0])
def test_unpack_bits_refuses_another_width(n_bits):
    with pytest.raises(ValueError, match="codes of 2 bytes: expected an integer from 9 to 16"):
        unpack_bits([[1, 2]], n_bits)


@pytest.mark.parametrize("function", [unpack_bits, to_bitarrays])
def test_set_bits_are_not_cut_off(function):
    with pytest.raises(ValueError, match="bits set behind bit 12"):
        function([[1, 1]], 12)


@pytest.mark.parametrize("items", [[], [bitarray()], [bitarray("1"), bitarray("10")]])
def test_from_bitarrays_refuses_other_lengths(items):
    with pytest.raises(ValueError, match="at least one bitarray, all of the same length >= 1"):
        from_bitarrays(items)


def test_from_bitarrays_refuses_other_types():
    with pytest.raises(TypeError, match="expects bitarrays, got str"):
        from_bitarrays(["1010"])


@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_words_are_told_how_to_become_codes(dtype):
    codes = np.random.default_rng(0).integers(0, 256, (5, 16), dtype=np.uint8)
    codes[0, 0] = 255
    words = codes.view(">u8").astype(np.uint64).astype(dtype)
    with pytest.raises(ValueError, match="words of 64 bits") as told:
        check_codes(words, name="X")
    line = re.search(r"use (.*)\.$", str(told.value))[1]
    names = {"from_words": from_words, "n_bits": 128}
    for X in (words, np.asfortranarray(words)):
        np.testing.assert_array_equal(eval(line, names | {"X": X}), codes)
