"""Packed binary codes: packing, bitarray interoperability, forms of other stores, distances.

A code of ``n_bits`` bits is a row of ``ceil(n_bits / 8)`` bytes, most significant bit first and
padded with zero bits, as :func:`numpy.packbits` and ``bitarray`` write it.
"""

from ._byte_forms import (
    from_lsb_first,
    from_offset_bytes,
    from_signed_bytes,
    from_words,
    to_lsb_first,
    to_offset_bytes,
    to_signed_bytes,
    to_words,
)
from ._packed import (
    check_codes,
    from_bitarrays,
    hamming_distances,
    pack_bits,
    to_bitarrays,
    unpack_bits,
)
from ._text_forms import from_bit_strings, from_hex, to_bit_strings, to_hex

__all__ = [
    "check_codes",
    "from_bit_strings",
    "from_bitarrays",
    "from_hex",
    "from_lsb_first",
    "from_offset_bytes",
    "from_signed_bytes",
    "from_words",
    "hamming_distances",
    "pack_bits",
    "to_bit_strings",
    "to_bitarrays",
    "to_hex",
    "to_lsb_first",
    "to_offset_bytes",
    "to_signed_bytes",
    "to_words",
    "unpack_bits",
]
