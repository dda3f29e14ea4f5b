"""What a frozen backbone costs: its forward passes, the fit on top of them, and a fit on vectors.

    python benchmarks/pretrained_costs.py --data FOLDER
    OMP_NUM_THREADS=1 python benchmarks/pretrained_costs.py --data FOLDER --part vectors

FOLDER holds ``sketch/<category>/*``, ``photo/<category>/*`` and a split.csv. *frozen*: the seconds
of ``Pretrained(trained="none")`` against those of the backbone alone on the same images, all
versions counted, and the largest memory. *vectors*: a fit on 1,280 features an image that are there
already, with its scores under both protocols.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch
from training_throughput import largest_memory

import sklearn_dsh
from sklearn_dsh import (
    BackboneFeatures,
    DeepSketchHasher,
    EfficientNetLite0,
    PerView,
    Pretrained,
    load_sketch_photo_folder,
)
from sklearn_dsh.comparison import evaluate, make_problem
from sklearn_dsh.comparison._evaluate import with_features
from sklearn_dsh.comparison._results import Results

N_VERSIONS = 2


def frozen(data, seeds):
    """Frozen fits under protocol *paper* against their forward passes."""
    problem = make_problem(data, "paper")
    sketches, photos = (problem.train.take_view(view)[:] for view in ("sketch", "image"))
    features = BackboneFeatures()
    features.transform(photos[:64])  # warm up
    started = time.perf_counter()
    for _ in range(N_VERSIONS):
        for images in (sketches, photos):
            features.transform(images)
    passes = time.perf_counter() - started
    for seed in range(seeds):
        hasher = DeepSketchHasher(
            64, architecture=Pretrained(trained="none", n_versions=N_VERSIONS), random_state=seed,
            precision="float32",  # as the features
        )  # fmt: skip
        result = evaluate(hasher, problem, k=50)
        yield {
            "seed": seed,
            "images": len(sketches) + len(photos),
            "forward passes, s": passes,
            "fit, s": result.fit_seconds,
            "fit beyond 1.3 times the passes, s": result.fit_seconds - 1.3 * passes,
            "largest memory, GB": largest_memory()[0] / 1e9,
            "mAP, paper": result.mean_average_precision,
        }


def vectors(data, seeds):
    """Fits on features: seconds and scores."""
    features = BackboneFeatures(EfficientNetLite0(128, stages=[8]))
    for protocol in ("paper", "unseen"):
        problem = with_features(make_problem(data, protocol), PerView(features, features))
        for seed in range(seeds):
            result = evaluate(DeepSketchHasher(64, random_state=seed), problem, k=50)
            yield {
                "seed": seed,
                "protocol": protocol,
                "rows": len(problem.y_train),
                "fit, s": result.fit_seconds,
                "mAP": result.mean_average_precision,
            }


PARTS = {"frozen": frozen, "vectors": vectors}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, help="a file to which the rows are added")
    options = parser.parse_args()
    common = {
        "data": Path(options.data).resolve().name,
        "version": sklearn_dsh.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }
    results = Results(options.output) if options.output else None
    data = load_sketch_photo_folder(options.data, size=None)
    for name in options.part:
        for row in PARTS[name](data, options.seeds):
            row = common | {"part": name} | row
            print(json.dumps(row), flush=True)
            if results:
                results.add(row)


if __name__ == "__main__":
    main()
