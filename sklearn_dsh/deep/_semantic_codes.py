"""Category codes that are as near to each other as the categories' class vectors.

Beyond the paper, whose semantic term moves no bit while there are no more categories than bits: any
codes then reproduce the class vectors by some basis D.
"""

import numpy as np

_MOST_COSINE = 0.5  # so that a quarter of the bits tells any two categories apart
_STARTS = 4


def semantic_category_codes(class_vectors, n_bits, random_state):
    """Codes B that make ``||m C - B B^T||^2`` small, C the cosines of the centred class vectors.

    They start as the signs of random projections, whose agreement is that of the angles (Charikar,
    STOC 2002); single bits are then flipped while that helps. Cosines above a half count as a half.

    Parameters
    ----------
    class_vectors : float array (d, n_categories)
    n_bits : int
    random_state : numpy.random.RandomState

    Returns
    -------
    codes : int8 array (n_categories, n_bits) of -1 and +1
    """
    wanted = n_bits * centred_cosines(class_vectors)
    # Of unit vectors with those cosines (negative eigenvalues come from the bound on cosines).
    values, vectors = np.linalg.eigh(wanted)
    points = vectors * np.sqrt(np.maximum(values, 0))
    best, smallest = None, np.inf
    for _ in range(_STARTS):
        directions = random_state.standard_normal((len(wanted), n_bits))
        codes = _flip_bits(np.where(points @ directions > 0, 1.0, -1.0), wanted)
        error = misfit(codes, wanted)
        if error < smallest:
            best, smallest = codes, error
    return best.astype(np.int8)


def centred_cosines(class_vectors):
    """Cosines of the vectors (d, c) less their mean, at most a half for two categories: (c, c)."""
    vectors = class_vectors.T - class_vectors.mean(axis=1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # What is left of the mean itself is rounding, and has no direction.
    near_zero = lengths <= 1e-9 * np.linalg.norm(class_vectors, axis=0).max(initial=0)
    vectors = np.where(near_zero, 0, vectors / np.where(near_zero, 1, lengths))
    cosines = np.minimum(vectors @ vectors.T, _MOST_COSINE)
    np.fill_diagonal(cosines, 1)
    return cosines


def misfit(codes, wanted):
    """Sum of the squared differences between the codes' products and those wanted."""
    return np.sum((codes @ codes.T - wanted) ** 2)


def _flip_bits(codes, wanted):
    """Flip, category by category, the bit that helps most, until none does."""
    products = codes @ codes.T
    changed = True
    while changed:
        changed = False
        for row in range(len(codes)):
            while True:
                steps = -2 * codes[row] * codes  # (c, m): what a flip adds to the row's products
                steps[row] = 0
                gains = np.sum(steps * (2 * (products[row] - wanted[row])[:, None] + steps), axis=0)
                bit = int(gains.argmin())
                if gains[bit] > -1e-6:
                    break
                products[row] += steps[:, bit]
                products[:, row] = products[row]
                codes[row, bit] *= -1
                changed = True
    return codes
