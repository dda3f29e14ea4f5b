"""Exact Hamming search: HammingRetriever, faiss's flat binary index and scikit-learn's brute force.

    python benchmarks/retrieval_speed.py [--threads 2] [--gallery 204489] [--queries 1000] [--k 200]

All search the same codes with the same number of threads in this one process, taking turns; what
is shown is the median over the repeats. scikit-learn gets the unpacked bits as float64, the
fastest type for its Hamming distance, and only the first queries (``--sklearn-queries``), since it
takes milliseconds for each; it is compared by the time per query. Every answer's distances are
checked against each other.

"uniform" codes are random bits, the hardest case for a scan that skips what is far. "learned"
codes are what a hasher gives: 250 random category codes, of which every item flips a share of the
bits; at 0 % they are nothing but duplicates.
"""

import argparse
import os
import platform
from functools import partial
from importlib.metadata import version
from statistics import median
from time import perf_counter

import faiss
import numpy as np
from sklearn.neighbors import NearestNeighbors

import sklearn_dsh
from sklearn_dsh.codes import unpack_bits
from sklearn_dsh.retrieval import HammingRetriever

N_CATEGORIES = 250


def make_codes(n, n_bits, flipped, rng):
    """Uniform codes (flipped None) or category codes with a share of their bits flipped."""
    if flipped is None:
        return rng.integers(0, 256, (n, n_bits // 8), dtype=np.uint8)
    categories = rng.integers(0, 256, (N_CATEGORIES, n_bits // 8), dtype=np.uint8)
    codes = categories[rng.integers(0, N_CATEGORIES, n)]
    for chunk in np.array_split(codes, max(1, n // 100_000)):  # views: flipped in place
        chunk ^= np.packbits(rng.random((len(chunk), n_bits), dtype=np.float32) < flipped, axis=1)
    return codes


def median_seconds(searches, repeats):
    """Median seconds of each search; they take turns, after one call of each to warm up."""
    seconds = {name: [] for name in searches}
    for turn in range(repeats + 1):
        for name, search in searches.items():
            start = perf_counter()
            search()
            if turn > 0:
                seconds[name].append(perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def compare(codes, args):
    """Milliseconds a query of each method on one set of codes."""
    gallery, queries = codes[: args.gallery], codes[args.gallery :]
    retriever = HammingRetriever(n_jobs=args.threads).fit(gallery)
    index = faiss.IndexBinaryFlat(args.bits)
    index.add(gallery)
    unpacked = NearestNeighbors(algorithm="brute", metric="hamming", n_jobs=args.threads)
    unpacked.fit(unpack_bits(gallery, args.bits).astype(float))
    some_bits = unpack_bits(queries[: args.sklearn_queries], args.bits).astype(float)

    ours = partial(retriever.kneighbors, queries, args.k)
    flat = partial(index.search, queries, args.k)
    brute = partial(unpacked.kneighbors, some_bits, args.k)
    distances = ours()[0]
    np.testing.assert_array_equal(flat()[0], distances)
    np.testing.assert_allclose(args.bits * brute()[0], distances[: args.sklearn_queries])

    seconds = median_seconds({"ours": ours, "faiss": flat}, args.repeats)
    seconds |= median_seconds({"sklearn": brute}, args.sklearn_repeats)
    n_asked = {"ours": len(queries), "faiss": len(queries), "sklearn": len(some_bits)}
    return {name: 1000 * seconds[name] / n_asked[name] for name in seconds}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--gallery", type=int, default=204_489)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--bits", type=int, default=128, help="a multiple of 8")
    parser.add_argument("--k", type=int, default=200)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sklearn-queries", type=int, default=20)
    parser.add_argument("--sklearn-repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)

    packages = ("faiss-cpu", "scikit-learn", "numpy", "numba")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors")
    print(f"sklearn-dsh {sklearn_dsh.__version__}", end=", ")
    print(", ".join(f"{package} {version(package)}" for package in packages))
    print(
        f"{args.gallery:,} codes of {args.bits} bits, {args.queries:,} queries "
        f"({args.sklearn_queries} for scikit-learn), k = {args.k}, {args.threads} threads, "
        f"seed {args.seed}, medians of {args.repeats} ({args.sklearn_repeats})\n"
    )
    print("| codes | ours, ms/query | faiss | scikit-learn | faiss / ours | scikit-learn / ours |")
    print("|---|---|---|---|---|---|")
    for name, flipped in (
        ("uniform", None),
        ("learned, 10 % noise", 0.10),
        ("learned, 3 % noise", 0.03),
        ("learned, 0 % noise", 0.0),
    ):
        rng = np.random.default_rng(args.seed)
        codes = make_codes(args.gallery + args.queries, args.bits, flipped, rng)
        ms = compare(codes, args)
        print(
            f"| {name} | {ms['ours']:.4f} | {ms['faiss']:.4f} | {ms['sklearn']:.2f} "
            f"| {ms['faiss'] / ms['ours']:.1f} | {ms['sklearn'] / ms['ours']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
