"""The TU-Berlin sketches and the photos of their extension."""

import os
from numbers import Integral

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from ._files import check_complete, draw_queries, existing_folder, find_folder, two_views
from ._finding import images_by_category

# Eitz et al. (2012), abstract: 20,000 sketches, evenly distributed over 250 categories.
N_CATEGORIES = 250
N_SKETCHES = 20_000
SKETCHES_PER_CATEGORY = 80
# Liu et al. (2017) say 204,489 photos. The archive that is given out holds 204,070
# (https://github.com/YCJGG/GDH/issues/3, https://github.com/AnjanDutta/sem-pcyc/issues/25), and a
# copy of it is whole.
N_PHOTOS_PUBLISHED = 204_489
N_PHOTOS = 204_070

_LEVELS = ("", "TU-Berlin/", "TUBerlin/", "sketches_png/")
_SKETCH_FOLDERS = ("png", "png_ready", "sketches")
_PHOTO_FOLDERS = ("ImageResized", "ImageResized_ready", "images")


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
def load_tu_berlin(
    root: str | os.PathLike[str],
    *,
    extension: bool = True,
    size: int | None = 64,
    n_queries: int = 10,
    random_state: int | np.random.RandomState | None = 0,
    check_counts: bool = True,
) -> Bunch:
    """Read the TU-Berlin sketches [1]_ and the photos of their extension [2]_ [3]_.

    There are 20,000 sketches, 80 of each of 250 categories. They come without photos: the extension
    adds 204,489 of the same categories from the web, of which the archive that is given out holds
    204,070. Nothing is downloaded: get "sketches_png.zip" from the project page of "How Do Humans
    Sketch Objects?" (https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch; CC BY 4.0) and
    the photos, "ImageResized", where the repository of Generative Domain-migration Hashing says
    (https://github.com/YCJGG/GDH/issues/3), and extract them into one folder.

    Read are `png/<category>/<id>.png` and `ImageResized/<category>/*`. Where those folders are
    absent, the copies `png_ready` or `sketches` and `ImageResized_ready` or `images` are read.

    Parameters
    ----------
    root : str or path-like
        The folder that holds `png` (or `sketches_png/png`) and `ImageResized`, or the one around it
        if it is called `TU-Berlin` or `TUBerlin`.
    extension : bool, default=True
        Whether to read the extension's photos. Without them there are sketches alone: `images`,
        `y_image` and `image_paths` are None.
    size : int or None, default=64
        Height and width that images are squeezed to, at least 32. With None nothing is decoded:
        `sketches` and `images` are arrays of paths, which image hashers decode batch by batch. At
        `size=64` the photos take 2.5 GB, at `size=224` 31 GB.
    n_queries : int, default=10
        Number of sketches of each category that are queries, as in [3]_: 2,500 in all. Which
        sketches those authors drew is not published.
    random_state : int, RandomState instance or None, default=0
        Draws the queries.
    check_counts : bool, default=True
        Raise if categories or files are missing. False reads any part.

    Returns
    -------
    data : Bunch
        - sketches : ndarray of uint8, shape (n_sk, size, size), or of str, shape (n_sk,)
        - images : ndarray of uint8, shape (n_img, size, size, 3), or of str, shape (n_img,); all
          are for training and all are the gallery
        - y_sketch, y_image : ndarrays of str, shape (n_sk,) and (n_img,), the categories
        - split_sketch : ndarray of str, shape (n_sk,), "test" for queries, otherwise "train"
        - split_image : None
        - sketch_paths, image_paths : ndarrays of str, shape (n_sk,) and (n_img,)
        - target_names : ndarray of str, the sorted categories

    Raises
    ------
    ValueError
        If a folder is missing, a category folder has no images, counts are too small, a category
        has too few sketches for `n_queries`, or an image cannot be read (its path is named).

    Warns
    -----
    OneViewWarning
        If a category is in one view only.
    PassedOverWarning
        Of what is in the folders and was not read.

    See Also
    --------
    load_sketchy, load_quickdraw : Other data sets of sketches.
    load_sketch_photo_folder : Any sketches and photos, with a split of one's own.

    References
    ----------
    .. [1] M. Eitz, J. Hays and M. Alexa, "How Do Humans Sketch Objects?", ACM Transactions on
       Graphics (SIGGRAPH), 2012.
    .. [2] H. Zhang, S. Liu, C. Zhang, W. Ren, R. Wang and X. Cao, "SketchNet: Sketch Classification
       with Web Images", CVPR, 2016.
    .. [3] L. Liu, F. Shen, Y. Shen, X. Liu and L. Shao, "Deep Sketch Hashing: Fast Free-hand
       Sketch-Based Image Retrieval", CVPR, 2017.

    Examples
    --------
    >>> from sklearn_dsh.datasets import load_tu_berlin
    >>> data = load_tu_berlin("data/TU-Berlin", size=None)  # doctest: +SKIP
    >>> queries = data.split_sketch == "test"  # doctest: +SKIP
    >>> data.sketches[queries], data.images  # queries and gallery  # doctest: +SKIP
    """
    root = existing_folder(root)
    sketches = _images_of(root, _SKETCH_FOLDERS, "sketches of TU-Berlin")
    views = {"sketches": (sketches, N_SKETCHES, SKETCHES_PER_CATEGORY)}
    photos = None
    if extension:
        photos = _images_of(
            root, _PHOTO_FOLDERS, "photos of the TU-Berlin extension (extension=False: without)"
        )
        views["photos"] = (photos, N_PHOTOS, None)
    if check_counts:
        name = "the TU-Berlin extension" if extension else "TU-Berlin"
        check_complete(name, N_CATEGORIES, views)
    return two_views(sketches, photos, size, draw_queries(sketches, n_queries, random_state))


def _images_of(root, names, what):
    names = [level + name for level in _LEVELS for name in names]
    return images_by_category(find_folder([root], names, what))
