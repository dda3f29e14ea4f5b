"""Which files a model was trained on, so that measuring on the same ones is noticed."""

import hashlib
import os

import numpy as np


def item_ids(paths, root):
    """Numbers of files, by their paths below a folder and their sizes in bytes.

    Neither moving the folder nor another mount point changes them.

    Parameters
    ----------
    paths : iterable of str
    root : str

    Returns
    -------
    ids : ndarray of uint64 of shape (n_paths,)
    """
    ids = []
    for path in paths:
        text = f"{os.path.relpath(path, root)}\0{os.stat(path).st_size}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        ids.append(int.from_bytes(digest[:8], "big"))
    return np.array(ids, dtype=np.uint64)


def count_trained_on(trained, paths, root):
    """How many of some files are among those of the ids `trained`."""
    return int(np.isin(item_ids(paths, root), trained).sum())
