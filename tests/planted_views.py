"""Two views of planted categories, for the tests of the baselines."""

import numpy as np


def two_views(seed=0, n_sk=60, n_img=90, width=(12, 20), noise=1.0):
    """Categories at points of one hidden space that each view shows through its own matrix."""
    rng = np.random.default_rng(seed)
    maps = [np.random.default_rng(i).normal(size=(4, w)) for i, w in enumerate(width)]
    centres = 5 * np.eye(5, 4)
    labels = [rng.integers(0, 5, n) for n in (n_sk, n_img)]
    views = [
        (centres[y] + 0.3 * rng.normal(size=(len(y), 4))) @ A
        + noise * rng.normal(size=(len(y), A.shape[1]))
        + shift
        for y, A, shift in zip(labels, maps, (5, -3), strict=True)
    ]
    return *views, tuple(labels)
