"""S-HELO: soft histograms of edge local orientations."""

from numbers import Integral
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
from sklearn.utils._param_validation import Interval, StrOptions

from .._parallel import in_parallel
from ._bit_depth import told_once
from ._images import ImageInputMixin, check_images
from ._strokes import read_strokes, soft_bins, stroke_directions

_BATCH = 128


class SHELOFeatures(
    ImageInputMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Soft histograms of edge local orientations (S-HELO) of sketches and photos.

    Every image becomes a drawing of one size: a sketch as it is, a photo by its edges
    (`EdgeTokens`). Each cell of a grid has one direction, the average of the squared gradients
    around it, and votes for it in the histograms of the blocks around it [1]_. Pixels are shared
    between cells, cells between blocks, directions between bins, all linearly. The square root of
    the histograms, of unit length, is the feature vector [2]_. A row is all zero where nothing is
    drawn.
    The transformer learns nothing; `fit` only checks.

    Parameters
    ----------
    image_size : int, default=100
        Height and width that images are brought to, at least 32.
    n_cells : int, default=25
        Number of cells along each side of the image.
    n_blocks : int, default=6
        Number of blocks along each side of the image.
    orientations : int, default=36
        Number of directions between 0 and 180 degrees. Bin i is for strokes of
        ``180 * i / orientations`` degrees, counter-clockwise from horizontal ones.
    edges : {"auto", True, False}, default="auto"
        What the strokes of an image are: its edges (True) or its dark pixels (False). "auto" takes
        the edges of colour images, which are arrays with three channels and files that are not
        grey. For files of grey photos, or of coloured sketches, say which.
    n_jobs : int, default=None
        Number of processes, see scikit-learn's glossary. Worth it from some thousand images.

    See Also
    --------
    GFHOGFeatures : Words of a learned vocabulary, without their place.
    HOGFeatures : Histograms of the image's own gradients.
    EdgeTokens : The edges of photos.

    Notes
    -----
    A cell's vote is the length of its averaged squared gradient in the double-angle
    representation: noise and corners, whose gradients disagree, count little. Columns are ordered
    by block (row by row), then by direction.

    References
    ----------
    .. [1] J. M. Saavedra, "Sketch based image retrieval using a soft computation of the histogram
       of edge local orientations (S-HELO)", ICIP 2014.
    .. [2] J. M. Saavedra, "RST-SHELO: sketch-based image retrieval using sketch tokens and square
       root normalization", Multimedia Tools and Applications 76, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import SHELOFeatures
    >>> sketch = np.full((1, 100, 100), 255, dtype=np.uint8)
    >>> sketch[:, 24:26] = 0  # a horizontal stroke
    >>> features = SHELOFeatures().fit_transform(sketch)
    >>> features.shape
    (1, 1296)
    >>> features.reshape(6, 6, 36).sum(axis=(0, 1)).argmax().item()
    0
    """

    _parameter_constraints = {
        "image_size": [Interval(Integral, 32, None, closed="left")],
        "n_cells": [Interval(Integral, 1, None, closed="left")],
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "orientations": [Interval(Integral, 2, None, closed="left")],
        "edges": [StrOptions({"auto"}), "boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        image_size: int = 100,
        n_cells: int = 25,
        n_blocks: int = 6,
        orientations: int = 36,
        edges: bool | Literal["auto"] = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.image_size = image_size
        self.n_cells = n_cells
        self.n_blocks = n_blocks
        self.orientations = orientations
        self.edges = edges
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
        self : SHELOFeatures

        Raises
        ------
        ValueError
            If X holds no images, or there are more blocks than cells or more cells than pixels.
        """
        check_images(X)
        self._check_grid()
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Describe each image.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width) or (n, height, width, 3), or paths (n,)
            Sketches (dark strokes on white) or photos of any size, or the files they are in.

        Returns
        -------
        features : ndarray of float32, shape (n, n_blocks * n_blocks * orientations)
            Rows of unit length, or zero for an empty drawing.

        Raises
        ------
        ValueError
            If X holds no images or a file cannot be read (the path is named).
        """
        self._validate_params()
        X = check_images(X)
        self._check_grid()
        calls = (
            delayed(self._describe)(
                read_strokes(X[start : start + _BATCH], self.image_size, self.edges)
            )
            for start in range(0, X.shape[0], _BATCH)
        )
        with told_once():
            return np.concatenate(in_parallel(calls, self.n_jobs))

    def _describe(self, ink):
        to_cells = _soft_assignment(self.image_size, self.n_cells)
        cells = to_cells @ stroke_directions(ink) @ to_cells.T
        votes = soft_bins(cells.reshape(len(ink), -1), self.orientations)
        to_blocks = _soft_assignment(self.n_cells, self.n_blocks)
        features = (np.kron(to_blocks, to_blocks) @ votes).reshape(len(ink), -1)
        total = features.sum(axis=1, keepdims=True)
        return np.sqrt(features / np.where(total > 0, total, 1))

    def _check_grid(self):
        if not self.n_blocks <= self.n_cells <= self.image_size:
            raise ValueError(
                f"n_blocks={self.n_blocks}, n_cells={self.n_cells}, image_size={self.image_size}: "
                "expected n_blocks <= n_cells <= image_size, so that no block and no cell is empty."
            )

    @property
    def _n_features_out(self):
        return self.n_blocks**2 * self.orientations

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _soft_assignment(n_parts, n_wholes):
    """Linear weights of n_parts in a row for the n_wholes that divide it, (n_wholes, n_parts).

    A part lies between the centres of two wholes and is shared between them by its distance to
    each; a part beyond the centre of the first or last whole is that one's alone.
    """
    position = (np.arange(n_parts) + 0.5) * n_wholes / n_parts - 0.5
    distance = np.abs(np.clip(position, 0, n_wholes - 1) - np.arange(n_wholes)[:, None])
    return np.maximum(0, 1 - distance).astype(np.float32)
