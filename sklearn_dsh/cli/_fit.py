"""``sklearn-dsh fit``: from a folder of sketches and photos to a model file."""

import importlib.metadata
import time
from functools import partial
from pathlib import Path

import click

import sklearn_dsh

from .._outputs import MEGABYTE, check_output_file, check_space, save_or_keep
from .._pipelines import last_step
from .._progress import Progress
from ._command import Command, count, device_option, loading, note, quiet_option
from ._evaluate import PROTOCOLS
from ._settings import architecture_option, make_estimator, parse_settings
from ._training_items import item_ids

_PICKLES = (".joblib", ".pickle", ".pkl")


@click.command(cls=Command, short_help="Train a model on a folder.")
@click.argument("data", type=click.Path())
@click.argument("model", type=click.Path())
@click.option(
    "--bits", type=click.IntRange(min=1), default=64, show_default=True, help="Length of the codes."
)
@click.option(
    "--method",
    default="DSH",
    show_default=True,
    help="What to train; CCA-ITQ, say, on HOG features. A wrong name lists all.",
)
@click.option(
    "--protocol",
    type=click.Choice([*PROTOCOLS, "all"]),
    help="What to train on. paper: all photos, and the sketches that are no queries of `evaluate` "
    "(the part train, or four in five); unseen: without the photos that are the gallery of "
    "`evaluate --protocol unseen`, too; all: everything. Default: paper with a split.csv, all "
    "without.",
)
@architecture_option
@click.option(
    "--size",
    type=click.IntRange(min=32),
    help="Side in pixels at which images are read.  [default: the architecture's, 64]",
)
@click.option("--steps", type=click.IntRange(min=1), help="Gradient steps in all.")
@click.option("--seed", default=0, show_default=True)
@device_option("auto")
@click.option(
    "--validation-fraction", type=float, help="Part to hold out, so that the best round is kept."
)
@click.option(
    "--checkpoint-dir",
    type=click.Path(),
    help="Where the state of the training is kept: the same command goes on from it.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    callback=parse_settings,
    help="Any other parameter of the hasher; may be repeated. A wrong name lists all.",
)
@quiet_option
def fit(
    data, model, bits, method, protocol, architecture, size, steps, seed, settings, quiet, **options
):  # fmt: skip
    """Train on the folder DATA and write the file MODEL.

    DATA holds sketch/<category>/* and photo/<category>/*, and may hold a split.csv with the columns
    path, view (sketch or photo), label and split (train or test). A file MODEL that is there is
    replaced when the training is done.

    \b
    Examples:
      sklearn-dsh fit my_folder model.safetensors
      sklearn-dsh fit my_folder model.safetensors --bits 128 --checkpoint-dir checkpoints
      sklearn-dsh fit my_folder model.safetensors --set max_iter=5 --set augment=false
      sklearn-dsh fit my_folder cca.safetensors --method CCA-ITQ --set reg=0.3
    """
    settings |= {name: value for name, value in options.items() if value is not None}
    settings |= {"n_bits": bits, "random_state": seed}
    if steps is not None and "steps_per_iter" in settings:
        raise click.UsageError("--steps and --set steps_per_iter=... say the same: give one.")
    check_output_file(model, "the model")
    if Path(model).suffix in _PICKLES:
        raise click.UsageError(
            f"{model!r} has the name of a pickle: a model file runs no code, call it "
            f"{str(Path(model).with_suffix('.safetensors'))!r}."
        )
    with loading(quiet):
        estimator = make_estimator(method, settings, steps, architecture, size)

        from ..datasets import load_sketch_photo_folder
        from ..deep._checkpoint import kept_until_saved
        from ..model_files import save_model

        read = load_sketch_photo_folder(data, size=None)
    if protocol is None:
        protocol = "all" if read.split_sketch is None else "paper"
    hasher = last_step(estimator)
    check_space(model, _about_model_bytes(hasher, len(read.target_names)))
    X, y = _training_rows(read, protocol)
    sizes = f"{count(X.n_sketches, 'sketch')} and {count(X.n_images, 'photo')}"
    note(f"Training {method} on {sizes} of {len(read.target_names)} categories.", quiet=quiet)
    shows_progress = "verbose" in hasher.get_params(deep=False)
    if shows_progress:
        hasher.set_params(verbose=0 if quiet else 1)
    views = [X.take_view("sketch")[:], X.take_view("image")[:]]
    fitted_on = {  # before it is trained: files may go while that takes hours
        "data": Path(data).absolute().name,
        "protocol": protocol,
        "method": method,
        "n_sketches": X.n_sketches,
        "n_photos": X.n_images,
        "versions": _versions(),
        "item_ids": {
            view: item_ids(paths, data)
            for view, paths in zip(("sketch", "image"), views, strict=True)
        },
    }
    start = time.perf_counter()
    with kept_until_saved():
        with Progress(desc=f"Training {method}", disable=quiet or shows_progress):
            estimator.fit(X, y)
        seconds = time.perf_counter() - start
        if shows_progress:
            hasher.set_params(verbose=0)
        estimator.fitted_on_ = fitted_on | {"seconds": round(seconds, 1)}
        save_or_keep(partial(save_model, estimator), model)
    note(f"Wrote {model}: {bits} bits, trained for {seconds:.1f} s.", quiet=quiet)


def _about_model_bytes(hasher, n_categories):
    from ..deep._base import BaseDeepHasher

    if isinstance(hasher, BaseDeepHasher):
        return hasher._about_weight_bytes(n_categories)
    return 16 * MEGABYTE  # anchors, and matrices from features to bits


def _training_rows(data, protocol):
    from ..comparison import make_problem
    from ..views import stack_views

    if protocol == "all":
        return stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
    problem = make_problem(data, protocol)
    return problem.train, problem.y_train


def _versions():
    packages = ("scikit-learn", "torch", "numpy")
    return {"sklearn-dsh": sklearn_dsh.__version__} | {
        name: importlib.metadata.version(name) for name in packages
    }
