"""Semantic vectors of categories, from files of word vectors and from sentence encoders."""

import os
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params

from .._labels import one_form
from ._vector_files import read_vectors


@validate_params(
    {
        "source": [str, os.PathLike],
        "classes": ["array-like", Mapping],
        "format": [StrOptions({"auto", "text", "binary"})],
        "lowercase": ["boolean"],
        "missing": [StrOptions({"raise", "ignore"})],
        "normalize": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_class_vectors(
    source: str | os.PathLike[str],
    classes: ArrayLike | Mapping[Any, str],
    *,
    format: Literal["auto", "text", "binary"] = "auto",
    lowercase: bool = True,
    missing: Literal["raise", "ignore"] = "raise",
    normalize: bool = True,
) -> dict[Any, NDArray[np.float64]]:
    """Vectors of categories from a file of word vectors.

    Only the vectors of the words that the categories' names need are kept: memory does not grow
    with the file. Reading stops early once every name was found in its first spelling.

    A name is looked up whole, as it is written and with its words joined by `_`, `-` or a space
    ("hot-air balloon" is found as `hot_air_balloon`), and if none of these is there, its vector is
    the mean of those of its words. Words end at spaces, `_`, `-`, `/`, commas, brackets, and before
    the capital in "SeaTurtle". A part in brackets says which sense is meant, and is averaged in:
    "mouse (animal)", if not found whole, is the mean of "mouse" and "animal".

    Parameters
    ----------
    source : str or path-like
        A file of word2vec (binary or text), GloVe (text without a header) or fastText (`.vec`),
        also compressed by gzip. Of a word that comes twice the first vector is taken.
    classes : array-like of str, or dict label -> str
        The categories, each any number of times, so that labels `y` will do; or for each label the
        name that it is looked up by, as for labels that are numbers or have no vector.
    format : {"auto", "text", "binary"}, default="auto"
        "auto" looks at the beginning of the file.
    lowercase : bool, default=True
        Look for every spelling in lower case first, then as it is written; False: only as it is
        written. The file's words are never changed: "turkey" is not "Turkey".
    missing : {"raise", "ignore"}, default="raise"
        "ignore" leaves words without a vector out of the mean, as long as one of the name is there.
    normalize : bool, default=True
        Scale the vector of each category to unit length; False leaves it as it is in the file.

    Returns
    -------
    class_vectors : dict label -> ndarray of float64, shape (d,)
        What `DeepSketchHasher(class_vectors=...)` takes.

    Raises
    ------
    ValueError
        If categories have no vector (all are named, with the words that are missing), or the file
        is no such file or damaged: too few or too many values, values that are no finite numbers,
        a vector or gzip data that are cut off. The line of a text file is named, the byte of
        another. Lines that are not needed are only checked for too few values. Also if a line is
        longer than 1 MB, a vector has more than 131,072 values, or a value is none of float32.

    Warns
    -----
    UserWarning
        If the file was read to its end and its header tells another number of words. That is no
        error, because published files have it, but the file may be cut off, and the names that it
        lacks taken for the mean of their words. Also if a text file ends with a vector that is
        taken, without a line break: its last value may be cut off.

    See Also
    --------
    encode_class_names : Vectors from a sentence encoder.
    sklearn_dsh.DeepSketchHasher : Learns codes from which these vectors can be predicted.

    Notes
    -----
    Unit length is the scale of one-hot vectors, the default of `DeepSketchHasher`. Its semantic
    term grows with the square of the vectors' lengths, and these depend on the corpus and on how
    frequent a word is: `semantic_weight` has one meaning only where they are equal.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_dsh.datasets import load_class_vectors
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("3 2\\ncat 3 4\\nsea 1 0\\nturtle 0 1\\n")
    ...     file.flush()
    ...     vectors = load_class_vectors(file.name, ["cat", "sea turtle"])
    >>> vectors["cat"].tolist(), vectors["sea turtle"].round(3).tolist()
    ([0.6, 0.8], [0.707, 0.707])
    """
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"There is no file {str(path)!r}: expected one of word vectors.")
    names = _names(classes)
    spellings = {name: _every_spelling(name, lowercase) for name in names.values()}
    wanted = {s.encode(): s for found_as in spellings.values() for s in found_as}
    found = read_vectors(path, format, wanted, {found_as[0] for found_as in spellings.values()})

    vectors, lacking = {}, []
    for label, name in names.items():
        absent = []
        vectors[label] = _average(name, lowercase, found, absent)
        if vectors[label] is None or (absent and missing == "raise"):
            shown = repr(label) if label == name else f"{label!r} as {name!r}"
            words = ", ".join(map(repr, absent))
            lacking.append(shown if absent == [name] else f"{shown} (without {words})")
    if lacking:
        raise ValueError(
            f"{str(path)!r} has no vector for {len(lacking)} of {len(names)} categories: "
            f"{', '.join(lacking)}. Give the name to look for with classes={{label: name}}, for "
            "all labels; missing='ignore' averages the words that are there, if any."
        )
    return _scaled(vectors, normalize, f" in {str(path)!r}")


@validate_params(
    {
        "classes": ["array-like", Mapping],
        "model": [str, os.PathLike, HasMethods("encode")],
        "normalize": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def encode_class_names(
    classes: ArrayLike | Mapping[Any, str], model: Any, *, normalize: bool = True
) -> dict[Any, NDArray[np.float64]]:
    """Vectors of categories from a sentence encoder, such as those of sentence-transformers.

    Parameters
    ----------
    classes : array-like of str, or dict label -> str
        The categories, each any number of times. Their names are encoded as words with spaces:
        "hot_air_balloon" and "HotAirBalloon" as "hot air balloon" and "Hot Air Balloon". The texts
        of a dict, say "a photo of a dog" for the label "dog", are encoded as they are.
    model : object, str or path-like
        A loaded `SentenceTransformer`, or whatever has `encode(list of str)` that gives one vector
        each; or the folder that one was saved in (extra `sentence`). Names of models on a hub
        are not taken, because to load them is to download them: load it yourself.
    normalize : bool, default=True
        As in `load_class_vectors`.

    Returns
    -------
    class_vectors : dict label -> ndarray of float64, shape (d,)
        What `DeepSketchHasher(class_vectors=...)` takes.

    Raises
    ------
    ValueError
        If there is no such folder, or the model gives something else than one finite vector for
        each name.
    ImportError
        If a folder is given, and sentence-transformers is not installed.

    See Also
    --------
    load_class_vectors : Vectors from a file.

    Examples
    --------
    >>> from sklearn_dsh.datasets import encode_class_names
    >>> vectors = encode_class_names(["cat", "sea_turtle"], "my_model")  # doctest: +SKIP
    """
    names = _names(classes)
    if not isinstance(classes, Mapping):
        names = {label: re.sub(r"[\s_]+", " ", _split_camel(label)).strip() for label in names}
    if isinstance(model, (str, os.PathLike)):
        model = _load_encoder(model)
    vectors = np.asarray(model.encode(list(names.values())), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(names) or not np.isfinite(vectors).all():
        raise ValueError(
            f"model.encode gave an array of shape {vectors.shape} for {len(names)} names: expected "
            f"finite values of shape ({len(names)}, d)."
        )
    return _scaled(dict(zip(names, vectors, strict=True)), normalize)


def _load_encoder(folder):
    if not Path(folder).is_dir():
        raise ValueError(
            f"There is no folder {str(folder)!r}. Models are not downloaded: give the folder of a "
            "saved one, or load it yourself and pass the object, "
            "model=SentenceTransformer(...)."
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            "Loading a model needs sentence-transformers: pip install sentence-transformers"
        ) from error
    return SentenceTransformer(str(folder), local_files_only=True)


def _names(classes):
    """Map each label to the name that it is looked up by."""
    if isinstance(classes, Mapping):
        pairs = list(classes.items())
    else:
        labels = classes.tolist() if hasattr(classes, "tolist") else list(classes)
        pairs = [(label, label) for label in labels]
    for label, name in pairs:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(
                f"classes has {name!r} for the label {label!r}: expected a name. Labels that are "
                "no names are given theirs with a dict, classes={label: name}."
            )
    if not pairs:
        raise ValueError("classes is empty: expected the names of the categories.")
    return {label: one_form(name.strip()) for label, name in pairs}


def _scaled(vectors, normalize, where=""):
    if not normalize:
        return vectors
    lengths = {label: np.linalg.norm(vector) for label, vector in vectors.items()}
    # What float32, in which they are kept, does not hold is lost in the squares.
    smallest = np.finfo(np.float32).tiny
    zero = [repr(label) for label, length in lengths.items() if length < smallest]
    if zero:
        raise ValueError(
            f"The vector is zero for {', '.join(zero)}{where}, which cannot be scaled to unit "
            "length: give other names, or normalize=False."
        )
    return {label: vector / lengths[label] for label, vector in vectors.items()}


# Names


def _split_camel(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _words(name):
    return re.findall(r"[^\s_\-/,()]+", _split_camel(name))


def _spellings(name, lowercase):
    """How a file may write a name, the preferred first."""
    words = _words(name)
    spellings = [name, *(joint.join(words) for joint in "_- " if words)]
    if lowercase:
        spellings = [*(spelling.lower() for spelling in spellings), *spellings]
    return list(dict.fromkeys(spellings))


def _parts(name):
    """What a name is the mean of, if it is not found whole: around and in brackets, or words."""
    pieces = [re.sub(r"\(.*?\)", " ", name), *re.findall(r"\((.*?)\)", name)]
    pieces = [piece.strip() for piece in pieces if _words(piece)]
    parts = pieces if len(pieces) > 1 else _words(name)
    return [] if parts == [name] else parts


def _every_spelling(name, lowercase):
    """The spellings of a name, then those of its parts."""
    of_parts = (_every_spelling(part, lowercase) for part in _parts(name))
    return [*_spellings(name, lowercase), *chain.from_iterable(of_parts)]


def _average(name, lowercase, found, absent):
    """Vector of a name, or None; words that have none are added to the list `absent`."""
    for spelling in _spellings(name, lowercase):
        if spelling in found:
            return found[spelling]
    parts = _parts(name)
    if not parts:
        absent.append(name)
        return None
    vectors = [_average(part, lowercase, found, absent) for part in parts]
    vectors = [vector for vector in vectors if vector is not None]
    return np.mean(vectors, axis=0) if vectors else None
