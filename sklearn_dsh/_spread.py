"""Whether feature vectors tell items from each other, at a scale that arithmetic can hold."""

import numpy as np

_ROUNDING = 8  # units in the last place by which equal rows may differ: sums in another order
# Hashers multiply features with features, some of them products with products.
_LARGEST = {np.dtype(np.float32): 1e15, np.dtype(np.float64): 1e60}


def check_spread(X, view):
    """Raise if the rows of a view say nothing, or are out of range once squared.

    Some columns may be constant, but not all.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n_rows, n_features)
        Finite.
    view : {"sketch", "image"}

    Raises
    ------
    ValueError
        If there are several rows, but all the same (a difference in the last digits is none), or
        values are too large, or too near each other, for their squares to be told from infinity or
        zero.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    largest = _LARGEST[X.dtype]
    sizes = np.maximum(np.abs(low), np.abs(high))
    advice = "Bring the features to a usual scale first, say with scikit-learn's MaxAbsScaler."
    if sizes.max() > largest:
        raise ValueError(
            f"The features of the {view} view go up to {sizes.max():.3g} in size, and products of "
            f"them leave the range of {X.dtype} (at most {largest:.0e} is allowed). {advice}"
        )
    if len(X) == 1:
        return
    spread = high - low
    if (spread <= _ROUNDING * np.finfo(X.dtype).eps * sizes).all():
        raise ValueError(
            f"All {len(X)} rows of the {view} view are the same, so that there is nothing to learn "
            "of them and every item would get one code. Look at how these features were made."
        )
    if spread.max() < 1 / largest:
        raise ValueError(
            f"The features of the {view} view differ by {spread.max():.3g} at most, and products "
            f"of such differences vanish in {X.dtype} (at least {1 / largest:.0e} is needed). "
            f"{advice}"
        )
