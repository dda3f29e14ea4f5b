"""``sklearn-dsh compare``: the tables and plots of a paper."""

import platform
import re
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click

import sklearn_dsh

from .._outputs import check_output_file, check_output_folder, replaced
from .._progress import Progress
from ._command import Command, count, device_option, loading, note, quiet_option
from ._evaluate import PROTOCOLS
from ._settings import architecture_option, check_device, make_architecture

LOADERS = {
    "folder": ("load_sketch_photo_folder", {}),
    "sketchy": ("load_sketchy", {}),
    "sketchy-original": ("load_sketchy", {"extension": False}),
    "tu_berlin": ("load_tu_berlin", {}),
}
FULL = {"bits": (32, 64, 128), "seeds": 1, "seeded_bits": 64}
QUICK = FULL | {"bits": (64,)}
LARGE = 10_000  # photos, from which on the precision is that at 200, as in the papers
PUBLISHED = ("tu_berlin", "sketchy")
PACKAGES = ("torch", "scikit-learn", "numpy", "scipy")


@click.command(cls=Command, short_help="Compare all methods on the same data.")
@click.argument("data", type=click.Path())
@click.option(
    "--dataset",
    type=click.Choice(list(LOADERS)),
    default="folder",
    show_default=True,
    help="What DATA is: a folder as `fit` takes it, or a research data set as it is given out "
    "(sketchy: with the photos of its extension).",
)
@click.option("--part", is_flag=True, help="Take a research data set of which files are missing.")
@click.option(
    "--queries",
    type=click.IntRange(min=1),
    help="Sketches of each category of a research data set that are queries.  [default: the "
    "papers': 50 of Sketchy, 10 of TU-Berlin]",
)
@click.option(
    "--size",
    type=click.IntRange(min=32),
    help="Side in pixels at which images are read. Hand-made features bring them to their own.  "
    "[default: the architecture's, 64]",
)
@architecture_option
@click.option(
    "--methods",
    multiple=True,
    help="May be repeated. A wrong name lists all.  [default: all]",
)
@click.option(
    "--features",
    type=click.Choice(("HOG", "fc", "pretrained")),
    default="HOG",
    show_default=True,
    help="What linear and kernel methods read. fc: the last hidden layer of the networks that DSH "
    "trains, of each length and seed; only DSH and these methods are run then. pretrained: of a "
    "network that knows images, for all methods.",
)
@click.option(
    "--bits",
    multiple=True,
    type=click.IntRange(min=1),
    help="Repeatable.  [default: 32, 64, 128]",
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(PROTOCOLS),
    help="Repeatable; the gallery is all photos, or those not trained on.  "
    "[default: both; paper with --quick]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="At --seeded-bits; one at other lengths.  [default: 1]",
)
@click.option(
    "--seeded-bits",
    type=click.IntRange(min=1),
    help="At this length settings are chosen, too.  [default: 64]",
)
@click.option(
    "-k",
    type=click.IntRange(min=1),
    help=f"Depth of the precision.  [default: 200, with less than {LARGE:,} photos 50]",
)
@click.option("--published", type=click.Choice(PUBLISHED), help="Show the published figures, too.")
@click.option(
    "--quick", is_flag=True, help="64 bits, one protocol, one seed: a part of the full tables."
)
@device_option("auto")
@click.option("--output", "-o", type=click.Path(), default="comparison", show_default=True)
@quiet_option
def compare(
    data, dataset, part, queries, size, architecture, methods, features, protocols, k, published,
    quick, device, output, quiet, **lengths,
):  # fmt: skip
    """Run every method on the same DATA, by the same protocols and measures; takes hours.

    In the folder --output lie results.jsonl (what is finished is not run again: take another folder
    for other data), tables.md, curves.png, and in retrieved/ pictures of what each method finds.
    A method that fails stops no other: the reason is below the tables, and the exit code is 1.

    Methods for feature vectors read --features; their settings are chosen by cross-validation on
    the training data, never on the queries. Where a method is defined for pairs and the data have
    none, pairs are drawn within categories.

    \b
    Examples:
      sklearn-dsh compare my_folder --quick
      sklearn-dsh compare my_folder --bits 32 --bits 64 --methods DSH --methods CCA-ITQ
    """
    with loading(quiet):
        from .. import comparison, datasets

    networks = make_architecture(architecture, size)
    size = size or max(networks.sizes().values())
    device = device or "auto"
    check_device(device)
    known = comparison.default_methods(features, architecture=networks, device=device)
    unknown = sorted(set(methods) - set(known))
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: expected some of {list(known)}.", param_hint="'--methods'"
        )
    loader, options = LOADERS[dataset]
    if part and dataset == "folder":
        raise click.UsageError("--part is of research data sets: a folder is taken as it is.")
    if queries and dataset == "folder":
        raise click.UsageError(
            "--queries is of research data sets: a folder has a split, or a fifth."
        )
    if part:
        options = options | {"check_counts": False}
    if queries:
        options = options | {"n_queries": queries}
    plan = _make_plan(methods or tuple(known), protocols, k or 1, quick, **lengths)
    draws = find_spec("matplotlib") is not None
    if not draws:
        note("matplotlib is not installed: no pictures are drawn. pip install matplotlib")
    output = check_output_folder(output)
    output.mkdir(parents=True, exist_ok=True)
    for name in ("results.jsonl", "tables.md", "curves.png"):
        check_output_file(output / name)
    check_output_folder(output / "retrieved")
    with Progress(desc="Reading images", disable=quiet):
        images = getattr(datasets, loader)(data, size=size, **options)
    if k is None:
        plan = replace(plan, k=200 if len(images.images) >= LARGE else 50)
    name = f"{dataset} {Path(data).resolve().name}, {size} px"
    if architecture != "compact":
        name += f", {architecture}"
    results = output / "results.jsonl"
    rows = comparison.compare(images, plan, results, methods=known, name=name, verbose=not quiet)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    text = (
        f"sklearn-dsh {sklearn_dsh.__version__}, {versions}, Python {platform.python_version()}; "
        f"{size} px.\n\n{comparison.markdown_report(rows, published=published)}"
    )
    click.echo(text)
    with replaced(output / "tables.md") as file:
        file.write(text.encode())
    if draws:
        length = plan.seeded_bits if plan.seeded_bits in plan.bits else plan.bits[0]
        figure = comparison.plot_comparison(rows, n_bits=length)
        with replaced(output / "curves.png") as file:
            figure.savefig(file, dpi=100, format="png")
        _draw_retrieved(images, rows, length, output / "retrieved")
    n_failed = sum("error" in row for row in rows)
    if n_failed:
        raise click.ClickException(
            f"{count(n_failed, 'cell')} of the tables failed, for the reasons below them; the same "
            f"command tries again. {str(results)!r} has the tracebacks."
        )


