"""What the readers of folders share: counting, splitting and decoding image files."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_random_state

from .._labels import shortened, warn_of_one_view
from ..preprocessing import load_image
from ..preprocessing._bit_depth import told_once


def decode_images(paths, size, mode):
    """Read image files into one uint8 array of shape (n, size, size), with "RGB" (..., 3)."""
    shape = (len(paths), size, size) + ((3,) if mode == "RGB" else ())
    pixels = np.empty(shape, dtype=np.uint8)
    with told_once():
        for row, path in zip(pixels, paths, strict=True):
            row[:] = load_image(path, size, mode)
    return pixels


def existing_folder(root):
    """The folder `root` as a Path; ValueError if there is none."""
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"There is no folder {str(root)!r}.")
    return root


def find_folder(roots, names, what):
    """Return the first folder `<root>/<name>` that exists.

    Parameters
    ----------
    roots : list of Path
        Where to look; the first is the one that the user gave.
    names : list of str
        Paths below them, the preferred first.
    what : str
        What is in the folder, for the error.
    """
    for root in roots:
        for name in names:
            if (root / name).is_dir():
                return root / name
    raise ValueError(
        f"Found no {what} under {str(roots[0])!r}: looked for the folders {', '.join(names)} in "
        f"{', '.join(repr(str(root)) for root in roots)}."
    )


def check_complete(name, n_categories, views):
    """Raise if a data set lacks categories or files that its authors published.

    More files than published are no error: the archives hold a few more than the papers say.

    Parameters
    ----------
    name : str
        The data set.
    n_categories : int
        Published number of categories.
    views : dict
        Name, such as "sketches", to what `images_by_category` found, the published number of files
        and the published number in each category, or None where that varies.

    Raises
    ------
    ValueError
        It says what is missing.
    """
    categories = sorted(set().union(*(found for found, _, _ in views.values())))
    lacks = []
    if len(categories) != n_categories:
        lacks.append(f"there are {len(categories)} category folders, expected {n_categories}")
    for view, (found, total, each) in views.items():
        absent = [repr(category) for category in categories if category not in found]
        if absent:
            lacks.append(f"no {view} of {shortened(absent)}")
        if each is not None:
            few = {c: len(files) for c, files in found.items() if len(files) < each}
            if few:
                listed = shortened([f"{c!r} ({n})" for c, n in few.items()])
                lacks.append(f"fewer than {each} {view} of {listed}")
        n_files = sum(map(len, found.values()))
        if n_files < total:
            lacks.append(f"{n_files:,} {view}, expected {total:,}")
    if lacks:
        raise ValueError(
            f"This is not the whole of {name}: {'; '.join(lacks)}. Extract the archives again, or "
            "read a part on purpose: check_counts=False, of the command --part."
        )


def draw_queries(sketches, n_queries, random_state):
    """Draw `n_queries` sketches of each category; "test" for those, "train" for the others."""
    rng = check_random_state(random_state)
    parts = []
    for category, files in sketches.items():
        if len(files) <= n_queries:
            raise ValueError(
                f"Category {category!r} has {len(files)} sketches: n_queries={n_queries} would "
                "leave none to train on. Choose fewer queries (of the command --queries)."
            )
        part = np.full(len(files), "train")
        part[rng.choice(len(files), n_queries, replace=False)] = "test"
        parts.append(part)
    return np.concatenate(parts)


def two_views(sketches, photos, size, split_sketch):
    """Put sketches and photos, as found by category, into a Bunch.

    Parameters
    ----------
    sketches, photos : dict
        Category to list of paths. Photos may be None.
    size : int or None
        None leaves paths undecoded.
    split_sketch : ndarray of str
        The part of the split that each sketch is in.
    """
    if photos is not None:
        warn_of_one_view(list(sketches), list(photos), stacklevel=4)
    data = Bunch()
    for view, key, found, mode in (
        ("sketch", "sketches", sketches, "L"),
        ("image", "images", photos, "RGB"),
    ):
        if found is None:
            data[f"{view}_paths"] = data[f"y_{view}"] = data[key] = None
            continue
        paths = np.array([str(path) for files in found.values() for path in files])
        data[f"{view}_paths"] = paths
        data[f"y_{view}"] = np.repeat(list(found), [len(files) for files in found.values()])
        data[key] = paths if size is None else decode_images(paths, size, mode)
    data.split_sketch = split_sketch
    data.split_image = None
    data.target_names = np.array(sorted({*sketches, *(photos or ())}))
    return data
