"""
Speed of search
===============

How long a query takes over the size of the gallery: :class:`~sklearn_dsh.HammingRetriever`, faiss
and scikit-learn, on the same codes and in one thread. All three are exact.
"""

# %%
# Codes
# -----
# Of no images, but of two kinds, because a search may profit from what codes look like: codes of a
# hundred categories in which one bit in twenty is flipped, much as a hasher gives them, and random
# ones.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neighbors import NearestNeighbors

from sklearn_dsh import HammingRetriever
from sklearn_dsh.codes import pack_bits, unpack_bits

try:
    import faiss  # pip install faiss-cpu
except ImportError:
    faiss = None
    print("faiss is not installed: its curve is left out.")

N_BITS, N_NEIGHBORS = 64, 10
rng = np.random.default_rng(0)
categories = rng.random((100, N_BITS)) < 0.5


def make_category_codes(n):
    """Codes of random categories with some bits flipped."""
    bits = categories[rng.integers(len(categories), size=n)] ^ (rng.random((n, N_BITS)) < 0.05)
    return pack_bits(bits)


def make_random_codes(n):
    """Codes that have nothing to do with each other."""
    return pack_bits(rng.random((n, N_BITS)) < 0.5)


# %%
# Three searches
# --------------
# Each gives the distances of the nearest codes. scikit-learn has no packed codes: it compares
# unpacked bits, and its distance is the share of those that differ.


def search_with_retriever(gallery):
    retriever = HammingRetriever(N_NEIGHBORS, n_jobs=1).fit(gallery)
    return lambda queries: retriever.kneighbors(queries)[0]


def search_with_faiss(gallery):
    index = faiss.IndexBinaryFlat(N_BITS)
    index.add(gallery)
    return lambda queries: index.search(queries, N_NEIGHBORS)[0]


def search_with_sklearn(gallery):
    neighbors = NearestNeighbors(
        n_neighbors=N_NEIGHBORS, metric="hamming", algorithm="brute", n_jobs=1
    ).fit(unpack_bits(gallery, N_BITS).astype(bool))

    def search(queries):
        share, _ = neighbors.kneighbors(unpack_bits(queries, N_BITS).astype(bool))
        return np.rint(share * N_BITS).astype(int)

    return search


searches = {"HammingRetriever": search_with_retriever, "scikit-learn, brute": search_with_sklearn}
if faiss is not None:
    faiss.omp_set_num_threads(1)
    searches["faiss, IndexBinaryFlat"] = search_with_faiss

# %%
# Measure
# -------
# Processor time, which in one thread is the time that passes when nothing else runs. The best of
# five runs over a batch of queries, after one that is not counted: the first search of a
# :class:`~sklearn_dsh.HammingRetriever` compiles its kernels. Building an index is not counted
# either. All must find the same distances.


def time_searches(gallery, queries):
    """Microseconds a query of each search."""
    microseconds, expected = {}, None
    for name, make_search in searches.items():
        few = queries[:10] if name.startswith("scikit-learn") else queries  # it takes longer
        search = make_search(gallery)
        found = search(few)
        expected = found if expected is None else expected
        if not np.array_equal(found, expected[: len(few)]):
            raise RuntimeError(f"{name} found other distances")
        seconds = []
        for _ in range(5):
            start = time.process_time()
            search(few)
            seconds.append(time.process_time() - start)
        microseconds[name] = 1e6 * min(seconds) / len(few)
    return microseconds


sizes = [1_000, 3_000, 10_000, 30_000, 100_000]
kinds = {"codes of categories": make_category_codes, "random codes": make_random_codes}
times = {}
for kind, make_codes in kinds.items():
    queries = make_codes(200)
    times[kind] = [time_searches(make_codes(size), queries) for size in sizes]
    for size, measured in zip(sizes, times[kind], strict=True):
        row = ", ".join(f"{name} {value:,.1f}" for name, value in measured.items())
        print(f"{size:7,d} {kind}: {row} (us a query)")

# %%
# Result
# ------

styles = {
    "HammingRetriever": ("#D55E00", "o"),
    "faiss, IndexBinaryFlat": ("#0072B2", "s"),
    "scikit-learn, brute": ("#666666", "^"),
}
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained", sharey=True)
for ax, (kind, measured) in zip(axes, times.items(), strict=True):
    for name in searches:
        colour, marker = styles[name]
        ax.plot(sizes, [row[name] for row in measured], color=colour, marker=marker, label=name)
    ax.set(xscale="log", yscale="log", xlabel="codes in the gallery", title=kind)
axes[0].set_ylabel("processor time of a query (microseconds)")
axes[0].legend()
fig.suptitle(f"{N_NEIGHBORS} nearest of codes of {N_BITS} bits, one thread")
plt.show()

# %%
# Both axes are logarithmic. A search that looks at every code takes time in proportion to their
# number; a flatter line has a fixed cost to pay, or looks at fewer. The times are those of the
# machine that built this page, and of these codes. Other lengths, numbers of neighbours and
# batches of queries give other curves; ``benchmarks/retrieval_speed.py`` measures more of them.
