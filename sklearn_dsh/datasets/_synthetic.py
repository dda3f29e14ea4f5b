"""Synthetic sketches and photos of a few categories."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from ._rendering import render_photo, render_sketch
from ._shapes import CATEGORIES


@validate_params(
    {
        "n_categories": [Interval(Integral, 2, len(CATEGORIES), closed="both")],
        "n_sketches": [Interval(Integral, 1, None, closed="left")],
        "n_photos": [Interval(Integral, 1, None, closed="left")],
        "size": [Interval(Integral, 32, None, closed="left")],
        "difficulty": [Interval(Real, 0, 2, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_sketch_photo(
    *,
    n_categories: int = 8,
    n_sketches: int = 600,
    n_photos: int = 600,
    size: int = 64,
    difficulty: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Draw sketches and photos of synthetic objects, such as boats, cups and trees.

    Photos show an object with texture and shading, in some pose, on a cluttered background and
    partly hidden at times. Sketches show other members of the same categories, drawn with wobbly
    strokes, wrong proportions and things left out. Nothing is paired. For trying things out:
    figures on these data say little about real ones.

    Parameters
    ----------
    n_categories : int, default=8
        From 2 to 13.
    n_sketches, n_photos : int, default=600
        Number in all; categories differ by at most one.
    size : int, default=64
        Height and width, at least 32.
    difficulty : float, default=1.0
        Scales clutter, variation in pose, wobble and omissions, from 0 to 2.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data each time.

    Returns
    -------
    data : Bunch
        - sketches : ndarray of uint8, shape (n_sketches, size, size), dark strokes on white
        - images : ndarray of uint8, shape (n_photos, size, size, 3)
        - y_sketch, y_image : ndarrays of str, shape (n_sketches,) and (n_photos,)
        - target_names : ndarray of str, the sorted categories

    Raises
    ------
    ValueError
        If a parameter is out of range.

    See Also
    --------
    load_sketch_photo_folder : Real images from disk.

    Examples
    --------
    >>> from sklearn_dsh import make_sketch_photo
    >>> data = make_sketch_photo(n_categories=3, n_sketches=6, n_photos=9, random_state=0)
    >>> data.sketches.shape, data.images.shape, data.target_names.tolist()
    ((6, 64, 64), (9, 64, 64, 3), ['boat', 'car', 'cup'])
    """
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    names = np.array(list(CATEGORIES)[:n_categories])
    views = []
    for n, render in ((n_sketches, render_sketch), (n_photos, render_photo)):
        labels = rng.permutation(np.resize(names, n))
        pictures = [
            render(CATEGORIES[label](rng), size, rng, difficulty=difficulty) for label in labels
        ]
        views.append((np.stack(pictures), labels))
    (sketches, y_sketch), (images, y_image) = views
    return Bunch(
        sketches=sketches,
        images=images,
        y_sketch=y_sketch,
        y_image=y_image,
        target_names=np.sort(names),
    )
