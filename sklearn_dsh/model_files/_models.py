"""Fitted estimators to files and back."""

import os
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import sklearn

import sklearn_dsh

from .._outputs import check_output_file
from .._pipelines import last_step
from ._container import Contents, read_facts, write
from ._nodes import Reader, Writer
from ._types import KnownTypes

_MAX_CATEGORIES = 1000  # named among the facts


def save_model(estimator: Any, path: str | os.PathLike[str], *, types: Iterable[type] = ()) -> None:
    """Write a fitted estimator to a file that runs no code when it is read.

    The file is safetensors: arrays, a description of the estimator in JSON, and facts that
    `read_model_facts` gives. It is written whole or not at all.

    Parameters
    ----------
    estimator : estimator
        Any of this library, or a Pipeline of them and of scikit-learn's transformers that
        :doc:`/guide/saving` lists.
    path : str or path-like
        By convention it ends in ``.safetensors``.
    types : iterable of type, default=()
        Further classes that it may hold, of yours: `load_model` wants them, too.

    Raises
    ------
    TypeError
        If it holds what a file without code cannot: a function, or an object of another class.
        Nothing has been written.
    ValueError
        If `path` is no place for a file.
    OSError
        If it cannot be written.

    See Also
    --------
    load_model : Read it.

    Notes
    -----
    The network of a :class:`~sklearn_dsh.TorchBackbone` is code. The file keeps its settings, what
    the hasher learned, and the name of the network, which is shown and never imported.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import ITQHasher, load_model, save_model
    >>> X = np.random.default_rng(0).normal(size=(50, 8))
    >>> hasher = ITQHasher(16, random_state=0).fit(X)
    >>> save_model(hasher, "itq.safetensors")
    >>> bool((load_model("itq.safetensors").transform(X) == hasher.transform(X)).all())
    True
    """
    check_output_file(path, "a model")
    writer = Writer(KnownTypes(types))
    structure = writer.node(estimator, type(estimator).__name__)
    write(path, _facts(estimator, writer.arrays), structure, writer.arrays)


def load_model(
    path: str | os.PathLike[str],
    *,
    backbone: Any = None,
    mmap_mode: Literal["r"] | None = None,
    types: Iterable[type] = (),
) -> Any:
    """The estimator of a file that `save_model` wrote. Nothing in the file is run.

    Parameters
    ----------
    path : str or path-like
    backbone : nn.Module, callable that gives one, or TorchBackbone, default=None
        The network, if the model has one that is not of this library; its weights are the file's,
        but for :class:`~sklearn_dsh.BackboneFeatures`, which keeps none.
    mmap_mode : {None, "r"}, default=None
        "r": large arrays stay on disk and are read as they are used.
    types : iterable of type, default=()
        Further classes that the file may hold, as to `save_model`.

    Returns
    -------
    estimator : estimator
        As it was saved, with the same codes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no model, cut off, damaged, of a later version, or names a class that is not
        known; or its network is not handed over, or another. Reading takes at most the size of the
        file and 256 MB.

    Warns
    -----
    InconsistentVersionWarning
        If transformers of another version of scikit-learn are in it.

    See Also
    --------
    read_model_facts : What is in it, without loading it.
    """
    known = KnownTypes(types)
    contents = Contents(path, mmap_mode)
    try:
        return Reader(contents, known, backbone).value(contents.structure)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # whatever a description that nobody wrote runs into
        raise ValueError(
            f"{os.fspath(path)!r} cannot be read as a model: {error} ({type(error).__name__})."
        ) from error


def read_model_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model is, as whoever saved it says; the model itself is not read.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    facts : dict
        "steps", the names of the classes; "versions", by package; "n_bytes", of the arrays; of a
        hasher "n_bits", "views", "view_shapes", "categories" (the first thousand), "n_categories"
        and "architecture"; "fitted_on", what ``sklearn-dsh fit`` notes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no model, cut off, damaged or of a later version.
    """
    return read_facts(path)


def _facts(estimator, arrays):
    steps = [estimator]
    if hasattr(estimator, "steps"):
        steps = [step for _, step in estimator.steps]
    hasher = last_step(estimator)
    versions = {"sklearn-dsh": sklearn_dsh.__version__, "scikit-learn": sklearn.__version__}
    facts = {
        "steps": [step if isinstance(step, str) else type(step).__name__ for step in steps],
        "versions": versions | {"numpy": np.__version__},
        "n_bytes": sum(array.nbytes for array in arrays.values()),
    }
    if hasattr(hasher, "views_"):
        facts |= {
            "n_bits": int(hasher.n_bits) if hasattr(hasher, "n_bits") else None,
            "views": list(hasher.views_),
            "view_shapes": {view: list(map(int, s)) for view, s in hasher.view_shapes_.items()},
        }
    if hasattr(hasher, "classes_"):
        names = [str(name) for name in hasher.classes_[:_MAX_CATEGORIES]]
        facts |= {"categories": names, "n_categories": len(hasher.classes_)}
    if hasattr(hasher, "architecture_"):
        facts["architecture"] = type(hasher.architecture_).__name__
    if hasattr(estimator, "fitted_on_"):
        facts["fitted_on"] = {k: v for k, v in estimator.fitted_on_.items() if k != "item_ids"}
    return facts
