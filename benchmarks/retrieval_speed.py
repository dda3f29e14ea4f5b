"""Hamming search: HammingRetriever, faiss, usearch, scikit-learn and numpy on the same codes.

    python benchmarks/retrieval_speed.py            # the whole grid, an hour or so
    python benchmarks/retrieval_speed.py --quick    # some minutes
    python benchmarks/retrieval_speed.py --bits 128 --sizes 204489 --queries 1000 --threads 2

All search in this one process with the same number of threads (numpy with one), taking turns; what
is shown is the median over the repeats, per query. Distances of the exact methods are checked
against each other; of the approximate ones (recall below 1) the share of the k nearest distances
that they found is
given. scikit-learn (unpacked bits as float64, the fastest type for its Hamming distance) and numpy
(bitwise_count and argpartition) get only the first queries, since they take milliseconds for each.
To end within an hour, scikit-learn and numpy search up to 204,489 codes, the approximate indexes up
to a million, with random and 1 % codes, and 2,500 queries on more than a million codes run once,
with the most threads.

Every gallery's results are written to ``--output`` when they are there, and those of a finished one
are not run again on the same processor: start with another file after changing the library.

"random" codes are random bits, the hardest case for a search that skips what is far. The others are
what a hasher gives: 250 random category codes, of which every item flips that share of the bits; at
0 % they are nothing but duplicates.
"""

import argparse
import gc
import os
import platform
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter

import faiss
import numpy as np
import usearch.index
from sklearn.neighbors import NearestNeighbors

import sklearn_dsh
from sklearn_dsh.codes import unpack_bits
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.retrieval import HammingRetriever

N_CATEGORIES = 250
FLIPPED = {"random": None, "0 %": 0.0, "1 %": 0.01, "3 %": 0.03, "10 %": 0.1}
GRID = {
    "bits": [32, 64, 128, 256],
    "sizes": [73_002, 204_489, 10_000_000],
    "queries": [1, 100, 2500],
    "k": [10, 200],
    "threads": [1, 2],
    "codes": list(FLIPPED),
}
QUICK = {
    "bits": [64, 128],
    "sizes": [204_489],
    "queries": [1, 1000],
    "k": [10, 200],
    "threads": [2],
    "codes": ["random", "1 %"],
}
SLOW_METHODS = 204_489  # the most codes for scikit-learn and numpy
SLOW_QUERIES = 20
APPROXIMATE_METHODS = 1_000_000
APPROXIMATE_CODES = ("random", "1 %")


