"""Train, encode and search with every method, side by side: ``python -m sklearn_dsh.demo``.

On synthetic drawings, or on a folder of sketches and photos, the methods are fitted, the photos
encoded and searched with sketches that no method has seen. One table compares the methods, and one
picture shows what Deep Sketch Hashing finds.
"""

# What takes seconds to import is imported where it is used, when something is shown already.
import argparse
from contextlib import contextmanager

from ._outputs import check_output_file, replaced
from ._progress import Progress

N_BITS = 64
N_FOUND = 10  # photos drawn for each query
DEPTH = 50  # of the precision, and of the timed search
COLUMNS = ("method", "mAP", "P@{k}", "us/query encode", "us/query search", "bytes/photo", "fit s")


def make_methods(*, n_bits=N_BITS, device="auto", random_state=0):
    """The methods by name, unfitted; those for feature vectors read HOG features."""
    from sklearn.pipeline import Pipeline

    from .baselines import CCAHasher, ITQHasher, RandomProjectionHasher
    from .compose import PerView
    from .deep import DeepSketchHasher
    from .preprocessing import HOGFeatures

    linear = {
        "CCA": CCAHasher(n_bits, random_state=random_state),
        "ITQ": ITQHasher(n_bits, random_state=random_state),
        "random": RandomProjectionHasher(n_bits, random_state=random_state),
    }
    settings = {"device": device, "verbose": 1, "random_state": random_state}
    methods = {"DSH": DeepSketchHasher(n_bits, **settings)}
    for name, hasher in linear.items():
        features = PerView(sketch=HOGFeatures(), image=HOGFeatures())
        methods[name] = Pipeline([("hog", features), ("hasher", hasher)])
    return methods


def results_table(results, *, k):
    """The results, a dict of method to Result, as a table."""
    from .comparison._report import format_table

    cells = [[column.format(k=k) for column in COLUMNS]]
    cells += [
        [
            name,
            f"{result.mean_average_precision:.3f}",
            f"{result.precision:.3f}",
            f"{result.encode_microseconds:.0f}",
            f"{result.search_microseconds:.1f}",
            f"{result.bytes_per_photo}",
            f"{result.fit_seconds:.1f}",
        ]
        for name, result in results.items()
    ]
    return format_table(cells)


@contextmanager
def _ending_with_a_message(parser):
    """No traceback where the data are wrong."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        parser.exit(1, f"Error: {str(error) or type(error).__name__}\n")


def _existing_device(name, parser):
    from ._devices import resolve_device

    try:
        resolve_device(name)
    except ValueError as error:
        parser.error(str(error))
    return name


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
    parser.add_argument(
        "--device", default="auto", help="where networks compute: auto, cpu, cuda, ..."
    )
    args = parser.parse_args(argv)
    check_output_file(args.output, "the picture")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        parser.exit(
            1,
            "The demo draws a picture, and matplotlib is not installed: install it with\n"
            "    pip install matplotlib\n",
        )

    with Progress(desc="Loading"):
        from .comparison import evaluate, make_problem, plot_retrieved
        from .datasets import load_sketch_photo_folder, make_sketch_photo

        methods = make_methods(device=_existing_device(args.device, parser), random_state=args.seed)
    with (
        _ending_with_a_message(parser),
        Progress(desc="Making drawings" if args.data is None else "Reading images"),
    ):
        if args.data is None:
            data = make_sketch_photo(random_state=args.seed)
        else:
            data = load_sketch_photo_folder(args.data)
        problem = make_problem(data, random_state=args.seed)
    print(
        f"{args.data or 'Synthetic data'}: {problem.description}; {N_BITS}-bit codes.\n", flush=True
    )
    results = {}
    for name, hasher in methods.items():
        with Progress(desc=f"Training {name}", disable=name == "DSH"):  # it shows its own
            results[name] = evaluate(hasher, problem, k=DEPTH)
    print(results_table(results, k=DEPTH))
    name, best = next(iter(results.items()))
    figure = plot_retrieved(
        problem.queries,
        problem.gallery,
        best.query_codes,
        best.gallery_codes,
        problem.y_query,
        problem.y_gallery,
        n_found=N_FOUND,
        title=f"{name}: sketches and their {N_FOUND} nearest photos, with Hamming distances "
        "(green: right category, red: wrong)",
        random_state=args.seed,
    )
    with replaced(args.output) as file:
        figure.savefig(file, dpi=110, format="png")
    print(f"\nSketches and the photos found for them: {args.output}")


if __name__ == "__main__":
    main()
