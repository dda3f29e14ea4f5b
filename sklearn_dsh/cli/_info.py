"""``sklearn-dsh info``: what a model file or a gallery is."""

import os
from pathlib import Path

import click

import sklearn_dsh

from .._hasher_files import load_hasher
from .._pipelines import last_step
from ._command import Command, json_option, loading, print_json, quiet_option, trust_option


@click.command(cls=Command, short_help="Tell what a model or gallery is.")
@click.argument("path", type=click.Path())
@json_option
@trust_option
@quiet_option
def info(path, as_json, trust_pickle, quiet):
    """Tell what PATH, a model file or the folder of a gallery, is.

    \b
    Examples:
      sklearn-dsh info model.safetensors
      sklearn-dsh info my_gallery --json
    """
    with loading(quiet):
        facts = _of_gallery(path) if os.path.isdir(path) else _of_model(path, trust_pickle)
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(click.format_filename(str(item)) for item in value)
        if value is not None:
            click.echo(f"{name.replace('_', ' ')}: {value}")


def _of_gallery(path):
    from ..gallery import Gallery, read_header

    gallery, header = Gallery.load(path), read_header(Path(path))
    return {
        "kind": "gallery",
        "n_photos": len(gallery),
        "n_bits": gallery.n_bits,
        "categories": None if gallery.labels is None else sorted(set(gallery.labels)),
        "n_code_bytes": gallery.codes.nbytes,
        "model_id": gallery.model_id,
        "written_by": {"sklearn-dsh": header["sklearn_dsh"]},
    }


def _of_model(path, trust_pickle):
    from ..gallery import hash_file

    estimator = load_hasher(path, trust_pickle=trust_pickle)
    hasher = last_step(estimator)
    steps = [type(estimator).__name__]
    if estimator is not hasher:
        steps = [type(step).__name__ for _, step in estimator.steps]
    facts = {
        "kind": "model",
        "steps": steps,
        "n_bits": int(hasher.n_bits),
        "views": list(hasher.views_),
        "categories": list(map(str, getattr(hasher, "classes_", []))) or None,
        "n_bytes": os.path.getsize(path),
        "model_id": hash_file(path),
        "trained_on": None,
        "written_by": None,
        "read_by": {"sklearn-dsh": sklearn_dsh.__version__},
    }
    if hasattr(estimator, "fitted_on_"):
        fitted_on = dict(estimator.fitted_on_)
        del fitted_on["item_ids"]
        facts["written_by"] = fitted_on.pop("versions")
        facts["trained_on"] = fitted_on
    return facts
