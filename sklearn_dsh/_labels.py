"""Labels: categories as text or whole numbers, none missing; sums of the rows of each."""

import unicodedata
import warnings
from numbers import Number

import numpy as np
from scipy.sparse import coo_array
from sklearn.utils import assert_all_finite

from .exceptions import OneViewWarning

_SHOWN = 10  # categories in a warning


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
        As they were; numbers that were objects as an array of numbers, text in one Unicode form.

    Raises
    ------
    ValueError
        If labels are of another kind, mixed, NaN, infinite or not whole.
    """
    if labels.dtype.kind in ("O", "T"):
        labels = _from_objects(labels.astype(object), name)
    if is_text(labels):
        return _in_one_form(labels)
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
    elif labels.dtype.kind not in "biu":
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


def one_form(text):
    """A name in the Unicode form NFC: an é of one character is the same as one of two.

    What is no text, a number say, is given back.
    """
    return unicodedata.normalize("NFC", text) if isinstance(text, str) else text


def _in_one_form(labels):
    """An array of text with every label in one Unicode form; the array itself where it has that."""
    texts = labels.tolist()
    if all(map(str.isascii, texts)):
        return labels
    forms = {text: one_form(text) for text in set(texts)}
    if all(text == form for text, form in forms.items()):
        return labels
    return np.array([forms[text] for text in texts], dtype="O" if labels.dtype.kind == "O" else "U")


def warn_of_one_view(y_sketch, y_image, stacklevel):
    """Warn, once for all, of categories that only one of two views has.

    Parameters
    ----------
    y_sketch, y_image : array-like of labels
        As `check_labels` gives them; the distinct ones will do.
    stacklevel : int
        As of the caller.
    """
    of_sketches, of_photos = (set(np.unique(labels).tolist()) for labels in (y_sketch, y_image))
    alone = of_sketches ^ of_photos
    if not alone:
        return
    told = [
        f"{what}: {shortened(list(map(repr, sorted(categories))), _SHOWN)}."
        for what, categories in (
            ("Sketches without photos", of_sketches - of_photos),
            ("Photos without sketches", of_photos - of_sketches),
        )
        if categories
    ]
    told += _spelled_alike(alone, of_sketches | of_photos)
    warnings.warn(
        f"Categories of one view only. {' '.join(told)} Categories are one if their names are the "
        "same. If it is meant so, this is switched off by warnings.simplefilter('ignore', "
        "sklearn_dsh.exceptions.OneViewWarning).",
        OneViewWarning,
        stacklevel=stacklevel + 1,
    )


def _spelled_alike(alone, categories):
    """Sentences that name categories of one view that another differs from in no letter."""
    alike = {}
    for category in sorted(c for c in categories if isinstance(c, str)):
        alike.setdefault(_letters(category), []).append(category)
    found = [
        " and ".join(map(repr, group))
        for group in alike.values()
        if len(group) > 1 and not alone.isdisjoint(group)
    ]
    differ = "differ only in case, spaces, hyphens or signs that are not seen"
    return [f"{shortened(found, _SHOWN)} {differ}."] if found else []


def _letters(text):
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if c.isprintable() and not c.isspace() and c not in "_-")


def shortened(items, n=5):
    """The first few of a list of str, and how many more there are."""
    more = len(items) - n
    return ", ".join(items[:n]) + (f" and {more} more" if more > 0 else "")


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
