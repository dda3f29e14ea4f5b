"""Image files: finding them, and encoding them with progress."""

import os
import sys

import numpy as np

from .._progress import Progress
from ._command import count, note

# A multiple of what the networks read at once, so that codes are those of a single call.
_AT_ONCE = 1024


def find_images(paths, *, labels=False):
    """Image files, each once, in the order given and sorted within folders, and their categories.

    Parameters
    ----------
    paths : sequence of str
        Files, which are taken whatever their names; folders, of which all images below them are
        taken as loaders do; "-" for a list of such on stdin.
    labels : bool, default=False
        Whether categories are wanted: then those that may not be meant are warned of.

    Returns
    -------
    found : dict of str to str
        Absolute path to category: the name of the folder that a file is in; of an image found in a
        folder, as loaders have it, the name of the folder in that one.

    Raises
    ------
    ValueError
        If a path is not there, a folder cannot be read, or no image is found.
    """
    from ..datasets._finding import PassedOver

    found, passed_over, deep = {}, PassedOver(), []
    for item in _given(paths):
        for path, category, n_between in _images_at(item, passed_over):
            found.setdefault(os.path.abspath(path), category)
            if n_between > 1:
                deep.append((path, category, item))
    if not found:
        told = f"No image files under {', '.join(map(repr, paths)) or 'no path'}. {passed_over}"
        raise ValueError(told.rstrip())
    passed_over.tell()
    if labels and deep:
        path, category, folder = deep[0]
        note(
            f"Warning: {count(len(deep), 'image')} are further down than "
            f"{os.path.join(folder, '<category>', '<image>')}, {path!r} first, which counts as "
            f"{category!r}. Give the folder that the categories are in."
        )
    return found


def _given(paths):
    for path in paths:
        if path == "-":
            lines = os.fsdecode(sys.stdin.buffer.read()).split("\n")
            yield from (line.removesuffix("\r") for line in lines if line.strip())
        else:
            yield path


def _images_at(path, passed_over):
    """Images at a path, their categories, and how many folders lie between."""
    from ..datasets._finding import category_of, images_below

    if os.path.isfile(path):
        return [(path, *category_of(path, os.path.dirname(path)))]
    if not os.path.isdir(path):
        raise ValueError(f"There is no file or folder {path!r}.")
    images, others = images_below(path)
    passed_over.files += others
    return [(image, *category_of(image, path)) for image in images]


def encode_files(hasher, paths, view, *, quiet=False, skip_bad=False):
    """Codes of image files.

    Parameters
    ----------
    hasher : fitted hasher, or Pipeline that ends in one
    paths : list of str
    view : {"sketch", "image"}
    quiet : bool, default=False
        Whether to show no progress bar.
    skip_bad : bool, default=False
        Whether to leave out files that cannot be read.

    Returns
    -------
    codes : ndarray of uint8 of shape (n_read, ceil(n_bits / 8))
    bad : dict of str to str
        Paths that were left out, and why.

    Raises
    ------
    ValueError
        If a file (it is named), or with `skip_bad` every one, cannot be read, or the hasher was not
        fitted on this view.
    """
    from ..preprocessing._bit_depth import told_once

    codes, bad = [], {}
    unit = "sketches" if view == "sketch" else "photos"
    with told_once(), Progress(len(paths), unit=unit, desc="Encoding", disable=quiet) as bar:
        for start in range(0, len(paths), _AT_ONCE):
            batch = paths[start : start + _AT_ONCE]
            try:
                codes.append(_encode(hasher, batch, view))
            except ValueError:
                found = _unreadable(batch) if skip_bad else {}
                if not found:
                    raise
                bad |= found
                sound = [path for path in batch if path not in found]
                if sound:
                    codes.append(_encode(hasher, sound, view))
            bar.update(len(batch))
    if not codes:
        raise ValueError(f"None of the {len(paths)} files can be read: {next(iter(bad.values()))}")
    return np.concatenate(codes), bad


def _encode(hasher, paths, view):
    from ..views import SketchImageArray

    # A container, because a Pipeline's transform takes no view; of Python's own str, because one
    # long path would widen all rows of an array of text.
    rows = np.array(paths, dtype=object)
    views = {"sketch": (rows, None), "image": (None, rows)}
    return hasher.transform(SketchImageArray(*views[view]))


def _unreadable(paths):
    from ..preprocessing import load_image

    bad = {}
    for path in paths:
        try:
            load_image(path)
        except ValueError as error:
            bad[path] = str(error)
    return bad
