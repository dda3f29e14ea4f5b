"""Retrieval of categories that no method was trained on.

    python benchmarks/zero_shot.py --data FOLDER --vectors word_vectors.txt --choices 21
    python benchmarks/zero_shot.py --data FOLDER --protocol sketchy_104_21 --generalised
    python benchmarks/zero_shot.py --data FOLDER --protocol sketchy68_48_20 --pretrained

FOLDER holds ``sketch/<category>/*`` and ``photo/<category>/*``, or is what ``load_sketchy`` or
``load_tu_berlin`` reads, for their protocols. Held out are the categories that the protocol says,
in one choice after the other; without ``--protocol`` pairs of all categories. The methods learn
from the others, and sketches of those held out query their photos (with ``--generalised`` also
photos of the others that were not trained on). Chance is the expected mean average precision of a
random ranking of the same photos for the same queries. With ``--pretrained`` the methods are those
that begin with a network that knows images; the settings of CCA-ITQ are chosen on thirds of the
categories trained on.

Each result is written to ``--output`` when it is there, and a finished one is not run again:
start with another file after changing the library.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
from hashing_quality import deep_methods
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.utils import Bunch

import sklearn_dsh
from sklearn_dsh import (
    BackboneFeatures,
    CCAHasher,
    DeepSketchHasher,
    EfficientNetLite0,
    HOGFeatures,
    ITQHasher,
    Pretrained,
    ZeroShotHasher,
    load_sketch_photo_folder,
)
from sklearn_dsh.comparison import evaluate, make_zero_shot_problem
from sklearn_dsh.comparison._report import format_table
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.datasets import (
    load_class_vectors,
    load_sketchy,
    load_tu_berlin,
    zero_shot_split,
)
from sklearn_dsh.metrics import mean_average_precision, precision_at_k, retrieval_scorer

N_DRAWS = {  # of every protocol, if --choices says nothing
    "sketchy_100_25": 5, "sketchy_104_21": 1, "tu_berlin_220_30": 5, "sketchy68_48_20": 5,
    "pacs_5_2": 21,
}  # fmt: skip
MEASURES = {"map": "mAP@all", "map_200": "mAP@200", "p_100": "P@100", "p_200": "P@200"}
ON_HOG = {"CCA-ITQ (HOG)": lambda m, s: CCAHasher(m, random_state=s)}
STAGES = (5, 6, 7)
SIZE = 64  # of the methods that are not pretrained


class TunedCCA:
    """CCA-ITQ with the settings that are best for thirds of the categories trained on."""

    GRID = {"reg": [1.0, 3.0, 10.0, 30.0, 100.0], "power": [0.0, 0.5, 1.0]}

    def __init__(self, n_bits, seed):
        self.hasher = CCAHasher(n_bits, random_state=seed)

    def fit(self, X, y):
        search = GridSearchCV(
            self.hasher, self.GRID, scoring=retrieval_scorer("mean_average_precision"),
            cv=GroupKFold(3, shuffle=True, random_state=0).split(X, y, groups=y),
        )  # fmt: skip
        self.hasher = search.fit(X, y).best_estimator_
        self.settings = search.best_params_
        return self

    def transform(self, X):
        return self.hasher.transform(X)


def tuned(stages="auto", **settings):
    """DeepSketchHasher with a pretrained network, of which these stages are read."""
    architecture = Pretrained(EfficientNetLite0(stages=stages))
    return lambda m, s: DeepSketchHasher(m, architecture=architecture, random_state=s, **settings)


# Name -> what is read, the method.
PRETRAINED = {
    "PCA-ITQ, stage 8": ((8,), lambda m, s: ITQHasher(m, random_state=s)),
    "CCA-ITQ, stage 8": ((8,), TunedCCA),
    "CCA-ITQ, stages 5 to 7": (STAGES, TunedCCA),
    "ZeroShotHasher, stages 5 to 7": (STAGES, lambda m, s: ZeroShotHasher(m, random_state=s)),
    "DSH": ("files", tuned()),
    "DSH, readout='features', stage 8": ("files", tuned(readout="features")),
    "DSH, readout='features', stages 5 to 7": ("files", tuned(STAGES, readout="features")),
}


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


def load(folder, size, protocol):
    """The data of a protocol, with images of one size."""
    if protocol and protocol.startswith("sketchy_"):
        return load_sketchy(folder, size=size, n_queries=0)
    if protocol and protocol.startswith("tu_berlin_"):
        return load_tu_berlin(folder, size=size, n_queries=0)
    return load_sketch_photo_folder(folder, size=size)


def describe(data, features):
    """The data with features in place of images."""
    rows = {view: features.fit_transform(data[view]) for view in ("sketches", "images")}
    return Bunch(**(data | rows))


def read(reads, data, options):
    """The data as a method reads it."""
    if reads == "HOG":
        return describe(data, HOGFeatures(image_size=options.size))
    return data if isinstance(reads, str) else describe(
        data, BackboneFeatures(EfficientNetLite0(stages=reads))
    )  # fmt: skip


def chance(problem):
    """Mean average precision of a random ranking: of codes that are all equal."""
    codes = [np.zeros((len(y), 1), dtype=np.uint8) for y in (problem.y_query, problem.y_gallery)]
    return mean_average_precision(*codes, problem.y_query, problem.y_gallery)


def run(estimator, problem):
    result = evaluate(estimator, problem, k=200)
    codes_and_labels = (
        result.query_codes, result.gallery_codes, problem.y_query, problem.y_gallery
    )  # fmt: skip
    settings = getattr(estimator, "settings", None)
    return ({"settings": settings} if settings else {}) | {
        "map": result.mean_average_precision,
        "map_200": mean_average_precision(*codes_and_labels, k=200),
        "p_100": precision_at_k(*codes_and_labels, k=100),
        "p_200": result.precision,
        "chance": chance(problem),
        "fit_seconds": result.fit_seconds,
        "sizes": problem.sizes(),
    }


def table(rows):
    """Means and standard deviations over the choices; "-" for what older rows lack."""
    head = ["method", *(f"{name} (mean, sd)" for name in MEASURES.values())]
    cells = [[*head, "chance", "above chance (mean, sd)", "fit s", "choices"]]
    for name in dict.fromkeys(row["method"] for row in rows):
        of_method = [row for row in rows if row["method"] == name]
        columns = {m: np.array([row.get(m, np.nan) for row in of_method]) for m in MEASURES}
        by_chance = np.array([row["chance"] for row in of_method])
        cells.append([
            name, *map(_mean_and_deviation, columns.values()), f"{by_chance.mean():.3f}",
            _mean_and_deviation(columns["map"] - by_chance),
            f"{np.median([row['fit_seconds'] for row in of_method]):.0f}", str(len(of_method)),
        ])  # fmt: skip
    return format_table(cells)


def _mean_and_deviation(values):
    if np.isnan(values).any():
        return "-"
    return f"{values.mean():.3f}, " + (f"{values.std(ddof=1):.3f}" if len(values) > 1 else "-")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--protocol", choices=N_DRAWS, help="of zero_shot_split; else all pairs")
    parser.add_argument("--pretrained", action="store_true", help="methods with such a network")
    parser.add_argument("--vectors", help="file of word vectors, for the methods that take them")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, help="of a fit of DSH, instead of its default")
    parser.add_argument("--choices", type=int, help="how many; all, or five, if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the choices and the methods")
    parser.add_argument("--generalised", action="store_true")
    parser.add_argument("--methods", nargs="+", help="only these names")
    parser.add_argument("--output", type=Path, default=Path("zero_shot.jsonl"))
    options = parser.parse_args()
    if options.pretrained and (options.vectors or options.steps or options.size != SIZE):
        parser.error("--vectors, --steps and --size are of the methods without --pretrained")

    data = load(options.data, None if options.pretrained else options.size, options.protocol)
    categories = data.target_names.tolist()
    vectors = load_class_vectors(options.vectors, categories) if options.vectors else None
    variants = deep_variants(vectors)
    if options.pretrained:
        methods = PRETRAINED
    else:
        methods = {name: ("HOG", make) for name, make in ON_HOG.items()}
        deep = deep_methods(options.size, options.steps, variants)
        methods |= {name: ("images", make) for name, make in deep.items()}
    unknown = set(options.methods or ()) - set(methods)
    if unknown:
        parser.error(
            f"unknown methods {sorted(unknown)}; there are {list(methods)}"
            + ("" if options.vectors else ", and more with --vectors")
        )

    results = Results(options.output)
    data_of = {}
    common = {
        "generalised": options.generalised,
        "seed": options.seed,
        "bits": options.bits,
        "size": "pretrained" if options.pretrained else options.size,
        "data": Path(options.data).name,
        "version": sklearn_dsh.__version__,
    }
    rows = []
    if options.protocol:
        n_draws = options.choices or N_DRAWS[options.protocol]
        choices = [zero_shot_split(options.protocol, data, draw=i).tolist() for i in range(n_draws)]
    else:
        choices = choose(categories, options.choices, options.seed)
    for held_out in choices:
        for name in options.methods or methods:
            key = common | {"method": name, "held_out": list(held_out)}
            if name in variants:
                key["steps"] = options.steps
                if "class_vectors" in variants[name]:
                    key["vectors"] = Path(options.vectors).name
            if not results.find(key):
                reads, make = methods[name]
                if reads not in data_of:
                    data_of[reads] = read(reads, data, options)
                problem = make_zero_shot_problem(
                    data_of[reads], held_out, generalised=options.generalised
                )
                results.add(key | run(make(options.bits, options.seed), problem))
                print(json.dumps(results.rows[-1]), flush=True)
            rows += results.find(key)
    rows.sort(key=lambda row: list(methods).index(row["method"]))
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
