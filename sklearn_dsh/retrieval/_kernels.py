"""Compiled kernels of the searches.

All kernels release the GIL and touch only the arrays they are given. In a scan the gallery is read
in blocks that fit into the level-1 cache, each turned once to *byte planes* (plane b holds byte b
of every code of the block) and then met by many queries. On planes, the distances of
:data:`LANES` codes are a few vector instructions a byte (xor, popcount, add), and the result is a
vector of small integers, ready to be compared with a threshold. The comparison gives a bit mask,
zero nearly always, whose set bits are the candidates, in gallery order.

The vector operations are LLVM intermediate code (`@intrinsic`), because numba's loop vectoriser
widens bytes; LLVM turns them to what the machine has (SSE, AVX2, AVX-512, NEON). Everything is
compiled on first use and cached on disk. (Long: intrinsics and kernels are in this one file because
the cache is renewed when the file of a kernel changes, and not when another does that it calls.)
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils

if config.DISABLE_JIT:  # NUMBA_DISABLE_JIT=1, for a debugger
    from ._interpreted import intrinsic, njit
else:
    from numba import njit
    from numba.extending import intrinsic

COMPILED = not config.DISABLE_JIT

LANES = 64
"""Codes whose distances are computed at once."""

_PLANES_PER_SUM = 24
"""Byte planes whose popcounts a byte adds up, at most 31; compilers unroll loops by eight."""

_FEW_QUERIES = 16
"""So many queries are compared with the codes as they lie."""

_CACHE_LINE = 64
_PIECE = 1024
"""Bytes of codes that are asked for at a time."""

_CACHED = 1 << 21
"""Bytes of a gallery that may lie in the caches, where asking ahead costs more than it gives."""

_I64 = ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_WORDS = ir.VectorType(ir.IntType(32), LANES // 4)


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
def _set_distances(typingctx, planes, spread, n_bytes, out, i):
    """Set out to the distances of codes i..i+LANES; every byte of the query fills a word."""

    def codegen(context, builder, signature, args):
        planes_type, spread_type, _, out_type, _ = signature.args
        planes_value, spread_value, n_planes, out_value, index = args
        plane = _array(context, builder, planes_type, planes_value)
        stride = builder.extract_value(plane.strides, 0)
        block = builder.gep(plane.data, [index])
        query = _array(context, builder, spread_type, spread_value).data
        popcount = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_BYTES, [_BYTES]), f"llvm.ctpop.v{LANES}i8"
        )
        out_vector = ir.VectorType(context.get_value_type(out_type.dtype), LANES)
        total = cgutils.alloca_once_value(builder, ir.Constant(out_vector, None))

        def add_planes(first, last, total):
            with cgutils.for_range_slice(builder, first, last, ir.Constant(_I64, 1)) as (b, _):
                offset = builder.mul(b, stride)
                codes = builder.load(_vector_pointer(builder, block, offset, _BYTES), align=1)
                word = builder.load(builder.gep(query, [b]))
                word = builder.bitcast(_splat(builder, word, _WORDS), _BYTES)
                count = builder.call(popcount, [builder.xor(codes, word)])
                builder.store(builder.add(builder.load(total), count), total)

        zero = ir.Constant(_I64, 0)
        if out_vector == _BYTES:
            add_planes(zero, n_planes, total)
        else:
            step = ir.Constant(_I64, _PLANES_PER_SUM)
            part = cgutils.alloca_once(builder, _BYTES)
            with cgutils.for_range_slice(builder, zero, n_planes, step) as (first, _):
                builder.store(ir.Constant(_BYTES, None), part)
                end = builder.add(first, step)
                last = builder.select(builder.icmp_signed("<", end, n_planes), end, n_planes)
                add_planes(first, last, part)
                found = builder.zext(builder.load(part), out_vector)
                builder.store(builder.add(builder.load(total), found), total)
        data = _array(context, builder, out_type, out_value).data
        pointer = _vector_pointer(builder, data, index, out_vector)
        builder.store(builder.load(total), pointer, align=1)
        return context.get_dummy_value()

    return types.void(planes, spread, types.int64, out, types.int64), codegen


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
def _load_word_at(typingctx, codes, position):
    """Load the 8 bytes from a position of a C-contiguous array on, aligned or not."""

    def codegen(context, builder, signature, args):
        array = _array(context, builder, signature.args[0], args[0])
        pointer = builder.bitcast(builder.gep(array.data, [args[1]]), _I64.as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(codes, types.int64), codegen


@intrinsic
def _load_half_at(typingctx, codes, position):
    """Load 4 bytes as `_load_word_at` loads 8."""

    def codegen(context, builder, signature, args):
        array = _array(context, builder, signature.args[0], args[0])
        half = ir.IntType(32)
        pointer = builder.bitcast(builder.gep(array.data, [args[1]]), half.as_pointer())
        return builder.load(pointer, align=1)

    return types.uint32(codes, types.int64), codegen


@intrinsic
def _prefetch(typingctx, codes, position):
    """Ask for the cache line at a position of a C-contiguous array, even behind its end."""

    def codegen(context, builder, signature, args):
        array = _array(context, builder, signature.args[0], args[0])
        byte, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        pointer = builder.bitcast(builder.gep(array.data, [args[1]]), byte)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [byte],
            ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer]),
        )
        read, near, of_data = (ir.Constant(integer, value) for value in (0, 3, 1))
        builder.call(function, [pointer, read, near, of_data])
        return context.get_dummy_value()

    return types.void(codes, types.int64), codegen


@intrinsic
def _popcount(typingctx, word):
    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return word(word), codegen


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


@njit(inline="always")
def _turn(a0, a1, a2, a3, a4, a5, a6, a7):
    """Transpose 8 x 8 bytes in registers (Warren, Hacker's Delight, section 7-3)."""
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
    return a0, a1, a2, a3, a4, a5, a6, a7


@njit(nogil=True, cache=True)
def _fill_eight_planes(codes, first, n_groups, byte, planes):
    for g in range(n_groups):
        row = first + 8 * g
        words = _turn(
            _load_word(codes, row, byte), _load_word(codes, row + 1, byte),
            _load_word(codes, row + 2, byte), _load_word(codes, row + 3, byte),
            _load_word(codes, row + 4, byte), _load_word(codes, row + 5, byte),
            _load_word(codes, row + 6, byte), _load_word(codes, row + 7, byte),
        )  # fmt: skip
        for i in range(8):
            planes[byte + i, g] = words[i]


@njit(nogil=True, cache=True)
def _fill_four_planes(codes, first, n_groups, planes):
    """Of codes of 4 bytes."""
    for g in range(n_groups):
        at = 4 * (first + 8 * g)
        words = _turn(
            np.uint64(_load_half_at(codes, at)), np.uint64(_load_half_at(codes, at + 4)),
            np.uint64(_load_half_at(codes, at + 8)), np.uint64(_load_half_at(codes, at + 12)),
            np.uint64(_load_half_at(codes, at + 16)), np.uint64(_load_half_at(codes, at + 20)),
            np.uint64(_load_half_at(codes, at + 24)), np.uint64(_load_half_at(codes, at + 28)),
        )  # fmt: skip
        for i in range(4):
            planes[i, g] = words[i]


@njit(nogil=True, cache=True)
def _from_line(array):
    """The array from the first line of the cache in it on: vectors lie across no two lines."""
    size = array.itemsize
    return array[-(array.ctypes.data // size) % (_CACHE_LINE // size) :]


@njit(nogil=True, cache=True)
def _new_planes(n_bytes, block):
    n = n_bytes * block // 8
    words = _from_line(np.empty(n + _CACHE_LINE // 8, dtype=np.uint64))
    return words[:n].reshape((n_bytes, block // 8))


@njit(nogil=True, cache=True)
def _fill_planes(codes, first, n, planes):
    """Turn codes[first : first + n] to byte planes; planes is (n_bytes, block / 8) words."""
    n_bytes = codes.shape[1]
    plane_bytes = planes.view(np.uint8)
    n_groups = n // 8
    start = 8 * n_groups
    for byte in range(0, n_bytes - 7, 8):
        _fill_eight_planes(codes, first, n_groups, byte, planes)
    if n_bytes == 4:
        _fill_four_planes(codes, first, n_groups, planes)
    elif n_bytes < 8:
        start = 0
    elif n_bytes % 8 > 0:  # the last eight, some of them again
        _fill_eight_planes(codes, first, n_groups, n_bytes - 8, planes)
    for byte in range(n_bytes):
        for i in range(start, n):
            plane_bytes[byte, i] = codes[first + i, byte]


@njit(nogil=True, cache=True)
def _spread_bytes(queries, first, n, spread):
    """Fill the words of spread[: n] with the bytes of some queries, which a load then broadcasts.

    A single byte is moved to all lanes by the unit that counts bits, on some machines.
    """
    for q in range(n):
        for byte in range(queries.shape[1]):
            spread[q, byte] = np.uint32(0x01010101) * np.uint32(queries[first + q, byte])


@njit(nogil=True, cache=True)
def _fill_distances(planes, spread, n, distances):
    """Write the distances of the first n codes of the planes to a query, see `_spread_bytes`."""
    for i in range(0, n, LANES):
        _set_distances(planes, spread, len(spread), distances, i)


@njit(nogil=True, cache=True)
def _is_direct(n_queries, n_bytes):
    """Whether distances are computed from the codes as they lie: planes need many queries."""
    has_loop = n_bytes == 4 or n_bytes == 8 or n_bytes == 16 or n_bytes == 32
    return has_loop and n_queries <= _FEW_QUERIES


@njit(nogil=True, cache=True)
def _bytes_ahead(codes, first, last, block, asks):
    """How far ahead of the codes that are read to ask for others: the next block, or 0 for not."""
    n_bytes = codes.shape[1]
    return block * n_bytes if asks and (last - first) * n_bytes > _CACHED else 0


@njit(inline="always")
def _distance_at(codes, position, a, b, c, d, n_bytes):
    if n_bytes == 4:
        return np.uint64(_popcount(_load_half_at(codes, position) ^ np.uint32(a)))
    distance = _popcount(_load_word_at(codes, position) ^ a)
    if n_bytes >= 16:
        distance += _popcount(_load_word_at(codes, position + 8) ^ b)
    if n_bytes == 32:
        distance += _popcount(_load_word_at(codes, position + 16) ^ c)
        distance += _popcount(_load_word_at(codes, position + 24) ^ d)
    return distance


@njit(inline="always")
def _fill_pieces(codes, first, n, a, b, c, d, n_bytes, ahead, distances):
    """The loop of one width, whose constants the compiler vectorises.

    The machine stops asking ahead at every page's end, and has room for about a piece of lines that
    are on their way: so each piece is computed while one further on comes.
    """
    n_codes = _PIECE // n_bytes
    whole = n - n % n_codes
    for start in range(0, whole, n_codes):
        position = (first + start) * n_bytes
        if ahead > 0:
            for line in range(0, _PIECE, _CACHE_LINE):
                _prefetch(codes, position + ahead + line)
        for i in range(n_codes):
            distances[start + i] = _distance_at(codes, position + n_bytes * i, a, b, c, d, n_bytes)
    for i in range(whole, n):
        distances[i] = _distance_at(codes, (first + i) * n_bytes, a, b, c, d, n_bytes)


@njit(nogil=True, cache=True)
def _fill_distances_directly(codes, first, n, queries, q, ahead, distances):
    """Write the distances of codes[first : first + n] of 4, 8, 16 or 32 bytes to one query."""
    n_bytes = codes.shape[1]
    a = b = c = d = np.uint64(0)
    if n_bytes == 4:
        a = np.uint64(_load_half_at(queries, 4 * q))
        _fill_pieces(codes, first, n, a, b, c, d, 4, ahead, distances)
        return
    a = _load_word(queries, q, 0)
    if n_bytes == 8:
        _fill_pieces(codes, first, n, a, b, c, d, 8, ahead, distances)
        return
    b = _load_word(queries, q, 8)
    if n_bytes == 16:
        _fill_pieces(codes, first, n, a, b, c, d, 16, ahead, distances)
        return
    c, d = _load_word(queries, q, 16), _load_word(queries, q, 24)
    _fill_pieces(codes, first, n, a, b, c, d, 32, ahead, distances)


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
    allowed,
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
    can only lose the tie. `own_rows` holds a row that a query leaves out, or -1. `allowed` has one
    bit a row, :data:`LANES` a word, the first row lowest; it is empty where all may be found.
    `first` is a multiple of :data:`LANES`. `distances` is scratch space of the block's length and
    :data:`LANES` more, of a type that holds the largest distance.
    """
    n_bytes = gallery.shape[1]
    largest = 8 * n_bytes
    direct = _is_direct(len(queries), n_bytes)
    capacity = k + max(k, 1024)
    words = _new_planes(n_bytes, block)
    distances = _from_line(distances)
    planes = words.view(np.uint8)
    spread = np.empty((queries_per_block, n_bytes), dtype=np.uint32)
    histogram = np.empty((queries_per_block, largest + 1), dtype=np.int64)
    kept_distances = np.empty((queries_per_block, capacity), dtype=np.int32)
    kept_rows = np.empty((queries_per_block, capacity), dtype=np.int64)
    limits = np.empty(queries_per_block, dtype=np.int64)
    n_below = np.empty(queries_per_block, dtype=np.int64)  # kept codes nearer than the limit
    sizes = np.empty(queries_per_block, dtype=np.int64)
    starts = np.empty(largest + 2, dtype=np.int64)
    masked = len(allowed) > 0
    for q0 in range(0, len(queries), queries_per_block):
        n_queries = min(queries_per_block, len(queries) - q0)
        _spread_bytes(queries, q0, n_queries, spread)
        histogram[:] = 0
        limits[:] = largest + 1
        n_below[:] = 0
        sizes[:] = 0
        for row in range(first, last, block):
            n = min(block, last - row)
            if not direct:
                _fill_planes(gallery, row, n, words)
            for j in range(n_queries):
                if direct:
                    ahead = _bytes_ahead(gallery, first, last, block, j == n_queries - 1)
                    _fill_distances_directly(gallery, row, n, queries, q0 + j, ahead, distances)
                else:
                    _fill_distances(planes, spread[j], n, distances)
                limit, below, size = limits[j], n_below[j], sizes[j]
                own = own_rows[q0 + j] - row
                for i in range(0, n, LANES):
                    mask = _candidate_mask(distances, i, n, limit)
                    if mask != 0 and masked:
                        mask &= allowed[(row + i) // LANES]
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
    allowed,
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
    direct = _is_direct(len(queries), n_bytes)
    words = _new_planes(n_bytes, block)
    distances = _from_line(distances)
    planes = words.view(np.uint8)
    spread = np.empty((queries_per_block, n_bytes), dtype=np.uint32)
    writes, masked = len(out_rows) > 0, len(allowed) > 0
    for q0 in range(0, len(queries), queries_per_block):
        n_queries = min(queries_per_block, len(queries) - q0)
        _spread_bytes(queries, q0, n_queries, spread)
        for row in range(first, last, block):
            n = min(block, last - row)
            if not direct:
                _fill_planes(gallery, row, n, words)
            for q in range(q0, q0 + n_queries):
                if direct:
                    ahead = _bytes_ahead(gallery, first, last, block, q == len(queries) - 1)
                    _fill_distances_directly(gallery, row, n, queries, q, ahead, distances)
                else:
                    _fill_distances(planes, spread[q - q0], n, distances)
                own = own_rows[q] - row
                for i in range(0, n, LANES):
                    mask = _candidate_mask(distances, i, n, radius + 1)
                    if mask != 0 and masked:
                        mask &= allowed[(row + i) // LANES]
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
    direct = _is_direct(len(queries), n_bytes)
    words = _new_planes(n_bytes, block)
    distances = _from_line(distances)
    planes = words.view(np.uint8)
    spread = np.empty((queries_per_block, n_bytes), dtype=np.uint32)
    for q0 in range(0, len(queries), queries_per_block):
        n_queries = min(queries_per_block, len(queries) - q0)
        _spread_bytes(queries, q0, n_queries, spread)
        for row in range(first, last, block):
            n = min(block, last - row)
            if not direct:
                _fill_planes(gallery, row, n, words)
            for q in range(q0, q0 + n_queries):
                if direct:
                    ahead = _bytes_ahead(gallery, first, last, block, q == len(queries) - 1)
                    _fill_distances_directly(gallery, row, n, queries, q, ahead, distances)
                else:
                    _fill_distances(planes, spread[q - q0], n, distances)
                label = query_labels[q]
                for i in range(n):
                    same = np.int64(gallery_labels[row + i] == label)
                    counts[q, distances[i], same] += 1


# What follows searches structures of *distinct* codes. A distinct code has a number; the gallery
# rows that hold it are rows[starts[number] : starts[number + 1]], ascending.


@njit(nogil=True, cache=True)
def hash_codes(codes, out):
    """A 64-bit hash of every code (the finaliser of splitmix64 over its bytes, eight at a time)."""
    n_bytes = codes.shape[1]
    for row in range(len(codes)):
        h = np.uint64(0x9E3779B97F4A7C15)
        for start in range(0, n_bytes, 8):
            word = np.uint64(0)
            for b in range(start, min(start + 8, n_bytes)):
                word = (word << _EIGHTH) | np.uint64(codes[row, b])
            h = (h ^ word) + np.uint64(0x9E3779B97F4A7C15)
            h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            h = h ^ (h >> np.uint64(31))
        out[row] = h


@njit(nogil=True, cache=True)
def _compare_codes(codes, a, b):
    for byte in range(codes.shape[1]):
        if codes[a, byte] != codes[b, byte]:
            return -1 if codes[a, byte] < codes[b, byte] else 1
    return 0


@njit(nogil=True, cache=True)
def order_equal_keys(codes, keys, order):
    """Sort every run of rows with one key by (code, row), in place; return where codes begin.

    `order` holds rows, ascending by key. A run has more than one code only where hashes collide.
    """
    n = len(order)
    is_first = np.zeros(n, dtype=np.bool_)
    start = 0
    while start < n:
        stop = start + 1
        key = keys[order[start]]
        differ = False
        while stop < n and keys[order[stop]] == key:
            differ |= _compare_codes(codes, order[start], order[stop]) != 0
            stop += 1
        if stop - start > 1:
            order[start:stop] = np.sort(order[start:stop])
        if differ:
            for i in range(start + 1, stop):  # insertion sort; stable, so rows stay ascending
                row = order[i]
                j = i
                while j > start and _compare_codes(codes, order[j - 1], row) > 0:
                    order[j] = order[j - 1]
                    j -= 1
                order[j] = row
        is_first[start] = True
        for i in range(start + 1, stop):
            is_first[i] = differ and _compare_codes(codes, order[i - 1], order[i]) != 0
        start = stop
    return is_first


@njit(nogil=True, cache=True)
def sum_bits(codes, labels, counts, sizes):
    """Add to counts[label, bit] the set bits of the codes (most significant first)."""
    for row in range(len(codes)):
        label = labels[row]
        sizes[label] += 1
        for b in range(codes.shape[1]):
            byte = codes[row, b]
            for bit in range(8):
                counts[label, 8 * b + bit] += (byte >> (7 - bit)) & 1


@njit(nogil=True, cache=True)
def fill_block_planes(codes, starts, rows, block_starts, planes):
    """The byte planes of distinct codes, block by block, one after the other.

    :data:`LANES` bytes behind the last are read, too.
    """
    n_bytes = codes.shape[1]
    for block in range(len(block_starts) - 1):
        first, n = block_starts[block], block_starts[block + 1] - block_starts[block]
        for i in range(n):
            row = rows[starts[first + i]]
            for byte in range(n_bytes):
                planes[n_bytes * first + byte * n + i] = codes[row, byte]


@njit(nogil=True, cache=True)
def _may_be_found(allowed, row):
    return len(allowed) == 0 or (allowed[row // LANES] >> np.uint64(row % LANES)) & _ONE != 0


@njit(nogil=True, cache=True)
def _count_rows(starts, rows, number, distance, own, allowed, most):
    """How many rows of a distinct code a query may find; beyond `most`, any number beyond it."""
    count = starts[number + 1] - starts[number]
    if len(allowed) > 0:
        count = 0
        for at in range(starts[number], starts[number + 1]):
            count += _may_be_found(allowed, rows[at])
            if count > most + 1:  # one of them may be the own row
                break
    # The own row holds the only code at distance 0.
    if own >= 0 and distance == 0 and _may_be_found(allowed, own):
        count -= 1
    return count


@njit(nogil=True, cache=True)
def _enlarge(array):
    out = np.empty(2 * len(array), dtype=array.dtype)
    out[: len(array)] = array
    return out


@njit(nogil=True, cache=True)
def _make_room(numbers, distances, size, limit):
    """Drop candidates beyond the limit; enlarge the arrays where most remain."""
    kept = 0
    for c in range(size):
        if distances[c] <= limit:
            numbers[kept], distances[kept] = numbers[c], distances[c]
            kept += 1
    if 2 * kept > len(numbers):
        numbers, distances = _enlarge(numbers), _enlarge(distances)
    return kept, numbers, distances


@njit(nogil=True, cache=True)
def _sort_by_low_bits(values, n_bits, scratch):
    """Sort by the `n_bits` lowest bits, or by all where there are few values; both are in place."""
    n = len(values)
    if n < 64:  # what a pass of the other takes
        values.sort()
        return
    n_passes = (n_bits + 8) // 9
    width = (n_bits + n_passes - 1) // n_passes
    n_digits = 1 << width
    ends = np.empty(n_digits + 1, dtype=np.int64)
    source, target = values, scratch[:n]
    for p in range(n_passes):
        ends[:] = 0
        for i in range(n):
            ends[((source[i] >> (width * p)) & (n_digits - 1)) + 1] += 1
        for digit in range(n_digits):
            ends[digit + 1] += ends[digit]
        for i in range(n):
            digit = (source[i] >> (width * p)) & (n_digits - 1)
            target[ends[digit]] = source[i]
            ends[digit] += 1
        source, target = target, source
    if n_passes % 2 == 1:
        values[:] = source


@njit(nogil=True, cache=True)
def _take_rows(
    numbers, distances, size, limit, weights, starts, rows, own, allowed, positions,
    out_distances, out_rows,
):  # fmt: skip
    """Write the rows of the candidates, sorted by (distance, row); return how many.

    weights[d] is the number of rows at distance d. Rows nearer than the limit are fewer than there
    is room for; of those at the limit the first are taken. `positions` is scratch space of
    limit + 1.
    """
    positions[0] = 0
    for distance in range(limit):
        positions[distance + 1] = positions[distance] + weights[distance]
    n_below = positions[limit]
    n_tied = len(out_rows) - n_below
    below = np.empty(n_below, dtype=np.int64)
    tied = np.empty(max(min(2 * n_tied, weights[limit]), n_tied + 1), dtype=np.int64)
    scratch = np.empty(max(n_below, len(tied)), dtype=np.int64)
    n_bits = 1
    while len(rows) >> n_bits:
        n_bits += 1
    n, b = 0, 0
    for c in range(size):
        distance = distances[c]
        if distance > limit:
            continue
        number = numbers[c]
        found = 0
        for at in range(starts[number], starts[number + 1]):
            row = np.int64(rows[at])
            if row == own or not _may_be_found(allowed, row):
                continue
            if distance < limit:
                below[b] = distance << n_bits | row
                b += 1
            else:
                if found == n_tied:
                    break
                found += 1
                if n == len(tied):
                    _sort_by_low_bits(tied, n_bits, scratch)
                    n = n_tied
                tied[n] = row
                n += 1
    _sort_by_low_bits(below, n_bits, scratch)
    for i in range(n_below):
        distance = below[i] >> n_bits
        out_rows[positions[distance]] = below[i] & ((1 << n_bits) - 1)
        out_distances[positions[distance]] = distance
        positions[distance] += 1
    _sort_by_low_bits(tied[:n], n_bits, scratch)
    n = min(n, n_tied)
    out_rows[n_below : n_below + n] = tied[:n]
    out_distances[n_below : n_below + n] = limit
    return n_below + n


@njit(nogil=True, cache=True)
def _balls_by_distance(centre_planes, n_centres, spread, scratch, histogram, order):
    """Numbers of the centres by their distance to the query, which is left in scratch."""
    _fill_distances(centre_planes, spread, n_centres, scratch)
    histogram[:] = 0
    for ball in range(n_centres):
        histogram[scratch[ball] + 1] += 1
    for distance in range(len(histogram) - 1):
        histogram[distance + 1] += histogram[distance]
    for ball in range(n_centres):
        order[histogram[scratch[ball]]] = ball
        histogram[scratch[ball]] += 1


@njit(nogil=True, cache=True)
def _is_in_reach(to_centre, low, high, radius):
    """Whether codes that far from a centre can be within the radius, by the triangle inequality."""
    return to_centre - high <= radius and low - to_centre <= radius


@njit(nogil=True, cache=True)
def _codes_in_reach(
    to_centres, n_centres, ball_blocks, block_starts, block_low, block_high, radius
):
    """How many codes a search within a radius compares."""
    n = 0
    for ball in range(n_centres):
        to_centre = np.int64(to_centres[ball])
        for block in range(ball_blocks[ball], ball_blocks[ball + 1]):
            if _is_in_reach(to_centre, block_low[block], block_high[block], radius):
                n += block_starts[block + 1] - block_starts[block]
    return n


@njit(nogil=True, cache=True)
def search_balls(
    centre_planes,
    n_centres,
    ball_blocks,
    block_starts,
    block_low,
    block_high,
    planes,
    starts,
    rows,
    queries,
    own_rows,
    allowed,
    radius,
    most_compared,
    scratch,
    centre_scratch,
    offsets,
    out_distances,
    out_rows,
    out_counts,
    stats,
):
    """The nearest rows within the radius of every query, from codes kept in balls.

    Ball b has the blocks ball_blocks[b] : ball_blocks[b + 1]; block c has the distinct codes
    block_starts[c] : block_starts[c + 1], between block_low[c] and block_high[c] away from the
    ball's centre: by the triangle inequality it is left out where they are too far from the query.
    `scratch` has room for a block.
    Balls are looked at from the nearest centre on. The answer of query q is written from
    offsets[q] on, as far as offsets[q + 1], and out_counts[q] says how many rows it has; without
    room for any answer (out_rows is empty), all within the radius are counted. A query that would
    compare more codes than `most_compared` is given up: its out_counts is -1. stats[0] counts the
    codes that were compared.
    """
    n_bytes = len(centre_planes)
    largest = 8 * n_bytes
    spread = np.empty((1, n_bytes), dtype=np.uint32)
    histogram = np.empty(largest + 2, dtype=np.int64)
    weights = np.empty(largest + 2, dtype=np.int64)
    positions = np.empty(largest + 3, dtype=np.int64)
    order = np.empty(n_centres, dtype=np.int64)
    numbers = np.empty(1024, dtype=np.int64)
    distances = np.empty(1024, dtype=np.int64)
    only_counts = len(out_rows) == 0
    n_compared = 0
    for q in range(len(queries)):
        k = offsets[q + 1] - offsets[q]
        most = len(rows) if only_counts else k
        if k == 0 and not only_counts:
            out_counts[q] = 0
            continue
        own = own_rows[q]
        _spread_bytes(queries, q, 1, spread)
        _balls_by_distance(centre_planes, n_centres, spread[0], centre_scratch, histogram, order)
        if only_counts and most_compared < _codes_in_reach(
            centre_scratch, n_centres, ball_blocks, block_starts, block_low, block_high, radius
        ):
            out_counts[q] = -1
            continue
        weights[:] = 0
        size, limit, n_within = 0, radius, 0  # n_within: rows at the limit or nearer
        n_before = n_compared
        for o in range(n_centres):
            if n_compared - n_before > most_compared:
                break
            ball = order[o]
            to_centre = np.int64(centre_scratch[ball])
            for block in range(ball_blocks[ball], ball_blocks[ball + 1]):
                if not _is_in_reach(to_centre, block_low[block], block_high[block], limit):
                    continue
                first, n = block_starts[block], block_starts[block + 1] - block_starts[block]
                n_compared += n
                block_planes = planes[n_bytes * first : n_bytes * (first + n)]
                _fill_distances(block_planes.reshape((n_bytes, n)), spread[0], n, scratch)
                for i in range(0, n, LANES):
                    mask = _candidate_mask(scratch, i, n, limit + 1)
                    if size + LANES > len(numbers):
                        size, numbers, distances = _make_room(numbers, distances, size, limit)
                    n_taken = 0
                    while mask != 0:
                        at = i + _lowest_bit(mask)
                        mask &= mask - _ONE
                        number, distance = first + at, np.int64(scratch[at])
                        count = _count_rows(starts, rows, number, distance, own, allowed, most)
                        n_within += count
                        if only_counts:
                            continue
                        weights[distance] += count
                        numbers[size], distances[size] = number, distance
                        size += count > 0
                        n_taken += 1
                        # Not for each one: the processor guesses wrong what the last one changes.
                        if mask != 0 and n_taken % 16 != 0:
                            continue
                        while n_within - weights[limit] >= k:
                            n_within -= weights[limit]
                            limit -= 1
                        mask &= _candidate_mask(scratch, i, n, limit + 1)
        if n_compared - n_before > most_compared:
            out_counts[q] = -1
            continue
        if only_counts:
            out_counts[q] = n_within
            continue
        answer = slice(offsets[q], offsets[q + 1])
        out_counts[q] = _take_rows(
            numbers, distances, size, limit, weights, starts, rows, own, allowed, positions,
            out_distances[answer], out_rows[answer],
        )  # fmt: skip
    stats[0] += n_compared  # once: threads share the line of the cache


@njit(nogil=True, cache=True)
def _distance(codes, number, queries, q):
    """Between one code and one query."""
    n_bytes = codes.shape[1]
    total, whole = 0, n_bytes // 8 * 8
    for byte in range(0, whole, 8):
        total += _popcount(_load_word(codes, number, byte) ^ _load_word(queries, q, byte))
    for byte in range(whole, n_bytes):
        total += _popcount(np.uint64(codes[number, byte] ^ queries[q, byte]))
    return total


@njit(nogil=True, cache=True)
def _substring(code, first, n_bits):
    """Bits first : first + n_bits of a code as a number, the first bit highest."""
    value = 0
    for bit in range(first, first + n_bits):
        value = (value << 1) | ((np.int64(code[bit >> 3]) >> (7 - (bit & 7))) & 1)
    return value


@njit(nogil=True, cache=True)
def fill_table(codes, first, n_bits, keys, ends, numbers):
    """Sort the numbers of the codes by their substring: key has numbers[ends[key]:ends[key + 1]].

    `keys` is scratch space, `ends` (2 ** n_bits + 1) and zero, and stays shifted as it should.
    """
    for number in range(len(codes)):
        keys[number] = _substring(codes[number], first, n_bits)
        ends[keys[number] + 1] += 1
    for key in range(len(ends) - 1):
        ends[key + 1] += ends[key]
    for number in range(len(codes)):
        key = keys[number]
        numbers[ends[key]] = number
        ends[key] += 1
    for key in range(len(ends) - 1, 0, -1):
        ends[key] = ends[key - 1]
    ends[0] = 0


@njit(nogil=True, cache=True)
def search_tables(
    codes,
    first_bits,
    choices,
    table_ends,
    table_numbers,
    starts,
    rows,
    queries,
    own_rows,
    allowed,
    radius,
    most_work,
    offsets,
    out_distances,
    out_rows,
    out_counts,
    stats,
):
    """The nearest rows within the radius of every query, by multi-index hashing.

    Norouzi, Punjani and Fleet, CVPR 2012: in step r, table r modulo m is looked up with the
    query's substring with r // m of its bits flipped in every way. A code at distance r or less
    has been met by then: it agrees with the query in one substring better than that.
    choices[t, flipped] is the number of those ways in table t. A query that would take more than
    `most_work` (keys and codes, those of the next step being foreseen) is given up: its out_counts
    is -1. For the rest see :func:`search_balls`; stats[1] counts the keys that were looked up.
    """
    n_tables = len(first_bits) - 1
    largest = 8 * codes.shape[1]
    weights = np.empty(largest + 2, dtype=np.int64)
    positions = np.empty(largest + 3, dtype=np.int64)
    met = np.zeros(len(codes) // 64 + 1, dtype=np.uint64)
    numbers = np.empty(1024, dtype=np.int64)
    distances = np.empty(1024, dtype=np.int64)
    touched = np.empty(1024, dtype=np.int64)
    only_counts = len(out_rows) == 0
    n_compared, n_looked_up = 0, 0
    for q in range(len(queries)):
        k = offsets[q + 1] - offsets[q]
        most = len(rows) if only_counts else k
        query, own = queries[q], own_rows[q]
        weights[:] = 0
        size, limit, n_within, n_touched, n_keys = 0, radius, 0, 0, 0
        given_up = False
        for step in range(largest + n_tables):
            table, flipped = step % n_tables, step // n_tables
            n_bits = first_bits[table + 1] - first_bits[table]
            if flipped <= n_bits:
                expected = choices[table, flipped] * (1.0 + len(codes) / (1 << n_bits))
                if n_keys + n_touched + expected > most_work:
                    given_up = True
                    break
                base = _substring(query, first_bits[table], n_bits)
                ends, listed = table_ends[table], table_numbers[table]
                change = (1 << flipped) - 1
                for _ in range(choices[table, flipped]):
                    key = base ^ change
                    for at in range(ends[key], ends[key + 1]):
                        number = np.int64(listed[at])
                        bit = _ONE << np.uint64(number % 64)
                        if met[number // 64] & bit:
                            continue
                        met[number // 64] |= bit
                        if n_touched == len(touched):
                            touched = _enlarge(touched)
                        touched[n_touched] = number
                        n_touched += 1
                        distance = _distance(codes, number, queries, q)
                        if distance > limit:
                            continue
                        count = _count_rows(starts, rows, number, distance, own, allowed, most)
                        n_within += count
                        if only_counts or count == 0:
                            continue
                        if size == len(numbers):
                            size, numbers, distances = _make_room(numbers, distances, size, limit)
                        numbers[size], distances[size] = number, distance
                        size += 1
                        weights[distance] += count
                        while n_within - weights[limit] >= k:
                            n_within -= weights[limit]
                            limit -= 1
                    if change == 0:
                        break
                    lowest = change & -change  # the next number with as many bits (Gosper)
                    higher = change + lowest
                    change = higher | (((change ^ higher) >> 2) // lowest)
                n_keys += choices[table, flipped]
            if limit <= step:
                break
        for c in range(n_touched):
            met[touched[c] // 64] = np.uint64(0)
        n_compared += n_touched
        n_looked_up += n_keys
        if given_up:
            out_counts[q] = -1
            continue
        if only_counts:
            out_counts[q] = n_within
            continue
        answer = slice(offsets[q], offsets[q + 1])
        out_counts[q] = _take_rows(
            numbers, distances, size, limit, weights, starts, rows, own, allowed, positions,
            out_distances[answer], out_rows[answer],
        )  # fmt: skip
    stats[0] += n_compared
    stats[1] += n_looked_up
