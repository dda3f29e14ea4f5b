"""Learned sketch tokens: contours of photos as people draw them.

(Long: one class, a third of it documentation.)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from typing import Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.feature import daisy
from skimage.morphology import skeletonize
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.cluster import MiniBatchKMeans
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._documentation import DocumentationLink
from .._forks import openmp_in_child
from ._channels import channel_planes, draw_lookups, look_up, planes_shape
from ._images import SMALLEST_SIDE, check_images
from ._thinning import fill_between, line_ridges

# Patches whose centre is so near to a contour, in pixels, are neither contour nor background.
_UNCERTAIN = 2
# Share of the features that each node of a tree tries, at one threshold each.
_TRIED = 0.1
# Width in pixels of the smoothing of the probabilities: neighbours were judged apart.
_SMOOTHING = 1.0
# Half of the training patches are contours; in photos background is so many times as frequent.
_BACKGROUND_ODDS = 20
# Probability, by training patches, below which even a photo's clearest contour is not drawn black.
_LEAST_BLACK = 0.5


class SketchTokenizer(DocumentationLink, TransformerMixin, BaseEstimator):
    """Contour maps of photos by learned sketch tokens, dark strokes on white like a sketch.

    Patches around contours that people drew are clustered to `n_tokens` sketch tokens: straight
    lines, corners, junctions, parallel lines [1]_. A forest of extremely randomised trees learns to
    tell from a photo's colours, gradients and self-similarities which token is there, or none. How
    likely any token is at a pixel is how likely people draw a contour there; the ridges of that are
    the drawing.

    Parameters
    ----------
    n_tokens : int, default=150
        Number of sketch tokens.
    patch_size : int, default=35
        Height and width of the patches in pixels, odd.
    contour_level : float, default=0.4
        Where the human contour map is at least this dark, between 0 and 1, is a contour: with a
        mean over annotators, the share of them who drew it.
    n_patches : int, default=60000
        Number of patches to learn from, half of them around contours.
    n_features : int, default=2000
        Number of features of a patch, drawn from all that it has (21,350 at 35 pixels).
    n_estimators : int, default=25
        Number of trees in the forest.
    min_samples_leaf : int, default=10
        Number of patches that a leaf of a tree has at least.
    stride : int, default=2
        The forest looks at every such row and column; between them is interpolated.
    thinning : float, default=0.8
        From 0, soft bands, to 1, where only their ridges stay, see `EdgeTokens`.
    strongest : float, default=96.0
        Percentile of the contours in a photo that is drawn black, see `EdgeTokens`.
    n_jobs : int, default=None
        Number of threads, see scikit-learn's glossary. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws patches, features and what each tree sees, and seeds the clustering. An int for
        repeatable results.

    Attributes
    ----------
    tokens_ : ndarray of float32, shape (n_tokens, patch_size, patch_size)
        The mean contour map of each token's patches, 1 for a contour.
    lookups_ : ndarray of int16, shape (n_features, 2, 3)
        The features of a patch: plane, row and column of two values of which the difference is
        taken.
    forest_ : dict of ndarrays
        The nodes of all trees.

    See Also
    --------
    EdgeTokens : Edges of photos, nothing to learn.

    Notes
    -----
    Fitted, it goes into ``DeepSketchHasher(sketch_tokens=tokenizer)``. Where the hasher is cloned,
    as in a cross-validation, the tokenizer would have to learn again: freeze it with
    `sklearn.frozen.FrozenEstimator`. Train it on photos in which things are about as large, in
    pixels, as in those that it will draw.

    `fit` holds ``n_patches * n_features`` floats (480 MB by default) and scikit-learn's trees. What
    is kept is 12 bytes for each of their nodes.

    The probabilities are those of the training patches, half of which are contours. In photos
    contours are rarer: `transform` takes background for 20 times as frequent, which leaves texture
    faint.

    References
    ----------
    .. [1] J. J. Lim, C. L. Zitnick, P. Dollar, "Sketch Tokens: A Learned Mid-level Representation
       for Contour and Object Detection", CVPR 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh.preprocessing import SketchTokenizer
    >>> photos = np.random.default_rng(0).integers(0, 90, (4, 48, 48, 3), dtype=np.uint8)
    >>> contours = np.zeros((4, 48, 48), dtype=np.uint8)
    >>> for i, edge in enumerate([15, 20, 25, 30]):
    ...     photos[i, :, edge:] += 120
    ...     contours[i, :, edge] = 255
    >>> tokenizer = SketchTokenizer(2, n_features=200, n_estimators=5, random_state=0)
    >>> tokens = tokenizer.fit(photos[:3], contours[:3]).transform(photos[3:])
    >>> tokens.shape, bool(tokens[0, 8:40, 29:32].min() < 50), int(tokens[0, 8:40, :20].min())
    ((1, 48, 48), True, 255)
    """

    _parameter_constraints = {
        "n_tokens": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 5, None, closed="left")],
        "contour_level": [Interval(Real, 0, 1, closed="right")],
        "n_patches": [Interval(Integral, 2, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "thinning": [Interval(Real, 0, 1, closed="both")],
        "strongest": [Interval(Real, 0, 100, closed="right")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_tokens: int = 150,
        *,
        patch_size: int = 35,
        contour_level: float = 0.4,
        n_patches: int = 60_000,
        n_features: int = 2000,
        n_estimators: int = 25,
        min_samples_leaf: int = 10,
        stride: int = 2,
        thinning: float = 0.8,
        strongest: float = 96.0,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_tokens = n_tokens
        self.patch_size = patch_size
        self.contour_level = contour_level
        self.n_patches = n_patches
        self.n_features = n_features
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.stride = stride
        self.thinning = thinning
        self.strongest = strongest
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike | Sequence[ArrayLike],
        y: ArrayLike | Sequence[ArrayLike] | None = None,
    ) -> Self:
        """Learn the tokens, and to find them in photos.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width, 3), or sequence of n photos
            Photos, of different sizes in a sequence: each uint8 (height, width, 3).
        y : array-like, shape (n, height, width), or sequence of n contour maps
            What people drew on each photo, of its height and width: uint8 from 0 to 255, or
            bool, or float from 0 to 1. High values are contours, as in BSDS500.

        Returns
        -------
        self : SketchTokenizer

        Raises
        ------
        ValueError
            If X holds no photos, a contour map does not fit its photo, `patch_size` is even, or
            there are fewer contour patches than tokens, or no background.
        """
        if self.patch_size % 2 == 0:
            raise ValueError(f"patch_size={self.patch_size}: expected an odd number of pixels.")
        pairs = _check_pairs(X, y)
        rng = check_random_state(self.random_state)
        quota = -(-self.n_patches // (2 * len(pairs)))
        places = [_draw_places(contour >= self.contour_level, quota, rng) for _, contour in pairs]
        n_contour = sum(len(on) for on, _ in places)
        n_background = sum(len(off) for _, off in places)
        if n_contour < self.n_tokens or not n_background:
            raise ValueError(
                f"The contour maps have {n_contour} patches around contours (values of at least "
                f"contour_level={self.contour_level}) and {n_background} of background: expected "
                f"at least n_tokens={self.n_tokens} and 1. Give more photos, or lower n_tokens or "
                "contour_level."
            )
        self.lookups_ = draw_lookups(self.n_features, self.patch_size, rng)
        patches = [(*pair, *place) for pair, place in zip(pairs, places, strict=True)]
        classes = np.zeros(n_contour + n_background, dtype=np.intp)
        classes[:n_contour] = 1 + self._learn_tokens(patches, rng)
        self.forest_ = self._learn_forest(patches, classes, rng)
        return self

    def _learn_tokens(self, patches, rng):
        """Cluster the contour patches; set their means; return the cluster of each."""
        radius = self.patch_size // 2

        def describe(patch):
            _, contour, on, _ = patch
            lines = np.pad((contour >= self.contour_level).astype(np.float32), radius)
            return daisy(lines, step=1, radius=radius)[on[:, 0], on[:, 1]]

        descriptors = np.concatenate(self._in_threads(describe, patches))
        k_means = MiniBatchKMeans(self.n_tokens, batch_size=4096, n_init="auto", random_state=rng)
        with openmp_in_child():
            clusters = k_means.fit_predict(descriptors)
        total = np.zeros((self.n_tokens, self.patch_size, self.patch_size), dtype=np.float32)
        start = 0
        for _, contour, on, _ in patches:
            windows = np.lib.stride_tricks.sliding_window_view(
                np.pad(contour, radius), (self.patch_size, self.patch_size)
            )
            np.add.at(total, clusters[start : start + len(on)], windows[on[:, 0], on[:, 1]])
            start += len(on)
        counts = np.bincount(clusters, minlength=self.n_tokens)
        self.tokens_ = total / np.maximum(counts, 1).astype(np.float32)[:, None, None]
        return clusters

    def _learn_forest(self, patches, classes, rng):
        from ._token_forest import flatten_forest  # numba is loaded only where it is used

        features = np.empty((len(classes), len(self.lookups_)), dtype=np.float32)
        ends_on = np.cumsum([len(on) for _, _, on, _ in patches])
        ends_off = ends_on[-1] + np.cumsum([len(off) for _, _, _, off in patches])
        margin = self.patch_size // 2

        def describe(i):
            photo, _, on, off = patches[i]
            planes = channel_planes(photo, self.patch_size)
            for places, end in ((on, ends_on[i]), (off, ends_off[i])):
                rows, columns = places.T + margin
                features[end - len(places) : end] = look_up(planes, rows, columns, self.lookups_)

        self._in_threads(describe, range(len(patches)))
        forest = ExtraTreesClassifier(
            self.n_estimators,
            max_features=_TRIED,
            min_samples_leaf=self.min_samples_leaf,
            n_jobs=self.n_jobs,
            random_state=rng,
        ).fit(features, classes)
        return flatten_forest(forest.estimators_)

    def _check_loaded(self):
        """ValueError if what a file holds is no forest: compiled code walks it unchecked."""
        if hasattr(self, "forest_"):
            from ._token_forest import check_forest

            check_forest(self.forest_, self.lookups_, self.tokens_.shape[1])

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Draw the contours of each photo.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width, 3)
            Photos of at least 32 x 32.

        Returns
        -------
        tokens : ndarray of uint8, shape (n, height, width)
            0 for the most likely contours of a photo, 255 for none.

        Raises
        ------
        ValueError
            If X holds no photos.
        """
        return self._on_each(X, self._draw, np.uint8)

    def contour_probability(self, X: ArrayLike, *, thinned: bool = False) -> NDArray[np.float32]:
        """How likely there is a contour at each pixel.

        Parameters
        ----------
        X : array-like of uint8, shape (n, height, width, 3)
            Photos of at least 32 x 32.
        thinned : bool, default=False
            Whether only the ridges stay, lines about one pixel wide; the rest is 0.

        Returns
        -------
        probability : ndarray of float32, shape (n, height, width)

        Raises
        ------
        ValueError
            If X holds no photos.
        """

        def thin(values):
            return values * line_ridges(values) if thinned else values

        return self._on_each(X, thin, np.float32)

    def _on_each(self, X, finish, dtype):
        """What a function makes of each photo's probabilities, (n, height, width)."""
        from ._token_forest import place_nodes

        check_is_fitted(self)
        self._validate_params()
        X = check_images(X, accept_grey=False, accept_paths=False)
        result = np.empty(X.shape[:3], dtype=dtype)
        nodes = place_nodes(
            self.forest_, self.lookups_, planes_shape(X.shape[1:3], self.tokens_.shape[1])
        )

        def fill(i):
            result[i] = finish(self._see(np.asarray(X[i]), nodes))

        self._in_threads(fill, range(len(result)))
        return result

    def _see(self, photo, nodes):
        """Probability of a contour at each pixel, where half of all patches are contours."""
        from ._token_forest import background_probability

        height, width = photo.shape[:2]
        rows, columns = np.arange(0, height, self.stride), np.arange(0, width, self.stride)
        patch_size = self.tokens_.shape[1]  # what fit has read
        margin = patch_size // 2
        planes = channel_planes(photo, patch_size)
        roots = self.forest_["roots"]
        background = background_probability(nodes, roots, planes, rows + margin, columns + margin)
        contour = 1 - fill_between(background, rows, columns, (height, width))
        return gaussian_filter(contour, _SMOOTHING)

    def _draw(self, probability):
        off_ridge = ~line_ridges(probability)
        strength = _as_in_photos(probability)
        if self.thinning:
            strength[off_ridge] *= 1 - self.thinning
            strength = gaussian_filter(strength, 0.5)  # the soft flanks of a drawn stroke
        black = max(np.percentile(strength, self.strongest), _as_in_photos(_LEAST_BLACK))
        return np.rint(255 * (1 - np.clip(strength / black, 0, 1))).astype(np.uint8)

    def _in_threads(self, function, items):
        """Results of a function on each item, in order. Threads end with the call."""
        n_threads = min(effective_n_jobs(self.n_jobs), len(items))
        if n_threads == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(function, items))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags


