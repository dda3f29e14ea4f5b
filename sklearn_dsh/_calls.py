"""What the arguments of `fit` and `score` mean: which view each is, and which labels are whose."""

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._arrays import plain_array
from ._labels import category_labels, check_labels, join_labels, one_hot_advice
from ._validation import count_dimensions
from .views import SketchImageArray, split_labels

_CALL_FORMS = (
    "fit(X_sk, X_img, (y_sk, y_img)), fit(X_sk, X_img, y) for pairs, or fit(X, y) with a "
    "SketchImageArray"
)


@dataclass
class ViewData:
    """The views and labels of one call, whichever form it had.

    Attributes
    ----------
    sketch, image : array, RowSubset or None
        Rows of each view; None where the call has no such view.
    y_sketch, y_image : ndarray of shape (n_rows_of_view,) or None
        Labels.
    paired : bool
        Whether row i of both views belongs together.
    container : SketchImageArray or None
        The container of the call, if that was its form.
    held : dict
        What an earlier fit left in the estimator, for one that goes on from there.
    more : bool
        Whether the call is `partial_fit`.
    """

    sketch: Any
    image: Any
    y_sketch: Any
    y_image: Any
    paired: bool = False
    container: SketchImageArray | None = None
    held: dict = field(default_factory=dict)
    more: bool = False

    @property
    def views(self):
        """Names of the views that are there."""
        return tuple(
            name
            for name, rows in (("sketch", self.sketch), ("image", self.image))
            if rows is not None
        )


def resolve_call(X, Y=None, y=None):
    """Tell the forms of `fit` and `score` apart.

    The second positional argument is labels if and only if y is None and it is at most 1-D.

    Parameters
    ----------
    X : array-like or SketchImageArray
        Sketches, one view of any kind, or both views in a container.
    Y : array-like or None
        Photos, or labels in the forms ``(X, y)``.
    y : array-like, tuple (y_sk, y_img) or None
        Labels.

    Returns
    -------
    data : ViewData
        Views and labels, not yet validated beyond their number of rows.

    Raises
    ------
    ValueError
        If the arguments are in none of the forms, or lengths do not match.
    """
    if isinstance(Y, SketchImageArray) or isinstance(y, SketchImageArray):
        raise ValueError("A SketchImageArray holds both views: pass it first, fit(X, y).")
    if Y is not None and y is None:
        if isinstance(Y, tuple):
            raise ValueError(
                f"A tuple of {len(Y)} was given where photos or one view's labels belong. Labels "
                "of both views go with both views: fit(X_sk, X_img, y=(y_sk, y_img)), or "
                "X, y = stack_views(X_sk, X_img, (y_sk, y_img)) and fit(X, y)."
            )
        Y = plain_array(Y, "y" if len(getattr(Y, "shape", "XY")) < 2 else "photos")
        if count_dimensions(Y) <= 1:
            Y, y = None, Y
            _refuse_paths_as_labels(y)
    if isinstance(X, SketchImageArray):
        if Y is not None:
            raise ValueError(
                "X is a SketchImageArray, which holds both views, and photos were given as well. "
                "Pass fit(X, y) with one label a row, or the arrays: fit(X_sk, X_img, y)."
                f"{one_hot_advice(Y, 'y')}"
            )
        return _resolve_container(X, y)
    X, Y = plain_array(X, "X"), plain_array(Y, "photos")
    if Y is None:
        if isinstance(y, tuple):
            raise ValueError(
                f"y is a tuple of {len(y)}, but photos are missing. "
                "With y=(y_sk, y_img) pass both views: fit(X_sk, X_img, y=(y_sk, y_img))."
            )
        return ViewData(X, None, _one_view_labels(y, X), None)
    n_sketches, n_images = _n_rows(X), _n_rows(Y)
    if y is not None:
        y_sketch, y_image, paired = split_labels(y, n_sketches, n_images)
        return ViewData(X, Y, y_sketch, y_image, paired)
    if n_sketches != n_images:
        raise ValueError(
            f"{n_sketches} sketches and {n_images} photos without labels must be pairs, but "
            "n_samples differ. Pass labels of both views as y=(y_sk, y_img)."
        )
    return ViewData(X, Y, None, None, True)


def _resolve_container(X, y):
    if isinstance(y, tuple):
        raise ValueError(
            f"y is a tuple of {len(y)}, but X is a SketchImageArray, which takes one label a row: "
            "X, y = stack_views(X_sk, X_img, (y_sk, y_img))."
        )
    X.check_views()
    y = _one_view_labels(y, X)
    y_sketch = None if y is None or X.n_sketches == 0 else y[X.is_sketch]
    y_image = None if y is None or X.n_images == 0 else y[~X.is_sketch]
    return ViewData(X.take_view("sketch"), X.take_view("image"), y_sketch, y_image, container=X)


def _one_view_labels(y, X):
    """One label a row of X, as an ndarray."""
    if y is None:
        return None
    y = category_labels(y, "y")
    if len(y) != _n_rows(X):
        raise ValueError(
            f"y has {len(y)} labels, but X has n_samples={_n_rows(X)}; one label a row is needed. "
            f"The forms are: {_CALL_FORMS}."
        )
    return y


def _refuse_paths_as_labels(labels):
    """Photo paths as second of two arguments would be taken for labels."""
    first = np.ravel(np.asarray(labels, dtype=object))[:3]
    is_path = [
        isinstance(item, os.PathLike) or (isinstance(item, str) and os.path.isfile(item))
        for item in first
    ]
    if len(first) and all(is_path):
        raise ValueError(
            f"The second argument was taken for labels, but its strings are existing files "
            f"({os.fspath(first[0])!r}). Photo paths need labels after them: "
            "fit(sketch_paths, photo_paths, y=(y_sk, y_img))."
        )


def _n_rows(X):
    if hasattr(X, "shape"):
        return X.shape[0] if len(X.shape) else 1
    if isinstance(X, (str, bytes)):
        return 1
    try:
        return len(X)
    except TypeError:
        array = np.asarray(X)
        return array.shape[0] if array.ndim else 1


def encode_labels(y_sketch, y_image):
    """Encode the labels of both views as integers.

    Parameters
    ----------
    y_sketch, y_image : ndarray of shape (n_rows_of_view,) or None
        Raw labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,) or None
        Sorted distinct labels of both views; None without labels.
    codes_sketch, codes_image : ndarray of int of shape (n_rows_of_view,) or None
        Positions in `classes`.

    Raises
    ------
    ValueError
        If labels are continuous, NaN, infinite, or of different types in the two views, or if the
        views share no label.
    """
    given = [check_labels(y) for y in (y_sketch, y_image) if y is not None]
    if not given:
        return None, None, None
    y = given[0] if len(given) == 1 else join_labels(*given)
    classes, codes = np.unique(y, return_inverse=True)
    codes = codes.astype(np.intp, copy=False)
    if len(given) == 1:
        return classes, *((codes, None) if y_image is None else (None, codes))
    codes_sketch, codes_image = codes[: len(y_sketch)], codes[len(y_sketch) :]
    if not np.isin(codes_sketch, codes_image).any():
        raise ValueError(
            "The labels of the sketches and of the photos have no category in common, so nothing "
            f"relates the views: sketches have {_some(y_sketch)}, photos have {_some(y_image)}."
        )
    return classes, codes_sketch, codes_image


def _some(labels):
    found = np.unique(labels)
    return ", ".join(repr(label) for label in found[:3].tolist()) + (
        ", ..." if len(found) > 3 else ""
    )
