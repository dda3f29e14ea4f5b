"""Retrieval quality of every hasher on a folder of sketches and photos, under two protocols.

    python benchmarks/hashing_quality.py --data FOLDER --size 64 --bits 64 --seeds 3

FOLDER holds ``sketch/<category>/*``, ``photo/<category>/*`` and a ``split.csv``.

paper   train on train sketches and all photos; queries: test sketches; gallery: all photos
unseen  train on train sketches and train photos; queries: test sketches; gallery: test photos

Each result is written to ``--output`` when it is there, and a finished one is not run again:
start with another file after changing the library. Processes started with other ``--methods`` may
share the file. ``ablation.py`` runs parts and options of DSH by the same measure.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.pipeline import make_pipeline

import sklearn_dsh
from sklearn_dsh import (
    CCAHasher,
    DeepSketchHasher,
    HOGFeatures,
    ITQHasher,
    PerView,
    RandomProjectionHasher,
    SketchImageArray,
    load_sketch_photo_folder,
    stack_views,
)
from sklearn_dsh.metrics import mean_average_precision, precision_at_k

LITERAL = {
    "loss": "regression",
    "similarity": "signed",
    "init_codes": "random",
    "min_code_distance": None,
    "quantization_weight": 1e-5,
}
PROTOCOLS = {
    "paper": ({"sketch": "train"}, {"sketch": "test"}),
    "unseen": ({"sketch": "train", "image": "train"}, {"sketch": "test", "image": "test"}),
}


def on_hog(hasher, size):
    features = HOGFeatures(image_size=size)
    return make_pipeline(PerView(sketch=features, image=features), hasher)


def deep(size, **settings):
    """A function of (n_bits, seed) that gives an unfitted DeepSketchHasher."""
    return lambda m, s: DeepSketchHasher(m, image_size=size, random_state=s, **settings)


def make_methods(size):
    """Name -> function of (n_bits, seed) that gives an unfitted estimator."""
    return {
        "DSH": deep(size),
        "CCA-ITQ (HOG)": lambda m, s: on_hog(CCAHasher(m, random_state=s), size),
        "PCA-ITQ (HOG)": lambda m, s: on_hog(ITQHasher(m, random_state=s), size),
        "random projections (HOG)": lambda m, s: on_hog(
            RandomProjectionHasher(m, random_state=s), size
        ),
        "DSH, fixed category codes": deep(size, code_updates="fixed"),
        "DSH, literal objective": deep(size, **LITERAL),
    }


def run(estimator, train, test):
    X, y = stack_views(train.sketches, train.images, (train.y_sketch, train.y_image))
    started = time.perf_counter()
    estimator.fit(X, y)
    fit_seconds = time.perf_counter() - started
    queries = estimator.transform(test.sketches)
    gallery = estimator.transform(SketchImageArray(None, test.images))
    labels = test.y_sketch, test.y_image
    return {
        "map": mean_average_precision(queries, gallery, *labels),
        "precision@50": precision_at_k(queries, gallery, *labels, k=50),
        "fit_seconds": fit_seconds,
        "sizes": [len(train.sketches), len(train.images), len(queries), len(gallery)],
    }


def table(results, protocol):
    lines = [
        "| method | mAP (mean, sd) | precision@50 | fit s (median) | seeds |",
        "|---|---|---|---|---|",
    ]
    names = dict.fromkeys(r["method"] for r in results)
    for name in names:
        rows = [r for r in results if r["method"] == name and r["protocol"] == protocol]
        if rows:
            scores = [r["map"] for r in rows]
            precision = np.mean([r["precision@50"] for r in rows])
            seconds = np.median([r["fit_seconds"] for r in rows])
            deviation = f"{np.std(scores, ddof=1):.3f}" if len(scores) > 1 else "-"
            lines.append(
                f"| {name} | {np.mean(scores):.3f}, {deviation} | {precision:.3f} "
                f"| {seconds:.0f} | {len(rows)} |"
            )
    return "\n".join(lines)


def main(make_methods=make_methods, description=__doc__, output="hashing_quality.json"):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3, help="of DSH and the baselines")
    parser.add_argument("--variant-seeds", type=int, default=1, help="of the DSH variants")
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--methods", nargs="+", help="only these names")
    parser.add_argument("--output", type=Path, default=Path(output))
    options = parser.parse_args()

    methods = make_methods(options.size)
    unknown = set(options.methods or ()) - set(methods)
    if unknown:
        parser.error(f"unknown methods {sorted(unknown)}; there are {list(methods)}")

    def read():
        return json.loads(options.output.read_text()) if options.output.exists() else []

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
                    "data": Path(options.data).name,
                    "version": sklearn_dsh.__version__,
                }
                if any(key.items() <= r.items() for r in read()):
                    continue
                train, test = (
                    load_sketch_photo_folder(options.data, split=split, size=options.size)
                    for split in PROTOCOLS[protocol]
                )
                result = key | run(methods[name](options.bits, seed), train, test)
                options.output.write_text(json.dumps([*read(), result], indent=1))
                print(json.dumps(result), flush=True)

    wanted = {k: key[k] for k in ("bits", "size", "data", "version")}
    results = [r for r in read() if wanted.items() <= r.items()]
    print(
        f"\nsklearn-dsh {sklearn_dsh.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{torch.get_num_threads()} threads; {options.bits} bits, {options.size} px"
    )
    for protocol in options.protocols:
        sizes = next((r["sizes"] for r in results if r["protocol"] == protocol), None)
        if sizes:
            print(
                f"\n{protocol}: {sizes[0]} sketches and {sizes[1]} photos to train, "
                f"{sizes[2]} queries, gallery of {sizes[3]}\n\n{table(results, protocol)}"
            )


if __name__ == "__main__":
    main()
