"""Retrieval of categories that no method was trained on, for pairs of held-out categories.

    python benchmarks/zero_shot.py --data FOLDER --vectors word_vectors.txt --choices 21

FOLDER holds ``sketch/<category>/*`` and ``photo/<category>/*``. For every choice of two categories
the methods learn from the others; sketches of the two query the photos of the two (with
``--generalised`` also photos of the others that were not trained on). Chance is the expected mean
average precision of a random ranking of the same photos for the same queries.

Each result is written to ``--output`` when it is there, and a finished one is not run again:
start with another file after changing the library.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
from hashing_quality import deep_methods
from sklearn.utils import Bunch

import sklearn_dsh
from sklearn_dsh import CCAHasher, HOGFeatures, load_sketch_photo_folder
from sklearn_dsh.comparison import evaluate, make_zero_shot_problem
from sklearn_dsh.comparison._report import format_table
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.datasets import load_class_vectors
from sklearn_dsh.metrics import mean_average_precision

ON_HOG = {"CCA-ITQ (HOG)": lambda m, s: CCAHasher(m, random_state=s)}


def deep_variants(vectors):
    """Settings of DeepSketchHasher by name; ``vectors`` is None without a file of them."""
    variants = {
        "DSH, no semantic term": {"semantic_weight": 0.0},
        "DSH, fixed codes": {"code_updates": "fixed"},
    }
    if vectors is not None:
        words = {"class_vectors": vectors}
        variants["DSH, word vectors"] = words
        variants["DSH, fixed codes from word vectors"] = {
            **words, "init_codes": "semantic", "code_updates": "fixed",
        }  # fmt: skip
    return variants


def choose(categories, n, seed):
    """All pairs of categories, or ``n`` drawn from them."""
    pairs = list(combinations(categories, 2))
    if n is None or n >= len(pairs):
        return pairs
    drawn = np.random.default_rng(seed).choice(len(pairs), n, replace=False)
    return [pairs[i] for i in sorted(drawn)]


def describe(data, size):
    """The data with HOG features in place of images."""
    hog = HOGFeatures(image_size=size)
    features = {view: hog.fit_transform(data[view]) for view in ("sketches", "images")}
    return Bunch(**(data | features))


def chance(problem):
    """Mean average precision of a random ranking: of codes that are all equal."""
    codes = [np.zeros((len(y), 1), dtype=np.uint8) for y in (problem.y_query, problem.y_gallery)]
    return mean_average_precision(*codes, problem.y_query, problem.y_gallery)


def run(estimator, problem):
    result = evaluate(estimator, problem)
    return {
        "map": result.mean_average_precision,
        "chance": chance(problem),
        "fit_seconds": result.fit_seconds,
        "sizes": problem.sizes(),
    }


def table(rows):
    cells = [["method", "mAP (mean, sd)", "chance", "above chance (mean, sd)", "fit s", "choices"]]
    for name in dict.fromkeys(row["method"] for row in rows):
        of_method = [row for row in rows if row["method"] == name]
        scores = np.array([row["map"] for row in of_method])
        by_chance = np.array([row["chance"] for row in of_method])
        cells.append([
            name, _mean_and_deviation(scores), f"{by_chance.mean():.3f}",
            _mean_and_deviation(scores - by_chance),
            f"{np.median([row['fit_seconds'] for row in of_method]):.0f}", str(len(of_method)),
        ])  # fmt: skip
    return format_table(cells)


def _mean_and_deviation(values):
    return f"{values.mean():.3f}, " + (f"{values.std(ddof=1):.3f}" if len(values) > 1 else "-")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--vectors", help="file of word vectors, for the methods that take them")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, help="of a fit of DSH, instead of its default")
    parser.add_argument("--choices", type=int, help="how many pairs; all, if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the choices and the methods")
    parser.add_argument("--generalised", action="store_true")
    parser.add_argument("--methods", nargs="+", help="only these names")
    parser.add_argument("--output", type=Path, default=Path("zero_shot.jsonl"))
    options = parser.parse_args()

    data = load_sketch_photo_folder(options.data, size=options.size)
    categories = data.target_names.tolist()
    vectors = load_class_vectors(options.vectors, categories) if options.vectors else None
    variants = deep_variants(vectors)
    methods = ON_HOG | deep_methods(options.size, options.steps, variants)
    unknown = set(options.methods or ()) - set(methods)
    if unknown:
        parser.error(
            f"unknown methods {sorted(unknown)}; there are {list(methods)}"
            + ("" if options.vectors else ", and more with --vectors")
        )

    results = Results(options.output)
    data_of = {"images": data}
    common = {
        "generalised": options.generalised,
        "seed": options.seed,
        "bits": options.bits,
        "size": options.size,
        "data": Path(options.data).name,
        "version": sklearn_dsh.__version__,
    }
    rows = []
    for held_out in choose(categories, options.choices, options.seed):
        for name in options.methods or methods:
            key = common | {"method": name, "held_out": list(held_out)}
            if name in variants:
                key["steps"] = options.steps
                if "class_vectors" in variants[name]:
                    key["vectors"] = Path(options.vectors).name
            if not results.find(key):
                reads = "HOG" if name in ON_HOG else "images"
                if reads not in data_of:
                    data_of[reads] = describe(data, options.size)
                problem = make_zero_shot_problem(
                    data_of[reads], held_out, generalised=options.generalised
                )
                results.add(key | run(methods[name](options.bits, options.seed), problem))
                print(json.dumps(results.rows[-1]), flush=True)
            rows += results.find(key)
    rows.sort(key=lambda row: list(methods).index(row["method"]))
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
