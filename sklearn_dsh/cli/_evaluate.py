"""``sklearn-dsh evaluate``: how well a model's codes retrieve."""

import click

from .._hasher_files import load_hasher
from .._pipelines import compute_on
from ._command import (
    Command,
    count,
    device_option,
    json_option,
    loading,
    note,
    print_json,
    quiet_option,
    trust_option,
)
from ._files import encode_files
from ._training_items import count_trained_on

PROTOCOLS = ("paper", "unseen")


@click.command(cls=Command, short_help="Measure how well a model retrieves.")
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    help="The gallery. paper: all photos; unseen: those of the part test, or one in five. Default: "
    "that of `fit`, or paper.",
)
@click.option(
    "-k",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Depth of the precision.",
)
@device_option("that of the model")
@json_option
@trust_option
@quiet_option
def evaluate(model, data, protocol, k, device, as_json, trust_pickle, quiet):
    """Let the test sketches of the folder DATA query its photos, and print how well it went.

    Queries are the sketches of the part test of DATA/split.csv, or, without one, a fifth of every
    category, the same at each call. A photo is right if it is of the sketch's category; mean
    average precision is over the whole gallery, ties averaged. Queries that the model was trained
    on are counted and warned of.

    \b
    Examples:
      sklearn-dsh evaluate model.safetensors my_folder
      sklearn-dsh evaluate model.safetensors my_folder --protocol unseen --json
    """
    with loading(quiet):
        from ..comparison import make_problem
        from ..datasets import load_sketch_photo_folder
        from ..metrics import mean_average_precision, precision_at_k

        hasher = load_hasher(model, trust_pickle=trust_pickle)
        compute_on(hasher, device)
    fitted_on = getattr(hasher, "fitted_on_", None)  # None: not written by `fit`
    if protocol is None:
        fitted = None if fitted_on is None else fitted_on["protocol"]
        protocol = fitted if fitted in PROTOCOLS else "paper"
    problem = make_problem(load_sketch_photo_folder(data, size=None), protocol)
    queries, gallery = problem.queries.tolist(), problem.gallery.tolist()
    query_codes, _ = encode_files(hasher, queries, "sketch", quiet=quiet)
    gallery_codes, _ = encode_files(hasher, gallery, "image", quiet=quiet)
    codes_and_labels = query_codes, gallery_codes, problem.y_query, problem.y_gallery
    k = min(k, len(gallery))
    report = {
        "protocol": protocol,
        "n_queries": len(queries),
        "n_gallery": len(gallery),
        "mean_average_precision": float(mean_average_precision(*codes_and_labels)),
        "k": k,
        "precision_at_k": float(precision_at_k(*codes_and_labels, k=k)),
        "n_queries_trained_on": None,
        "n_gallery_trained_on": None,
    }
    if fitted_on is not None:
        ids = fitted_on["item_ids"]
        report["n_queries_trained_on"] = count_trained_on(ids["sketch"], queries, data)
        report["n_gallery_trained_on"] = count_trained_on(ids["image"], gallery, data)
    _warn(report)
    if as_json:
        print_json(report)
        return
    click.echo(
        f"{count(len(queries), 'sketch')} query {count(len(gallery), 'photo')} (protocol "
        f"{protocol}): mean average precision {report['mean_average_precision']:.3f}, "
        f"precision@{k} {report['precision_at_k']:.3f}"
    )


def _warn(report):
    """Tell of what the model has seen, and should not have."""
    leaks = [("n_queries", "queries")]
    if report["protocol"] == "unseen":
        leaks.append(("n_gallery", "photos of the gallery"))
    for key, noun in leaks:
        n = report[f"{key}_trained_on"]
        if n:
            note(
                f"Warning: the model was trained on {n} of the {report[key]} {noun}, so that the "
                f"figures are too good. Train with `fit --protocol {report['protocol']}`."
            )
