"""Compiled kernels of the linear scan.

All kernels release the GIL, touch only the arrays they are given, and share one plan. The gallery
is read in blocks that fit into the level-1 cache, each turned once to *byte planes* (plane b holds
byte b of every code of the block) and then met by many queries. On planes, the distances of
:data:`LANES` codes are a few vector instructions a byte (xor, popcount, add), and the result is a
vector of small integers, ready to be compared with a threshold. The comparison gives a bit mask,
zero nearly always, whose set bits are the candidates, in gallery order.

The vector operations are LLVM intermediate code (`@intrinsic`), because numba's loop vectoriser
widens bytes; LLVM turns them to what the machine has (SSE, AVX2, AVX-512, NEON). Everything is
compiled on first use and cached on disk: keep intrinsics and kernels in this one file, because the
cache is renewed when this file changes.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
"""Codes whose distances are computed at once."""

_PLANES_PER_SUM = 31
"""Byte planes whose popcounts a byte can add up: 31 * 8 < 256."""

_I64 = ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), LANES)


def _array(context, builder, array_type, value):
    return context.make_array(array_type)(context, builder, value)


def _vector_pointer(builder, data, index, vector_type):
    return builder.bitcast(builder.gep(data, [index]), vector_type.as_pointer())


def _splat(builder, scalar, vector_type):
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector_type.count), None)
    return builder.shuffle_vector(first, undefined, zeros)


@intrinsic
def _add_popcounts(typingctx, planes, query, start, stop, out, i):
    """Add the distances over bytes start..stop of codes i..i+LANES to out (set it at start 0)."""

    def codegen(context, builder, signature, args):
        planes_type, query_type, _, _, out_type, _ = signature.args
        planes_value, query_value, first, last, out_value, index = args
        plane = _array(context, builder, planes_type, planes_value)
        stride = builder.extract_value(plane.strides, 0)
        block = builder.gep(plane.data, [index])
        query_data = _array(context, builder, query_type, query_value).data
        popcount = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_BYTES, [_BYTES]), f"llvm.ctpop.v{LANES}i8"
        )
        total = cgutils.alloca_once_value(builder, ir.Constant(_BYTES, None))
        with cgutils.for_range_slice(builder, first, last, ir.Constant(_I64, 1)) as (b, _):
            offset = builder.mul(b, stride)
            codes = builder.load(_vector_pointer(builder, block, offset, _BYTES), align=1)
            byte = builder.load(builder.gep(query_data, [b]))
            difference = builder.xor(codes, _splat(builder, byte, _BYTES))
            count = builder.call(popcount, [difference])
            builder.store(builder.add(builder.load(total), count), total)
        out_vector = ir.VectorType(context.get_value_type(out_type.dtype), LANES)
        data = _array(context, builder, out_type, out_value).data
        pointer = _vector_pointer(builder, data, index, out_vector)
        result = builder.load(total)
        if out_vector != _BYTES:
            result = builder.zext(result, out_vector)
        at_start = builder.icmp_signed("==", first, ir.Constant(_I64, 0))
        so_far = builder.select(
            at_start, ir.Constant(out_vector, None), builder.load(pointer, align=1)
        )
        builder.store(builder.add(so_far, result), pointer, align=1)
        return context.get_dummy_value()

    return types.void(planes, query, types.int64, types.int64, out, types.int64), codegen


@intrinsic
def _mask_below(typingctx, values, i, limit):
    """Bit j of the result says whether values[i + j] < limit, for j in 0..LANES."""

    def codegen(context, builder, signature, args):
        element = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(element, LANES)
        data = _array(context, builder, signature.args[0], args[0]).data
        loaded = builder.load(_vector_pointer(builder, data, args[1], vector), align=1)
        bound = _splat(builder, builder.trunc(args[2], element), vector)
        return builder.bitcast(builder.icmp_unsigned("<", loaded, bound), ir.IntType(LANES))

    return types.uint64(values, types.int64, types.int64), codegen


@intrinsic
def _load_word(typingctx, codes, row, byte):
    """Load 8 bytes of a row at once, aligned or not."""

    def codegen(context, builder, signature, args):
        array = _array(context, builder, signature.args[0], args[0])
        stride = builder.extract_value(array.strides, 0)
        offset = builder.add(builder.mul(args[1], stride), args[2])
        pointer = builder.bitcast(builder.gep(array.data, [offset]), _I64.as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(codes, types.int64, types.int64), codegen


@intrinsic
def _lowest_bit(typingctx, mask):
    """Position of the lowest set bit of a mask that is not zero."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


_HALF, _QUARTER, _EIGHTH = np.uint64(32), np.uint64(16), np.uint64(8)
_HALF_MASK = np.uint64(0x00000000FFFFFFFF)
_QUARTER_MASK = np.uint64(0x0000FFFF0000FFFF)
_EIGHTH_MASK = np.uint64(0x00FF00FF00FF00FF)
_ONE = np.uint64(1)


@njit(inline="always")
def _exchange(a, b, shift, mask):
    return (a & mask) | ((b & mask) << shift), ((a >> shift) & mask) | (b & ~mask)


