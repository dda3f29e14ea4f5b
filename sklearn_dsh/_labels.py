"""Labels: categories as text or whole numbers, none missing; sums of the rows of each."""

import unicodedata
import warnings
from numbers import Number, Real

import numpy as np
from scipy.sparse import coo_array
from sklearn.utils import assert_all_finite

from ._arrays import plain_array
from .exceptions import OneViewWarning

_SHOWN = 10  # categories in a warning


def label_column(y, name):
    """Labels as a 1-D ndarray; a list is looked at before NumPy may cast what it mixes.

    Raises
    ------
    ValueError
        If they are not one-dimensional, entries are masked, or a list holds something else than
        text, booleans or numbers alone.
    """
    y = plain_array(y, name)
    try:
        labels = np.asarray(y) if hasattr(y, "dtype") else np.asarray(y, dtype=object)
    except ValueError:  # a ragged list, say [y_sk, y_img]
        labels = None
    if labels is not None and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    is_list = labels is not None and not hasattr(y, "dtype")
    ragged = is_list and any(
        isinstance(item, (list, tuple)) or np.ndim(item) for item in labels.flat
    )
    if labels is None or labels.ndim != 1 or ragged:
        many = labels is not None and not ragged
        given = f"an array of shape {labels.shape}" if many else type(y).__name__
        advice = one_hot_advice(y, name)
        if not advice and name == "y":
            advice = " Labels of both views are given as a tuple, not a list: y=(y_sk, y_img)."
        raise ValueError(f"{name} should be a 1d array of labels, got {given}.{advice}")
    if is_list and len(labels):
        labels = _from_objects(labels, name)
        if labels.dtype == object:
            labels = np.array(labels.tolist())
    return labels


def one_hot_advice(y, name):
    """What to do if y is two-dimensional and holds a single one in each row; "" if not."""
    try:
        table = np.asarray(plain_array(y, name))
    except (TypeError, ValueError):
        return ""
    if table.ndim != 2 or table.shape[1] < 2 or table.dtype.kind not in "biuf":
        return ""
    if not ((table == 0) | (table == 1)).all() or not (table.sum(axis=1) == 1).all():
        return ""
    of_rows = f"{name}.argmax(axis=1)" if hasattr(y, "argmax") else f"np.argmax({name}, axis=1)"
    return f" These look like one-hot rows: use {of_rows}."


def category_labels(y, name):
    """Labels as a 1-D ndarray of categories, see `label_column` and `check_labels`."""
    return check_labels(label_column(y, name), name)


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
    if labels.dtype.kind in "OU":
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
    """Objects that are all text as they are, or booleans or numbers as an array of them."""
    values = labels.tolist()
    kinds = set(map(type, values))
    if all(issubclass(kind, str) for kind in kinds):
        return labels
    if kinds <= {bool, np.bool_} or all(_is_number(kind) for kind in kinds):
        numbers = np.array(values)
        # Not if two numbers became one: large integers beside others are rounded to floats.
        if numbers.dtype.kind in "biufc" and len(set(numbers.tolist())) == len(set(values)):
            return numbers
    odd, is_missing = _first_odd(values)
    advice = "Leave out rows without a label" if is_missing else "Make all of one type"
    raise ValueError(
        f"Unknown label type: {name} must hold categories that are all text or all numbers of at "
        f"most 64 bits, none missing, got {' and '.join(sorted(k.__name__ for k in kinds))}: "
        f"{name}[{odd}] is {values[odd]!r}. {advice}."
    )


def _is_number(kind):
    return issubclass(kind, Number) and not issubclass(kind, bool)


def _first_odd(values):
    """Position of a label that is missing, of a new type or too large; whether it is missing."""
    missing = [value is None or _is_nan(value) for value in values]
    if any(missing):
        return missing.index(True), True
    new = [type(value) is not type(values[0]) for value in values]
    if not any(new) and isinstance(values[0], Real):
        sizes = [*map(abs, values)]
        return sizes.index(max(sizes)), False
    return (new.index(True) if any(new) else 0), False


def _is_nan(value):
    if isinstance(value, Number):
        return value != value
    is_of_pandas = type(value).__name__ in ("NAType", "NaTType")  # it need not be there
    return is_of_pandas or value is np.ma.masked


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
    """Concatenate labels of two views, refusing to mix text, booleans and numbers."""
    given = [label_kind(labels) for labels in (y_sketch, y_image)]
    if given[0] != given[1]:
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


def label_kind(labels):
    """Whether checked labels are "text", "booleans" or "numbers"."""
    return {"O": "text", "U": "text", "b": "booleans"}.get(labels.dtype.kind, "numbers")


def class_sums(X, codes, n_classes):
    """Sum of the rows of each category."""
    n = len(codes)
    one_hot = coo_array((np.ones(n), (codes, np.arange(n))), shape=(n_classes, n))
    return one_hot.tocsr() @ X
