"""Codes in other stores, by the recipes of the guide, beside `HammingRetriever` in the same run.

    taskset -c 0 python benchmarks/stores.py --output benchmarks/results/stores/rows.jsonl
    python benchmarks/stores.py --table benchmarks/results/stores/rows.jsonl

Codes of 250 categories with a share of their bits flipped are loaded into each store; queries,
which are codes with further bits flipped, go one by one, alternately to the store and to
`HammingRetriever`. Printed are the seconds to load, and the median and the 10th percentile of the
microseconds a query: the latter is little disturbed by what else runs on the machine. Exact answers
must have the distances of `HammingRetriever`; of the others the recall is counted: the share of the
answers that are as near as the farthest exact one. ``taskset`` leaves all of them one core.
PostgreSQL is started for it, on a socket of its own. --table prints finished rows as
reStructuredText.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import sklearn_dsh

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import postgresql_server  # noqa: E402

N_CATEGORIES, FLIPPED, FLIPPED_OF_QUERIES, N_NEIGHBORS = 250, 0.1, 0.05, 10


def recipe(name):
    return runpy.run_path(ROOT / "docs" / "recipes" / name)


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


def microseconds(seconds, name):
    """What a row has of the seconds of many queries."""
    return {
        f"{name}us a query": 1e6 * statistics.median(seconds),
        f"{name}us, 10th percentile": 1e6 * float(np.percentile(seconds, 10)),
    }


def timed(function, *args):
    started = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - started, result


# Each yields, for one way to search, what it is called, whether it is exact, the seconds to load,
# the store's version, and a function from a query to (id, distance) pairs.


def duckdb(folder, codes, n_bits):
    import duckdb

    functions = recipe("duckdb_table.py")
    with duckdb.connect(folder / "photos.duckdb") as connection:
        seconds, _ = timed(functions["create_table"], connection, codes)
        find = functions["nearest_photos"]
        yield "DuckDB", True, seconds, version("duckdb"), lambda q: find(connection, q, N_NEIGHBORS)


def lancedb(folder, codes, n_bits):
    functions = recipe("lancedb_table.py")
    seconds, table = timed(functions["create_table"], folder / "photos.lancedb", codes)
    find = functions["nearest_photos"]
    yield "LanceDB", True, seconds, version("lancedb"), lambda q: find(table, q, N_NEIGHBORS)


def usearch(folder, codes, n_bits):
    functions = recipe("usearch_index.py")
    seconds, index = timed(functions["to_usearch"], codes)
    find = functions["nearest_photos"]
    for name, exact in (("usearch, exact", True), ("usearch, graph", False)):
        yield (
            name, exact, seconds, version("usearch"),
            lambda q, exact=exact: find(index, q, N_NEIGHBORS, exact),
        )  # fmt: skip


def sqlite_vec(folder, codes, n_bits):
    functions = recipe("sqlite_vec_table.py")
    connection = functions["connect"](folder / "photos.db")
    seconds, _ = timed(functions["create_table"], connection, codes)
    find = functions["nearest_photos"]
    yield (
        "sqlite-vec", True, seconds, version("sqlite-vec"),
        lambda q: find(connection, q, N_NEIGHBORS),
    )  # fmt: skip
    connection.close()


def faiss(folder, codes, n_bits):
    seconds, index = timed(recipe("faiss_index.py")["to_faiss"], codes)

    def find(query):
        distances, rows = index.search(query[None], N_NEIGHBORS)
        return list(zip(rows[0].tolist(), distances[0].tolist(), strict=True))

    yield "faiss, flat", True, seconds, version("faiss-cpu"), find


def postgresql(folder, codes, n_bits):
    import psycopg

    plain, functions = recipe("postgresql.py"), recipe("pgvector.py")
    programs = postgresql_server.programs(pgvector=True)
    if programs is None:
        print("PostgreSQL with pgvector is not installed: left out")
        return
    with postgresql_server.server(programs) as where, psycopg.connect(where) as connection:
        connection.execute("CREATE EXTENSION vector")
        ((number,),) = connection.execute("SHOW server_version").fetchall()
        ((pgvector,),) = connection.execute(
            "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        ).fetchall()
        name, both = f"PostgreSQL {number}", f"PostgreSQL {number}, pgvector {pgvector}"
        seconds, _ = timed(plain["create_table"], connection, codes, n_bits)
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE photos")
        find = plain["nearest_photos"]
        yield (
            "PostgreSQL, bit_count(a # b)", True, seconds, name,
            lambda q: find(connection, q, n_bits, N_NEIGHBORS),
        )  # fmt: skip
        near = functions["nearest_photos"]
        yield (
            "pgvector, <~>", True, seconds, both,
            lambda q: near(connection, q, n_bits, N_NEIGHBORS),
        )  # fmt: skip
        connection.execute("SET maintenance_work_mem = '512MB'")  # or else a larger graph is slow
        more, _ = timed(functions["create_index"], connection)
        for ef_search in (40, 200):
            yield (
                f"pgvector, HNSW, ef_search {ef_search}", False, seconds + more, both,
                lambda q, ef_search=ef_search: near(connection, q, n_bits, N_NEIGHBORS, ef_search),
            )  # fmt: skip


STORES = {
    "faiss": faiss,
    "duckdb": duckdb,
    "lancedb": lancedb,
    "sqlite-vec": sqlite_vec,
    "usearch": usearch,
    "postgresql": postgresql,
}


def make_codes(n_rows, n_queries, n_bits, seed):
    """Codes and queries of `n_bits`, the padding being zero."""
    rng = np.random.default_rng(seed)
    categories = rng.random((N_CATEGORIES, n_bits)) < 0.5
    bits = categories[rng.integers(N_CATEGORIES, size=n_rows)]
    bits ^= rng.random(bits.shape, dtype=np.float32) < FLIPPED
    queries = bits[rng.integers(n_rows, size=n_queries)]
    queries = queries ^ (rng.random(queries.shape) < FLIPPED_OF_QUERIES)
    return np.packbits(bits, axis=1), np.packbits(queries, axis=1)


def measure(find, retriever, queries, exact):
    """Seconds of every query in both ways, and the recall."""
    ours, theirs, n_right = [], [], 0
    find(queries[0]), retriever.kneighbors(queries[:1], N_NEIGHBORS)
    for query in queries:
        seconds, found = timed(find, query)
        theirs.append(seconds)
        seconds, (expected, _) = timed(retriever.kneighbors, query[None], N_NEIGHBORS)
        ours.append(seconds)
        distances = np.array([distance for _, distance in found])
        if exact and not np.array_equal(distances, expected[0]):
            raise AssertionError(f"distances {distances} instead of {expected[0]}")
        n_right += int((distances <= expected.max()).sum())
    recall = n_right / (N_NEIGHBORS * len(queries))
    return theirs, ours, recall


def run(options):
    from retrieval_speed import processor

    from sklearn_dsh import HammingRetriever
    from sklearn_dsh.comparison._results import Results

    results = Results(options.output)
    for n_bits in options.bits:
        codes, queries = make_codes(options.rows, options.queries, n_bits, options.seed)
        common = {
            "n_bits": n_bits,
            "rows": options.rows,
            "queries": options.queries,
            "n_neighbors": N_NEIGHBORS,
            "seed": options.seed,
            "cores": len(os.sched_getaffinity(0)),
            "processor": processor(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "version": sklearn_dsh.__version__,
        }
        HammingRetriever(n_jobs=1).fit(codes)  # kernels are compiled
        seconds, retriever = timed(HammingRetriever(n_jobs=1).fit, codes)
        retriever.kneighbors(queries[:1], N_NEIGHBORS)
        algorithm = retriever.search_stats()["algorithm"]
        for store in options.stores:
            if results.find(common | {"store": store}):
                continue
            with tempfile.TemporaryDirectory() as folder:
                ways = STORES[store](Path(folder), codes, n_bits)
                for name, exact, load, versions, find in ways:
                    of_store, ours, recall = measure(find, retriever, queries, exact)
                    row = common | {
                        "store": store,
                        "way": name,
                        "store version": versions,
                        "exact": exact,
                        "load, s": load,
                        **microseconds(of_store, ""),
                        **microseconds(ours, "HammingRetriever, "),
                        "HammingRetriever, fit, s": seconds,
                        "HammingRetriever, algorithm": algorithm,
                        "recall": recall,
                        "load average": os.getloadavg()[0],
                    }
                    results.add(row)
                    print(row, flush=True)


def table(rows):
    """The rows as a list-table of reStructuredText."""
    head = ["store", "bits", "load, s", "us a query", "HammingRetriever, us a query", "answers"]
    lines = [".. list-table::", "    :header-rows: 1", ""]
    cells = [head]
    for row in rows:
        cells.append(
            [
                f"{row['way']} ({row['store version']})",
                str(row["n_bits"]),
                f"{row['load, s']:.2f}",
                *(
                    f"{row[f'{name}us a query']:,.0f} ({row[f'{name}us, 10th percentile']:,.0f})"
                    for name in ("", "HammingRetriever, ")
                ),
                "exact" if row["exact"] else f"recall {row['recall']:.3f}",
            ]
        )
    for line in cells:
        lines += [f"    {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(line)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--bits", nargs="+", type=int, default=[64, 100])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("stores.jsonl"))
    parser.add_argument("--table", type=Path, metavar="ROWS", help="Only print these.")
    options = parser.parse_args()
    if options.table is not None:
        lines = options.table.read_text().splitlines()
        print(table([json.loads(line) for line in lines]))
    else:
        run(options)


if __name__ == "__main__":
    main()
