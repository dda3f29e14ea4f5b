"""Sketches and photos in folders on disk."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from .._labels import one_form, warn_of_one_view
from ._files import decode_images
from ._finding import PassedOver, find_categories

_COLUMNS = ("path", "view", "label", "split")
_FOLDERS = ("sketch", "photo")
_PARTS = ("train", "test")  # the names that protocols go by


def load_sketch_photo_folder(
    root: str | os.PathLike[str],
    *,
    split: str | Mapping[str, str | None] | None = None,
    size: int | None = 64,
) -> Bunch:
    """Read a folder of sketches and photos, one subfolder per category.

    The files are `<root>/sketch/<category>/*` and `<root>/photo/<category>/*`, and what is in
    folders below those of the categories. Without a `split.csv` they are taken in sorted order;
    what begins with a dot is passed over, and so are, with a warning, files that are no images by
    their suffix. Names of categories come in the Unicode form NFC, so that a folder "café" from one
    system is that from another. With a `<root>/split.csv`, whose columns are `path` (from
    the root), `view` ("sketch" or "photo"), `label` and `split` (say, "train" or "test"), exactly
    the files that it lists are taken, in its order.

    Parameters
    ----------
    root : str or path-like
        The folder.
    split : str or dict, default=None
        Which part of the split to read: None everything, a name that part of both views, a dict
        with keys "sketch" and "image" a part per view (a view that is left out or None is read
        whole). Training on training sketches and all photos: `split={"sketch": "train"}`.
    size : int or None, default=64
        Height and width that images are brought to, at least 32. With None nothing is decoded:
        `sketches` and `images` are arrays of paths, which image hashers decode batch by batch.

    Returns
    -------
    data : Bunch
        - sketches : ndarray of uint8, shape (n_sk, size, size), or of str, shape (n_sk,)
        - images : ndarray of uint8, shape (n_img, size, size, 3), or of str, shape (n_img,)
        - y_sketch, y_image : ndarrays of str, shape (n_sk,) and (n_img,), the categories
        - split_sketch, split_image : ndarrays of str of the same shapes, the part of the split that
          each item is in; None without a split.csv
        - sketch_paths, image_paths : ndarrays of str of the same shapes
        - target_names : ndarray of str, the sorted categories

    Raises
    ------
    ValueError
        If the folder or a view is missing or empty, split.csv is malformed or lists a file twice,
        the part asked for does not exist, or a file or folder cannot be read (its path is named).

    Warns
    -----
    OneViewWarning
        If a category is in one view only.
    PassedOverWarning
        Without a split.csv, of what is in the folders and was not read: other files, category
        folders without images.

    See Also
    --------
    make_sketch_photo : Synthetic sketches and photos.
    load_sketchy, load_tu_berlin, load_quickdraw : Research data sets as they are distributed.

    Examples
    --------
    >>> from sklearn_dsh import load_sketch_photo_folder
    >>> data = load_sketch_photo_folder("my_folder")  # doctest: +SKIP
    >>> train = data.split_sketch == "train"  # doctest: +SKIP
    >>> data.sketches[train], data.images  # train sketches and all photos  # doctest: +SKIP
    """
    if size is not None and size < 32:
        raise ValueError(f"size={size!r}: expected at least 32, or None for paths.")
    root = Path(root)
    if not root.is_dir():
        raise ValueError(
            f"There is no folder {str(root)!r}: expected one that holds sketch/<category>/* and "
            "photo/<category>/*."
        )
    wanted = _wanted_parts(split)
    table = root / "split.csv"
    has_split = table.is_file()
    if not has_split and any(wanted.values()):
        raise ValueError(f"split={split!r} was asked for, but there is no {str(table)!r}.")
    passed_over = PassedOver()
    items = _listed_items(table) if has_split else _found_items(root, passed_over)

    data = Bunch()
    for view, folder, mode in (("sketch", "sketch", "L"), ("image", "photo", "RGB")):
        rows = [item for item in items if item["view"] == folder]
        parts = sorted({item["split"] for item in rows})
        if wanted[view]:
            rows = [item for item in rows if item["split"] == wanted[view]]
        if not rows:
            hint = f" with split {wanted[view]!r} (there are {parts})" if wanted[view] else ""
            raise ValueError(
                f"No {folder} files{hint} under {str(root)!r}: expected {folder}/<category>/<image>"
                + (f" listed in {str(table)!r}." if has_split else f". {passed_over}".rstrip())
            )
        paths = np.array([str(root / item["path"]) for item in rows])
        data[f"{view}_paths"] = paths
        data[f"y_{view}"] = np.array([item["label"] for item in rows])
        data[f"split_{view}"] = np.array([item["split"] for item in rows]) if has_split else None
        pixels = paths if size is None else decode_images(paths, size, mode)
        data["sketches" if view == "sketch" else "images"] = pixels
    data.target_names = np.union1d(data.y_sketch, data.y_image)
    passed_over.tell()
    # Of the whole folder, whatever part is wanted.
    of_views = [[item["label"] for item in items if item["view"] == view] for view in _FOLDERS]
    warn_of_one_view(*of_views, stacklevel=2)
    return data


def _wanted_parts(split):
    if split is None or isinstance(split, str):
        return {"sketch": split, "image": split}
    if isinstance(split, Mapping) and set(split) <= {"sketch", "image"}:
        return {"sketch": split.get("sketch"), "image": split.get("image")}
    raise ValueError(
        f"split={split!r}: expected None, the name of a part such as 'train', or a dict with keys "
        "'sketch' and 'image'."
    )


def _found_items(root, passed_over):
    return [
        {"path": path.relative_to(root), "view": view, "label": category, "split": ""}
        for view in _FOLDERS
        if (root / view).is_dir()
        for category, images in find_categories(root / view, passed_over).items()
        for path in images
    ]


def _listed_items(table):
    columns, rows, is_whole = _read_table(table)
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise ValueError(
            f"{str(table)!r} has the columns {columns}: expected {list(_COLUMNS)}, missing "
            f"{missing}."
        )
    items, lines = [], {}
    for number, item in rows:
        where = f"{str(table)!r}, line {number}"
        for name in ("view", "label", "split"):
            item[name] = (item[name] or "").strip()
        if not all(item[name] for name in _COLUMNS):
            raise ValueError(f"{where}: an empty field, expected a value for {list(_COLUMNS)}.")
        if any(item.get(None, ())):
            raise ValueError(
                f"{where}: {item[None]} beyond the columns {columns}. A field that holds a comma "
                "is put into double quotes."
            )
        item["label"] = one_form(item["label"])
        if item["view"] not in _FOLDERS:
            raise ValueError(f"{where}: view {item['view']!r}, expected 'sketch' or 'photo'.")
        if not os.path.isfile(table.parent / item["path"]):
            raise ValueError(f"{where}: there is no file {item['path']!r}.")
        if len(item["split"].splitlines()) > 1:
            raise ValueError(f"{where}: a split of several lines, as after a quote too many.")
        if item["split"].lower() in _PARTS and item["split"] not in _PARTS:
            raise ValueError(
                f"{where}: split {item['split']!r}, expected {item['split'].lower()!r}."
            )
        line = lines.setdefault(os.path.abspath(table.parent / item["path"]), number)
        if line != number:
            raise ValueError(f"{where}: {item['path']!r} is in line {line} already.")
        items.append(item)
    if items and not is_whole and columns[-1] in ("label", "split"):
        _check_last([item[columns[-1]] for item in items], columns[-1], where)
    return items


def _read_table(table):
    """Columns, rows with the number of their line, and whether the last line is ended."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(table)!r} is no text in UTF-8: {error}.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ValueError(
            f"{str(table)!r}, line {reader.reader.line_num}: no sound CSV, {error}."
        ) from error
    return columns, rows, text.endswith(("\n", "\r"))


def _check_last(values, name, where):
    """ValueError if the last is the beginning of another: the file was cut off in it, then."""
    *others, last = values
    whole = sorted({other for other in others if other.startswith(last)})
    if whole and last not in whole:
        raise ValueError(
            f"{where}: the file ends in the {name} {last!r}, which seems to be {whole[0]!r} cut "
            "off. Get the file again, or end it with a line break."
        )
