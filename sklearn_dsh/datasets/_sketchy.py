"""The Sketchy database and its extension."""

import os
import re
from numbers import Integral

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from ._files import check_complete, draw_queries, existing_folder, find_folder, two_views
from ._finding import images_by_category

# Sangkloy et al. (2016), and the project page. The archive holds 75,481 sketches, ten more
# (https://github.com/AnjanDutta/sem-pcyc/issues/25).
N_CATEGORIES = 125
N_SKETCHES = 75_471
N_PHOTOS = 12_500
PHOTOS_PER_CATEGORY = 100
# Liu et al. (2017): 60,502 photos from ImageNet are added. The archive holds all 73,002.
N_PHOTOS_EXTENDED = 73_002

_LEVELS = (
    "",
    "256x256/",
    "rendered_256x256/",
    "rendered_256x256/256x256/",
    "Sketchy/",
    "Sketchy/256x256/",
)
_RENDERINGS = ("tx_000000000000", "tx_000000000000_ready")
_EXTENSIONS = ("EXTEND_image_sketchy", "EXTEND_image_sketchy_ready", "extended_photo")


@validate_params(
    {
        "root": [str, os.PathLike],
        "extension": ["boolean"],
        "size": [Interval(Integral, 32, None, closed="left"), None],
        "n_queries": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
        "check_counts": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_sketchy(
    root: str | os.PathLike[str],
    *,
    extension: bool = True,
    size: int | None = 64,
    n_queries: int = 50,
    random_state: int | np.random.RandomState | None = 0,
    check_counts: bool = True,
) -> Bunch:
    """Read the Sketchy database [1]_, with the photos that [2]_ added to it.

    Sketchy has 75,471 sketches of 125 categories, each drawn after one of 12,500 photos; the
    extension brings the photos to 73,002. Nothing is downloaded: get "rendered_256x256" from the
    project page of the Sketchy database (https://sketchy.eye.gatech.edu) and the extra photos from
    the repository of Deep Sketch Hashing (https://github.com/ymcidence/DeepSketchHashing), and
    extract them into one folder.

    Read are `256x256/sketch/tx_000000000000/<category>/<photo>-<n>.png`,
    `256x256/photo/tx_000000000000/<category>/<photo>.jpg` and
    `EXTEND_image_sketchy/<category>/*`, which may lie in or beside `256x256`. Resized copies whose
    folder names end in `_ready` are read where the folders above are absent.

    The extension's archive contains the 12,500 photos again: a photo that is in both folders of a
    category under one name is taken once, from `photo`.

    Parameters
    ----------
    root : str or path-like
        The folder that holds `sketch` and `photo`, or one of those around it: `256x256`,
        `rendered_256x256`, or the folder that these are in.
    extension : bool, default=True
        Whether to read the extension's photos too. It must be in `root` or below.
    size : int or None, default=64
        Height and width that images are squeezed to, at least 32. With None nothing is decoded:
        `sketches` and `images` are arrays of paths, which image hashers decode batch by batch. At
        `size=64` the photos take 0.9 GB, at `size=224` 11 GB.
    n_queries : int, default=50
        Number of sketches of each category that are queries, as in [2]_: 6,250 in all. Which
        sketches those authors drew is not published.
    random_state : int, RandomState instance or None, default=0
        Draws the queries.
    check_counts : bool, default=True
        Raise if categories or files that were published are missing. False reads any part.

    Returns
    -------
    data : Bunch
        - sketches : ndarray of uint8, shape (n_sk, size, size), or of str, shape (n_sk,)
        - images : ndarray of uint8, shape (n_img, size, size, 3), or of str, shape (n_img,); all
          are for training and all are the gallery
        - y_sketch, y_image : ndarrays of str, shape (n_sk,) and (n_img,), the categories
        - split_sketch : ndarray of str, shape (n_sk,), "test" for queries, otherwise "train"
        - split_image : None
        - sketch_groups, image_groups : ndarrays of str, shape (n_sk,) and (n_img,),
          "<category>/<photo>": the photo that a sketch was drawn after, and the photo itself. For
          `SketchKFold` and `StratifiedViewKFold`, and for retrieving that very photo.
        - sketch_paths, image_paths : ndarrays of str, shape (n_sk,) and (n_img,)
        - target_names : ndarray of str, the sorted categories

    Raises
    ------
    ValueError
        If a folder is missing, a category folder has no images, counts are not those published,
        a category has too few sketches for `n_queries`, or an image cannot be read (its path is
        named).

    Warns
    -----
    OneViewWarning
        If a category is in one view only.
    PassedOverWarning
        Of what is in the folders and was not read.

    See Also
    --------
    load_tu_berlin, load_quickdraw : Other data sets of sketches.
    load_sketch_photo_folder : Any sketches and photos, with a split of one's own.

    References
    ----------
    .. [1] P. Sangkloy, N. Burnell, C. Ham and J. Hays, "The Sketchy Database: Learning to Retrieve
       Badly Drawn Bunnies", ACM Transactions on Graphics (SIGGRAPH), 2016.
    .. [2] L. Liu, F. Shen, Y. Shen, X. Liu and L. Shao, "Deep Sketch Hashing: Fast Free-hand
       Sketch-Based Image Retrieval", CVPR, 2017.

    Examples
    --------
    >>> from sklearn_dsh.datasets import load_sketchy
    >>> data = load_sketchy("data/Sketchy", size=None)  # doctest: +SKIP
    >>> train = data.split_sketch == "train"  # doctest: +SKIP
    >>> data.sketches[train], data.images  # what to train on  # doctest: +SKIP
    """
    root = existing_folder(root)
    sketch_names = [f"{level}sketch/{name}" for level in _LEVELS for name in _RENDERINGS]
    sketch_folder = find_folder([root], sketch_names, "sketches of the Sketchy database")
    base = sketch_folder.parent.parent
    photo_names = [f"photo/{name}" for name in _RENDERINGS]
    photo_folder = find_folder([base], photo_names, "photos of the Sketchy database")
    sketches = images_by_category(sketch_folder)
    photos = images_by_category(photo_folder)
    views = {
        "sketches": (sketches, N_SKETCHES, None),
        "photos": (photos, N_PHOTOS, PHOTOS_PER_CATEGORY),
    }
    if extension:
        roots = [root] + [f for f in (base.parent, base) if f != root and f.is_relative_to(root)]
        extra = images_by_category(
            find_folder(roots, _EXTENSIONS, "photos of the extension (extension=False: without)")
        )
        photos = _together(photos, extra)
        views["photos of the extension"] = (extra, 0, None)
        views["photos in all"] = (photos, N_PHOTOS_EXTENDED, None)
    if check_counts:
        check_complete("the Sketchy database", N_CATEGORIES, views)
    split_sketch = draw_queries(sketches, n_queries, random_state)
    data = two_views(sketches, photos, size, split_sketch)
    data.sketch_groups = np.array(
        [f"{c}/{_reference(path)}" for c, files in sketches.items() for path in files]
    )
    data.image_groups = np.array([f"{c}/{p.stem}" for c, files in photos.items() for p in files])
    return data


def _together(photos, extra):
    """Photos of both folders by category, each name once."""
    together = {}
    for category in sorted({*photos, *extra}):
        own = photos.get(category, [])
        names = {path.stem for path in own}
        together[category] = own + [p for p in extra.get(category, []) if p.stem not in names]
    return together


def _reference(sketch):
    """Name of the photo that a sketch was drawn after: n02691156_58 of n02691156_58-3.png."""
    match = re.fullmatch(r"(.+)-\d+", sketch.stem)
    return match[1] if match else sketch.stem
