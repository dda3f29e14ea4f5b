"""Two views, sketches and photos, in one container that scikit-learn can index by rows.

(Long: a container with the attributes of an array, two fifths of it documentation.)
"""

from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from ._arrays import plain_array
from ._labels import category_labels, join_labels

__all__ = ["RowSubset", "SketchImageArray", "stack_views"]

VIEWS = ("sketch", "image")


class RowSubset:
    """Some rows of an array of images, gathered only when they are asked for.

    A memory-mapped array of a million photos stays on disk: `subset[a:b]` reads those rows and no
    others.

    Parameters
    ----------
    array : array of shape (n_rows, ...)
        The backing array; it is neither copied nor changed.
    rows : ndarray of int of shape (n_subset,)
        The rows of `array`, in the order in which the subset holds them.
    """

    def __init__(self, array: Any, rows: ArrayLike) -> None:
        self.array = array
        self.rows = np.asarray(rows, dtype=np.intp)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the subset as an array."""
        return (len(self.rows), *self.array.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.array.shape)

    @property
    def dtype(self) -> np.dtype:
        """Data type of the backing array."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        return self.array[self.rows[key]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("A RowSubset is gathered into a new array: copy=False is impossible.")
        return np.asarray(self.array[self.rows], dtype=dtype)

    def __repr__(self) -> str:
        return f"RowSubset(shape={self.shape}, dtype={self.dtype})"


