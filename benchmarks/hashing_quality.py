"""Retrieval quality of every hasher on a folder of sketches and photos, under two protocols.

    python benchmarks/hashing_quality.py --data FOLDER --size 64 --bits 64 --seeds 3

FOLDER holds ``sketch/<category>/*``, ``photo/<category>/*`` and a ``split.csv``.

paper   train on train sketches and all photos; queries: test sketches; gallery: all photos
unseen  train on train sketches and train photos; queries: test sketches; gallery: test photos

With ``--contours BSDS``, a folder as ``contours.py`` reads it, also DSH with sketch tokens that
were learned from what people drew in ``BSDS/train``.

Each result is written to ``--output`` when it is there, and a finished one is not run again:
start with another file after changing the library. ``ablation.py`` runs parts and options of DSH by
the same measure.
"""

import argparse
import json
import platform
from functools import cache
from pathlib import Path

import numpy as np
import sklearn
import torch
from contours import load as load_contours
from sklearn.pipeline import make_pipeline

import sklearn_dsh
from sklearn_dsh import (
    CCAHasher,
    Compact,
    DeepSketchHasher,
    HOGFeatures,
    ITQHasher,
    PerView,
    RandomProjectionHasher,
    SketchTokenizer,
    load_sketch_photo_folder,
)
from sklearn_dsh.comparison import evaluate, make_problem
from sklearn_dsh.comparison._problem import PROTOCOLS
from sklearn_dsh.comparison._report import format_table
from sklearn_dsh.comparison._results import Results

LITERAL = {
    "loss": "regression",
    "similarity": "signed",
    "init_codes": "random",
    "min_code_distance": None,
    "quantization_weight": 1e-5,
}
DEPTH = 50  # of the precision


def on_hog(hasher, size):
    features = HOGFeatures(image_size=size)
    return make_pipeline(PerView(sketch=features, image=features), hasher)


def deep_methods(size, steps, variants):
    """Name -> function of (n_bits, seed) that gives an unfitted DeepSketchHasher.

    ``variants`` has the settings of each name. ``steps``: of a whole fit, the default if None.
    """
    common = {"architecture": Compact(size)}
    if steps is not None:
        common["steps_per_iter"] = -(-steps // DeepSketchHasher().max_iter)
    return {
        name: lambda m, s, settings=settings: DeepSketchHasher(
            m, random_state=s, **common
        ).set_params(**settings)
        for name, settings in variants.items()
    }


@cache
def learn_tokens(folder):
    """A SketchTokenizer that learned from the contours of a folder."""
    photos, contours, _ = load_contours(Path(folder) / "train")
    return SketchTokenizer(random_state=0).fit(photos, contours)


def make_methods(options):
    """Name -> function of (n_bits, seed) that gives an unfitted estimator."""
    size = options.size
    variants = {
        "DSH": {},
        "DSH, fixed category codes": {"code_updates": "fixed"},
        "DSH, literal objective": LITERAL,
    }
    deep = deep_methods(size, options.steps, variants)
    if options.contours is not None:
        deep["DSH, learned sketch tokens"] = lambda m, s: deep["DSH"](m, s).set_params(
            sketch_tokens=learn_tokens(options.contours)
        )
    linear = {
        "CCA-ITQ (HOG)": lambda m, s: on_hog(CCAHasher(m, random_state=s), size),
        "PCA-ITQ (HOG)": lambda m, s: on_hog(ITQHasher(m, random_state=s), size),
        "random projections (HOG)": lambda m, s: on_hog(
            RandomProjectionHasher(m, random_state=s), size
        ),
    }
    return deep | linear


def run(estimator, problem):
    result = evaluate(estimator, problem, k=DEPTH)
    return {
        "map": result.mean_average_precision,
        f"precision@{DEPTH}": result.precision,
        "fit_seconds": result.fit_seconds,
        "sizes": problem.sizes(),
    }


def table(results, protocol):
    cells = [["method", "mAP (mean, sd)", f"precision@{DEPTH}", "fit s (median)", "seeds"]]
    for name in dict.fromkeys(r["method"] for r in results):
        rows = [r for r in results if r["method"] == name and r["protocol"] == protocol]
        if rows:
            scores = [r["map"] for r in rows]
            deviation = f"{np.std(scores, ddof=1):.3f}" if len(scores) > 1 else "-"
            precision = np.mean([r[f"precision@{DEPTH}"] for r in rows])
            seconds = np.median([r["fit_seconds"] for r in rows])
            cells.append([
                name, f"{np.mean(scores):.3f}, {deviation}", f"{precision:.3f}", f"{seconds:.0f}",
                str(len(rows)),
            ])  # fmt: skip
    return format_table(cells)


def main(make_methods=make_methods, description=__doc__, output="hashing_quality.jsonl"):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, help="of a fit of DSH, instead of its default")
    parser.add_argument("--seeds", type=int, default=3, help="of DSH and the baselines")
    parser.add_argument("--variant-seeds", type=int, default=1, help="of the DSH variants")
    parser.add_argument("--contours", help="photos and contours that people drew")
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--methods", nargs="+", help="only these names")
    parser.add_argument("--output", type=Path, default=Path(output))
    options = parser.parse_args()

    methods = make_methods(options)
    unknown = set(options.methods or ()) - set(methods)
    if unknown:
        parser.error(f"unknown methods {sorted(unknown)}; there are {list(methods)}")

    results = Results(options.output)
    data = load_sketch_photo_folder(options.data, size=options.size)
    problems = {protocol: make_problem(data, protocol) for protocol in options.protocols}
    for name in options.methods or methods:
        is_variant = name.startswith("DSH,")
        for seed in range(options.variant_seeds if is_variant else options.seeds):
            for protocol in options.protocols:
                key = {
                    "method": name,
                    "protocol": protocol,
                    "seed": seed,
                    "bits": options.bits,
                    "size": options.size,
                    "steps": options.steps,
                    "data": Path(options.data).name,
                    "version": sklearn_dsh.__version__,
                }
                if not results.find(key):
                    results.add(key | run(methods[name](options.bits, seed), problems[protocol]))
                    print(json.dumps(results.rows[-1]), flush=True)

    wanted = {k: key[k] for k in ("bits", "size", "steps", "data", "version")}
    rows = results.find(wanted)
    print(
        f"\nsklearn-dsh {sklearn_dsh.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{torch.get_num_threads()} threads; {options.bits} bits, {options.size} px, "
        f"{options.steps or 'default number of'} steps"
    )
    for protocol in options.protocols:
        print(f"\n{protocol}: {problems[protocol].description}\n\n{table(rows, protocol)}")


if __name__ == "__main__":
    main()
