"""Drawings of the game Quick, Draw!"""

import json
import os
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from .._array_files import open_array
from .._labels import one_form, shortened
from ..preprocessing import resize_images
from ._files import existing_folder

_BITMAP_SIDE = 28
_LARGEST = 255  # of the coordinates of simplified drawings
# What a browser puts before the names of the files that it saves.
_PREFIXES = {".ndjson": "full_simplified_", ".npy": "full_numpy_bitmap_"}

# Strokes are drawn so many times larger than wanted and then shrunk: smooth edges.
_SCALE = 4
_WIDTH = 1 / 40  # of a stroke, as a part of the picture's height
_MARGIN = 1 / 16


@validate_params(
    {
        "root": [str, os.PathLike],
        "categories": ["array-like", None],
        "max_per_category": [Interval(Integral, 1, None, closed="left"), None],
        "size": [Interval(Integral, 32, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_quickdraw(
    root: str | os.PathLike[str],
    *,
    categories: ArrayLike | None = None,
    max_per_category: int | None = 1000,
    size: int = 64,
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    """Read drawings of the game Quick, Draw! [1]_.

    There are 50 million, of 345 categories, drawn in 20 seconds each. Nothing is downloaded: get
    the files of some categories as the documentation of the Quick, Draw! dataset says
    (https://github.com/googlecreativelab/quickdraw-dataset; CC BY 4.0). Two of its formats are
    read, both from files in `root` itself:

    - simplified drawings, `<category>.ndjson`: one JSON object a line, whose "drawing" is a list of
      strokes `[[x, ...], [y, ...]]` with coordinates from 0 to 255. They are drawn at `size`, in
      the middle, with dark strokes of 1/40 of the height on white. Only the lines that are sampled
      are parsed, and the last, by which a file that was cut off is known.
    - bitmaps, `<category>.npy`: uint8 of shape (n, 784), white strokes on black. They are inverted
      and brought from 28 x 28 to `size`.

    File names may begin with `full_simplified_` or `full_numpy_bitmap_`, as browsers save them. All
    categories are read from one format, since what a picture was rendered by would otherwise tell
    its category: from drawings if every category has them, else from bitmaps.

    Parameters
    ----------
    root : str or path-like
        The folder with the files.
    categories : array-like of str, default=None
        The categories to read; None reads all that are there.
    max_per_category : int or None, default=1000
        A sample of so many is drawn from each category that has more; None reads all.
    size : int, default=64
        Height and width, at least 32.
    random_state : int, RandomState instance or None, default=0
        Draws the samples.

    Returns
    -------
    data : Bunch
        - sketches : ndarray of uint8, shape (n_sk, size, size), dark strokes on white
        - y_sketch : ndarray of str, shape (n_sk,), the categories
        - recognized : ndarray of bool, shape (n_sk,), whether the game recognized the drawing;
          None from bitmaps, which do not say so
        - target_names : ndarray of str, the sorted categories

    Raises
    ------
    ValueError
        If the folder or a category is missing, no one format has all categories, a bitmap file is
        damaged or of another shape, or a line of an ndjson file is broken or no simplified drawing
        (file and line are named).

    See Also
    --------
    load_sketchy, load_tu_berlin : Data sets with sketches and photos.
    load_sketch_photo_folder : Any sketches and photos.

    Notes
    -----
    Quick, Draw! has no photos. For retrieval take those of a folder, and keep the categories that
    both have (see the example).

    References
    ----------
    .. [1] J. Jongejan, H. Rowley, T. Kawashima, J. Kim and N. Fox-Gieg, "The Quick, Draw! -
       A.I. Experiment", 2016, https://quickdraw.withgoogle.com.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh.datasets import load_quickdraw, load_sketch_photo_folder
    >>> photos = load_sketch_photo_folder("my_folder")  # doctest: +SKIP
    >>> drawn = load_quickdraw("data/quickdraw", categories=photos.target_names)  # doctest: +SKIP
    >>> X_sk, X_img = drawn.sketches, photos.images  # doctest: +SKIP
    >>> y = (drawn.y_sketch, photos.y_image)  # doctest: +SKIP
    """
    files = _choose_files(existing_folder(root), categories)
    rng = check_random_state(random_state)
    sketches, labels, recognized = [], [], []
    for category, path in files.items():
        if path.suffix == ".npy":
            pixels = _read_bitmaps(path, max_per_category, size, rng)
        else:
            pixels, was_recognized = _read_drawings(path, max_per_category, size, rng)
            recognized.append(was_recognized)
        sketches.append(pixels)
        labels += [category] * len(pixels)
    return Bunch(
        sketches=np.concatenate(sketches),
        y_sketch=np.array(labels),
        recognized=np.concatenate(recognized) if recognized else None,
        target_names=np.array(list(files)),
    )


def _choose_files(root, categories):
    """Map the sorted categories to their files, all of one format."""
    found = {}
    for suffix, prefix in _PREFIXES.items():
        found[suffix] = {}
        for path in sorted(root.glob(f"[!.]*{suffix}")):
            category = one_form(path.stem.removeprefix(prefix))
            if category in found[suffix]:
                raise ValueError(f"Two files of one category: {found[suffix][category]}, {path}.")
            found[suffix][category] = path
    there = {*found[".ndjson"], *found[".npy"]}
    if not there:
        raise ValueError(
            f"There are no drawings in {str(root)!r}: expected <category>.ndjson (simplified "
            "drawings) or <category>.npy (bitmaps)."
        )
    wanted = sorted(there if categories is None else {one_form(str(name)) for name in categories})
    if not wanted:
        raise ValueError("categories is empty: expected names of categories, or None for all.")
    absent = [repr(name) for name in wanted if name not in there]
    if absent:
        raise ValueError(
            f"There are no files of {shortened(absent)} in {str(root)!r}: expected "
            "<category>.ndjson or <category>.npy for each of the categories."
        )
    for of_format in found.values():
        if all(name in of_format for name in wanted):
            return {name: of_format[name] for name in wanted}
    mixed = [shortened([repr(c) for c in wanted if c not in found[s]]) for s in (".ndjson", ".npy")]
    raise ValueError(
        f"Categories of different formats in {str(root)!r}: no .ndjson of {mixed[0]}; no .npy of "
        f"{mixed[1]}. Get all in one format, or choose with categories=."
    )


def _sample(n, largest, rng):
    """Row numbers of a sorted sample of at most `largest` of n."""
    if largest is None or n <= largest:
        return np.arange(n)
    return np.sort(rng.choice(n, largest, replace=False))


def _read_bitmaps(path, largest, size, rng):
    try:
        bitmaps = open_array(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"Cannot read the bitmaps {str(path)!r}: {error}.") from error
    n_pixels = _BITMAP_SIDE**2
    if bitmaps.dtype != np.uint8 or bitmaps.ndim != 2 or bitmaps.shape[1] != n_pixels:
        raise ValueError(
            f"{str(path)!r} holds {bitmaps.dtype} of shape {bitmaps.shape}: expected uint8 of "
            f"shape (n, {n_pixels})."
        )
    if len(bitmaps) == 0:
        raise ValueError(f"{str(path)!r} holds no drawings.")
    rows = np.asarray(bitmaps[_sample(len(bitmaps), largest, rng)])
    return resize_images(255 - rows.reshape(-1, _BITMAP_SIDE, _BITMAP_SIDE), size)


def _read_drawings(path, largest, size, rng):
    """Drawings of an ndjson file, rendered, and whether each was recognized."""
    with open(path, "rb") as file:
        places, offset = [], 0
        for number, line in enumerate(file, start=1):
            if line.strip():
                places.append((offset, number))
            offset += len(line)
        if not places:
            raise ValueError(f"{str(path)!r} holds no drawings.")
        rows = _sample(len(places), largest, rng)
        pixels = np.empty((len(rows), size, size), dtype=np.uint8)
        recognized = np.empty(len(rows), dtype=bool)
        for i, row in enumerate(rows):
            strokes, recognized[i] = _drawing_at(file, path, *places[row])
            pixels[i] = _render(strokes, size)
        if rows[-1] != len(places) - 1:  # it may be cut off
            _drawing_at(file, path, *places[-1])
    return pixels, recognized


def _drawing_at(file, path, offset, number):
    file.seek(offset)
    try:
        return _parse(file.readline())
    except ValueError as error:
        raise ValueError(f"{str(path)!r}, line {number}: {error}.") from error


def _parse(line):
    """Strokes of a drawing as arrays of shape (2, n_points), and whether it was recognized."""
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"broken JSON ({error})") from error
    for key, kind in (("drawing", list), ("recognized", bool)):
        if not isinstance(item, dict) or not isinstance(item.get(key), kind):
            raise ValueError(f'expected a JSON object with a {kind.__name__} "{key}"')
    if not item["drawing"]:
        raise ValueError("a drawing without strokes")
    strokes = []
    for given in item["drawing"]:
        try:
            stroke = np.array(given)
        except ValueError:  # of lists of different length
            stroke = np.empty(0)
        if stroke.ndim != 2 or len(stroke) != 2 or stroke.shape[1] == 0:
            raise ValueError(
                "a stroke is not [[x, ...], [y, ...]], as in simplified drawings (raw ones have "
                "times too)"
            )
        are_numbers = stroke.dtype.kind in "iuf"
        if not (are_numbers and np.all((stroke >= 0) & (stroke <= _LARGEST))):
            raise ValueError(
                f"coordinates outside 0 to {_LARGEST}, the range of simplified drawings"
            )
        strokes.append(stroke.astype(float))
    return strokes, item["recognized"]


def _render(strokes, size):
    """Draw strokes in the middle of a white picture; uint8 of shape (size, size)."""
    side = size * _SCALE
    points = np.concatenate(strokes, axis=1)
    middle = (points.min(axis=1) + points.max(axis=1)) / 2
    scale = (1 - 2 * _MARGIN) * side / _LARGEST
    width = max(1, round(_WIDTH * side))
    radius = (width - 1) / 2  # between the middles of pixels, as coordinates are
    picture = Image.new("L", (side, side), 255)
    painter = ImageDraw.Draw(picture)
    for stroke in strokes:
        # Pillow counts from the middle of the first pixel, half a pixel in.
        corners = (stroke - middle[:, None]).T * scale + (side - 1) / 2
        painter.line([tuple(p) for p in corners], fill=0, width=width, joint="curve")
        for x, y in corners[[0, -1]]:  # round ends; a single point becomes a dot
            painter.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX))
