"""Linear and kernel methods on the last hidden layer of the networks that DSH trains.

    python benchmarks/fc_features.py --data FOLDER --seeds 3

For each protocol, length and seed the networks of DSH are trained, and what their last hidden
layer says of every row is kept in ``--output``: a finished training is not run again. On these
features every method is fitted, at the length and with the seed of the networks; its settings are
chosen on a third of the training data that further networks of that length were not trained on. The
row of DSH is that of the networks themselves. With ``--only-networks`` the methods are left for
another run, on another machine say.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV

import sklearn_dsh
from sklearn_dsh import DeepSketchHasher, SketchImageArray, load_sketch_photo_folder
from sklearn_dsh.comparison import default_methods, evaluate, make_problem
from sklearn_dsh.comparison._compare import N_SPLITS
from sklearn_dsh.comparison._problem import Problem
from sklearn_dsh.comparison._report import format_table
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.metrics import retrieval_scorer
from sklearn_dsh.model_selection import SketchKFold, StratifiedViewKFold

PARTS = ("train_sketch", "train_image", "query", "gallery")


def fold(problem):
    """Rows of the training data that networks are trained on, and that settings are chosen on."""
    splitter = SketchKFold if problem.protocol == "paper" else StratifiedViewKFold
    folds = splitter(N_SPLITS, shuffle=True, random_state=0)
    return next(folds.split(problem.train, problem.y_train))


def device_name(device):
    if device == "cpu" or not torch.cuda.is_available():
        return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    return torch.cuda.get_device_name()


def networks(problem, n_bits, seed, options):
    """Features of every row, and what DSH itself gives; of the networks for choosing if no seed."""
    file = options.output / f"{problem.protocol}-{n_bits}-{'fold' if seed is None else seed}.npz"
    if not file.exists():
        hasher = DeepSketchHasher(
            n_bits, device=options.device, n_jobs=options.n_jobs, random_state=seed or 0
        )
        X, y, found = problem.train, problem.y_train, {}
        if seed is None:
            rows, _ = fold(problem)
            hasher.fit(X[rows], y[rows])
        else:
            result = evaluate(hasher, problem, k=50)
            found = {
                "map": result.mean_average_precision,
                "precision": result.precision,
                "fit_seconds": result.fit_seconds,
            }
        # Half precision: a part in two thousand, in a file that can be moved.
        views = {
            "train_sketch": (X.take_view("sketch"), "sketch"),
            "train_image": (X.take_view("image"), "image"),
            "query": (problem.queries, "sketch"),
            "gallery": (problem.gallery, "image"),
        }
        if seed is None:
            del views["query"], views["gallery"]
        elif problem.protocol == "paper":
            del views["gallery"]  # the photos that were trained on
        features = {
            name: hasher.features(rows, view).astype(np.float16)
            for name, (rows, view) in views.items()
        }
        facts = {"device": device_name(options.device), "torch": torch.__version__}
        np.savez_compressed(file, **features, **found, **facts)
        print(file.stem, found, flush=True)
    with np.load(file) as held:
        return {name: held[name] for name in held}


def stacked(problem, held):
    """The training rows as features, in the order of the images."""
    X = problem.train
    rows = np.empty(len(X), dtype=np.intp)
    for view in (X.is_sketch, ~X.is_sketch):
        rows[view] = np.arange(np.count_nonzero(view))
    views = (held[name].astype(np.float32) for name in PARTS[:2])
    return SketchImageArray._from_rows(*views, X.is_sketch, rows)


def with_features(problem, held):
    photos = held["gallery"] if "gallery" in held else held["train_image"]
    return Problem(
        problem.protocol, stacked(problem, held), problem.y_train,
        held["query"].astype(np.float32), problem.y_query,
        photos.astype(np.float32), problem.y_gallery,
    )  # fmt: skip


def choose(method, problem, n_bits, options):
    """Settings that are best on rows that the networks were not trained on."""
    if not method.grid:
        return {}
    X, y = stacked(problem, networks(problem, n_bits, None, options)), problem.y_train
    search = GridSearchCV(
        method.make(n_bits, 0), method.grid, cv=[fold(problem)], refit=False,
        scoring=retrieval_scorer("mean_average_precision"),
    )  # fmt: skip
    return search.fit(X, y).best_params_


def cells(problem, n_bits, options, methods, results):
    """Rows of one protocol and length, each written as it is finished."""
    key = {
        "data": Path(options.data).resolve().name,
        "version": sklearn_dsh.__version__,
        "protocol": problem.protocol,
        "bits": n_bits,
    }
    settings = {}
    for seed in range(options.seeds):
        held = networks(problem, n_bits, seed, options)
        facts = {name: str(held[name]) for name in ("device", "torch")}
        own = key | {"seed": seed, "method": "DSH"}
        if not results.find(own):
            scores = {name: float(held[name]) for name in ("map", "precision", "fit_seconds")}
            results.add(own | scores | facts)
        if options.only_networks:
            continue
        features = with_features(problem, held)
        for name, method in methods.items():
            cell = key | {"seed": seed, "method": name}
            if results.find(cell):
                continue
            if name not in settings:
                settings[name] = choose(method, problem, n_bits, options)
            hasher = method.make(n_bits, seed).set_params(**settings[name])
            result = evaluate(hasher, features, k=50)
            results.add(
                cell
                | {
                    "map": result.mean_average_precision,
                    "precision": result.precision,
                    "fit_seconds": result.fit_seconds,
                    "settings": settings[name],
                    "networks of": facts["device"],
                }
            )
            print(cell, round(result.mean_average_precision, 4), flush=True)
    if options.only_networks:
        networks(problem, n_bits, None, options)


def table(rows):
    columns = list(dict.fromkeys((row["protocol"], row["bits"]) for row in rows))
    lines = [["method", *(f"{protocol}, {n_bits}" for protocol, n_bits in columns)]]
    for method in dict.fromkeys(row["method"] for row in rows):
        line = [method]
        for protocol, n_bits in columns:
            scores = [
                row["map"]
                for row in rows
                if (row["method"], row["protocol"], row["bits"]) == (method, protocol, n_bits)
            ]
            line.append(f"{np.mean(scores):.3f}" if scores else "")
        lines.append(line)
    return format_table(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--protocol", nargs="+", default=["paper", "unseen"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--only-networks", action="store_true")
    parser.add_argument("--methods", nargs="+", help="of `compare --features fc`; default: all")
    parser.add_argument("--output", type=Path, default=Path("fc_features"))
    options = parser.parse_args()
    results = Results(options.output / "results.jsonl")
    methods = default_methods("fc")
    methods = {name: methods[name] for name in options.methods or methods}
    data = load_sketch_photo_folder(options.data, size=None)
    for protocol in options.protocol:
        problem = make_problem(data, protocol)
        for n_bits in options.bits:
            cells(problem, n_bits, options, methods, results)
    print(table(results.rows))


if __name__ == "__main__":
    main()
