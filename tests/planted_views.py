"""Two views of planted categories, for the tests of the baselines."""

import numpy as np


def two_views(seed=0, n_sk=60, n_img=90, width=(12, 20), noise=1.0, one_space=False):
    """Categories at points of one hidden space that each view shows through its own matrix.

    With ``one_space`` both views show it through the same (``width`` must be one of both).
    """
    rng = np.random.default_rng(seed)
    seeds, shifts = ((0, 0), (0, 0)) if one_space else ((0, 1), (5, -3))
    maps = [np.random.default_rng(i).normal(size=(4, w)) for i, w in zip(seeds, width, strict=True)]
    centres = 5 * np.eye(5, 4)
    labels = [rng.integers(0, 5, n) for n in (n_sk, n_img)]
    views = [
        (centres[y] + 0.3 * rng.normal(size=(len(y), 4))) @ A
        + noise * rng.normal(size=(len(y), A.shape[1]))
        + shift
        for y, A, shift in zip(labels, maps, shifts, strict=True)
    ]
    return *views, tuple(labels)
