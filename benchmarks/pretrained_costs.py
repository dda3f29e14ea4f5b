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

import numpy as np
import sklearn
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

N_VERSIONS = 2


def frozen(data, seed):
    """A frozen fit under protocol *paper* against its forward passes."""
    problem = make_problem(data, "paper")
    sketches, photos = (problem.train.take_view(view)[:] for view in ("sketch", "image"))
    features = BackboneFeatures()
    features.transform(photos[:64])  # warm up
    started = time.perf_counter()
    for _ in range(N_VERSIONS):
        for images in (sketches, photos):
            features.transform(images)
    passes = time.perf_counter() - started
    hasher = DeepSketchHasher(
        64, architecture=Pretrained(trained="none", n_versions=N_VERSIONS), random_state=seed,
        precision="float32",  # as the features
    )  # fmt: skip
    result = evaluate(hasher, problem, k=50)
    return {
        "images": len(sketches) + len(photos),
        "forward passes, s": passes,
        "fit, s": result.fit_seconds,
        "fit beyond 1.3 times the passes, s": result.fit_seconds - 1.3 * passes,
        "largest memory, GB": largest_memory()[0] / 1e9,
        "mAP, paper": result.mean_average_precision,
    }


def vectors(data, seed):
    """A fit on features: seconds and scores."""
    features = BackboneFeatures(EfficientNetLite0(128, stages=[8]))
    found = {}
    for protocol in ("paper", "unseen"):
        problem = with_features(make_problem(data, protocol), PerView(features, features))
        hasher = DeepSketchHasher(64, random_state=seed)
        result = evaluate(hasher, problem, k=50)
        found |= {
            f"{protocol}, rows": len(problem.y_train),
            f"{protocol}, fit, s": result.fit_seconds,
            f"{protocol}, mAP": result.mean_average_precision,
        }
    return found


PARTS = {"frozen": frozen, "vectors": vectors}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    print(
        f"sklearn-dsh {sklearn_dsh.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}; "
        f"{torch.get_num_threads()} threads"
    )
    data = load_sketch_photo_folder(options.data, size=None)
    for name in options.part:
        for seed in range(options.seeds):
            print(json.dumps({"part": name, "seed": seed, **PARTS[name](data, seed)}), flush=True)


if __name__ == "__main__":
    main()
