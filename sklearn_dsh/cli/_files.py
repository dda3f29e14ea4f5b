"""Image files: finding them, and encoding them with progress."""

import os
import sys
from pathlib import Path

import numpy as np

from .._progress import Progress

# A multiple of what the networks read at once, so that codes are those of a single call.
_AT_ONCE = 1024


def find_images(paths):
    """Absolute paths of image files, each once, in the order given and sorted within folders.

    Parameters
    ----------
    paths : sequence of str
        Files, which are taken whatever their names; folders, of which all below them that are
        images by their suffix, and not hidden, are taken; "-" for a list of such on stdin.

    Raises
    ------
    ValueError
        If a path is not there, or no image is found.
    """
    found = []
    for path in paths:
        if path == "-":
            lines = os.fsdecode(sys.stdin.buffer.read()).split("\n")
            listed = [line.removesuffix("\r") for line in lines if line.strip()]
        else:
            listed = [path]
        for item in listed:
            found += _images_at(item)
    if not found:
        raise ValueError(f"No image files under {', '.join(map(repr, paths)) or 'no path'}.")
    return list(dict.fromkeys(os.path.abspath(path) for path in found))


def _images_at(path):
    from ..datasets._files import IMAGE_SUFFIXES

    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise ValueError(f"There is no file or folder {path!r}.")
    found = []
    for folder, files in _folders(path):
        for name in sorted(files):
            if name[0] != "." and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                found.append(os.path.join(folder, name))
    return found


def _folders(path):
    """The folder and those below it, with the names of their files; behind links last, once each.

    A link to a folder that this one is in is not followed.
    """
    root, waiting, seen = Path(os.path.realpath(path)), [path], set()
    while waiting:
        for folder, folders, files in os.walk(waiting.pop(0), onerror=_fail):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if name[0] != ".")
            for name in folders:
                link = os.path.join(folder, name)
                if os.path.islink(link) and not root.is_relative_to(os.path.realpath(link)):
                    waiting.append(link)
            yield folder, files


def _fail(error):
    raise error


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