def make_codes(n, n_bits, flipped, rng):
    """Uniform codes (flipped None) or category codes with a share of their bits flipped."""
    if flipped is None:
        return rng.integers(0, 256, (n, n_bits // 8), dtype=np.uint8)
    categories = rng.integers(0, 256, (N_CATEGORIES, n_bits // 8), dtype=np.uint8)
    codes = categories[rng.integers(0, N_CATEGORIES, n)]
    for chunk in np.array_split(codes, max(1, n // 100_000)):  # views: flipped in place
        chunk ^= np.packbits(rng.random((len(chunk), n_bits), dtype=np.float32) < flipped, axis=1)
    return codes


def ours(gallery, n_bits, threads, algorithm):
    # Codes of its own, as faiss has: what one method has read is in no other's caches.
    retriever = HammingRetriever(algorithm=algorithm, n_jobs=threads).fit(gallery.copy())
    return lambda queries, k: retriever.kneighbors(queries, k)[0]


def faiss_flat(gallery, n_bits, threads):
    index = faiss.IndexBinaryFlat(n_bits)
    index.add(gallery)
    return lambda queries, k: index.search(queries, k)[0]


def faiss_ivf(gallery, n_bits, threads):
    quantizer = faiss.IndexBinaryFlat(n_bits)
    index = faiss.IndexBinaryIVF(quantizer, n_bits, 512)
    index.train(gallery)
    index.add(gallery)
    index.nprobe = 16
    search = faiss_search(index)
    search.keep = quantizer  # faiss does not own it
    return search


def faiss_hnsw(gallery, n_bits, threads):
    index = faiss.IndexBinaryHNSW(n_bits, 16)
    index.add(gallery)
    index.hnsw.efSearch = 256
    return faiss_search(index)


def faiss_multi_hash(gallery, n_bits, threads):
    index = faiss.IndexBinaryMultiHash(n_bits, max(1, n_bits // 16), 16)
    index.nflip = 1
    index.add(gallery)
    return faiss_search(index)


def faiss_search(index):
    def search(queries, k):
        return index.search(queries, k)[0]

    return search


def usearch_hnsw(gallery, n_bits, threads):
    index = usearch.index.Index(ndim=n_bits, metric="hamming", dtype="b1")
    index.add(np.arange(len(gallery)), gallery, threads=threads)

    def search(queries, k):
        found = index.search(queries, k, threads=threads)
        return found.distances.reshape(len(queries), -1)

    return search


def scikit_learn(gallery, n_bits, threads):
    model = NearestNeighbors(algorithm="brute", metric="hamming", n_jobs=threads)
    model.fit(unpack_bits(gallery, n_bits).astype(float))

    def search(queries, k):
        bits = unpack_bits(queries, n_bits).astype(float)
        return np.rint(n_bits * model.kneighbors(bits, k)[0]).astype(int)

    return search


def numpy_scan(gallery, n_bits, threads):
    words = gallery.view(np.uint32)

    def search(queries, k):
        found = np.empty((len(queries), k), dtype=np.int64)
        for q, query in enumerate(queries.view(np.uint32)):
            distances = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int32)
            found[q] = np.sort(np.partition(distances, k - 1)[:k])
        return found

    return search


EXACT = {
    "auto": partial(ours, algorithm="auto"),
    "linear_scan": partial(ours, algorithm="linear_scan"),
    "multi_index": partial(ours, algorithm="multi_index"),
    "faiss flat": faiss_flat,
}
SLOW = {"scikit-learn": scikit_learn, "numpy": numpy_scan}
APPROXIMATE = {
    "faiss HNSW": faiss_hnsw,
    "faiss IVF": faiss_ivf,
    "faiss multi-hash": faiss_multi_hash,
    "usearch HNSW": usearch_hnsw,
}


def recall(found, expected):
    """Share of the answers that are as near as the k-th nearest code."""
    k = expected.shape[1]
    hits = 0
    for row, exact in zip(found, expected, strict=True):
        row = row[row >= 0]
        hits += min(k, np.count_nonzero(row <= exact[-1]))
    return hits / expected.size


def median_seconds(searches, queries, k, repeats):
    """Median seconds of each search; they take turns, in another order each time.

    What comes after faiss is slower by up to a fifth in calls of less than a millisecond.
    """
    seconds = {name: [] for name in searches}
    rng = np.random.default_rng(0)
    found = {}
    for search in searches.values():
        search(queries[:2], k)
    for _ in range(repeats):
        for name in rng.permutation(list(searches)):
            search = searches[name]
            pause = perf_counter() + 0.02
            while perf_counter() < pause:  # threads of the one before spin for a while; no sleep,
                pass  # from which a processor wakes slowly
            for _ in range(3):  # the caches hold what this one needs
                search(queries[: 1 if len(queries) > 100 else None], k)
            started = perf_counter()
            found[name] = search(queries, k)
            seconds[name].append(perf_counter() - started)
    return {name: median(values) for name, values in seconds.items()}, found


def run_gallery(cell, options, grid):
    """Every method, number of queries and k on one gallery: list of results."""
    size, bits, kind, threads = (cell[name] for name in ("size", "bits", "codes", "threads"))
    faiss.omp_set_num_threads(threads)
    rng = np.random.default_rng(options.seed)
    most = max(grid["queries"])
    codes = make_codes(size + most, bits, FLIPPED[kind], rng)
    gallery, all_queries = codes[:size], codes[size:]
    methods = dict(EXACT)
    if size > APPROXIMATE_METHODS:  # tables of ten millions: a minute each, for one comparison
        del methods["multi_index"]
    if size <= SLOW_METHODS and threads == max(grid["threads"]):
        methods |= SLOW
    if (
        size <= APPROXIMATE_METHODS
        and kind in APPROXIMATE_CODES
        and threads == max(grid["threads"])
    ):
        methods |= APPROXIMATE
    searches, build = {}, {}
    for name, make in methods.items():
        started = perf_counter()
        searches[name] = make(gallery, bits, threads)
        build[name] = perf_counter() - started
    results = []
    for n in grid["queries"]:
        for k in grid["k"]:
            large = size * n > 10**10
            if large and threads < max(grid["threads"]):
                continue
            repeats = 1 if large else options.repeats
            if n == 1 or size * n < 10**8:  # short calls, which scatter
                repeats *= 5
            names = [name for name in searches if name not in SLOW and (name in EXACT or n > 100)]
            seconds, found = median_seconds(
                {name: searches[name] for name in names}, all_queries[:n], k, repeats
            )
            per_query = {name: seconds[name] / n for name in names}
            if n == most:
                few = all_queries[:SLOW_QUERIES]
                slow = {name: searches[name] for name in SLOW if name in searches}
                seconds, more = median_seconds(slow, few, k, 1)
                per_query |= {name: value / len(few) for name, value in seconds.items()}
                found |= more
            exact = found["faiss flat"]
            for name in per_query:
                if name not in APPROXIMATE:
                    np.testing.assert_array_equal(found[name], exact[: len(found[name])])
                results.append(
                    {
                        "bits": bits, "size": size, "codes": kind, "threads": threads,
                        "queries": n, "k": k, "method": name,
                        "microseconds": 1e6 * per_query[name], "build_seconds": build[name],
                        "recall": recall(found[name], exact[: len(found[name])]),
                    }
                )  # fmt: skip
    return results


def processor():
    """The processor's name, from where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((n.split(":")[1].strip() for n in lines if n.startswith("model name")), "unknown")


def print_cell(results):
    first = results[0]
    print(
        f"\n{first['size']:,} codes ({first['codes']}) of {first['bits']} bits, "
        f"{first['threads']} threads: microseconds a query, and how much of faiss flat's time\n"
    )
    columns = list(dict.fromkeys((r["queries"], r["k"]) for r in results))
    names = list(dict.fromkeys(r["method"] for r in results))
    value = {(r["method"], r["queries"], r["k"]): r for r in results}
    heads = [f"{n} queries, k {k}" for n, k in columns]
    print(f"| method | {' | '.join(heads)} | recall | build s |\n|{'---|' * (len(heads) + 3)}")
    for name in names:
        line, found = [], []
        for n, k in columns:
            result = value.get((name, n, k))
            if result is None:
                line.append("")
                continue
            flat = value["faiss flat", n, k]["microseconds"]
            line.append(f"{result['microseconds']:.1f} ({flat / result['microseconds']:.1f}x)")
            found.append(result)
        shares = sorted({f"{r['recall']:.2f}" for r in found})
        line += ["-".join(shares), f"{found[0]['build_seconds']:.2f}"]
        print(f"| {name} | {' | '.join(line)} |")
    print(flush=True)


def plot(results, path):
    """How many times faster than faiss's flat index, for many queries."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    many, threads = max(r["queries"] for r in results), max(r["threads"] for r in results)
    results = [r for r in results if r["queries"] == many and r["threads"] == threads]
    sizes, k = sorted({r["size"] for r in results}), max(r["k"] for r in results)
    figure, axes = plt.subplots(1, len(sizes), figsize=(5 * len(sizes), 4), squeeze=False)
    for axis, size in zip(axes[0], sizes, strict=True):
        part = [r for r in results if r["size"] == size and r["k"] == k]
        flat = {
            (r["bits"], r["codes"]): r["microseconds"] for r in part if r["method"] == "faiss flat"
        }
        for kind in dict.fromkeys(r["codes"] for r in part):
            points = sorted(
                (r["bits"], flat[r["bits"], kind] / r["microseconds"])
                for r in part
                if r["codes"] == kind and r["method"] == "auto"
            )
            axis.plot(*zip(*points, strict=True), marker="o", label=kind)
        axis.axhline(1, color="grey", linewidth=1)
        axis.set(title=f"{size:,} codes", xlabel="bits", yscale="log", xscale="log")
        axis.set_xticks(sorted({r["bits"] for r in part}), sorted({r["bits"] for r in part}))
        axis.minorticks_off()
    axes[0, 0].set_ylabel(f"times faster than faiss flat\n({many:,} queries, k = {k})")
    axes[0, 0].legend(title="codes")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    for name, values in GRID.items():
        text = f"of {values}".replace("%", "%%")
        parser.add_argument(f"--{name}", nargs="+", type=type(values[0]), help=text)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("retrieval_speed.jsonl"))
    options = parser.parse_args()
    default = QUICK if options.quick else GRID
    grid = {name: getattr(options, name) or values for name, values in default.items()}

    packages = ("faiss-cpu", "usearch", "scikit-learn", "numpy", "numba")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors")
    print(f"sklearn-dsh {sklearn_dsh.__version__}", end=", ")
    print(", ".join(f"{package} {version(package)}" for package in packages))
    print(
        f"seed {options.seed}, medians of {options.repeats} (of short calls: {5 * options.repeats})"
    )
    results, shown = Results(options.output), []
    names = ("size", "bits", "codes", "threads")
    for cell in product(*(grid["sizes" if name == "size" else name] for name in names)):
        cell = dict(zip(names, cell, strict=True))
        key = cell | {"seed": options.seed, "repeats": options.repeats}
        key |= {"processor": processor(), "version": sklearn_dsh.__version__}
        key |= {"all_queries": grid["queries"], "all_k": grid["k"]}
        if not results.find(key):
            results.add(key | {"results": run_gallery(cell, options, grid)})
            gc.collect()
        rows = results.find(key)[0]["results"]
        print_cell(rows)
        shown += rows
    plot(shown, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