class SketchImageArray:
    """Sketches and photos as one array of samples; row i is one sample of one view.

    This is what `GridSearchCV`, `cross_val_score` and pipelines are given in place of two arrays of
    different lengths: it has a length, a shape and rows that can be selected. Selecting rows copies
    row numbers only, never the sketches or photos themselves.

    Parameters
    ----------
    sketches : array-like of shape (n_sketches, ...), or None
        The sketches: feature vectors (array or DataFrame), images ``(n, H, W)`` or file paths.
        Memory maps stay on disk.
    images : array-like of shape (n_images, ...), or None
        The photos: feature vectors, images ``(n, H, W, 3)`` or file paths. None for either means
        that this view does not exist; one view must.

    Attributes
    ----------
    sketches, images : array, DataFrame or None
        The backing arrays, as given (lists are made into arrays).
    is_sketch : ndarray of bool of shape (n_samples,)
        Which rows are sketches.
    view_rows : ndarray of int of shape (n_samples,)
        The row of every sample in its view's backing array.
    n_sketches, n_images : int
        How many rows of each view there are.

    Raises
    ------
    TypeError
        If a view is sparse.
    ValueError
        If both views are None, or a view has no rows to select.

    See Also
    --------
    stack_views : Build the container and its labels, interleaved.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import SketchImageArray
    >>> X = SketchImageArray(np.zeros((2, 5)), np.ones((3, 5)))
    >>> X.shape
    (5,)
    >>> X.is_sketch
    array([ True,  True, False, False, False])
    >>> X[[0, 4]].take_view("image")
    array([[1., 1., 1., 1., 1.]])
    """

    def __init__(self, sketches: ArrayLike | None, images: ArrayLike | None) -> None:
        self.sketches = _as_rows(sketches, "sketches")
        self.images = _as_rows(images, "images")
        if self.sketches is None and self.images is None:
            raise ValueError("SketchImageArray needs sketches, images or both; both are None.")
        n_sketches = 0 if self.sketches is None else self.sketches.shape[0]
        n_images = 0 if self.images is None else self.images.shape[0]
        self.is_sketch = np.arange(n_sketches + n_images) < n_sketches
        self.view_rows = np.concatenate([np.arange(n_sketches), np.arange(n_images)])

    @classmethod
    def _from_rows(cls, sketches, images, is_sketch, view_rows):
        """Build a container from its four parts."""
        new = cls.__new__(cls)
        new.sketches, new.images = sketches, images
        new.is_sketch, new.view_rows = is_sketch, view_rows
        return new

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_samples,)``."""
        return self.is_sketch.shape

    @property
    def ndim(self) -> int:
        """1: a row is a whole sample."""
        return 1

    @property
    def n_sketches(self) -> int:
        """Number of rows that are sketches."""
        return int(np.count_nonzero(self.is_sketch))

    @property
    def n_images(self) -> int:
        """Number of rows that are photos."""
        return len(self) - self.n_sketches

    def __len__(self) -> int:
        return len(self.is_sketch)

    def __getitem__(self, rows: Any) -> Any:
        """Select rows; a single integer gives that sample itself, anything else a container."""
        if isinstance(rows, tuple):  # scikit-learn asks for X[rows, ...]
            if len(rows) != 2 or rows[1] is not Ellipsis:
                raise IndexError("A SketchImageArray has one axis: X[rows].")
            rows = rows[0]
        if isinstance(rows, (int, np.integer)):
            backing = self.sketches if self.is_sketch[rows] else self.images
            return select_rows(backing, self.view_rows[rows])
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            if rows.size == 0:
                rows = rows.astype(np.intp)
        return self._from_rows(
            self.sketches, self.images, self.is_sketch[rows], self.view_rows[rows]
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError(
            "A SketchImageArray holds two different views and is not an array. Put one "
            "transformer per view with PerView(sketch=..., image=...), or take one view's rows "
            "with take_view('sketch') or take_view('image')."
        )

    def __repr__(self) -> str:
        return f"SketchImageArray(n_sketches={self.n_sketches}, n_images={self.n_images})"

    def check_views(self) -> None:
        """Raise if a view that exists has no row here, as in a fold of an ordinary KFold.

        Raises
        ------
        ValueError
            If there are no rows at all, or none of a view whose backing array is there.
        """
        if len(self) == 0:
            raise ValueError("Found array with 0 sample(s): the SketchImageArray has no rows.")
        for view, backing, n_rows in (
            ("sketch", self.sketches, self.n_sketches),
            ("image", self.images, self.n_images),
        ):
            if backing is not None and n_rows == 0:
                raise ValueError(
                    f"None of the n_samples={len(self)} rows is of the {view} view, though the "
                    "SketchImageArray was made of both: a fold without a view. Split with "
                    "cv=StratifiedViewKFold() or cv=SketchKFold(); for one view on purpose, leave "
                    "the other one out: SketchImageArray(sketches, None) or (None, images)."
                )

    def take_view(self, view: Literal["sketch", "image"]) -> Any:
        """Return the rows of one view, in the container's order.

        Parameters
        ----------
        view : {"sketch", "image"}
            The view.

        Returns
        -------
        rows : array, DataFrame, RowSubset or None
            The backing array itself where all its rows come in order and a slice of it where the
            rows follow each other; otherwise a selection, which for images is a lazy `RowSubset`.
            None if the container has no row of that view.
        """
        check_view_name(view)
        wanted = self.is_sketch if view == "sketch" else ~self.is_sketch
        backing = self.sketches if view == "sketch" else self.images
        rows = self.view_rows[wanted]
        if len(rows) == 0:
            return None
        if np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
            if len(rows) == backing.shape[0]:
                return backing
            return select_rows(backing, slice(int(rows[0]), int(rows[0]) + len(rows)))
        if len(backing.shape) >= 3:
            return RowSubset(backing, rows)
        return select_rows(backing, rows)


def stack_views(
    X_sk: ArrayLike,
    X_img: ArrayLike,
    y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    *,
    interleave: bool = True,
) -> tuple[SketchImageArray, np.ndarray | None]:
    """Put sketches, photos and their labels into one container and one array of labels.

    Parameters
    ----------
    X_sk : array-like of shape (n_sketches, ...)
        Sketches.
    X_img : array-like of shape (n_images, ...)
        Photos.
    y : tuple (y_sk, y_img), array-like of shape (n_pairs,) or None, default=None
        Labels of both views, or one array where row i of both views belongs together.
    interleave : bool, default=True
        Spread every category of both views evenly over the rows, so that any contiguous part of
        them - a fold of an unshuffled KFold - has rows of both views and, as far as a category has
        enough rows, of all categories. False puts all sketches first, then all photos.

    Returns
    -------
    X : SketchImageArray of shape (n_sketches + n_images,)
        The container; the arrays are not copied.
    y_rows : ndarray of shape (n_sketches + n_images,), or None
        Row-aligned labels; None if y is None.

    Raises
    ------
    ValueError
        If y is in none of these forms, its lengths do not match, or labels are continuous, missing
        or of different types.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import stack_views
    >>> X, y = stack_views(np.zeros((2, 4)), np.ones((4, 4)), (["a", "b"], ["a", "a", "b", "b"]))
    >>> X.shape, y.tolist()
    ((6,), ['a', 'b', 'a', 'b', 'a', 'b'])
    """
    X = SketchImageArray(X_sk, X_img)
    if X.sketches is None or X.images is None:
        raise ValueError(
            "stack_views needs both views; for one view use SketchImageArray(sketches, None) or "
            "SketchImageArray(None, images)."
        )
    y_rows = None
    if y is not None:
        y_sk, y_img, _ = split_labels(y, X.n_sketches, X.n_images)
        y_rows = join_labels(y_sk, y_img)
    if interleave:
        order = _spread_evenly(X.is_sketch, y_rows)
        X = X[order]
        y_rows = None if y_rows is None else y_rows[order]
    return X, y_rows


def _spread_evenly(is_sketch, y_rows):
    """Order of rows in which every (view, category) is spread evenly from first to last."""
    strata = is_sketch.astype(np.intp)
    if y_rows is not None:
        strata += 2 * np.unique(y_rows, return_inverse=True)[1]
    position = np.empty(len(strata))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        position[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(position, kind="stable")


def split_labels(y, n_sketches, n_images):
    """Tell the label forms of two arrays apart.

    Parameters
    ----------
    y : tuple (y_sk, y_img) or array-like of shape (n_pairs,)
        Labels of both views, or one array for paired views.
    n_sketches, n_images : int
        Rows of each view.

    Returns
    -------
    y_sketch : ndarray of shape (n_sketches,)
    y_image : ndarray of shape (n_images,)
    paired : bool
        Whether one array was given for both views.

    Raises
    ------
    ValueError
        If y is in neither form, or a length does not match.
    """
    if isinstance(y, tuple):
        if len(y) != 2:
            raise ValueError(
                f"y is a tuple of {len(y)}; only a tuple of two is a pair of label arrays: "
                "y=(y_sk, y_img)."
            )
        y_sketch, y_image = (
            category_labels(part, n) for part, n in zip(y, ("y_sk", "y_img"), strict=True)
        )
        for name, labels, n_rows, view in (
            ("y_sk", y_sketch, n_sketches, "sketches"),
            ("y_img", y_image, n_images, "photos"),
        ):
            if len(labels) != n_rows:
                raise ValueError(
                    f"{name} has {len(labels)} labels, but there are n_samples={n_rows} {view}: "
                    "y=(y_sk, y_img) needs one label for every row of its view."
                )
        return y_sketch, y_image, False
    y = category_labels(y, "y")
    if n_sketches != n_images:
        raise ValueError(
            f"{n_sketches} sketches and {n_images} photos are not paired, but one y with "
            f"{len(y)} labels was given (n_samples differ): pass both views' labels as "
            "y=(y_sk, y_img)."
        )
    if len(y) != n_sketches:
        raise ValueError(
            f"y has {len(y)} labels, but there are n_samples={n_sketches} pairs of sketch and "
            "photo. Pass one label a pair, or y=(y_sk, y_img)."
        )
    return y, y, True


def select_rows(array, rows):
    """Rows of an array or a DataFrame by position."""
    return array.iloc[rows] if hasattr(array, "iloc") else array[rows]


def check_view_name(view):
    """Raise ValueError if `view` is neither "sketch" nor "image"."""
    if not isinstance(view, str) or view not in VIEWS:
        raise ValueError(f"view must be 'sketch' or 'image', got {view!r}.")


def check_view_is_clear(X, row_shapes, name):
    """ValueError if a plain array, with which no view is named, may hold rows of either.

    Parameters
    ----------
    X : array-like
    row_shapes : dict view -> tuple
        The shape of a row at fit; () of files that stay files.
    name : str
        Of the estimator.
    """
    if len(row_shapes) < 2:
        return
    shape, given = row_shapes["sketch"], row_shape(X)
    if len(shape) != 1 and given == ():
        rows = "image files"
    elif shape == row_shapes["image"] == given:  # what is of another shape is told of elsewhere
        rows = f"rows of shape {shape}"
    else:
        return
    raise ValueError(
        f"{name} was fitted on sketches and photos, and {rows} may be of either: name their view, "
        "view='sketch' or view='image'. In a Pipeline, whose transform takes no view, give "
        "SketchImageArray(X, None) for sketches and SketchImageArray(None, X) for photos."
    )


def row_shape(X):
    """The shape of a row; None if there are no rows."""
    shape = tuple((X if hasattr(X, "shape") else np.asarray(X)).shape)
    return shape[1:] if shape else None


def _as_rows(array, name):
    """Return something with a shape and rows; arrays and DataFrames are returned as they are."""
    if array is None:
        return None
    if issparse(array):
        raise TypeError(f"{name} is a sparse matrix; dense arrays are needed: use .toarray().")
    if isinstance(array, SketchImageArray):
        raise TypeError(f"{name} is a SketchImageArray already; pass one view's array.")
    array = plain_array(array, name)
    if not hasattr(array, "shape"):
        array = np.asarray(array)
    if len(array.shape) == 0:
        raise ValueError(f"{name} has no rows to select: got {array!r}.")
    return array