@njit(nogil=True, cache=True)
def _fill_planes(codes, first, n, planes):
    """Turn codes[first : first + n] to byte planes; planes is (n_bytes, block / 8) words."""
    n_bytes = codes.shape[1]
    plane_bytes = planes.view(np.uint8)
    n_groups = n // 8
    for byte in range(0, n_bytes - 7, 8):
        for g in range(n_groups):  # transpose 8 x 8 bytes in registers (Hacker's Delight, 7-3)
            row = first + 8 * g
            a0, a4 = _load_word(codes, row, byte), _load_word(codes, row + 4, byte)
            a1, a5 = _load_word(codes, row + 1, byte), _load_word(codes, row + 5, byte)
            a2, a6 = _load_word(codes, row + 2, byte), _load_word(codes, row + 6, byte)
            a3, a7 = _load_word(codes, row + 3, byte), _load_word(codes, row + 7, byte)
            a0, a4 = _exchange(a0, a4, _HALF, _HALF_MASK)
            a1, a5 = _exchange(a1, a5, _HALF, _HALF_MASK)
            a2, a6 = _exchange(a2, a6, _HALF, _HALF_MASK)
            a3, a7 = _exchange(a3, a7, _HALF, _HALF_MASK)
            a0, a2 = _exchange(a0, a2, _QUARTER, _QUARTER_MASK)
            a1, a3 = _exchange(a1, a3, _QUARTER, _QUARTER_MASK)
            a4, a6 = _exchange(a4, a6, _QUARTER, _QUARTER_MASK)
            a5, a7 = _exchange(a5, a7, _QUARTER, _QUARTER_MASK)
            a0, a1 = _exchange(a0, a1, _EIGHTH, _EIGHTH_MASK)
            a2, a3 = _exchange(a2, a3, _EIGHTH, _EIGHTH_MASK)
            a4, a5 = _exchange(a4, a5, _EIGHTH, _EIGHTH_MASK)
            a6, a7 = _exchange(a6, a7, _EIGHTH, _EIGHTH_MASK)
            planes[byte, g], planes[byte + 1, g] = a0, a1
            planes[byte + 2, g], planes[byte + 3, g] = a2, a3
            planes[byte + 4, g], planes[byte + 5, g] = a4, a5
            planes[byte + 6, g], planes[byte + 7, g] = a6, a7
    for byte in range(n_bytes):
        start = 8 * n_groups if byte < n_bytes - n_bytes % 8 else 0
        for i in range(start, n):
            plane_bytes[byte, i] = codes[first + i, byte]


@njit(nogil=True, cache=True)
def _fill_distances(planes, query, n, distances):
    """Write the distances of the first n codes of the planes to the query."""
    n_bytes = len(query)
    for start in range(0, n_bytes, _PLANES_PER_SUM):
        stop = min(start + _PLANES_PER_SUM, n_bytes)
        for i in range(0, n, LANES):
            _add_popcounts(planes, query, start, stop, distances, i)


@njit(nogil=True, cache=True)
def _candidate_mask(distances, i, n, limit):
    mask = _mask_below(distances, i, limit)
    if i + LANES > n:  # the last lanes hold no codes
        mask &= (_ONE << np.uint64(n - i)) - _ONE
    return mask


@njit(nogil=True, cache=True)
def _keep_nearest(kept_distances, kept_rows, size, limit, n_at_limit):
    """Drop the candidates that can no longer be among the nearest, in place and in order."""
    n_kept = 0
    for c in range(size):
        distance = kept_distances[c]
        if distance == limit:
            n_at_limit -= 1
        if distance < limit or (distance == limit and n_at_limit >= 0):
            kept_distances[n_kept] = distance
            kept_rows[n_kept] = kept_rows[c]
            n_kept += 1
    return n_kept


