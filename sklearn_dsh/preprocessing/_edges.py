"""Sketch tokens: edge maps of photos that look like drawings."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import correlate1d, gaussian_filter
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval

from .._documentation import DocumentationLink
from ._images import check_images

_BATCH = 8  # photos that a thread draws at once


class EdgeTokens(DocumentationLink, TransformerMixin, BaseEstimator):
    """Edge maps of photos, dark strokes on white like a sketch.

    The colour gradient of the smoothed photo, thinned to its ridges, normalised to the photo's
    strongest edges. Faint edges stay as faint strokes: nothing is cut off at a threshold. It
    stands for the learned sketch tokens of [1]_ that Deep Sketch Hashing reads beside each photo.
    The transformer learns nothing; `fit` only checks.

    Parameters
    ----------
    sigma : float, default=1.0
        Width in pixels of the smoothing before gradients are taken. More suppresses texture.
    thinning : float, default=0.8
        From 0, soft bands as wide as the gradient, to 1, where only the ridges of the gradient
        (its maxima across the edge) stay.
    strongest : float, default=96.0
        Percentile of the gradient in a photo that is drawn black, between 0 and 100.
    n_jobs : int, default=None
        Threads that draw; as in joblib, None is 1 and -1 every core.

    See Also
    --------
    SketchTokenizer : Contours as people draw them, learned.
    HOGFeatures : Feature vectors of sketches and photos.

    References
    ----------
    .. [1] J. J. Lim, C. L. Zitnick, P. Dollar, "Sketch Tokens: A Learned Mid-level Representation
       for Contour and Object Detection", CVPR 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import EdgeTokens
    >>> photo = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    >>> photo[:, :, 16:] = 255
    >>> tokens = EdgeTokens().fit_transform(photo)
    >>> tokens.shape, int(tokens[0, 16, 16]), int(tokens[0, 16, 2])
    ((1, 32, 32), 0, 255)
    """

    _parameter_constraints = {
        "sigma": [Interval(Real, 0, None, closed="left")],
        "thinning": [Interval(Real, 0, 1, closed="both")],
        "strongest": [Interval(Real, 0, 100, closed="right")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sigma: float = 1.0,
        thinning: float = 0.8,
        strongest: float = 96.0,
        n_jobs: int | None = None,
    ) -> None:
        self.sigma = sigma
        self.thinning = thinning
        self.strongest = strongest
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Check the parameters and the kind of X; nothing is learned.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width, 3)
            Photos.
        y : Ignored

        Returns
        -------
        self : EdgeTokens

        Raises
        ------
        ValueError
            If X holds no photos.
        """
        check_images(X, accept_grey=False, accept_paths=False)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Draw the edges of each photo.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width, 3)
            Photos.

        Returns
        -------
        tokens : ndarray of uint8, shape (n, height, width)
            0 for the strongest edges, 255 for none.

        Raises
        ------
        ValueError
            If X holds no photos.
        """
        self._validate_params()
        X = check_images(X, accept_grey=False, accept_paths=False)
        tokens = np.empty(X.shape[:3], dtype=np.uint8)

        def draw(rows):
            tokens[rows] = self._draw(np.asarray(X[rows]))

        # Threads: the filters let go of the interpreter, and nothing is copied. To start them takes
        # longer than to draw a few photos.
        n_jobs = self.n_jobs if len(tokens) > _BATCH else 1
        Parallel(n_jobs=n_jobs, require="sharedmem")(
            delayed(draw)(rows) for rows in gen_batches(len(tokens), _BATCH)
        )
        return tokens

    def _draw(self, photos):
        smooth = gaussian_filter(photos.astype(np.float32), (0, self.sigma, self.sigma, 0))
        strength, down, right = _colour_gradient(smooth)
        if self.thinning:
            off_ridge = ~_ridges(strength, down, right)
            strength[off_ridge] *= 1 - self.thinning
            # A ridge is one pixel wide and jagged: give it the soft flanks of a drawn stroke.
            strength = gaussian_filter(strength, (0, 0.5, 0.5))
        black = np.percentile(strength, self.strongest, axis=(1, 2), keepdims=True)
        # Half a grey level is no edge: a plain photo gives an empty drawing, not its noise.
        ink = np.clip(strength / np.maximum(black, 0.5), 0, 1)
        return np.rint(255 * (1 - ink)).astype(np.uint8)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        return tags


def _colour_gradient(photos):
    """Sobel gradient of the channel where it is strongest, (n, height, width) each.

    Equally bright regions of different colours are edges for a drawer, too.
    """
    slope, weights = [-0.5, 0, 0.5], [0.25, 0.5, 0.25]
    down = correlate1d(correlate1d(photos, slope, axis=1), weights, axis=2)
    right = correlate1d(correlate1d(photos, slope, axis=2), weights, axis=1)
    strength = np.hypot(down, right)
    channel = strength.argmax(axis=3)[..., None]
    return tuple(np.take_along_axis(a, channel, axis=3)[..., 0] for a in (strength, down, right))


def _ridges(strength, down, right):
    """Whether each pixel's gradient is the largest across its edge, shape (n, height, width)."""
    height, width = strength.shape[1:]
    padded = np.pad(strength, ((0, 0), (1, 1), (1, 1)))

    def is_peak(dy, dx):
        before = padded[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        after = padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        return (strength >= before) & (strength > after)

    # The gradient's direction, rounded to the nearest of four lines through the pixel.
    line = np.rint(np.arctan2(down, right) * (4 / np.pi)).astype(np.int8) % 4
    peaks = np.stack([is_peak(0, 1), is_peak(1, 1), is_peak(1, 0), is_peak(1, -1)])
    return np.take_along_axis(peaks, line[None], axis=0)[0]
