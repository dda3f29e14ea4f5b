"""From options to an unfitted estimator."""

import ast
import json
import math

import click

# Parameters that have an option of their own.
OPTIONS = {
    "n_bits": "--bits",
    "random_state": "--seed",
    "image_size": "--size",
    "device": "--device",
    "validation_fraction": "--validation-fraction",
    "checkpoint_dir": "--checkpoint-dir",
    "verbose": "--quiet",
}


def parse_settings(ctx, param, values):
    """``name=value`` texts as a dict; values are read as JSON, as Python, or as plain text."""
    settings = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r}: expected name=value.")
        if name in OPTIONS:
            raise click.BadParameter(f"{name!r} has an option of its own: {OPTIONS[name]}.")
        if name in settings:
            raise click.BadParameter(f"{name!r} was given twice.")
        settings[name] = _read_value(text)
    return settings


def _read_value(text):
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text


def make_estimator(method_name, settings, steps):
    """An unfitted hasher, or a Pipeline of features and one.

    Parameters
    ----------
    method_name : str
        Of :func:`sklearn_dsh.comparison.default_methods`, one that hashes.
    settings : dict
        Parameters of the hasher, ``n_bits`` and ``random_state`` among them; ``image_size`` is the
        features' if the hasher reads HOG features.
    steps : int or None
        Gradient steps in all.

    Raises
    ------
    click.BadParameter
        If there is no such method, or the hasher has no such parameter.
    """
    from sklearn.pipeline import Pipeline

    from ..comparison import default_methods
    from ..compose import PerView
    from ..preprocessing import HOGFeatures

    methods = {
        name: method
        for name, method in default_methods().items()
        if method.make is not None and method.hashes and method.reads in ("images", "HOG")
    }
    if method_name not in methods:
        raise click.BadParameter(
            f"{method_name!r}: expected one of {', '.join(methods)}.", param_hint="'--method'"
        )
    method, settings = methods[method_name], dict(settings)
    hasher = method.make(settings.pop("n_bits"), settings.pop("random_state"))
    on_features = method.reads == "HOG"
    size = {"image_size": settings.pop("image_size")} if "image_size" in settings else {}
    if not on_features:
        settings |= size
    if steps is not None:
        settings["steps_per_iter"] = steps
    known = sorted(hasher.get_params(deep=False))
    unknown = sorted(set(settings) - set(known))
    if unknown:
        options = OPTIONS | ({} if steps is None else {"steps_per_iter": "--steps"})
        given = [options.get(name, f"--set {name}") for name in unknown]
        free = [name for name in known if name not in OPTIONS]
        raise click.UsageError(
            f"{method_name} takes no {', '.join(given)}. With --set it takes {', '.join(free)}."
        )
    if steps is not None:
        rounds = settings.get("max_iter", hasher.max_iter)
        if isinstance(rounds, int) and rounds > 0:  # the hasher refuses all else
            settings["steps_per_iter"] = math.ceil(steps / rounds)
    hasher.set_params(**settings)
    if not on_features:
        return hasher
    features = PerView(sketch=HOGFeatures(**size), image=HOGFeatures(**size))
    return Pipeline([("features", features), ("hasher", hasher)])
