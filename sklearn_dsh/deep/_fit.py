"""All of a fit of a deep hasher: from validated views to the arrays that the estimator keeps."""

import math
import os
from contextlib import nullcontext
from functools import partial
from numbers import Integral

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._devices import resolve_device
from .._outputs import MEGABYTE, check_output_folder
from .._progress import Progress
from ..preprocessing import EdgeTokens
from ..preprocessing._bit_depth import gathered, told_once
from ._activations import compute_activations
from ._batches import byte_array, kind_of, wants_tokens
from ._checkpoint import Checkpoint, fingerprint, told_of
from ._optimizer import autocast, resolve_precision
from ._polarity import check_strokes
from ._processes import Processes, local_device
from ._reading import ByteFile, told_of_readers
from ._rounds import alternate
from ._sampling import StepPlanner
from ._training import NetworkTrainer, standardise
from ._training_set import (
    bytes_to_store,
    make_training_set,
    split_rows,
    take_rows,
    unread_training_set,
)
from ._weights import (
    count_bytes,
    from_arrays,
    in_half,
    seeded,
    start_from,
    thread_limit,
)
from .architectures import describe_network, resolve_architecture

# Gradient steps of a fit with steps_per_iter="auto": epochs of the larger view, within bounds.
AUTO_STEPS = {
    "images": (36, 300, 4000),
    "features": (12, 300, 1500),  # of vectors, and of a backbone that is not trained
    "backbone": (6, 300, 800),  # which has little to learn
}


def resolve_tokens(hasher, network_settings):
    """What makes the tokens of photos; None if the networks read none."""
    if not network_settings["uses_tokens"]:
        return None
    return EdgeTokens() if isinstance(hasher.sketch_tokens, str) else hasher.sketch_tokens


