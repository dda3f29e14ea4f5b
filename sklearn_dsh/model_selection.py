"""Splitters that know of two views: every fold has sketches and photos.

Both split a `SketchImageArray` and work wherever scikit-learn takes ``cv``.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils import check_consistent_length

from ._labels import category_labels
from .views import SketchImageArray


class _ViewSplitter(BaseCrossValidator):
    """What both splitters share: parameters, checks and the request for ``groups``."""

    __metadata_request__split = {"groups": True}

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object
            Ignored; here for compatibility.

        Returns
        -------
        n_splits : int
            Number of splits.
        """
        return self.n_splits

    def split(
        self, X: SketchImageArray, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield rows for training and for testing.

        Parameters
        ----------
        X : SketchImageArray of shape (n_samples,)
            The samples of both views.
        y : array-like of shape (n_samples,), default=None
            Labels, by which folds are stratified if given.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay on one side.

        Yields
        ------
        train, test : ndarray of int
            Row numbers, ascending.

        Raises
        ------
        TypeError
            If X is no `SketchImageArray`.
        ValueError
            If lengths differ, labels or groups are continuous, missing or mixed, or some fold would
            lack a view.
        """
        if not isinstance(X, SketchImageArray):
            raise TypeError(
                f"{type(self).__name__} splits a SketchImageArray (see stack_views), got "
                f"{type(X).__name__}. For an array of one view use scikit-learn's StratifiedKFold."
            )
        check_consistent_length(X, y, groups)
        if y is not None:
            y = np.unique(category_labels(y, "y"), return_inverse=True)[1]
        if groups is not None:
            groups = category_labels(groups, "groups")
        for train, test in self._split_rows(X, y, groups):
            self._check_fold(X, train, "training")
            self._check_fold(X, test, "test")
            yield train, test

    def _splitter(self, y, groups):
        """Return the scikit-learn splitter for one set of rows, stratified if y is given."""
        arguments = {"n_splits": self.n_splits, "shuffle": self.shuffle}
        arguments["random_state"] = self.random_state if self.shuffle else None
        if groups is None:
            return KFold(**arguments) if y is None else StratifiedKFold(**arguments)
        return GroupKFold(**arguments) if y is None else StratifiedGroupKFold(**arguments)

    def _check_fold(self, X, rows, name):
        for view, in_view in (("sketch", X.is_sketch), ("image", ~X.is_sketch)):
            if in_view.any() and not in_view[rows].any():
                raise ValueError(
                    f"A {name} fold has no row of the {view} view: {in_view.sum()} rows in "
                    f"n_splits={self.n_splits} folds. Use fewer splits, or smaller groups."
                )


class StratifiedViewKFold(_ViewSplitter):
    """K folds of both views: photos of the test fold were not trained on.

    Sketches and photos are each divided into folds by category, and fold i of the sketches is
    tested together with fold i of the photos.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to shuffle the rows of each category first.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.

    Notes
    -----
    With ``groups``, rows of one group stay together across both views: a photo and the sketches
    drawn from it are never on different sides.

    See Also
    --------
    SketchKFold : Split the sketches only.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import StratifiedViewKFold, stack_views
    >>> y = (["cat", "dog"] * 3, ["cat", "dog"] * 6)
    >>> X, y = stack_views(np.zeros((6, 2)), np.zeros((12, 2)), y)
    >>> for train, test in StratifiedViewKFold(n_splits=3).split(X, y):
    ...     print(X[train], X[test])
    SketchImageArray(n_sketches=4, n_images=8) SketchImageArray(n_sketches=2, n_images=4)
    SketchImageArray(n_sketches=4, n_images=8) SketchImageArray(n_sketches=2, n_images=4)
    SketchImageArray(n_sketches=4, n_images=8) SketchImageArray(n_sketches=2, n_images=4)
    """

    def _split_rows(self, X, y, groups):
        n_samples = len(X)
        if groups is not None:
            # One joint split, because a group spans both views; the view is part of the stratum.
            strata = X.is_sketch.astype(np.intp) + (0 if y is None else 2 * y)
            with warnings.catch_warnings():
                # Groups are what is kept; small strata are expected.
                warnings.filterwarnings("ignore", "The least populated class", UserWarning)
                yield from self._splitter(strata, groups).split(np.zeros(n_samples), strata, groups)
            return
        fold = np.empty(n_samples, dtype=np.intp)
        for in_view in (X.is_sketch, ~X.is_sketch):
            rows = np.flatnonzero(in_view)
            if len(rows) == 0:
                continue
            y_view = None if y is None else y[rows]
            splits = self._splitter(y_view, None).split(np.zeros(len(rows)), y_view)
            for number, (_, test) in enumerate(splits):
                fold[rows[test]] = number
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


class SketchKFold(_ViewSplitter):
    """K folds of the sketches; all photos are trained on and are the gallery of every test.

    This is the protocol of the sketch-based retrieval literature: queries are unseen sketches, the
    gallery is known when the hash functions are learned.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to shuffle the sketches of each category first.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.

    Notes
    -----
    Photos are in ``train`` and in ``test`` of every split. With ``groups``, sketches of one group,
    say those drawn from one reference photo, stay on one side; the groups of photos do not matter.

    See Also
    --------
    StratifiedViewKFold : Photos of the test fold are unseen, too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import SketchKFold, stack_views
    >>> y = (["cat", "dog"] * 3, ["cat", "dog"] * 6)
    >>> X, y = stack_views(np.zeros((6, 2)), np.zeros((12, 2)), y)
    >>> for train, test in SketchKFold(n_splits=3).split(X, y):
    ...     print(X[train], X[test])
    SketchImageArray(n_sketches=4, n_images=12) SketchImageArray(n_sketches=2, n_images=12)
    SketchImageArray(n_sketches=4, n_images=12) SketchImageArray(n_sketches=2, n_images=12)
    SketchImageArray(n_sketches=4, n_images=12) SketchImageArray(n_sketches=2, n_images=12)
    """

    def _split_rows(self, X, y, groups):
        sketches, photos = np.flatnonzero(X.is_sketch), np.flatnonzero(~X.is_sketch)
        if len(sketches) == 0:
            raise ValueError("SketchKFold splits sketches, but no row of X is of the sketch view.")
        y_sketch = None if y is None else y[sketches]
        groups = None if groups is None else groups[sketches]
        splits = self._splitter(y_sketch, groups).split(np.zeros(len(sketches)), y_sketch, groups)
        for train, test in splits:
            yield (
                np.sort(np.concatenate([sketches[train], photos])),
                np.sort(np.concatenate([sketches[test], photos])),
            )
