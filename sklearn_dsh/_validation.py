"""What the arguments of `fit`, `score` and `transform` mean, and whether they are sound.

Everything is checked before any work is done. An error says what was given, what was expected and
what to do.
"""

import os
import stat
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from ._arrays import plain_array
from ._labels import category_labels, check_labels, join_labels, one_hot_advice
from .views import SketchImageArray, select_rows, split_labels

MIN_SIDE = 32
_INPUT_NAMES = {"sketch": "X", "image": "photos"}  # in scikit-learn's messages

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
        if _ndim(Y) <= 1:
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


def _ndim(array):
    """Number of dimensions of an array-like; a ragged list counts as 1-D."""
    if hasattr(array, "shape"):
        return len(array.shape)
    try:
        return np.asarray(array).ndim
    except ValueError:
        return 1


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


def view_kind(X):
    """Return what the rows of a view are: "features", "images" or "paths"."""
    ndim = _ndim(X)
    if ndim >= 3:
        return "images"
    if ndim == 1 and not issparse(X):
        items = np.ravel(np.asarray(X, dtype=object))
        if len(items) and all(isinstance(item, (str, os.PathLike)) for item in items):
            return "paths"
    return "features"


def check_view(X, *, view, kinds=("features", "images", "paths"), name="The hasher"):
    """Validate the rows of one view.

    Parameters
    ----------
    X : array-like or RowSubset
        Feature vectors ``(n, n_features)``, uint8 images ``(n, H, W)`` for sketches and
        ``(n, H, W, 3)`` for photos, or a 1-D array of image paths.
    view : {"sketch", "image"}
        Which view the rows are of.
    kinds : tuple of {"features", "images", "paths"}
        What the caller can take.
    name : str
        What the caller is called in messages.

    Returns
    -------
    X : ndarray, memmap or RowSubset
        Feature vectors as float32 or float64; images and paths uncopied.

    Raises
    ------
    ValueError, TypeError
        If the rows are not of such a kind, empty, NaN, infinite, sparse, not uint8 (images), of a
        shape that belongs to the other view, or paths of files that are missing or empty.
    """
    if isinstance(X, SketchImageArray):
        raise TypeError(f"{name} expected one view's rows, got a SketchImageArray.")
    X = plain_array(X, _INPUT_NAMES[view])
    if X is not None and not hasattr(X, "shape"):
        X = _list_to_array(X)
    kind = view_kind(X)
    if kind == "features":
        _refuse_text(X, view, "paths" in kinds)
    if kind not in kinds:
        raise ValueError(_wrong_kind_message(X, kind, view, kinds, name))
    if kind == "paths":
        return check_paths(X)
    if kind == "images":
        return _check_images(X, view)
    return check_array(
        X,
        dtype=(np.float64, np.float32),
        estimator=f"{name} in the {view} view",
        input_name=_INPUT_NAMES[view],
    )


def _refuse_text(X, view, takes_paths):
    """Image paths that are no 1-D array of nothing but paths, and numbers written as text."""
    if issparse(X):
        return
    first = np.asarray(select_rows(X, slice(1)) if _ndim(X) else X)
    if first.dtype.kind not in "OUST":
        return
    items = np.ravel(np.asarray(X)).tolist()
    if any(isinstance(item, (str, bytes, os.PathLike)) for item in items):
        kinds = " and ".join(sorted({type(item).__name__ for item in items}))
        message = f"{_INPUT_NAMES[view]} of shape {tuple(X.shape)} holds {kinds}: feature vectors "
        message += "must be numbers"
        if takes_paths:
            message += ", and image paths a 1-D array or list of nothing but str or os.PathLike "
            message += "(one column of a DataFrame, X['path'])"
        raise ValueError(f"{message}.")


def _list_to_array(X):
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(f"X cannot be read as an array: {error}") from error


