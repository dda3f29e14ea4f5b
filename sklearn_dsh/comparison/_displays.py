"""Pictures of retrieval: curves, and queries with the photos found for them."""

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics.pairwise import euclidean_distances

from .._arrays import plain_array
from .._calls import resolve_call
from .._labels import category_labels
from ..codes import check_codes
from ..metrics import precision_at_k_curve, precision_recall_curve
from ..preprocessing import load_image
from ..preprocessing._bit_depth import told_once
from ..retrieval import HammingRetriever
from ..views import SketchImageArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, RED = "#1a9850", "#d73027"
_SIDE = 128  # at which files are drawn, in pixels
KINDS = {
    "precision_recall": ("recall", "precision"),
    "precision_at_k": ("number of retrieved photos", "precision"),
}


class RetrievalCurveDisplay:
    """A precision-recall curve or a curve of precision at k, averaged over ties.

    Make one with `from_estimator` or `from_codes`; several can share their axes.

    Parameters
    ----------
    x, y : ndarrays of shape (n_points,)
        Recall and precision, or k and precision at k.
    kind : {"precision_recall", "precision_at_k"}
    name : str, default=None
        What the legend calls the curve.

    Attributes
    ----------
    line_ : matplotlib Artist
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    sklearn_dsh.metrics.precision_recall_curve : The numbers, by Hamming radius.
    sklearn_dsh.metrics.precision_at_k_curve : The numbers, by rank.

    Examples
    --------
    >>> from sklearn_dsh.comparison import RetrievalCurveDisplay
    >>> display = RetrievalCurveDisplay.from_codes(
    ...     [[0]], [[0], [1], [255]], ["cat"], ["cat", "cat", "dog"], kind="precision_at_k"
    ... )
    >>> display.y.round(2).tolist()
    [1.0, 1.0, 0.67]
    """

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        kind: Literal["precision_recall", "precision_at_k"],
        name: str | None = None,
    ) -> None:
        self.x = x
        self.y = y
        self.kind = kind
        self.name = name

    def plot(self, ax: "Axes | None" = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        name : str, default=None
            None takes the display's.
        **kwargs
            Of ``ax.plot``.

        Returns
        -------
        display : RetrievalCurveDisplay
            Itself.
        """
        from matplotlib import pyplot as plt  # an optional dependency

        if ax is None:
            _, ax = plt.subplots()
        name = self.name if name is None else name
        (self.line_,) = ax.plot(self.x, self.y, **({"label": name} | kwargs))
        x_label, y_label = KINDS[self.kind]
        ax.set(xlabel=x_label, ylabel=y_label, ylim=(0, 1.02))
        if self.kind == "precision_recall":
            ax.set_xlim(0, 1.02)
        else:
            ax.set_xscale("log")
        if "label" in kwargs or name is not None:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_codes(
        cls,
        query_codes: ArrayLike,
        gallery_codes: ArrayLike,
        query_labels: ArrayLike,
        gallery_labels: ArrayLike,
        *,
        kind: Literal["precision_recall", "precision_at_k"] = "precision_recall",
        name: str | None = None,
        ax: "Axes | None" = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curve of codes.

        Parameters
        ----------
        query_codes, gallery_codes : array-like of shape (n_rows, n_bytes), dtype uint8
        query_labels, gallery_labels : array-like of shape (n_rows,)
        kind : {"precision_recall", "precision_at_k"}, default="precision_recall"
            Precision and recall of what lies within each Hamming radius, or precision at k over k.
        name : str, default=None
        ax : matplotlib Axes, default=None
        **kwargs
            As in `plot`.

        Returns
        -------
        display : RetrievalCurveDisplay

        Raises
        ------
        ValueError
            If there is no such kind, or codes and labels are not sound.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {sorted(KINDS)}, got {kind!r}.")
        codes_and_labels = query_codes, gallery_codes, query_labels, gallery_labels
        if kind == "precision_recall":
            y, x, _ = precision_recall_curve(*codes_and_labels)
        else:
            y, x = precision_at_k_curve(*codes_and_labels)
        return cls(x, y, kind=kind, name=name).plot(ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | SketchImageArray,
        Y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
        y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
        *,
        kind: Literal["precision_recall", "precision_at_k"] = "precision_recall",
        name: str | None = None,
        ax: "Axes | None" = None,
        **kwargs: Any,
    ) -> Self:
        """Encode sketches and photos, and draw the curve of sketches that query the photos.

        Parameters
        ----------
        estimator : fitted hasher, or Pipeline that ends in one
        X, Y, y
            ``(X_sk, X_img, (y_sk, y_img))``, or ``(X, y)`` with a `SketchImageArray`.
        kind, name, ax, **kwargs
            As in `from_codes`; the name is by default that of the estimator's class.

        Returns
        -------
        display : RetrievalCurveDisplay

        Raises
        ------
        ValueError
            If a view or its labels are missing, or as `from_codes`.
        """
        data = resolve_call(X, Y, y)
        if len(data.views) < 2 or data.y_sketch is None:
            raise ValueError(
                "Sketches query photos: pass both views with labels, from_estimator(hasher, X_sk, "
                "X_img, (y_sk, y_img)), or a SketchImageArray with y."
            )
        if data.container is not None:
            both, is_sketch = estimator.transform(data.container), data.container.is_sketch
            codes = both[is_sketch], both[~is_sketch]
        else:
            codes = (
                estimator.transform(SketchImageArray(data.sketch, None)),
                estimator.transform(SketchImageArray(None, data.image)),
            )
        name = type(estimator).__name__ if name is None else name
        options = {"kind": kind, "name": name, "ax": ax}
        return cls.from_codes(*codes, data.y_sketch, data.y_image, **options, **kwargs)


def plot_retrieved(
    sketches: ArrayLike,
    photos: ArrayLike,
    query_codes: ArrayLike,
    gallery_codes: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    n_queries: int = 6,
    n_found: int = 10,
    title: str | None = None,
    random_state: int = 0,
) -> "Figure":
    """Draw query sketches, each with its nearest photos: right ones framed green, wrong ones red.

    Parameters
    ----------
    sketches : array-like of shape (n_queries_in_all, height, width), dtype uint8
        Or paths of image files, shape (n_queries_in_all,).
    photos : array-like of shape (n_gallery, height, width, 3), dtype uint8
        Or paths of image files, shape (n_gallery,).
    query_codes, gallery_codes : array-likes of shape (n_rows, n_bytes), dtype uint8
        Their codes. Of floats, what is nearest by Euclidean distance.
    query_labels, gallery_labels : array-likes of shape (n_rows,)
        Their categories.
    n_queries : int, default=6
        Queries to draw, randomly chosen, from different categories as far as there are.
    n_found : int, default=10
        Photos for each.
    title : str, default=None
    random_state : int, default=0
        Seed of the choice.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are not as many pictures, codes and labels of the queries, or of the gallery, or
        codes are not sound.
    """
    sketches, photos = plain_array(sketches, "sketches"), plain_array(photos, "photos")
    sketches, photos = (
        X if hasattr(X, "shape") and not hasattr(X, "iloc") else np.asarray(X)
        for X in (sketches, photos)
    )
    query_codes = np.asarray(plain_array(query_codes, "query_codes"))
    gallery_codes = np.asarray(plain_array(gallery_codes, "gallery_codes"))
    query_labels = category_labels(query_labels, "query_labels")
    gallery_labels = category_labels(gallery_labels, "gallery_labels")
    for name, *parts in (
        ("queries", sketches, query_codes, query_labels),
        ("the gallery", photos, gallery_codes, gallery_labels),
    ):
        counts = [len(part) for part in parts]
        if len(set(counts)) > 1:
            raise ValueError(
                "There are {} pictures, {} codes and {} labels of {}: give as many of each.".format(
                    *counts, name
                )
            )
    if (query_codes.dtype.kind == "f") != (gallery_codes.dtype.kind == "f"):
        raise ValueError(
            f"query_codes are of {query_codes.dtype} and gallery_codes of {gallery_codes.dtype}: "
            "both are packed codes, or both are floats."
        )
    if query_codes.dtype.kind != "f":
        query_codes = check_codes(query_codes, name="query_codes")
        gallery_codes = check_codes(gallery_codes, name="gallery_codes")
    queries = choose_queries(query_labels, n_queries, random_state)
    n_found = min(n_found, len(photos))
    distances, found = find_nearest(query_codes[queries], gallery_codes, n_found)
    return draw_found(
        sketches[queries], query_labels[queries], photos, gallery_labels, found, distances, title
    )


def choose_queries(labels, n_queries, random_state):
    """Random rows, one a category, then a second one a category, and so on."""
    order = np.random.default_rng(random_state).permutation(len(labels))
    turn = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        turn[rows] = np.arange(len(rows))
    chosen = order[np.argsort(turn[order], kind="stable")][:n_queries]
    return chosen[np.argsort(labels[chosen], kind="stable")]


def find_nearest(queries, gallery, k):
    """Distances and rows of the k nearest, in order: of codes, or of vectors of floats."""
    if gallery.dtype == np.uint8:
        return HammingRetriever(n_neighbors=k).fit(gallery).kneighbors(queries)
    distances = euclidean_distances(queries, gallery)
    nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
    distances = np.take_along_axis(distances, nearest, axis=1)
    order = np.argsort(distances, axis=1)
    return tuple(np.take_along_axis(a, order, axis=1) for a in (distances, nearest))


@told_once()
def draw_found(sketches, labels, photos, gallery_labels, found, distances, title):
    """The picture of `plot_retrieved`: sketches, and for each the rows `found` of the photos."""
    from matplotlib.figure import Figure  # an optional dependency

    n_queries, n_found = np.shape(found)
    figure = Figure(figsize=(1.25 * (n_found + 1), 1.5 * n_queries + 0.5), layout="constrained")
    if title is not None:
        figure.suptitle(title, fontsize=12)
    axes = figure.subplots(n_queries, n_found + 1, squeeze=False)
    for row, sketch, label, row_distances, row_found in zip(
        axes, sketches, labels, distances, found, strict=True
    ):
        row[0].imshow(_pixels(sketch, "L"), cmap="gray", vmin=0, vmax=255)
        row[0].set_title(f"sketch: {label}", fontsize=9, fontweight="bold")
        for ax, distance, photo in zip(row[1:], row_distances, row_found, strict=True):
            ax.imshow(_pixels(photos[photo], "RGB"))
            exact = distance if isinstance(distance, Integral) else f"{distance:.2f}"
            ax.set_title(f"{gallery_labels[photo]} ({exact})", fontsize=9)
            for spine in ax.spines.values():
                spine.set(color=GREEN if gallery_labels[photo] == label else RED, linewidth=4)
        for ax in row:
            ax.set(xticks=[], yticks=[])
    return figure


def _pixels(image, mode):
    """An image, read if it is a path."""
    return load_image(image, _SIDE, mode) if isinstance(image, (str, os.PathLike)) else image
