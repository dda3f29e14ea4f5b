"""The base class of all hashers: the call forms, the checks and everything around the learning.

(Long: one class, over a third of it documentation.)
"""

from numbers import Integral
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ._calls import encode_labels, resolve_call
from ._changes import changed_alone
from ._documentation import DocumentationLink
from ._labels import join_labels, one_hot_advice, warn_of_one_view
from ._spread import check_spread
from ._validation import check_columns, check_view, column_names
from .codes import pack_bits
from .views import SketchImageArray, check_view_is_clear, check_view_name


class BaseCrossModalHasher(
    DocumentationLink, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base class of hashers that give sketches and photos comparable binary codes.

    A hasher is fitted with ``fit(X_sk, X_img, y)``, where y is a tuple ``(y_sk, y_img)`` unless
    the rows are pairs, or with ``fit(X, y)`` where X is a `SketchImageArray` of both views or a
    plain array of one.

    To write one, subclass it, define ``__init__(self, n_bits=..., *, random_state=None, ...)``
    that only stores its parameters, and the two hooks `_fit_views` and `_project_view`. The class
    attributes say what the method takes.

    Attributes
    ----------
    views_ : tuple of {"sketch", "image"}
        The views that were fitted.
    view_shapes_ : dict
        View to shape of one row: ``(n_features,)``, ``(H, W)`` or ``(H, W, 3)``.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; only if labels were given.
    n_features_in_ : int
        Number of values in a row of the sketch view, or of the only view.
    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Column names of that view, if it was a DataFrame with text column names.
    """

    # What the rows of a view may be: "features", "images", "paths".
    _view_kinds = ("features",)
    # Whether both views are rows of one feature space.
    _shared_feature_space = False
    # "ignored", "optional" (needed unless the views are paired) or "required".
    _label_use = "ignored"

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def _fit_views(self, data):
        """Learn from validated views.

        Parameters
        ----------
        data : ViewData
            `sketch` and `image` are validated rows (None where that view is absent), `y_sketch`
            and `y_image` positions in `classes_` (None without labels), `paired` whether row i of
            both views belongs together.
        """
        raise NotImplementedError

    def _project_view(self, X, view):
        """Return the values before the sign.

        Parameters
        ----------
        X : ndarray, memmap or RowSubset
            Validated rows of the view.
        view : {"sketch", "image"}
            The view, one of `views_`.

        Returns
        -------
        values : ndarray of float of shape (n_rows, n_bits)
        """
        raise NotImplementedError

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike | SketchImageArray,
        Y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
        y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """Learn the hash functions: ``fit(X_sk, X_img, y)`` or ``fit(X, y)``.

        Parameters
        ----------
        X : array-like or SketchImageArray of shape (n_sketches, ...)
            Sketches; or both views in a `SketchImageArray`; or rows of the only view.
        Y : array-like of shape (n_images, ...), default=None
            Photos. If y is None and this is at most 1-D, it is the labels: ``fit(X, y)``.
        y : tuple (y_sk, y_img) or array-like of shape (n_samples,), default=None
            Labels of both views; one array where rows are pairs, row-aligned for a
            `SketchImageArray` and for one view.

        Returns
        -------
        self : object
            The fitted hasher.

        Raises
        ------
        ValueError
            If the arguments are in none of these forms, or data or labels are not sound. Feature
            vectors of a view must not be all the same.
        TypeError
            If data are sparse or of no numeric type.

        Warns
        -----
        OneViewWarning
            If a category is in one view only.
        """
        return self._fit_call(X, Y, y)

    def _fit_call(self, X, Y, y, *, more=False):
        """Check the arguments of `fit`, or of `partial_fit` (``more``), and learn."""
        goes_on = more and hasattr(self, "views_")
        data = resolve_call(X, Y, y)
        self._check_labels_given(data)
        columns, shapes = {}, {}
        for view in data.views:
            given = getattr(data, view)
            columns[view] = column_names(given)
            check = self._check_fitted_rows if goes_on else self._check_rows
            rows = check(given, view)
            shapes[view] = self._row_shape(rows, view)
            setattr(data, view, rows)
        labelled = data.y_sketch is not None or data.image is None
        self._check_shapes(shapes, "" if labelled else one_hot_advice(data.image, "y"))
        if goes_on and tuple(shapes) != self.views_:
            raise ValueError(
                f"{type(self).__name__} was fitted on the views {self.views_}, got "
                f"{tuple(shapes)}: going on needs the same ones."
            )
        classes, data.y_sketch, data.y_image = encode_labels(data.y_sketch, data.y_image)
        if not (goes_on or data.y_sketch is None or data.y_image is None):
            # A part of the data, which is gone on with, may lack what the others have.
            of_views = (classes[np.unique(codes)] for codes in (data.y_sketch, data.y_image))
            warn_of_one_view(*of_views, stacklevel=4)
        for view in () if more else data.views:  # a part of the data may be all alike
            if len(shapes[view]) == 1:
                check_spread(getattr(data, view), view)

        if goes_on:  # rows may come as files or without names this time
            shapes, columns = self.view_shapes_, self._columns
        data.held, data.more = dict(vars(self)), more
        # A second fit leaves nothing of the first behind; one that fails, or is not done yet,
        # changes nothing.
        with changed_alone(self):
            learner = object.__new__(type(self))
            vars(learner).update(vars(self))
            for name in [name for name in vars(learner) if name.endswith("_") and name[0] != "_"]:
                delattr(learner, name)
            learner._fit_checked(data, classes, shapes, columns)
            self.__dict__ = vars(learner)
        return self

    def _fit_checked(self, data, classes, shapes, columns):
        """Note what the views look like and learn."""
        self._note_views(shapes, columns)
        if classes is not None:
            self.classes_ = classes
        self._fit_views(data)

    def _note_views(self, shapes, columns=None):
        """Note the shape of a row and the column names of each view."""
        self.views_ = tuple(shapes)
        self.view_shapes_ = shapes
        self._columns = columns or dict.fromkeys(shapes)
        first = self.views_[0]
        self.n_features_in_ = int(np.prod(shapes[first]))
        if self._columns[first] is not None:
            self.feature_names_in_ = self._columns[first]
        self._n_features_out = -(-int(self.n_bits) // 8)

    def transform(
        self, X: ArrayLike | SketchImageArray, view: Literal["sketch", "image"] | None = None
    ) -> NDArray[np.uint8]:
        """Encode sketches, photos or both as packed binary codes.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...) or SketchImageArray
            Rows of one view, or of both in a container.
        view : {"sketch", "image"}, default=None
            The view of a plain array. It may be left out if the hasher was fitted on one view
            only, and where sketches have another shape than photos: then "sketch" is meant. None
            for a container, whose rows know their view.

        Returns
        -------
        codes : ndarray of uint8 of shape (n_rows, ceil(n_bits / 8))
            Codes, most significant bit first, the bits that fill the last byte zero. Row i is the
            code of row i of X.

        Raises
        ------
        ValueError
            If the view is unknown or was not fitted, or none is named for image files, or rows of
            one shape, of a hasher of both views; or the rows are not as at fit.
        """
        check_is_fitted(self)
        return self._per_view(X, view, self._encode)

    def fit_transform(
        self,
        X: ArrayLike | SketchImageArray,
        Y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
        y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    ) -> NDArray[np.uint8]:
        """Fit, then encode X: the container's rows, or the sketches of ``(X_sk, X_img, y)``.

        Parameters
        ----------
        X, Y, y
            As in `fit`.

        Returns
        -------
        codes : ndarray of uint8 of shape (n_rows_of_X, ceil(n_bits / 8))
            The codes of X.
        """
        self.fit(X, Y, y)
        view = None if isinstance(X, SketchImageArray) else self._default_view()
        return self._per_view(X, view, self._encode)

    def project(
        self, X: ArrayLike | SketchImageArray, view: Literal["sketch", "image"] | None = None
    ) -> NDArray[np.floating]:
        """Return the real values whose signs are the bits: a bit is ``project(X) >= 0``.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...) or SketchImageArray
            Rows of one view, or of both in a container.
        view : {"sketch", "image"}, default=None
            The view of a plain array, as in `transform`.

        Returns
        -------
        values : ndarray of float of shape (n_rows, n_bits)
            Values before the sign.

        Raises
        ------
        ValueError
            As in `transform`.
        """
        check_is_fitted(self)
        return self._per_view(X, view, self._project_view)

    def score(
        self,
        X: ArrayLike | SketchImageArray,
        Y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
        y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    ) -> float:
        """Mean average precision of the photos found by the sketches, ties averaged.

        With one view, every row queries all others.

        Parameters
        ----------
        X, Y, y
            As in `fit`; labels are needed.

        Returns
        -------
        score : float
            Mean average precision in [0, 1]; nan if no query has a relevant item.

        Raises
        ------
        ValueError
            If labels are missing, or as in `transform`.
        """
        from .metrics import score_codes  # numba is loaded only where something is searched

        check_is_fitted(self)
        data = resolve_call(X, Y, y)
        if data.y_sketch is None and data.y_image is None:
            raise ValueError(
                f"{type(self).__name__}.score requires y to be passed, but the target y is None. "
                "Use score(X_sk, X_img, (y_sk, y_img)) or score(X, y)."
                f"{one_hot_advice(data.image, 'y')}"
            )
        parts = {
            view: (getattr(data, view), labels)
            for view, labels in (("sketch", data.y_sketch), ("image", data.y_image))
            if labels is not None
        }
        if data.container is None and len(parts) == 1:  # a plain array is of the only view fitted
            parts = {self._default_view(): parts["sketch"]}
        labels = [labels for _, labels in parts.values()]
        y = labels[0] if len(labels) == 1 else join_labels(*labels)
        rows = {view: self._check_fitted_rows(part, view) for view, (part, _) in parts.items()}
        codes = [self._encode(part, view) for view, part in rows.items()]
        is_sketch = np.arange(len(y)) < len(codes[0]) if len(codes) == 2 else None
        return float(score_codes(np.concatenate(codes), y, is_sketch=is_sketch))

    def _encode(self, X, view):
        """Packed codes of validated rows."""
        return pack_bits(self._project_view(X, view) >= 0)

    def _per_view(self, X, view, function):
        """Apply `function(rows, view)` to the validated rows of each view, keeping their order."""
        if not isinstance(X, SketchImageArray):
            view = self._view_of(X) if view is None else view
            return function(self._check_fitted_rows(X, view), view)
        if view is not None:
            raise ValueError(
                f"view={view!r} was given with a SketchImageArray, whose rows know their view; "
                "view is for plain arrays."
            )
        if len(X) == 0:
            raise ValueError("Found array with 0 sample(s): the SketchImageArray has no rows.")
        masks = {"sketch": X.is_sketch, "image": ~X.is_sketch}
        rows = {
            name: self._check_fitted_rows(X.take_view(name), name)
            for name, mask in masks.items()
            if mask.any()
        }
        values = {name: function(part, name) for name, part in rows.items()}
        width = next(iter(values.values())).shape[1]
        out = np.empty((len(X), width), dtype=np.result_type(*values.values()))
        for name, part in values.items():
            out[masks[name]] = part
        return out

    def _view_of(self, X):
        """The view of a plain array with which none is named."""
        check_view_is_clear(X, self.view_shapes_, type(self).__name__)
        return self._default_view()

    def _default_view(self):
        return "sketch" if "sketch" in self.views_ else "image"

    def _check_rows(self, X, view):
        return check_view(X, view=view, kinds=self._view_kinds, name=type(self).__name__)

    def _check_fitted_rows(self, X, view):
        """Validate rows of a view and that they are like those it was fitted on."""
        check_view_name(view)
        name = type(self).__name__
        if view not in self.views_:
            raise ValueError(
                f"{name} was fitted on the {self.views_[0]} view only, so view={view!r} cannot be "
                "encoded. Fit both views: fit(X_sk, X_img, y)."
            )
        rows = self._check_rows(X, view)
        fitted = self.view_shapes_[view]
        if rows.ndim == 1 and len(fitted) > 1:  # image files are decoded to the shape at fit
            return rows
        shape = self._row_shape(rows, view)
        if len(shape) != len(fitted) or (len(shape) > 1 and shape != fitted):
            raise ValueError(
                f"{name} was fitted on rows of shape {fitted} in the {view} view, got rows of "
                f"shape {shape}. Images of other sizes can be brought to it with "
                "sklearn_dsh.preprocessing.resize_images, or passed as paths."
            )
        if len(shape) == 1:
            check_columns(X, shape[0], fitted[0], self._columns[view], view=view, name=name)
        return rows

    def _row_shape(self, rows, view):
        """Shape of one row; of an image file, the shape it is decoded to."""
        if rows.ndim > 1:
            return tuple(int(side) for side in rows.shape[1:])
        return self._image_shape(view)

    def _image_shape(self, view):
        """Shape to which an image file of a view is decoded."""
        size = self._image_size(view)
        return (size, size) if view == "sketch" else (size, size, 3)

    def _image_size(self, view):
        """Side in pixels to which image files of a view are decoded."""
        return int(self.image_size)

    def _check_labels_given(self, data):
        has_labels = data.y_sketch is not None or data.y_image is not None
        if has_labels or self._label_use == "ignored":
            return
        if self._label_use == "optional" and data.paired:
            return
        pairs = ", or pairs fit(X_sk, X_img)" if self._label_use == "optional" else ""
        raise ValueError(
            f"{type(self).__name__} requires y to be passed, but the target y is None. Use "
            f"fit(X_sk, X_img, (y_sk, y_img)) or fit(X, y){pairs}."
            f"{one_hot_advice(data.image, 'y')}"
        )

    def _check_shapes(self, shapes, advice=""):
        """Compare the rows of both views; an error ends with the advice."""
        if len(shapes) < 2:
            return
        sketch, image = shapes["sketch"], shapes["image"]
        if (len(sketch) == 1) != (len(image) == 1):
            raise ValueError(
                f"One view holds feature vectors and the other images: rows of shape {sketch} in "
                f"the sketch view and {image} in the image view. Pass both as images or both as "
                "features."
            )
        if self._shared_feature_space and sketch != image:
            raise ValueError(
                f"{type(self).__name__} needs both views as rows of one feature space, but "
                f"got {sketch[0]} features for sketches and {image[0]} for photos. Use CCAHasher, "
                "which takes views of different width, or compute a common feature for both, such "
                f"as HOGFeatures.{advice}"
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = "images" in self._view_kinds
        tags.transformer_tags.preserves_dtype = []  # codes are uint8 whatever comes in
        tags.target_tags.required = self._label_use == "required"
        return tags
