"""Train, encode and search with every method, side by side: ``python -m sklearn_dsh.demo``.

On synthetic drawings, or on a folder of sketches and photos, the methods are fitted, the photos
encoded and searched with sketches that no method has seen. One table compares the methods, and one
picture shows what Deep Sketch Hashing finds.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from .baselines import CCAHasher, ITQHasher, RandomProjectionHasher
from .comparison import plot_retrieved
from .compose import PerView
from .datasets import load_sketch_photo_folder, make_sketch_photo
from .deep import DeepSketchHasher
from .metrics import mean_average_precision, precision_at_k
from .model_selection import SketchKFold
from .preprocessing import HOGFeatures
from .retrieval import HammingRetriever
from .views import SketchImageArray, stack_views

N_BITS = 64
N_FOUND = 10  # photos drawn for each query
COLUMNS = ("method", "mAP", "P@{k}", "us/query encode", "us/query search", "bytes/photo", "fit s")


@dataclass
class Problem:
    """What the methods are compared on: rows to learn from, query sketches, a gallery of photos."""

    train: SketchImageArray
    y_train: np.ndarray
    queries: np.ndarray
    y_query: np.ndarray
    gallery: np.ndarray
    y_gallery: np.ndarray
    description: str


@dataclass
class Result:
    """One row of the table, and the codes behind it."""

    method: str
    mean_average_precision: float
    precision: float
    encode_microseconds: float
    search_microseconds: float
    bytes_per_photo: int
    fit_seconds: float
    query_codes: np.ndarray
    gallery_codes: np.ndarray


def make_problem(data, *, random_state=0):
    """Split the query sketches off.

    Parameters
    ----------
    data : Bunch
        From :func:`~sklearn_dsh.make_sketch_photo` or
        :func:`~sklearn_dsh.load_sketch_photo_folder`.
    random_state : int, default=0
        Seed of the split.

    Returns
    -------
    problem : Problem
        The sketches in the part "test" of the folder's split.csv are the queries, or else a
        fifth of the sketches of every category. The other sketches and all photos are trained
        on, and all photos are searched.
    """
    X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image), interleave=False)
    split = data.get("split_sketch")
    if split is not None and "test" in split:
        is_query = np.append(split == "test", np.zeros(X.n_images, dtype=bool))
    else:
        folds = SketchKFold(n_splits=5, shuffle=True, random_state=random_state)
        _, test = next(folds.split(X, y))
        is_query = X.is_sketch & np.isin(np.arange(len(y)), test)
    n_queries = np.count_nonzero(is_query)
    return Problem(
        train=X[~is_query],
        y_train=y[~is_query],
        queries=X[is_query].take_view("sketch")[:],
        y_query=y[is_query],
        gallery=data.images,
        y_gallery=data.y_image,
        description=(
            f"{len(np.unique(y))} categories. Trained on {X.n_sketches - n_queries} sketches and "
            f"all {X.n_images} photos;\n{n_queries} other sketches query all photos "
            "(the protocol of the papers)"
        ),
    )


def make_methods(*, n_bits=N_BITS, random_state=0):
    """The methods by name, unfitted; those for feature vectors read HOG features."""
    linear = {
        "CCA": CCAHasher(n_bits, random_state=random_state),
        "ITQ": ITQHasher(n_bits, random_state=random_state),
        "random": RandomProjectionHasher(n_bits, random_state=random_state),
    }
    methods = {"DSH": DeepSketchHasher(n_bits, random_state=random_state)}
    for name, hasher in linear.items():
        features = PerView(sketch=HOGFeatures(), image=HOGFeatures())
        methods[name] = Pipeline([("hog", features), ("hasher", hasher)])
    return methods


def evaluate(name, hasher, problem, *, k=50):
    """Fit one method, encode, search, and measure.

    Parameters
    ----------
    name : str
        What the table calls it.
    hasher : estimator
        Unfitted; fitted in place.
    problem : Problem
    k : int, default=50
        Depth of the precision.

    Returns
    -------
    result : Result
    """
    start = time.perf_counter()
    hasher.fit(problem.train, problem.y_train)
    fit_seconds = time.perf_counter() - start

    gallery_codes = hasher.transform(SketchImageArray(None, problem.gallery))
    queries = SketchImageArray(problem.queries, None)
    hasher.transform(queries[:1])  # what is built once, at the first call, is no query's time
    query_codes, encode_seconds = _timed(hasher.transform, queries)

    retriever = HammingRetriever(n_neighbors=min(N_FOUND, len(gallery_codes))).fit(gallery_codes)
    retriever.kneighbors(query_codes[:1])
    _, search_seconds = _timed(retriever.kneighbors, query_codes)

    codes_and_labels = query_codes, gallery_codes, problem.y_query, problem.y_gallery
    per_query = 1e6 / len(query_codes)
    return Result(
        method=name,
        mean_average_precision=mean_average_precision(*codes_and_labels),
        precision=precision_at_k(*codes_and_labels, k=k),
        encode_microseconds=encode_seconds * per_query,
        search_microseconds=search_seconds * per_query,
        bytes_per_photo=gallery_codes.shape[1],
        fit_seconds=fit_seconds,
        query_codes=query_codes,
        gallery_codes=gallery_codes,
    )


def _timed(function, *args):
    start = time.perf_counter()
    value = function(*args)
    return value, time.perf_counter() - start


def format_table(results, *, k=50):
    """The results as a Markdown table, aligned so that it reads well in a terminal too."""
    cells = [[column.format(k=k) for column in COLUMNS]]
    cells += [
        [
            result.method,
            f"{result.mean_average_precision:.3f}",
            f"{result.precision:.3f}",
            f"{result.encode_microseconds:.0f}",
            f"{result.search_microseconds:.1f}",
            f"{result.bytes_per_photo}",
            f"{result.fit_seconds:.1f}",
        ]
        for result in results
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = [":" + "-" * (widths[0] - 1)] + ["-" * (width - 1) + ":" for width in widths[1:]]
    lines = [
        [row[0].ljust(widths[0])]
        + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        for row in cells
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])


def main(argv=None):
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_dsh.demo", description=__doc__)
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="a folder with sketch/<category>/* and photo/<category>/* (default: synthetic data)",
    )
    parser.add_argument("--output", metavar="PNG", default="demo.png", help="the picture's file")
    parser.add_argument("--seed", type=int, default=0, help="of data, split and methods")
    args = parser.parse_args(argv)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        parser.exit(
            1,
            "The demo draws a picture, and matplotlib is not installed: install it with\n"
            "    pip install matplotlib    (or: pip install 'sklearn-dsh[demo]')\n",
        )

    if args.data is None:
        data = make_sketch_photo(random_state=args.seed)
    else:
        data = load_sketch_photo_folder(args.data)
    problem = make_problem(data, random_state=args.seed)
    print(f"{args.data or 'Synthetic data'}: {problem.description}; {N_BITS}-bit codes.\n")
    results = []
    methods = make_methods(random_state=args.seed)
    progress = tqdm(methods.items(), disable=not sys.stderr.isatty(), leave=False)
    for name, hasher in progress:
        progress.set_description(f"Training {name}")
        results.append(evaluate(name, hasher, problem))
    print(format_table(results))
    best = results[0]
    figure = plot_retrieved(
        problem.queries,
        problem.gallery,
        best.query_codes,
        best.gallery_codes,
        problem.y_query,
        problem.y_gallery,
        n_found=N_FOUND,
        title=f"{best.method}: sketches and their {N_FOUND} nearest photos, with Hamming distances "
        "(green: right category, red: wrong)",
        random_state=args.seed,
    )
    figure.savefig(args.output, dpi=110)
    print(f"\nSketches and the photos found for them: {args.output}")


if __name__ == "__main__":
    main()
