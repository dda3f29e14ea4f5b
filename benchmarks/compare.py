"""Every method on the same data, protocol and metric: the tables and plots of a paper.

    python benchmarks/compare.py --data FOLDER --bits 32 64 128
    python benchmarks/compare.py --data FOLDER --quick          # 64 bits, within an hour

FOLDER holds ``sketch/<category>/*`` and ``photo/<category>/*`` (and may have a ``split.csv``), or,
with ``--dataset``, a research data set as it is given out. In the folder ``--output`` lie the
results (``results.jsonl``; what is finished is not run again), ``tables.md``, ``curves.png`` and,
with ``--retrieved`` a picture of what DSH finds, ``retrieved.png``.

Methods for feature vectors read HOG features; their settings are chosen by cross-validation on the
training data, never on the queries. Where a method is defined for pairs and the data have none,
pairs are drawn within categories.
"""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

import sklearn_dsh
from sklearn_dsh import load_sketch_photo_folder
from sklearn_dsh.comparison import (
    Plan,
    compare,
    default_methods,
    evaluate,
    make_problem,
    markdown_report,
    plot_comparison,
    plot_retrieved,
)
from sklearn_dsh.comparison._problem import PROTOCOLS
from sklearn_dsh.comparison._report import PUBLISHED
from sklearn_dsh.datasets import load_sketchy, load_tu_berlin

LOADERS = {
    "folder": load_sketch_photo_folder,
    "sketchy": load_sketchy,
    "tu_berlin": load_tu_berlin,
}
PACKAGES = ("torch", "scikit-learn", "numpy", "scipy")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--dataset", choices=LOADERS, default="folder")
    parser.add_argument("--size", type=int, default=64, help="side of the images, in pixels")
    names = list(default_methods())
    parser.add_argument("--methods", nargs="+", default=names, help=f"of {names}")
    parser.add_argument("--bits", nargs="+", type=int, default=[32, 64, 128])
    parser.add_argument("--protocol", nargs="+", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--seeds", type=int, default=1, help="at --seeded-bits; 1 at the others")
    parser.add_argument("--seeded-bits", type=int, default=64)
    parser.add_argument("-k", type=int, default=50, help="depth of the precision")
    parser.add_argument("--published", choices=PUBLISHED, help="show the published figures, too")
    parser.add_argument("--quick", action="store_true", help="64 bits, one seed")
    parser.add_argument("--retrieved", action="store_true", help="fit DSH once more, for a picture")
    parser.add_argument("--output", type=Path, default=Path("comparison"))
    options = parser.parse_args()

    plan = Plan(
        methods=tuple(options.methods),
        bits=(64,) if options.quick else tuple(options.bits),
        protocols=tuple(options.protocol),
        n_seeds=1 if options.quick else options.seeds,
        seeded_bits=64 if options.quick else options.seeded_bits,
        k=options.k,
    )
    data = LOADERS[options.dataset](options.data, size=options.size)
    options.output.mkdir(parents=True, exist_ok=True)
    name = f"{options.dataset} {Path(options.data).resolve().name}, {options.size} px"
    rows = compare(data, plan, options.output / "results.jsonl", name=name, verbose=True)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    text = (
        f"sklearn-dsh {sklearn_dsh.__version__}, {versions}, Python {platform.python_version()}; "
        f"{options.size} px.\n\n{markdown_report(rows, published=options.published)}"
    )
    print(text)
    (options.output / "tables.md").write_text(text)
    length = plan.seeded_bits if plan.seeded_bits in plan.bits else plan.bits[0]
    plot_comparison(rows, n_bits=length).savefig(options.output / "curves.png", dpi=100)
    if options.retrieved:
        problem = make_problem(data, plan.protocols[0])
        result = evaluate(default_methods()["DSH"].make(plan.seeded_bits, 0), problem, k=plan.k)
        figure = plot_retrieved(
            problem.queries, problem.gallery, result.query_codes, result.gallery_codes,
            problem.y_query, problem.y_gallery, title="DSH",
        )  # fmt: skip
        figure.savefig(options.output / "retrieved.png", dpi=100)


if __name__ == "__main__":
    main()
