"""One transformer per view, as a step of a pipeline."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._documentation import DocumentationLink
from ._labels import label_column
from ._validation import check_columns, check_view, column_names
from .views import (
    VIEWS,
    RowSubset,
    SketchImageArray,
    check_view_is_clear,
    check_view_name,
    row_shape,
)


class PerView(DocumentationLink, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Apply one transformer to the sketches and another to the photos.

    Given a `SketchImageArray` it returns one, so that it goes in front of a hasher in a Pipeline.

    Parameters
    ----------
    sketch : transformer or "passthrough", default="passthrough"
        What is applied to the sketches.
    image : transformer or "passthrough", default="passthrough"
        What is applied to the photos.

    Attributes
    ----------
    sketch_, image_ : transformer, "passthrough" or None
        The fitted clones; None for a view that was not there at fit.
    n_features_in_ : int
        Number of values in a row of the sketch view, or of the only view.
    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Column names of that view, if it was a DataFrame with text column names.

    Notes
    -----
    Parameters of the transformers are reached as ``sketch__<name>`` and ``image__<name>``. A view
    that passes through is not copied. Rows of a fold are a lazy `RowSubset` where the view is an
    array of images; a transformer whose tags do not declare ``three_d_array`` is given them as an
    array instead.

    See Also
    --------
    SketchImageArray : The container of both views.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_dsh import PerView, SketchImageArray
    >>> X = SketchImageArray(np.array([[1.0], [3.0]]), np.array([[10.0], [20.0], [30.0]]))
    >>> Xt = PerView(sketch=StandardScaler()).fit_transform(X)
    >>> Xt
    SketchImageArray(n_sketches=2, n_images=3)
    >>> Xt.sketches.ravel().tolist(), Xt.images.ravel().tolist()
    ([-1.0, 1.0], [10.0, 20.0, 30.0])
    """

    _parameter_constraints: dict = {
        "sketch": [StrOptions({"passthrough"}), HasMethods(["fit", "transform"])],
        "image": [StrOptions({"passthrough"}), HasMethods(["fit", "transform"])],
    }

    def __init__(self, sketch: Any = "passthrough", image: Any = "passthrough") -> None:
        self.sketch = sketch
        self.image = image

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike | SketchImageArray, y: ArrayLike | None = None) -> Self:
        """Fit a clone of each view's transformer to that view's rows.

        Parameters
        ----------
        X : SketchImageArray or array-like of shape (n_samples, ...)
            Both views, or sketches in a plain array.
        y : array-like of shape (n_samples,), default=None
            Row-aligned labels, handed to the transformers.

        Returns
        -------
        self : PerView
            The fitted transformer.

        Raises
        ------
        ValueError
            If y is not row-aligned, or a view that passes through is not sound.
        """
        views = self._split(X)
        labels = self._split_labels(X, y)
        self._row_shapes, self._columns = {}, {}
        for view in VIEWS:
            transformer = getattr(self, view)
            if view not in views:
                fitted = None
            elif isinstance(transformer, str):
                self._check_passthrough(views[view], view)
                fitted = transformer
            else:
                fitted = clone(transformer)
                fitted.fit(_rows_for(fitted, views[view]), labels[view])
            setattr(self, f"{view}_", fitted)
            if view in views:
                self._row_shapes.setdefault(view, row_shape(views[view]))
        first = next(iter(views.values()))
        shape = row_shape(first)
        names = column_names(first)
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
        if len(shape):  # an array of image paths has no number of features
            self.n_features_in_ = int(np.prod(shape))
        if names is not None:
            self.feature_names_in_ = names
        return self

    def transform(
        self, X: ArrayLike | SketchImageArray, view: Literal["sketch", "image"] | None = None
    ) -> Any:
        """Transform every row with its view's transformer.

        Parameters
        ----------
        X : SketchImageArray or array-like of shape (n_samples, ...)
            Both views, or rows of one.
        view : {"sketch", "image"}, default=None
            The view of a plain array, which may be left out where `transform` of a hasher knows it:
            if one view was fitted, and if sketches have another shape than photos (then "sketch" is
            meant). None for a container.

        Returns
        -------
        Xt : SketchImageArray or array of shape (n_samples, ...)
            A container for a container, rows in the same order; what the transformer returns for
            a plain array.

        Raises
        ------
        ValueError
            If the view is unknown, was not fitted or may be either, or a view that passes through
            is not as at fit.
        TypeError
            If a transformer returns a sparse matrix for a view of a container.
        """
        check_is_fitted(self)
        if not isinstance(X, SketchImageArray):
            if view is None:
                check_view_is_clear(X, self._row_shapes, type(self).__name__)
                view = "image" if self.sketch_ is None else "sketch"
            return self._transform_rows(X, view)
        if view is not None:
            raise ValueError(
                f"view={view!r} was given with a SketchImageArray, whose rows know their view; "
                "view is for plain arrays."
            )
        backing = {"sketch": X.sketches, "image": X.images}
        view_rows = X.view_rows.copy()
        for name, rows in self._split(X).items():
            out = self._transform_rows(rows, name)
            if isinstance(getattr(self, f"{name}_"), str):
                continue  # the backing array passes through uncopied
            in_view = X.is_sketch if name == "sketch" else ~X.is_sketch
            backing[name] = out
            view_rows[in_view] = np.arange(np.count_nonzero(in_view))
        new = SketchImageArray(backing["sketch"], backing["image"])  # refuses sparse output
        return SketchImageArray._from_rows(new.sketches, new.images, X.is_sketch, view_rows)

    def _transform_rows(self, X, view):
        check_view_name(view)
        transformer = getattr(self, f"{view}_")
        if transformer is None:
            raise ValueError(
                f"PerView was fitted without rows of the {view} view, so view={view!r} cannot be "
                "transformed. Fit it on a SketchImageArray of both views."
            )
        if isinstance(transformer, str):
            return self._check_passthrough(X, view)
        return transformer.transform(_rows_for(transformer, X))

    def _check_passthrough(self, X, view):
        """Validate rows that pass through; remember or compare their shape."""
        rows = check_view(X, view=view, name="PerView")
        shape = rows.shape[1:]
        fitted = self._row_shapes.setdefault(view, shape)
        names = self._columns.setdefault(view, column_names(X))
        if len(shape) == len(fitted) == 1:
            check_columns(X, shape[0], fitted[0], names, view=view, name="PerView")
        elif shape != fitted and shape and fitted:  # paths may follow image arrays
            raise ValueError(
                f"PerView was fitted on rows of shape {fitted} in the {view} view, got rows of "
                f"shape {shape}."
            )
        return X if hasattr(X, "iloc") else rows

    def _split(self, X):
        """View to rows; a plain array at fit is of the sketch view."""
        if not isinstance(X, SketchImageArray):
            return {"sketch": X}
        if len(X) == 0:
            raise ValueError("Found array with 0 sample(s): the SketchImageArray has no rows.")
        return {name: rows for name in VIEWS if (rows := X.take_view(name)) is not None}

    def _split_labels(self, X, y):
        if y is None or not isinstance(X, SketchImageArray):
            return {"sketch": y, "image": y}
        check_consistent_length(X, y)
        y = label_column(y, "y")
        return {"sketch": y[X.is_sketch], "image": y[~X.is_sketch]}

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the transformed columns of the sketch view, or of the only view.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns before.

        Returns
        -------
        names : ndarray of str
            Names of the columns.
        """
        check_is_fitted(self)
        transformer = self.image_ if self.sketch_ is None else self.sketch_
        if isinstance(transformer, str):
            return _check_feature_names_in(self, input_features)
        return transformer.get_feature_names_out(input_features)

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Set the output of both transformers; a view that passes through stays as it is.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn; None changes nothing.

        Returns
        -------
        self : PerView
            This transformer.
        """
        for name in ("sketch", "image", "sketch_", "image_"):
            transformer = getattr(self, name, None)
            if hasattr(transformer, "set_output"):
                transformer.set_output(transform=transform)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A plain array is of the sketch view, so that view's transformer decides what it may be.
        if isinstance(self.sketch, str):
            tags.input_tags.three_d_array = True
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        else:
            child = get_tags(self.sketch)
            tags.input_tags = child.input_tags
            tags.transformer_tags = child.transformer_tags
        children = [get_tags(t) for t in (self.sketch, self.image) if not isinstance(t, str)]
        tags.target_tags.required = any(child.target_tags.required for child in children)
        tags.non_deterministic = any(child.non_deterministic for child in children)
        return tags


def _rows_for(transformer, rows):
    """Rows as the transformer takes them: only those made for images read them lazily."""
    if isinstance(rows, RowSubset) and not get_tags(transformer).input_tags.three_d_array:
        return np.asarray(rows)
    return rows