def _check_images(X, view):
    shape = tuple(X.shape)
    expected = "(n, H, W)" if view == "sketch" else "(n, H, W, 3)"
    if view == "sketch" and len(shape) == 4:
        raise ValueError(
            f"Sketches must be images of shape (n, H, W), got shape {shape}, which is that of "
            "photos. The order is fit(X_sk, X_img, y); photos are encoded with view='image', and "
            "photos alone are SketchImageArray(None, X_img)."
        )
    if view == "image" and len(shape) == 3:
        raise ValueError(
            f"Photos must be images of shape (n, H, W, 3), got shape {shape}, which is that of "
            "sketches. The order is fit(X_sk, X_img, y); sketches are encoded with view='sketch'."
        )
    if len(shape) > 4 or (view == "image" and shape[3] != 3):
        raise ValueError(f"Images of the {view} view must be {expected}, got shape {shape}.")
    if shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={shape}) in the {view} view.")
    if X.dtype != np.uint8:
        raise ValueError(
            f"Images must be uint8 arrays with values 0 to 255, got dtype {X.dtype} and shape "
            f"{shape}. Convert them: X.astype('uint8') from values 0 to 255, "
            "(255 * X).astype('uint8') from floats in [0, 1]."
        )
    if min(shape[1:3]) < MIN_SIDE:
        raise ValueError(
            f"Images must be at least {MIN_SIDE} x {MIN_SIDE} pixels, got {shape[1]} x {shape[2]}."
        )
    return X


def check_paths(paths):
    """Return paths as a 1-D array after looking at every file.

    Raises
    ------
    ValueError
        If a file is missing, is no regular file or is empty; the first such path is named.
    """
    paths = np.asarray(paths)
    for path in paths:
        name = str(os.fspath(path))
        try:
            found = os.stat(name)
        except OSError as error:
            raise ValueError(f"Image file {name!r} cannot be read: {error}") from error
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"Image path {name!r} is not a regular file.")
        if found.st_size == 0:
            raise ValueError(f"Image file {name!r} is empty (0 bytes).")
    return paths


def column_names(X):
    """Column names of a DataFrame with text names as an ndarray; None for anything else."""
    return _get_feature_names(X) if hasattr(X, "columns") else None


def check_columns(X, n_features, n_fitted, fitted_names, *, view, name):
    """Compare the columns of a view with those it was fitted on.

    Parameters
    ----------
    X : array-like
        The rows as the caller gave them.
    n_features, n_fitted : int
        Number of columns now and at fit.
    fitted_names : ndarray of str or None
        Column names at fit.
    view : {"sketch", "image"}
        The view.
    name : str
        What the caller is called in messages.

    Raises
    ------
    ValueError
        If the number of columns or their names differ; names that are missing on one side only
        are warned about.
    """
    names = column_names(X)
    if (names is None) != (fitted_names is None):
        given = "has" if fitted_names is None else "does not have valid"
        fitted = "without" if fitted_names is None else "with"
        warnings.warn(
            f"X {given} feature names, but {name} was fitted {fitted} feature names in the {view} "
            "view",
            stacklevel=4,
        )
    elif names is not None and not np.array_equal(names, fitted_names):
        raise ValueError(
            "The feature names should match those that were passed during fit. In the "
            f"{view} view, unexpected: {sorted(set(names) - set(fitted_names))}, missing: "
            f"{sorted(set(fitted_names) - set(names))}, the order being the same as at fit."
        )
    if n_features != n_fitted:
        raise ValueError(
            f"X has {n_features} features, but {name} is expecting {n_fitted} features as input "
            f"for the {view} view."
        )


def _wrong_kind_message(X, kind, view, kinds, name):
    wanted = {
        "features": "feature vectors (n_samples, n_features)",
        "images": "uint8 images, (n, H, W) for sketches and (n, H, W, 3) for photos",
        "paths": "a 1-D array of image paths",
    }
    given = "image paths" if kind == "paths" else f"an array of shape {tuple(X.shape)}"
    message = f"{name} takes {' or '.join(wanted[k] for k in kinds)}; the {view} view is {given}."
    if kinds == ("features",):
        message += (
            " Make feature vectors of images first, say with "
            f"make_pipeline(PerView(sketch=HOGFeatures(), image=HOGFeatures()), {name}())."
        )
    return message
