"""What the networks are trained on, and what of it is held out for validation."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from ..codes import pack_bits
from ..views import RowSubset, SketchImageArray
from ._batches import all_tokens, make_source, make_tokens, read_blocks


@dataclass
class TrainingSet:
    """Items of one or both views.

    Attributes
    ----------
    sources : dict view -> ImageSource or FeatureSource
    labels : dict view -> int array (n_view,)
    tokens : uint8 array or ByteFile (n_images, size, size) of the size of sketches, or None
    pixels : dict view -> dict or None
        See `_pixels`; tokens have the sketches'.
    """

    sources: dict
    labels: dict
    tokens: Any = None
    pixels: dict = field(default_factory=lambda: dict.fromkeys(("sketch", "image")))


def _make_sources(views, architecture):
    sizes = architecture.sizes()
    return {
        view: make_source(X, view, sizes[view], architecture.polarity) for view, X in views.items()
    }


def unread_training_set(views, labels, architecture):
    """Sources of which nothing is read yet, without tokens."""
    return TrainingSet(_make_sources(views, architecture), labels, None, architecture.pixels())


def bytes_to_store(views, architecture, sketch_tokens):
    """What `make_training_set` stores of these views, if it keeps their images."""
    n_bytes = sum(source.n_bytes_at_size for source in _make_sources(views, architecture).values())
    if sketch_tokens is not None:
        n_bytes += len(views["image"]) * architecture.sizes()["sketch"] ** 2
    return n_bytes


def make_training_set(views, labels, architecture, sketch_tokens, *, store, keeps_images, n_jobs):
    """Sources at the networks' size and tokens.

    Parameters
    ----------
    views, labels : dict view -> array
    architecture : Architecture
        Read for the sizes and pixels.
    sketch_tokens : None, callable or transformer
    store : callable
        ``store(shape)`` gives what takes rows of bytes: an array or a `ByteFile`.
    keeps_images : bool
        Whether decoded and resized images are stored as well as tokens. Otherwise files are
        decoded when they are needed, after each was decoded once: a damaged one is found before
        any training.
    n_jobs : int or None
    """
    sizes = architecture.sizes()
    sources = _make_sources(views, architecture)
    has_tokens = sketch_tokens is not None
    if has_tokens:  # what gives no tokens is found before all files are decoded
        make_tokens(sketch_tokens, sources["image"][:1], sizes["sketch"])
    if keeps_images:
        sources = {view: source.at_size(store, n_jobs) for view, source in sources.items()}
    tokens = None
    if has_tokens:
        tokens = all_tokens(
            sketch_tokens, sources["image"], sizes["sketch"], store=store, n_jobs=n_jobs
        )
    for view, source in sources.items():
        if source.reads_files and not (has_tokens and view == "image"):
            for _ in read_blocks(source, n_jobs):
                pass
    return TrainingSet(sources, labels, tokens, architecture.pixels())


def split_rows(data, validation, seed):
    """Rows of each view to train on and to hold out.

    Parameters
    ----------
    data : ViewData
    validation : float or splitter
        Part of every category of each view; or an object with ``split(X, y)`` for a
        SketchImageArray, whose first split is taken.
    seed : int

    Returns
    -------
    rows : dict of "train" and "held_out" -> dict view -> int array
    """
    labels = {"sketch": data.y_sketch, "image": data.y_image}
    labels = {view: labels[view] for view in data.views}
    if not hasattr(validation, "split"):
        pairs = {}
        for view, y in labels.items():
            try:
                pairs[view] = train_test_split(
                    np.arange(len(y)), test_size=validation, stratify=y, random_state=seed
                )
            except ValueError as error:
                raise ValueError(
                    f"validation_fraction={validation} cannot be held out of the {len(y)} items of "
                    f"the {view} view: {error}"
                ) from error
        parts = {
            part: {view: np.sort(pair[i]) for view, pair in pairs.items()}
            for i, part in enumerate(("train", "held_out"))
        }
        _check_can_be_scored(labels, parts["held_out"])
        return parts
    container = data.container
    if container is None:
        container = SketchImageArray(data.sketch, data.image)
    y = np.empty(len(container), dtype=np.intp)
    place = np.empty(len(container), dtype=np.intp)
    for view, mask in (("sketch", container.is_sketch), ("image", ~container.is_sketch)):
        if view in labels:
            y[mask], place[mask] = labels[view], np.arange(mask.sum())
    train, held_out = next(iter(validation.split(container, y)))
    parts = {}
    for name, rows in (("train", train), ("held_out", held_out)):
        masks = {"sketch": container.is_sketch[rows], "image": ~container.is_sketch[rows]}
        part = {view: place[np.asarray(rows)[masks[view]]] for view in labels}
        missing = [view for view, found in part.items() if not len(found)]
        if missing:
            raise ValueError(
                f"{validation!r} left no rows of the {missing[0]} view in the {name} part: use "
                "StratifiedViewKFold or SketchKFold."
            )
        parts[name] = part
    _check_can_be_scored(labels, parts["held_out"])
    return parts


def _check_can_be_scored(labels, rows):
    """A score of nan would keep the first round, whatever it was."""
    held = [labels[view][at] for view, at in rows.items()]
    alone = len(held) == 1 and np.bincount(held[0]).max() < 2  # one view queries itself
    if alone or (len(held) == 2 and not np.isin(*held).any()):
        raise ValueError(
            f"None of the {len(held[0])} held-out queries has another held-out item of its "
            "category to find: hold out more by validation_fraction, or by categories that both "
            "parts have."
        )


def take_rows(views, labels, rows):
    """Some rows of each view: images stay where they are."""
    taken = {view: RowSubset(X, rows[view]) for view, X in views.items()}
    return taken, {view: y[rows[view]] for view, y in labels.items()}


def score_outputs(outputs, labels):
    """Mean average precision of networks' outputs: sketches query photos, one view itself."""
    from ..metrics import score_codes  # numba is loaded only where something is searched

    views = tuple(outputs)
    codes = np.concatenate([pack_bits(outputs[view] >= 0) for view in views])
    y = np.concatenate([labels[view] for view in views])
    is_sketch = np.arange(len(y)) < len(labels["sketch"]) if len(views) == 2 else None
    return float(score_codes(codes, y, is_sketch=is_sketch))
