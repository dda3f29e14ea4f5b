"""From options to an unfitted estimator."""

import ast
import json

import click

# Parameters that have an option of their own.
OPTIONS = {
    "n_bits": "--bits",
    "random_state": "--seed",
    "architecture": "--architecture",
    "architecture__size": "--size",
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


architecture_option = click.option(
    "--architecture",
    default="compact",
    show_default=True,
    help="The networks of deep methods: compact; pretrained, which knows images and finds most; "
    "or paper, which wants a GPU. Their parameters: --set architecture__NAME=VALUE.",
)


def make_architecture(name, size):
    """The architecture of a name, reading images at ``size`` unless that is None."""
    from ..deep.architectures import resolve_architecture

    try:
        return resolve_architecture(name, size)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def check_device(device):
    """ValueError if there is no such device to train on."""
    from .._devices import resolve_device

    resolve_device(device)


def make_estimator(method_name, settings, steps, architecture="compact", size=None):
    """An unfitted hasher, or a Pipeline of features and one.

    Parameters
    ----------
    method_name : str
        Of :func:`sklearn_dsh.comparison.default_methods`, one that hashes.
    settings : dict
        Parameters of the hasher, ``n_bits`` and ``random_state`` among them.
    steps : int or None
        Gradient steps in all.
    architecture : str
        Name of the networks of a deep method.
    size : int or None
        Side in pixels at which these, or HOG features, read images.

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
    if not on_features:
        hasher.set_params(architecture=make_architecture(architecture, size))
    if steps is not None:
        settings["steps_per_iter"] = steps
    known = sorted(
        name for name in hasher.get_params() if "__" not in name or name.startswith("architecture")
    )
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
            rounds = min(rounds, steps)
            settings["max_iter"] = rounds
            each, more = divmod(steps, rounds)
            settings["steps_per_iter"] = (
                [each + (i < more) for i in range(rounds)] if more else each
            )
    hasher.set_params(**settings)
    hasher._validate_params()  # before data are read
    if not on_features:
        hasher._check_for_images()
        return hasher
    image_size = {} if size is None else {"image_size": size}
    features = PerView(sketch=HOGFeatures(**image_size), image=HOGFeatures(**image_size))
    return Pipeline([("features", features), ("hasher", hasher)])
