"""When the page is sure of an answer, learned from sketches as it would read them."""

import numpy as np

from ..confidence import Confidence
from ..preprocessing import load_image
from ..preprocessing._bit_depth import told_once
from ._images import UploadError, to_sketch
from ._search import project_sketches, sketch_shape

_AT_ONCE = 256


def calibrate_page(hasher, gallery, labelled):
    """A `Confidence` for drawings on the page.

    Parameters
    ----------
    hasher : fitted hasher, or Pipeline that ends in one
    gallery : Gallery
        With labels.
    labelled : dict
        Category to paths of its sketches. They are cleaned and cropped as drawings are.

    Returns
    -------
    confidence : Confidence

    Raises
    ------
    ValueError
        If a file cannot be read or shows no strokes (it is named), or `Confidence.calibrate`
        raises.
    """
    paths = [path for files in labelled.values() for path in files]
    labels = np.repeat(list(labelled), [len(files) for files in labelled.values()])
    shape = sketch_shape(hasher)
    values = []
    with told_once():
        for start in range(0, len(paths), _AT_ONCE):
            sketches = [_read(path, shape) for path in paths[start : start + _AT_ONCE]]
            values.append(project_sketches(hasher, np.concatenate(sketches)))
    return Confidence.calibrate(gallery, np.concatenate(values), labels)


def _read(path, shape):
    try:
        return to_sketch(load_image(path, mode="L"), shape)
    except UploadError as error:
        raise ValueError(f"{str(path)!r}: {error}") from error
