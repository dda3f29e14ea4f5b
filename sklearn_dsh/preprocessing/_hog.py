"""Histograms of oriented gradients of sketches and photos."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from joblib import delayed
from numpy.typing import ArrayLike, NDArray
from skimage.feature import hog
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval

from .._parallel import in_parallel
from ._bit_depth import told_once
from ._images import ImageInputMixin, check_images, grey_batch

_BATCH = 256


class HOGFeatures(
    ImageInputMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Histograms of oriented gradients, the same for sketches and photos.

    Every image is turned grey, brought to one size and described by the directions of its
    gradients [1]_, without their sign: a dark stroke on white and the edge of an object give
    the same histogram. With it, hashers that need feature vectors work on images.
    The transformer learns nothing; `fit` only checks.

    Parameters
    ----------
    image_size : int, default=64
        Height and width that images are brought to, at least 32.
    orientations : int, default=9
        Number of directions between 0 and 180 degrees.
    pixels_per_cell : int, default=8
        Height and width of a cell, over which one histogram is taken.
    cells_per_block : int, default=2
        Height and width, in cells, of the blocks over which histograms are normalised.
    n_jobs : int, default=None
        Number of processes, see scikit-learn's glossary. Worth it from some thousand images.

    See Also
    --------
    EdgeTokens : Drawing-like edge maps of photos.
    sklearn_dsh.PerView : Applies one transformer per view.

    References
    ----------
    .. [1] N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import HOGFeatures
    >>> photos = np.random.default_rng(0).integers(0, 256, (5, 48, 40, 3), dtype=np.uint8)
    >>> HOGFeatures().fit_transform(photos).shape
    (5, 1764)
    """

    _parameter_constraints = {
        "image_size": [Interval(Integral, 32, None, closed="left")],
        "orientations": [Interval(Integral, 1, None, closed="left")],
        "pixels_per_cell": [Interval(Integral, 2, None, closed="left")],
        "cells_per_block": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        image_size: int = 64,
        orientations: int = 9,
        pixels_per_cell: int = 8,
        cells_per_block: int = 2,
        n_jobs: int | None = None,
    ) -> None:
        self.image_size = image_size
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Check the parameters and the kind of X; nothing is learned.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches or photos, or the files they are in.
        y : Ignored

        Returns
        -------
        self : HOGFeatures

        Raises
        ------
        ValueError
            If X holds no images, or an image has no room for a block of cells.
        """
        check_images(X)
        self._blocks_per_side()
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Describe each image.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches or photos of any size, or the files they are in.

        Returns
        -------
        features : ndarray of float32, shape (n, n_features_out)

        Raises
        ------
        ValueError
            If X holds no images or a file cannot be read (the path is named).
        """
        self._validate_params()
        X = check_images(X)
        self._blocks_per_side()
        n = X.shape[0]
        calls = (
            delayed(self._describe)(grey_batch(X, start, min(start + _BATCH, n), self.image_size))
            for start in range(0, n, _BATCH)
        )
        with told_once():
            return np.concatenate(in_parallel(calls, self.n_jobs))

    def _describe(self, images):
        features = np.empty((len(images), self._n_features_out), dtype=np.float32)
        for row, image in zip(features, images, strict=True):
            row[:] = hog(
                image,
                orientations=self.orientations,
                pixels_per_cell=(self.pixels_per_cell, self.pixels_per_cell),
                cells_per_block=(self.cells_per_block, self.cells_per_block),
            )
        return features

    def _blocks_per_side(self):
        blocks = self.image_size // self.pixels_per_cell - self.cells_per_block + 1
        if blocks < 1:
            raise ValueError(
                f"Images of image_size={self.image_size} have no room for a block of "
                f"{self.cells_per_block} cells of {self.pixels_per_cell} pixels. Raise image_size "
                "or lower cells_per_block or pixels_per_cell."
            )
        return blocks

    @property
    def _n_features_out(self):
        return (self._blocks_per_side() * self.cells_per_block) ** 2 * self.orientations

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