def _as_in_photos(probability):
    """Probability of a contour, from that where half of all patches are contours."""
    return probability / (probability + _BACKGROUND_ODDS * (1 - probability))


def _check_pairs(X, y):
    """Photos and their contour maps as float32 from 0 to 1, a list of pairs."""
    if y is None:
        raise ValueError(
            "SketchTokenizer requires y to be passed, but the target y is None: give the contours "
            "that people drew on each photo, fit(photos, contours)."
        )
    if getattr(X, "ndim", 1) > 1:
        X = check_images(X, accept_grey=False, accept_paths=False)
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} photos and y {len(y)} contour maps: expected one each.")
    if not len(X):
        raise ValueError("Found array with 0 sample(s): no photo given.")
    pairs = []
    for i, (photo, contour) in enumerate(zip(X, y, strict=True)):
        photo, contour = np.asarray(photo), np.asarray(contour)
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise ValueError(
                f"X[{i}] of shape {photo.shape} and dtype {photo.dtype} is no photo: expected "
                "uint8 of shape (height, width, 3)."
            )
        if min(photo.shape[:2]) < SMALLEST_SIDE:
            raise ValueError(
                f"X[{i}] of shape {photo.shape}: expected at least {SMALLEST_SIDE} x "
                f"{SMALLEST_SIDE} pixels."
            )
        if contour.shape != photo.shape[:2]:
            raise ValueError(
                f"y[{i}] of shape {contour.shape} is no contour map of X[{i}]: expected its height "
                f"and width, {photo.shape[:2]}."
            )
        pairs.append((photo, _to_share(contour, i)))
    return pairs


def _to_share(contour, i):
    if contour.dtype == np.uint8:
        return contour / np.float32(255)
    if contour.dtype.kind not in "bf" or not (0 <= contour.min() <= contour.max() <= 1):
        raise ValueError(
            f"y[{i}] of dtype {contour.dtype} with values from {contour.min()} to "
            f"{contour.max()}: expected uint8 from 0 to 255, or bool, or float from 0 to 1."
        )
    return contour.astype(np.float32)


def _draw_places(is_contour, quota, rng):
    """Centres of at most `quota` contour and as many background patches, (n, 2) each."""
    centres = np.argwhere(skeletonize(is_contour))
    if is_contour.any():
        far = np.argwhere(distance_transform_edt(~is_contour) > _UNCERTAIN)
    else:
        far = np.argwhere(~is_contour)
    return tuple(places[rng.permutation(len(places))[:quota]] for places in (centres, far))
