"""Files of fitted hashers, as the commands and the page read them."""

import os

from ._pipelines import last_step


def load_hasher(path, *, trust_pickle=False):
    """The fitted hasher, or Pipeline that ends in one, of a file.

    Parameters
    ----------
    path : path-like
        Of a file that `save_model` wrote: large arrays stay on disk.
    trust_pickle : bool, default=False
        Whether it may be a pickle, which can run any code.

    Raises
    ------
    ValueError
        If there is no such file, or another in its place.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    from .base import BaseCrossModalHasher
    from .model_files import load_model
    from .model_files._container import is_model_file

    path = str(path)
    if not os.path.isfile(path):
        raise ValueError(f"There is no model file {path!r}: `sklearn-dsh fit` writes one.")
    if is_model_file(path):
        hasher = load_model(path, mmap_mode="r")
    elif trust_pickle:
        hasher = _unpickle(path)
    else:
        raise ValueError(
            f"{path!r} is cut off, or no model file, which `sklearn-dsh fit` and save_model write. "
            "If it is a pickle, loading it runs whatever code was put into it: nothing of it was "
            "read. Say --trust-pickle (in Python, trust_pickle=True) only if you trust whoever "
            "made it and every hand that it went through."
        )
    if not isinstance(last_step(hasher), BaseCrossModalHasher):
        raise ValueError(
            f"{path!r} holds an object of type {type(hasher).__name__}: expected a hasher, or a "
            "Pipeline that ends in one."
        )
    try:
        check_is_fitted(hasher)
    except NotFittedError as error:
        raise ValueError(f"The {type(hasher).__name__} in {path!r} is not fitted.") from error
    return hasher


def _unpickle(path):
    import joblib

    try:
        return joblib.load(path)
    except MemoryError as error:  # says nothing about the file
        raise MemoryError(f"No memory is left to read the model {path!r}.") from error
    except Exception as error:  # pickle, zlib and what is unpickled have an exception each
        raise ValueError(
            f"{path!r} is cut off, damaged or no model, or needs what is not installed "
            f"({type(error).__name__}: {error})."
        ) from error


def check_same_model(gallery, hasher, model_path, gallery_path):
    """ValueError if a gallery was not encoded by this model: distances would mean nothing."""
    n_bits = last_step(hasher).n_bits
    if gallery.n_bits != n_bits:
        raise ValueError(
            f"The model {str(model_path)!r} gives codes of {n_bits} bits and the gallery "
            f"{str(gallery_path)!r} holds codes of {gallery.n_bits}: encode its photos with this "
            "model."
        )
    gallery.check_model(model_path)