@njit(nogil=True, cache=True)
def scan_nearest(
    gallery,
    first,
    last,
    queries,
    own_rows,
    k,
    queries_per_block,
    block,
    distances,
    out_distances,
    out_rows,
    out_counts,
):
    """The k nearest of gallery[first:last] for every query, sorted by (distance, row).

    A query keeps every code nearer than its *limit*: the k-th smallest distance so far, known from
    a running histogram of what it kept. As codes come in gallery order, one at the limit itself
    can only lose the tie. `own_rows` holds a row that a query leaves out, or -1. `distances` is
    scratch space of the block's length and of a type that holds the largest distance.
    """
    n_bytes = gallery.shape[1]
    largest = 8 * n_bytes
    capacity = k + max(k, 1024)
    words = np.empty((n_bytes, block // 8), dtype=np.uint64)
    planes = words.view(np.uint8)
    histogram = np.empty((queries_per_block, largest + 1), dtype=np.int64)
    kept_distances = np.empty((queries_per_block, capacity), dtype=np.int32)
    kept_rows = np.empty((queries_per_block, capacity), dtype=np.int64)
    limits = np.empty(queries_per_block, dtype=np.int64)
    n_below = np.empty(queries_per_block, dtype=np.int64)  # kept codes nearer than the limit
    sizes = np.empty(queries_per_block, dtype=np.int64)
    starts = np.empty(largest + 2, dtype=np.int64)
    for q0 in range(0, len(queries), queries_per_block):
        n_queries = min(queries_per_block, len(queries) - q0)
        histogram[:] = 0
        limits[:] = largest + 1
        n_below[:] = 0
        sizes[:] = 0
        for row in range(first, last, block):
            n = min(block, last - row)
            _fill_planes(gallery, row, n, words)
            for j in range(n_queries):
                _fill_distances(planes, queries[q0 + j], n, distances)
                limit, below, size = limits[j], n_below[j], sizes[j]
                own = own_rows[q0 + j] - row
                for i in range(0, n, LANES):
                    mask = _candidate_mask(distances, i, n, limit)
                    while mask != 0:
                        at = i + _lowest_bit(mask)
                        mask &= mask - _ONE
                        distance = np.int64(distances[at])
                        if distance >= limit or at == own:
                            continue
                        if size == capacity:
                            size = _keep_nearest(
                                kept_distances[j], kept_rows[j], size, limit, k - below
                            )
                        kept_distances[j, size] = distance
                        kept_rows[j, size] = row + at
                        size += 1
                        histogram[j, distance] += 1
                        below += 1
                        while below >= k:
                            limit -= 1
                            below -= histogram[j, limit]
                limits[j], n_below[j], sizes[j] = limit, below, size
        for j in range(n_queries):  # counting sort; equal distances stay in gallery order
            limit = limits[j]
            starts[0] = 0
            for distance in range(min(limit, largest) + 1):
                starts[distance + 1] = starts[distance] + histogram[j, distance]
            count = 0
            for c in range(sizes[j]):
                distance = kept_distances[j, c]
                if distance <= limit and starts[distance] < k:
                    at = starts[distance]
                    starts[distance] += 1
                    out_distances[q0 + j, at] = distance
                    out_rows[q0 + j, at] = kept_rows[j, c]
                    count += 1
            out_counts[q0 + j] = count


@njit(nogil=True, cache=True)
def merge_nearest(distances, rows, counts, k, largest, out_distances, out_rows):
    """Merge the sorted answers of gallery parts (n_parts, n_queries, <= k), parts in order."""
    starts = np.empty(largest + 2, dtype=np.int64)
    for q in range(len(out_rows)):
        starts[:] = 0
        for part in range(len(counts)):
            for c in range(counts[part, q]):
                starts[distances[part, q, c] + 1] += 1
        for distance in range(largest):
            starts[distance + 1] += starts[distance]
        for part in range(len(counts)):
            for c in range(counts[part, q]):
                distance = distances[part, q, c]
                at = starts[distance]
                starts[distance] += 1
                if at < k:
                    out_distances[q, at] = distance
                    out_rows[q, at] = rows[part, q, c]


@njit(nogil=True, cache=True)
def scan_within(
    gallery,
    first,
    last,
    queries,
    own_rows,
    radius,
    queries_per_block,
    block,
    distances,
    positions,
    out_rows,
):
    """Codes of gallery[first:last] within the radius, by counting sort in two calls.

    With an empty `out_rows`, adds their numbers to positions[query, distance]; else writes their
    rows there, each at its position, which then moves on.
    """
    n_bytes = gallery.shape[1]
    words = np.empty((n_bytes, block // 8), dtype=np.uint64)
    planes = words.view(np.uint8)
    writes = len(out_rows) > 0
    for q0 in range(0, len(queries), queries_per_block):
        for row in range(first, last, block):
            n = min(block, last - row)
            _fill_planes(gallery, row, n, words)
            for q in range(q0, min(q0 + queries_per_block, len(queries))):
                _fill_distances(planes, queries[q], n, distances)
                own = own_rows[q] - row
                for i in range(0, n, LANES):
                    mask = _candidate_mask(distances, i, n, radius + 1)
                    while mask != 0:
                        at = i + _lowest_bit(mask)
                        mask &= mask - _ONE
                        if at == own:
                            continue
                        distance = distances[at]
                        if writes:
                            out_rows[positions[q, distance]] = row + at
                        positions[q, distance] += 1


@njit(nogil=True, cache=True)
def scan_counts(
    gallery,
    first,
    last,
    queries,
    gallery_labels,
    query_labels,
    queries_per_block,
    block,
    distances,
    counts,
):
    """Add to counts[query, distance, same label] the codes of gallery[first:last]."""
    n_bytes = gallery.shape[1]
    words = np.empty((n_bytes, block // 8), dtype=np.uint64)
    planes = words.view(np.uint8)
    for q0 in range(0, len(queries), queries_per_block):
        for row in range(first, last, block):
            n = min(block, last - row)
            _fill_planes(gallery, row, n, words)
            for q in range(q0, min(q0 + queries_per_block, len(queries))):
                _fill_distances(planes, queries[q], n, distances)
                label = query_labels[q]
                for i in range(n):
                    same = np.int64(gallery_labels[row + i] == label)
                    counts[q, distances[i], same] += 1