@told_of_readers()
def fit_networks(hasher, data, make_method, *, start=None, one_round=False, choose_rows=None):
    """Learn codes and networks.

    Parameters
    ----------
    hasher : BaseDeepHasher
        Its settings and ``classes_`` are read; nothing is set.
    data : ViewData
    make_method : callable
        ``make_method(labels, random_state)``, with the labels (n_view,) of each view, gives what
        decides the losses: see `alternate`. Its ``mixes`` says whether photos may be mixed, its
        ``paired`` whether row i of both views belongs together.
    start : dict or None
        Fitted attributes of an earlier fit to go on from.
    one_round : bool
        Not ``max_iter`` rounds, and without a checkpoint.
    choose_rows : callable or None
        ``choose_rows()`` gives the rows of each view to train on; None takes all, or those that
        are not held out for validation.

    Returns
    -------
    fitted : dict name -> value
        Fitted attributes.
    learned : dict
        What the method learned.
    """
    check_settings(hasher)
    device = local_device(resolve_device(hasher.device))
    processes = Processes(device)
    if processes.n > 1 and not hasher.several_processes:
        raise ValueError(
            f"{type(hasher).__name__} compares the items of a whole batch and is trained by one "
            f"process, not {processes.n}: start it without torchrun."
        )
    processes.share(hasher.batch_size)  # refused before any work if it cannot be shared
    seed = int(check_random_state(hasher.random_state).randint(2**31 - 1))
    split_seed = seed = processes.broadcast(seed)
    if start is not None:
        if "category_codes_" not in start:
            raise ValueError(
                "This hasher holds the weights of a file and no category codes: it cannot be "
                "trained further. Fit with warm_start=False."
            )
        # Further rounds see other batches, and hold out the same rows.
        split_seed = start.get("_split_seed", split_seed)
        seed = int(np.random.SeedSequence([seed, start["n_iter_"]]).generate_state(1)[0] >> 1)
    random_state = np.random.RandomState(seed)
    views = {view: getattr(data, view) for view in data.views}
    labels = {view: getattr(data, f"y_{view}") for view in data.views}
    kinds = {view: kind_of(X) for view, X in views.items()}
    architecture = clone(resolve_architecture(hasher.architecture))
    network_settings = describe_network(
        architecture,
        hasher.n_bits,
        kinds,
        {view: int(X.shape[1]) for view, X in views.items() if kinds[view] == "features"},
        has_tokens=wants_tokens(hasher.sketch_tokens, architecture),
        n_categories=len(hasher.classes_) if hasher._tells_categories else None,
        readout=hasher.readout,
    )
    tokens = resolve_tokens(hasher, network_settings)
    were_dark = kinds.get("sketch") == "images" and check_strokes(views["sketch"], architecture)
    if start is not None:
        _check_same_networks(start, architecture, network_settings, hasher.classes_)
    start_weights = architecture.start_weights(network_settings) if start is None else {}
    checkpoint = resumed = None
    if hasher.checkpoint_dir is not None and not one_round:
        checkpoint = Checkpoint(
            hasher.checkpoint_dir,
            fingerprint(hasher, views, labels, start),
            count_bytes(partial(architecture.build, network_settings)),
        )
        resumed = processes.first(checkpoint.load)
        if resumed is not None:
            split_seed = resumed["split_seed"]

    def find_rows():
        if resumed is not None:  # without a seed, only the first try knows them
            return resumed["rows"]
        if choose_rows is not None:
            return {"train": choose_rows()}
        if hasher.validation_fraction is not None:
            return split_rows(data, hasher.validation_fraction, split_seed)
        return None

    rows = processes.first(find_rows)
    if checkpoint is not None:
        checkpoint.rows, checkpoint.split_seed = rows, split_seed
    parts = {"train": (views, labels)}
    with checkpoint.named_damage() if resumed is not None else nullcontext():
        if rows is not None:
            parts = {name: take_rows(views, labels, of_part) for name, of_part in rows.items()}
        train_labels = parts["train"][1]
    kind = architecture.trained_part if "images" in kinds.values() else "features"
    steps = _steps_of_rounds(hasher, kind, train_labels)
    if one_round:
        steps = steps[:1]
    # Threads that wait for each other cost more than the small products of feature vectors.
    threads = nullcontext() if "images" in kinds.values() else thread_limit(1)
    progress = Progress(
        sum(steps),
        desc=f"{type(hasher).__name__}, reading",
        disable=not hasher.verbose or processes.rank > 0,
    )
    with progress, told_of(checkpoint):
        has_frozen = "images" in kinds.values() and architecture.has_frozen
        if has_frozen:
            sets = {name: unread_training_set(*part, architecture) for name, part in parts.items()}
        else:
            sets = _read_sets(hasher, parts, architecture, tokens)
        method = make_method(train_labels, random_state)
        with threads, seeded(seed, device):
            network = architecture.build(network_settings).to(device)
            if start is not None:
                from_arrays(network, start["weights_"], assign=False)
            else:
                start_from(network, start_weights)
            if has_frozen:
                sets = _passed_sets(
                    hasher, sets, network, architecture, tokens, processes, seed, progress
                )
            training, held_out = sets["train"], sets.get("held_out")
            if start is None:
                standardise(network, training.sources)
            planner = StepPlanner(
                training.labels,
                sum(steps),
                random_state,
                hasher,
                mixes=hasher.augment and method.mixes and kind != "backbone",
                paired=method.paired,
                n_versions={
                    view: source.n_versions
                    for view, source in training.sources.items()
                    if source.passed_frozen
                },
            )
            progress.set_description_str(type(hasher).__name__, refresh=False)
            progress.unpause()  # what was read took no step's time
            generator = torch.Generator().manual_seed(seed)
            trainer = NetworkTrainer(
                network, training, planner, device, generator, hasher, processes
            )
            going_on = nullcontext() if resumed is None else checkpoint.named()
            # What is to be told of files was told when they were first read.
            with gathered(), going_on:
                history, found = alternate(
                    trainer,
                    method,
                    hasher,
                    steps=steps,
                    trained=start is not None,
                    held_out=held_out,
                    resumed=resumed,
                    checkpoint=checkpoint,
                    progress=progress,
                )
    if checkpoint is not None:
        processes.first(checkpoint.finish)
    before = start or {}
    fitted = {
        "architecture_": architecture,
        "network_settings_": network_settings,
        "sketch_tokens_": tokens,
        "loss_curve_": before.get("loss_curve_", []) + history.loss_curve,
        "objective_curve_": before.get("objective_curve_", []) + history.objective_curve,
        "validation_scores_": before.get("validation_scores_", []) + history.validation_scores,
        "n_iter_": before.get("n_iter_", 0) + history.n_rounds,
        "weights_": in_half(found.weights, network),
        "_split_seed": split_seed,
        "_sketches_were_dark": were_dark,
    }
    return fitted, found.learned


