"""Whether the rows of a view are sound, and those that a hasher was fitted on.

Everything is checked before any work is done. An error says what was given, what was expected and
what to do.
"""

import os
import stat
import warnings

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from ._arrays import plain_array
from .views import SketchImageArray, select_rows

MIN_SIDE = 32
_INPUT_NAMES = {"sketch": "X", "image": "photos"}  # in scikit-learn's messages


def view_kind(X):
    """Return what the rows of a view are: "features", "images" or "paths"."""
    ndim = count_dimensions(X)
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
    first = np.asarray(select_rows(X, slice(1)) if count_dimensions(X) else X)
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


def count_dimensions(array):
    """Number of dimensions of an array-like; a ragged list counts as 1-D."""
    if hasattr(array, "shape"):
        return len(array.shape)
    try:
        return np.asarray(array).ndim
    except ValueError:
        return 1