def _make_plan(methods, protocols, k, quick, **lengths):
    """The plan of the command, with `lengths` the options that --quick decides itself."""
    from ..comparison import Plan

    given = {name: value for name, value in lengths.items() if value not in (None, ())}
    wrong = [f"--{name.replace('_', '-')}" for name in given if quick]
    if wrong:
        raise click.UsageError(f"--quick is 64 bits and one seed: leave {', '.join(wrong)} out.")
    chosen = (QUICK if quick else FULL) | given
    if chosen["seeds"] > 1 and chosen["seeded_bits"] not in chosen["bits"]:
        raise click.UsageError(
            f"--seeds {chosen['seeds']} are of --seeded-bits {chosen['seeded_bits']}, which is "
            "none of --bits."
        )
    return Plan(
        methods=methods,
        bits=chosen["bits"],
        protocols=protocols or (PROTOCOLS[:1] if quick else PROTOCOLS),
        n_seeds=chosen["seeds"],
        seeded_bits=chosen["seeded_bits"],
        k=k,
    )


def _draw_retrieved(data, rows, n_bits, folder):
    from ..comparison import make_problem, plot_cell

    folder.mkdir(exist_ok=True)
    problems = {}
    for row in rows:
        if "retrieved" not in row or row["bits"] not in (n_bits, None):
            continue
        protocol = row["protocol"]
        if protocol not in problems:
            problems = {protocol: make_problem(data, protocol)}
        name = re.sub(r"\W+", "-", f"{protocol} {row['method']}")
        with replaced(folder / f"{name}.png") as file:
            plot_cell(row, problems[protocol]).savefig(file, dpi=80, format="png")
