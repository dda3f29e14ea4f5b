"""Well separated binary codes, one a category, to start the alternation from.

The pairwise loss with few bits and many categories pulls codes together; what keeps categories
apart is where the descent starts (and `_code_updates` refuses to end closer than asked).
Four constructions are tried and the one with the largest smallest distance is taken.
"""

import numpy as np
from scipy.linalg import hadamard


def code_distances(codes):
    """Pairwise Hamming distances of +-1 codes: (c, m) -> int (c, c)."""
    codes = np.asarray(codes, dtype=np.int32)
    return (codes.shape[1] - codes @ codes.T) // 2


def smallest_distance(codes):
    """The smallest distance between two rows of (c, m) +-1 codes; m when there is one row."""
    if len(codes) < 2:
        return int(np.shape(codes)[1])
    distances = code_distances(codes)
    return int(distances[np.triu_indices(len(codes), 1)].min())


def initial_category_codes(n_categories, n_bits, random_state, *, kind="separated"):
    """Codes to start from.

    Parameters
    ----------
    n_categories, n_bits : int
    random_state : numpy.random.RandomState
    kind : {"separated", "random"}
        "random" draws independent bits, as in the released method.

    Returns
    -------
    codes : int8 array (n_categories, n_bits) of -1 and +1
    """
    if kind == "random":
        return _random_codes(n_categories, n_bits, random_state)
    makers = (_hadamard_codes, _bch_codes, _greedy_codes)
    candidates = [make(n_categories, n_bits, random_state) for make in makers]
    candidates = [codes for codes in candidates if codes is not None]
    best = max(candidates, key=smallest_distance)
    if n_categories <= 24:  # with more, the search is slow and the constructions are hard to beat
        best = max(best, _spread_by_flips(best, random_state), key=smallest_distance)
    # A random order of bits and categories and random complements change no distance, and keep
    # the seed's codes from depending on how a construction happens to list them.
    best = best[random_state.permutation(n_categories)][:, random_state.permutation(n_bits)]
    signs = random_state.choice(np.array([-1, 1], dtype=np.int8), n_bits)
    return np.ascontiguousarray(best * signs, dtype=np.int8)


def _random_codes(n_categories, n_bits, random_state):
    return random_state.choice(np.array([-1, 1], dtype=np.int8), (n_categories, n_bits))


def _hadamard_codes(n_categories, n_bits, random_state):
    """Rows of a Sylvester-Hadamard matrix, then their complements.

    Their distances are m / 2 and m when m is a power of two; for another m, random columns of
    the next larger matrix are taken, and distances scatter around m / 2.
    """
    order = 1 << (n_bits - 1).bit_length() if n_bits > 1 else 1
    if n_categories > 2 * order:
        return None
    matrix = hadamard(order).astype(np.int8)
    rows = np.concatenate([matrix[1:], matrix[:1], -matrix[1:], -matrix[:1]])[:n_categories]
    if order == n_bits:
        return rows
    columns = random_state.permutation(order)[:n_bits]
    return rows[:, columns]


def _bch_codes(n_categories, n_bits, random_state):
    """Words of an extended BCH code over 32, 64 or 128 bits, the first that are far apart."""
    length = 1 << (n_bits - 1).bit_length() if n_bits > 1 else 1
    if length != n_bits or not 16 <= length <= 256:
        return None
    exponent = length.bit_length() - 1
    for n_cosets in range(2, exponent + 1):
        generator = _trace_generator(exponent, n_cosets)
        if 2 ** len(generator) >= n_categories:
            break
    else:
        return None
    n_words = min(2 ** len(generator), 1 << 14)
    numbers = np.arange(n_words)
    messages = (numbers[:, None] >> np.arange(len(generator))) & 1
    words = (messages @ generator) % 2
    codes = (2 * words - 1).astype(np.int8)
    return codes[_farthest_first(codes, n_categories)]


def _trace_generator(exponent, n_cosets):
    """Generator rows of the code {Tr(a_1 x + a_3 x^3 + ...) + b}: dual BCH, extended.

    Evaluated at every element x of GF(2^exponent); its smallest distance is at least
    2^(e-1) - (n_cosets - 1) 2^(e/2) (Weil-Carlitz-Uchiyama).
    """
    polynomial = {4: 0b10011, 5: 0b100101, 6: 0b1000011, 7: 0b10001001, 8: 0b100011101}[exponent]
    order = 2**exponent

    def multiply(a, b):
        product = 0
        while b:
            if b & 1:
                product ^= a
            a <<= 1
            if a & order:
                a ^= polynomial
            b >>= 1
        return product

    def power(x, k):
        result = 1
        for _ in range(k):
            result = multiply(result, x)
        return result

    def trace(x):
        total = 0
        for _ in range(exponent):
            total ^= x
            x = multiply(x, x)
        return total

    rows = [[1] * order]
    for coset in range(n_cosets):
        powers = [power(x, 2 * coset + 1) for x in range(order)]
        for bit in range(exponent):
            rows.append([trace(multiply(1 << bit, p)) for p in powers])
    return np.array(rows, dtype=np.int64)


def _farthest_first(codes, n_wanted):
    """Greedy choice of rows, each as far as possible from those chosen (all ties: first row)."""
    chosen = [0]
    nearest = (codes.shape[1] - codes @ codes[0].astype(np.int32)) // 2
    for _ in range(n_wanted - 1):
        row = int(nearest.argmax())
        chosen.append(row)
        distance = (codes.shape[1] - codes @ codes[row].astype(np.int32)) // 2
        np.minimum(nearest, distance, out=nearest)
    return np.array(chosen)


def _greedy_codes(n_categories, n_bits, random_state):
    """Farthest-first among random codes: for the widths no construction covers."""
    pool = _random_codes(max(2000, 8 * n_categories), n_bits, random_state)
    return pool[_farthest_first(pool, n_categories)]


def _spread_by_flips(codes, random_state, *, n_trials=4):
    """Flip single bits while that lowers a soft count of the close pairs.

    The soft count is sum exp(-distance) over pairs, scaled so that the closest pairs decide.
    """
    n_categories, n_bits = codes.shape
    best = codes
    for trial in range(n_trials):
        start = codes if trial == 0 else _random_codes(n_categories, n_bits, random_state)
        current = _flip_descent(start.astype(np.int32), random_state)
        if smallest_distance(current) > smallest_distance(best):
            best = current.astype(np.int8)
    return best


def _flip_descent(codes, random_state, *, n_sweeps=30):
    n_categories, n_bits = codes.shape
    codes = codes.copy()
    products = codes @ codes.T
    np.fill_diagonal(products, -4 * n_bits)  # a code is no neighbour of itself
    sharpness = 1.0
    for _ in range(n_sweeps):
        changed = False
        for row in random_state.permutation(n_categories):
            for bit in random_state.permutation(n_bits):
                step = -2 * codes[row, bit] * codes[:, bit]
                step[row] = 0
                old, new = products[row], products[row] + step
                top = max(old.max(), new.max())
                if np.exp(sharpness * (new - top)).sum() < np.exp(sharpness * (old - top)).sum():
                    codes[row, bit] *= -1
                    products[row] = new
                    products[:, row] = new
                    products[row, row] = -4 * n_bits
                    changed = True
        if not changed:
            break
    return codes
