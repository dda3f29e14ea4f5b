"""What a search costs beside comparing codes: memory, one call, the first call, evaluation.

    python benchmarks/search_limits.py

* memory: 100 million codes of 64 bits in a file, searched through a memory map; anonymous memory
  (RssAnon) of the process, which the file's pages are not part of;
* overhead: one query on 1,000 codes;
* first call: import and first search, with an empty and with a filled cache of compiled kernels,
  each in a process of its own;
* evaluation: mean average precision of 2,500 queries on 204,489 codes of 128 bits and 250
  categories, tie-averaged, against sorting every query's distances (of the first 100 queries).
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
from retrieval_speed import make_codes

import sklearn_dsh
from sklearn_dsh import HammingRetriever
from sklearn_dsh.metrics import mean_average_precision


def anonymous_memory():
    """MB of this process that are no file's pages."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def memory(options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.npy"
        codes = np.lib.format.open_memmap(path, "w+", np.uint8, (options.codes, 8))
        rng = np.random.default_rng(0)
        for start in range(0, options.codes, 1 << 22):
            chunk = codes[start : start + (1 << 22)]
            chunk[:] = rng.integers(0, 256, chunk.shape, dtype=np.uint8)
        codes.flush()
        del codes, chunk
        queries = rng.integers(0, 256, (100, 8), dtype=np.uint8)
        HammingRetriever().fit(queries).kneighbors(queries)  # compiled
        before, seen, done = anonymous_memory(), [], threading.Event()

        def watch():
            while not done.wait(0.005):
                seen.append(anonymous_memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        retriever = HammingRetriever(n_jobs=-1).fit(np.load(path, mmap_mode="r"))
        started = time.perf_counter()
        retriever.kneighbors(queries, 200)
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
        after = max(seen)
    print(
        f"{options.codes:,} codes of 64 bits from a memory map ({options.codes * 8 / 1e6:.0f} MB): "
        f"{after:.0f} MB anonymous memory at most, {after - before:.0f} MB of it for the search; "
        f"100 queries, k 200, {os.cpu_count()} threads: {10 * seconds:.1f} ms a query"
    )


def overhead():
    rng = np.random.default_rng(0)
    gallery = rng.integers(0, 256, (1000, 16), dtype=np.uint8)
    retriever, query = HammingRetriever().fit(gallery), gallery[:1].copy()
    seconds = []
    for _ in range(1000):
        started = time.perf_counter()
        retriever.kneighbors(query, 10)
        seconds.append(time.perf_counter() - started)
    print(f"one query on 1,000 codes: {1e6 * median(seconds):.0f} microseconds")


def first_call():
    search = (
        "import time; t = time.perf_counter(); import numpy as np;"
        "from sklearn_dsh import HammingRetriever; i = time.perf_counter() - t;"
        "g = np.zeros((100, 16), np.uint8); HammingRetriever().fit(g).kneighbors(g);"
        "print(i, time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("compiled anew", "from the cache", "from the cache again"):
            imported, both = run_python(search, NUMBA_CACHE_DIR=folder)
            print(f"first search, {name}: {both:.2f} s, of which import {imported:.2f} s")
    times = {}
    for module in ("sklearn.base", "sklearn_dsh"):
        code = (
            f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        )
        times[module] = median(run_python(code)[0] for _ in range(5))
    print(f"import: {', '.join(f'{name} {value:.3f} s' for name, value in times.items())}")


def run_python(code, **environment):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=os.environ | environment
    )
    return [float(value) for value in result.stdout.split()]


def evaluation():
    rng = np.random.default_rng(0)
    codes = make_codes(204_489 + 2500, 128, 0.1, rng)
    labels = rng.integers(0, 250, len(codes))
    gallery, queries = codes[2500:], codes[:2500]
    y_gallery, y_queries = labels[2500:], labels[:2500]
    mean_average_precision(queries[:2], gallery, y_queries[:2], y_gallery)
    started = time.perf_counter()
    mean_average_precision(queries, gallery, y_queries, y_gallery)
    ours = (time.perf_counter() - started) / 2500
    started = time.perf_counter()
    words = gallery.view(np.uint64)
    for query, label in zip(queries[:100].view(np.uint64), y_queries, strict=False):
        distances = np.bitwise_count(words ^ query).sum(axis=1)
        relevant = y_gallery[np.argsort(distances, kind="stable")] == label
        ranks = np.flatnonzero(relevant) + 1
        np.mean(np.arange(1, len(ranks) + 1) / ranks)
    by_sorting = (time.perf_counter() - started) / 100
    print(
        f"mean average precision, 2,500 queries on 204,489 codes: {2500 * ours:.2f} s; by sorting "
        f"{2500 * by_sorting:.1f} s (from 100 queries): {by_sorting / ours:.0f} times"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--codes", type=int, default=100_000_000, help="in the memory map")
    parser.add_argument("--only", choices=["memory", "overhead", "first_call", "evaluation"])
    options = parser.parse_args()
    if options.only == "memory":
        memory(options)
        return
    print(
        f"sklearn-dsh {sklearn_dsh.__version__}, Python {platform.python_version()}, numpy "
        f"{np.__version__}, {platform.machine()}, {os.cpu_count()} processors",
        flush=True,
    )
    # In a process of its own, which holds nothing else.
    script = [sys.executable, __file__, "--only", "memory", "--codes", str(options.codes)]
    sections = {
        "memory": lambda: subprocess.run(script, check=True),
        "overhead": overhead,
        "first_call": first_call,
        "evaluation": evaluation,
    }
    for name, section in sections.items():
        if options.only in (None, name):
            section()


if __name__ == "__main__":
    main()
