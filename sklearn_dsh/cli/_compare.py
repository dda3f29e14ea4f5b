"""``sklearn-dsh compare``: the tables and plots of a paper."""

import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click

import sklearn_dsh

from ._command import Command, note, quiet_option
from ._evaluate import PROTOCOLS

LOADERS = {
    "folder": "load_sketch_photo_folder",
    "sketchy": "load_sketchy",
    "tu_berlin": "load_tu_berlin",
}
PUBLISHED = ("tu_berlin", "sketchy")
PACKAGES = ("torch", "scikit-learn", "numpy", "scipy")


@click.command(cls=Command, short_help="Compare all methods on the same data.")
@click.argument("data", type=click.Path())
@click.option(
    "--dataset",
    type=click.Choice(list(LOADERS)),
    default="folder",
    show_default=True,
    help="What DATA is: a folder as `fit` takes it, or a research data set as it is given out.",
)
@click.option("--size", default=64, show_default=True, help="Side of the images, in pixels.")
@click.option(
    "--methods",
    multiple=True,
    help="May be repeated. A wrong name lists all.  [default: all]",
)
@click.option(
    "--features",
    type=click.Choice(("HOG", "fc")),
    default="HOG",
    show_default=True,
    help="What linear and kernel methods read. fc: the last hidden layer of trained networks; only "
    "these methods are run then.",
)
@click.option(
    "--bits", multiple=True, type=int, default=(32, 64, 128), show_default=True, help="Repeatable."
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
    "--seeds", default=1, show_default=True, help="At --seeded-bits; one at other lengths."
)
@click.option("--seeded-bits", default=64, show_default=True)
@click.option("-k", default=50, show_default=True, help="Depth of the precision.")
@click.option("--published", type=click.Choice(PUBLISHED), help="Show the published figures, too.")
@click.option(
    "--quick", is_flag=True, help="64 bits, one protocol, one seed: a part of the full tables."
)
@click.option("--retrieved", is_flag=True, help="Fit DSH once more, for a picture.")
@click.option("--output", "-o", type=click.Path(), default="comparison", show_default=True)
@quiet_option
def compare(data, dataset, size, features, published, retrieved, output, quiet, **plan_options):
    """Run every method on the same DATA, by the same protocols and measures; takes hours.

    In the folder --output lie results.jsonl (what is finished is not run again), tables.md,
    curves.png and, with --retrieved a picture of what DSH finds, retrieved.png.

    Methods for feature vectors read --features; their settings are chosen by cross-validation on
    the training data, never on the queries. Where a method is defined for pairs and the data have
    none, pairs are drawn within categories.

    \b
    Examples:
      sklearn-dsh compare my_folder --quick
      sklearn-dsh compare my_folder --bits 32 --bits 64 --methods DSH --methods CCA-ITQ
    """
    from .. import comparison, datasets

    methods = comparison.default_methods(features)
    plan = _make_plan(methods, **plan_options)
    draws = find_spec("matplotlib") is not None
    if not draws:
        note("matplotlib is not installed: no pictures are drawn. pip install matplotlib")
    images = getattr(datasets, LOADERS[dataset])(data, size=size)
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    name = f"{dataset} {Path(data).resolve().name}, {size} px"
    results = output / "results.jsonl"
    rows = comparison.compare(images, plan, results, methods=methods, name=name, verbose=not quiet)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    text = (
        f"sklearn-dsh {sklearn_dsh.__version__}, {versions}, Python {platform.python_version()}; "
        f"{size} px.\n\n{comparison.markdown_report(rows, published=published)}"
    )
    click.echo(text)
    (output / "tables.md").write_text(text)
    if draws:
        length = plan.seeded_bits if plan.seeded_bits in plan.bits else plan.bits[0]
        figure = comparison.plot_comparison(rows, n_bits=length)
        figure.savefig(output / "curves.png", dpi=100)
    if draws and retrieved:
        _draw_retrieved(images, plan).savefig(output / "retrieved.png", dpi=100)


def _make_plan(known, methods, bits, protocols, seeds, seeded_bits, k, quick):
    from ..comparison import Plan

    return Plan(
        methods=methods or tuple(known),
        bits=(64,) if quick else bits,
        protocols=protocols or (PROTOCOLS[:1] if quick else PROTOCOLS),
        n_seeds=1 if quick else seeds,
        seeded_bits=64 if quick else seeded_bits,
        k=k,
    )


def _draw_retrieved(data, plan):
    from ..comparison import default_methods, evaluate, make_problem, plot_retrieved

    problem = make_problem(data, plan.protocols[0])
    result = evaluate(default_methods()["DSH"].make(plan.seeded_bits, 0), problem, k=plan.k)
    return plot_retrieved(
        problem.queries, problem.gallery, result.query_codes, result.gallery_codes,
        problem.y_query, problem.y_gallery, title="DSH",
    )  # fmt: skip
