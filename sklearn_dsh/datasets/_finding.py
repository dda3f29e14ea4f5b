"""Image files in folders: which files are images, what is in a folder, and what is passed over.

Loaders and commands look here, so that all find the same in the same folder.
"""

import os
import warnings
from collections import Counter
from pathlib import Path

from .._labels import one_form, shortened
from ..exceptions import PassedOverWarning

# Of what Pillow reads: pictures. Others are documents, scientific data, or run other programs.
IMAGE_SUFFIXES = {
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".jpx", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif",
    ".tiff", ".webp",
}  # fmt: skip
_OF_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini"}  # hidden where they are made


def is_image(name):
    """Whether a file is an image by the suffix of its name."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def images_below(folder):
    """Files in a folder and in those below it, sorted in each, what is hidden left out.

    Links are followed, last of all; a folder is read once, however many links lead to it.

    Parameters
    ----------
    folder : str or path-like

    Returns
    -------
    images, others : list of str
        Paths of the images, by their suffix, and of other files; they begin with `folder`.

    Raises
    ------
    ValueError
        If a folder cannot be read, or is gone meanwhile; it is named.
    """
    images, others = [], []
    for where, names in _folders(folder):
        for name in sorted(names):
            if name[0] != "." and name.lower() not in _OF_SYSTEMS:
                (images if is_image(name) else others).append(os.path.join(where, name))
    return images, others


def _folders(path):
    """The folder and those below it, with the names of their files; behind links last, once each.

    A link to a folder that this one is in is not followed.
    """
    root, waiting, seen = Path(os.path.realpath(path)), [os.fspath(path)], set()
    while waiting:
        for folder, folders, files in os.walk(waiting.pop(0), onerror=_cannot_be_read):
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


def _cannot_be_read(error):
    raise ValueError(
        f"Cannot read the folder {error.filename!r}: {error.strerror}. Nothing in it may be left "
        "out unnoticed: make it readable, or remove it."
    ) from error


def category_of(image, folder):
    """The category of an image found in a folder, and how many folders lie between the two.

    It is the name of the folder in `folder` in which, at whatever depth, the image is; of an image
    that is in `folder` itself, the name of that.
    """
    first, *others = _parts(image, folder)
    if not others:
        return one_form(os.path.basename(os.path.abspath(folder))), 0
    return one_form(first), len(others)


def _parts(path, folder):
    """What of a path, found in a folder, comes after that."""
    return os.fspath(path)[len(os.fspath(folder)) :].lstrip(os.sep).split(os.sep)


class PassedOver:
    """What folders hold and was not read, or not as it may be meant; told in one warning."""

    def __init__(self):
        self.folders = {}  # of categories, and why nothing was read there
        self.files = []  # that are no images
        self.loose = []  # images in no category
        self.inner = {}  # folders of categories to those in them that have all the images

    def __str__(self):
        told = []
        if self.folders:
            reasons = [f"{path!r} ({why})" for path, why in self.folders.items()]
            told.append(f"Nothing was read in category folders: {shortened(reasons)}.")
        if self.loose:
            told.append(f"Images in no category folder: {shortened(list(map(repr, self.loose)))}.")
        if self.files:
            told.append(
                f"No images by their suffix: {_by_suffix(self.files)}, {self.files[0]!r} first. "
                f"Images have {', '.join(sorted(IMAGE_SUFFIXES))}: rename or convert what is one."
            )
        for path, names in self.inner.items():
            told.append(
                f"All images of {path!r} are in folders in it, {shortened(list(map(repr, names)))},"
                f" and count as {Path(path).name!r}: if those are the categories, move them up."
            )
        return " ".join(told)

    def tell(self, stacklevel=2):
        """Warn, if there is anything to tell."""
        if told := str(self):
            text = f"Not all that the folders hold was read, or not as it may be meant. {told}"
            warnings.warn(text, PassedOverWarning, stacklevel=stacklevel + 1)


def find_categories(folder, passed_over):
    """Map the category folders of a folder that have images, sorted, to sorted lists of these.

    Parameters
    ----------
    folder : Path
        Each folder in it is a category, and what is below that belongs to it.
    passed_over : PassedOver
        Takes what was not read.

    Returns
    -------
    found : dict of str to list of Path
        Names in one Unicode form; files have the names that they have.

    Raises
    ------
    ValueError
        If a folder cannot be read; it is named.
    """
    images, others = images_below(folder)
    found, inner = {}, {}
    for path in images:
        category, n_between = category_of(path, folder)
        if n_between == 0:
            passed_over.loose.append(path)
            continue
        found.setdefault(category, []).append(Path(path))
        names = _parts(path, folder)
        inner.setdefault(names[0], set()).add(names[1] if n_between > 1 else None)
    # Other files beside the categories' folders are in no category: a list of contents, say.
    passed_over.files += [path for path in others if category_of(path, folder)[1]]
    for name, names in inner.items():
        if None not in names:
            passed_over.inner[str(folder / name)] = sorted(names)
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name[0] != "." and path.name not in inner:
            passed_over.folders[str(path)] = _why_empty(path, others)
    return {category: sorted(found[category]) for category in sorted(found)}


def _why_empty(folder, others):
    here = [path for path in others if folder in Path(path).parents]
    if here:
        return f"only files that are no images by their suffix: {_by_suffix(here)}"
    if folder.is_symlink() and any(folder.iterdir()):
        return "a link to a folder that is read already, or that this one is in"
    return "it is empty"


def _by_suffix(paths):
    suffixes = Counter(Path(path).suffix.lower() or "no suffix" for path in paths)
    return shortened([f"{suffix} ({n:,})" for suffix, n in suffixes.most_common()])


def images_by_category(folder):
    """Map the category folders of a folder, sorted, to sorted lists of the images in them.

    What is passed over is warned of.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    found : dict of str to list of Path

    Raises
    ------
    ValueError
        If there is no category folder, one without images, or one that cannot be read.
    """
    passed_over = PassedOver()
    found = find_categories(folder, passed_over)
    if passed_over.folders:
        path, why = next(iter(passed_over.folders.items()))
        raise ValueError(
            f"The category folder {path!r} holds no images ({why}): extract it again, or remove it."
        )
    if not found:
        what = "has no category folders" if str(passed_over) else "is empty"
        told = f"{str(folder)!r} {what}: expected {folder.name}/<category>/<image>. {passed_over}"
        raise ValueError(told.rstrip())
    passed_over.tell(stacklevel=5)
    return found
