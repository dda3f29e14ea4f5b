"""Model files: written whole or not at all, and told apart by what is in them."""

import os

from ._outputs import replaced
from ._pipelines import last_step


def save_model(hasher, path):
    """Write a fitted estimator beside the file, then in its place."""
    import joblib

    with replaced(path) as file:
        joblib.dump(hasher, file)


def load_model(path):
    """The fitted hasher, or Pipeline that ends in one, of a file; ValueError if there is none."""
    import joblib
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    from .base import BaseCrossModalHasher

    path = str(path)
    if not os.path.isfile(path):
        raise ValueError(f"There is no model file {path!r}: `sklearn-dsh fit` writes one.")
    try:
        hasher = joblib.load(path)
    except MemoryError as error:  # says nothing about the file
        raise MemoryError(f"No memory is left to read the model {path!r}.") from error
    except Exception as error:  # pickle, zlib and what is unpickled have an exception each
        raise ValueError(
            f"{path!r} is cut off, damaged or no model, or needs what is not installed "
            f"({type(error).__name__}: {error})."
        ) from error
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
