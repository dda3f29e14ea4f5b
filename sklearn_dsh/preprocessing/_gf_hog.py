"""GF-HOG: histograms of the gradient field of a drawing, as a bag of words."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from joblib import delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._forks import openmp_in_child
from .._parallel import in_parallel
from ._bit_depth import told_once
from ._gradient_field import edge_directions, harmonic_field, window_histograms
from ._images import ImageInputMixin, check_images
from ._strokes import read_strokes, soft_bins

_BATCH = 64
# From so many images, and of their descriptors so many, the words are learned.
_FIT_IMAGES = 1000
_FIT_DESCRIPTORS = 200_000


class GFHOGFeatures(
    ImageInputMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Gradient-field HOG (GF-HOG) of sketches and photos, as a bag of words.

    Every image becomes a drawing of one size: a sketch as it is, a photo by its edges
    (`EdgeTokens`). The directions of the strokes are spread over the white between them as
    smoothly as possible, by Laplace's equation. Around pixels of the strokes, histograms of that
    gradient field in windows of 3 x 3 cells are taken, which tell the strokes there and what lies
    beside them [1]_. `fit` clusters them to words; an image is the histogram of its words.

    Parameters
    ----------
    n_words : int, default=1000
        Number of words, which is the number of features.
    image_size : int, default=80
        Height and width that images are brought to, at least 32. Time grows with its fourth power.
    n_points : int, default=150
        Number of stroke pixels, evenly spread over all of an image, that windows are put around.
    cell_sizes : sequence of float, default=(0.025, 0.05, 0.075)
        Height and width of the cells of the windows around each pixel, as parts of the image's
        side: 5, 10 and 15 pixels of an image of 200.
    orientations : int, default=9
        Number of directions between 0 and 180 degrees.
    edges : {"auto", True, False}, default="auto"
        What the strokes of an image are: its edges (True) or its dark pixels (False). "auto" takes
        the edges of colour images, which are arrays with three channels and files that are not
        grey. For files of grey photos, or of coloured sketches, say which.
    n_jobs : int, default=None
        Number of processes, see scikit-learn's glossary. Worth it from some hundred images.
    random_state : int, RandomState instance or None, default=None
        Draws what the words are learned from, and seeds the clustering. An int for repeatable
        results.

    Attributes
    ----------
    words_ : ndarray of float32, shape (n_words, 9 * orientations)
        The centres of the clusters, descriptors of one window each.

    See Also
    --------
    SHELOFeatures : Directions of strokes in the places of the image, nothing to learn.
    HOGFeatures : Histograms of the image's own gradients.
    EdgeTokens : The edges of photos.

    Notes
    -----
    Words compare between views only if both have the same ones. Two transformers fitted apart, as
    `PerView` does, do not: fit one, on photos or on the drawings of both views, freeze it with
    `sklearn.frozen.FrozenEstimator`, and give it for both views, as in the example. The frozen one
    is not fitted again, nor is it in a cross-validation.

    The words are learned from at most 1000 images, and from 200000 of their descriptors, drawn at
    random. The field counts by its length, which is 1 at a stroke and less where strokes of
    different directions meet halfway.

    References
    ----------
    .. [1] R. Hu, J. Collomosse, "A performance evaluation of gradient field HOG descriptor for
       sketch based image retrieval", Computer Vision and Image Understanding 117(7), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn_dsh import GFHOGFeatures, PerView, SketchImageArray
    >>> photos = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    >>> sketches = np.full((2, 32, 32), 255, dtype=np.uint8)
    >>> sketches[:, 10:12, 4:28] = 0
    >>> words = GFHOGFeatures(n_words=20, image_size=32, random_state=0).fit(photos)
    >>> shared = FrozenEstimator(words)
    >>> X = SketchImageArray(sketches, photos)
    >>> PerView(sketch=shared, image=shared).fit_transform(X).images.shape
    (4, 20)
    """

    _parameter_constraints = {
        "n_words": [Interval(Integral, 1, None, closed="left")],
        "image_size": [Interval(Integral, 32, None, closed="left")],
        "n_points": [Interval(Integral, 1, None, closed="left")],
        "cell_sizes": ["array-like"],
        "orientations": [Interval(Integral, 2, None, closed="left")],
        "edges": [StrOptions({"auto"}), "boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_words: int = 1000,
        *,
        image_size: int = 80,
        n_points: int = 150,
        cell_sizes: Sequence[float] = (0.025, 0.05, 0.075),
        orientations: int = 9,
        edges: bool | Literal["auto"] = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_words = n_words
        self.image_size = image_size
        self.n_points = n_points
        self.cell_sizes = cell_sizes
        self.orientations = orientations
        self.edges = edges
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the words.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches or photos, or the files they are in.
        y : Ignored

        Returns
        -------
        self : GFHOGFeatures

        Raises
        ------
        ValueError
            If X holds no images, a file cannot be read, the images have fewer descriptors than
            there shall be words, or `cell_sizes` are not between 0 and 1.
        """
        X = check_images(X)
        self._check_cell_sizes()
        rng = check_random_state(self.random_state)
        n = X.shape[0]
        rows = np.sort(rng.permutation(n)[:_FIT_IMAGES])
        described = self._in_batches(self._describe, X, rows)
        descriptors = np.concatenate([each for batch in described for each in batch])
        if len(descriptors) < self.n_words:
            raise ValueError(
                f"The strokes of {n} images have {len(descriptors)} descriptors, fewer than "
                f"n_words={self.n_words}. Give more images, or lower n_words or raise n_points."
            )
        if len(descriptors) > _FIT_DESCRIPTORS:
            descriptors = descriptors[rng.permutation(len(descriptors))[:_FIT_DESCRIPTORS]]
        clusters = MiniBatchKMeans(self.n_words, batch_size=4096, n_init="auto", random_state=rng)
        with openmp_in_child():
            self.words_ = clusters.fit(descriptors).cluster_centers_
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Count the words of each image.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches (dark strokes on white) or photos of any size, or the files they are in.

        Returns
        -------
        features : ndarray of float32, shape (n, n_words)
            The share of each word. Rows add up to 1, or are zero for an empty drawing.

        Raises
        ------
        ValueError
            If X holds no images or a file cannot be read (the path is named).
        """
        check_is_fitted(self)
        X = check_images(X)
        return np.concatenate(self._in_batches(self._count, X, np.arange(X.shape[0])))

    def _in_batches(self, function, X, rows):
        calls = (
            delayed(function)(
                read_strokes(X[rows[start : start + _BATCH]], self.image_size, self.edges)
            )
            for start in range(0, len(rows), _BATCH)
        )
        with told_once():
            return in_parallel(calls, self.n_jobs)

    def _count(self, ink):
        counts = np.zeros((len(ink), len(self.words_)), dtype=np.float32)
        offsets = (self.words_**2).sum(axis=1)
        for row, descriptors in zip(counts, self._describe(ink), strict=True):
            nearest = (offsets - 2 * descriptors @ self.words_.T).argmin(axis=1)
            np.add.at(row, nearest, 1)
        return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def _describe(self, ink):
        """Descriptors of each drawing, a list of arrays (n_windows, 9 * orientations)."""
        directions, on_stroke = edge_directions(ink)
        described = []
        for values, known in zip(directions, on_stroke, strict=True):
            pixels = np.argwhere(known)
            if len(pixels) > self.n_points:
                pixels = pixels[np.linspace(0, len(pixels) - 1, self.n_points).astype(int)]
            votes = soft_bins(harmonic_field(values, known), self.orientations)
            cells = np.asarray(self.cell_sizes) * self.image_size
            windows = [window_histograms(votes, pixels + 0.5, cell) for cell in cells]
            described.append(np.concatenate(windows))
        return described

    def _check_cell_sizes(self):
        sizes = list(self.cell_sizes)
        if not sizes or not all(isinstance(size, Real) and 0 < size <= 1 for size in sizes):
            raise ValueError(
                f"cell_sizes={self.cell_sizes!r}: expected at least one part of the image's side, "
                "above 0 and at most 1."
            )

    @property
    def _n_features_out(self):
        return len(self.words_)
