"""Labels: categories as text or whole numbers, none missing; sums of the rows of each."""

from numbers import Number

import numpy as np
from scipy.sparse import coo_array
from sklearn.utils import assert_all_finite


def label_column(y, name):
    """Labels as a 1-D ndarray."""
    try:
        labels = np.asarray(y)
    except ValueError:  # a ragged list, say [y_sk, y_img]
        labels = None
    if labels is not None and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels is None or labels.ndim != 1:
        given = type(y).__name__ if labels is None else f"an array of shape {labels.shape}"
        raise ValueError(
            f"{name} should be a 1d array of labels, got {given}. Labels of both views are given "
            "as a tuple, not a list: y=(y_sk, y_img)."
        )
    return labels


def check_labels(labels, name="y"):
    """Return labels that are categories: text or whole numbers, none missing.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        Raw labels.
    name : str, default="y"
        What to call them in error messages.

    Returns
    -------
    labels : ndarray of shape (n_rows,)
        As they were; numbers that were objects as an array of numbers.

    Raises
    ------
    ValueError
        If labels are of another kind, mixed, NaN, infinite or not whole.
    """
    if labels.dtype.kind in ("O", "T"):
        labels = _from_objects(labels.astype(object), name)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name=name)
        continuous = labels[labels != np.floor(labels)]
        if len(continuous):
            raise ValueError(
                f"Unknown label type: continuous. {name} must hold categories, got the number "
                f"{continuous[0]}."
            )
    elif labels.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold categories.")
    elif labels.dtype.kind not in "OUbiu":
        raise ValueError(
            f"Unknown label type: {name} must hold categories as text or whole numbers, got "
            f"{labels.dtype}."
        )
    return labels


def _from_objects(labels, name):
    """Objects that are all text as they are, or numbers as an array of numbers."""
    values = labels.tolist()
    kinds = set(map(type, values))
    if all(issubclass(kind, str) for kind in kinds):
        return labels
    if all(issubclass(kind, Number) for kind in kinds):
        numbers = np.array(values)
        # Not if two numbers became one: large integers beside others are rounded to floats.
        if numbers.dtype.kind in "biufc" and len(set(numbers.tolist())) == len(set(values)):
            return numbers
    raise ValueError(
        f"Unknown label type: {name} must hold categories that are all text or all numbers of at "
        f"most 64 bits, none missing, got {' and '.join(sorted(k.__name__ for k in kinds))}."
    )


def join_labels(y_sketch, y_image):
    """Concatenate labels of two views, refusing to mix text and numbers."""
    kinds = [is_text(labels) for labels in (y_sketch, y_image)]
    if kinds[0] != kinds[1]:
        given = ["text" if kind else "numbers" for kind in kinds]
        raise ValueError(
            f"Labels of the sketches are {given[0]} and labels of the photos are {given[1]}; "
            "both views need labels of one type."
        )
    return concatenate_labels([y_sketch, y_image])


def concatenate_labels(parts):
    """Labels one after the other; whole numbers of different types do not become floats."""
    joined = np.concatenate(parts)
    if joined.dtype.kind == "f" and any(part.dtype.kind in "iu" for part in parts):
        joined = check_labels(np.concatenate([part.astype(object) for part in parts]))
    return joined


def is_text(labels):
    """Whether checked labels are text."""
    return labels.dtype.kind in "OU"


def class_sums(X, codes, n_classes):
    """Sum of the rows of each category."""
    n = len(codes)
    one_hot = coo_array((np.ones(n), (codes, np.arange(n))), shape=(n_classes, n))
    return one_hot.tocsr() @ X