@told_once()
def _read_sets(hasher, parts, architecture, tokens):
    """Training sets of what is read as it is, images at the networks' size; in memory if small."""
    n_bytes = sum(bytes_to_store(part, architecture, tokens) for part, _ in parts.values())
    in_memory = n_bytes <= hasher.cache_size * MEGABYTE
    return {
        name: make_training_set(
            *part,
            architecture,
            tokens,
            store=byte_array if in_memory else partial(_in_file, hasher.cache_dir),
            keeps_images=in_memory or hasher.cache_dir is not None,
            n_jobs=hasher.n_jobs,
        )
        for name, part in parts.items()
    }


@told_once()
def _passed_sets(hasher, unread, network, architecture, tokens, processes, seed, progress):
    """Training sets of what the frozen part of the network makes of images."""
    device = processes.device
    store = _BoundedStore(hasher.cache_size * MEGABYTE, hasher.cache_dir)
    return {
        name: compute_activations(
            network,
            of_part,
            architecture,
            tokens,
            device,
            processes,
            n_versions=architecture.n_versions if hasher.augment and name == "train" else 1,
            store=store,
            seed=seed,
            autocast=autocast(resolve_precision(hasher.precision, device), device),
            n_jobs=hasher.n_jobs,
            progress=progress,
        )
        for name, of_part in unread.items()
    }


def _in_file(folder, shape):
    """Rows of bytes in a temporary file, in ``folder`` or where the system has them."""
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
    return ByteFile(shape, folder)


class _BoundedStore:
    """Gives what takes rows of bytes: arrays of ``limit`` bytes in all, beyond that files."""

    def __init__(self, limit, folder):
        self.left, self.folder = limit, folder

    def __call__(self, shape):
        n_bytes = int(np.prod(shape))
        if n_bytes > self.left:
            return _in_file(self.folder, shape)
        self.left -= n_bytes
        return byte_array(shape)


def _check_same_networks(start, architecture, network_settings, classes):
    if not np.array_equal(start["classes_"], classes):
        raise ValueError(
            f"The categories are {classes.tolist()}, but the networks were trained on "
            f"{start['classes_'].tolist()}. Going on needs the same ones; fit with "
            "warm_start=False for others."
        )
    held = {"architecture": start["architecture_"], **start["network_settings_"]}
    now = {"architecture": architecture, **network_settings}
    differ = [name for name, value in now.items() if held.get(name) != value]
    if differ:
        raise ValueError(
            "Training cannot go on with other networks: "
            + "; ".join(f"{name} was {held.get(name)!r}, now {now[name]!r}" for name in differ)
            + ". Fit with warm_start=False."
        )


def check_settings(hasher):
    """ValueError for what is wrong with the settings whatever the data are."""
    if hasher.n_iter_no_change is not None and hasher.validation_fraction is None:
        raise ValueError(
            f"n_iter_no_change={hasher.n_iter_no_change} watches the validation score: set "
            "validation_fraction too."
        )
    for folder, purpose in (
        (hasher.cache_dir, "the cache"),
        (hasher.checkpoint_dir, "checkpoints"),
    ):
        if folder is not None:
            check_output_folder(folder, purpose)
    steps, n_rounds = hasher.steps_per_iter, hasher.max_iter
    if isinstance(steps, str | Integral):
        return
    values = np.asarray(steps)
    if values.shape != (n_rounds,) or values.dtype.kind not in "iu" or values.min() < 1:
        raise ValueError(
            f"steps_per_iter={steps!r}: expected a number of steps, 1 or more, or a list of one "
            f"for each of max_iter={n_rounds} rounds."
        )


def _steps_of_rounds(hasher, kind, labels):
    """Gradient steps of each round."""
    steps, n_rounds = hasher.steps_per_iter, hasher.max_iter
    if isinstance(steps, str):  # "auto"
        epoch = math.ceil(max(len(y) for y in labels.values()) / hasher.batch_size)
        n_epochs, low, high = AUTO_STEPS[kind]
        steps = math.ceil(min(max(n_epochs * epoch, low), high) / n_rounds)
    return [int(steps)] * n_rounds if isinstance(steps, Integral) else [int(n) for n in steps]
