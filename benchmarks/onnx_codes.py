"""Codes of ONNX files in onnxruntime against `transform`, and what a query costs from a cold start.

    python benchmarks/onnx_codes.py --output benchmarks/results/onnx/codes.jsonl
    python benchmarks/onnx_codes.py --kinds compact pretrained --rows 2000

Every kind of hasher is fitted on synthetic data, which need not be learned well, and encodes
``--rows`` rows it has not seen, in both ways. Counted are the bits that differ; of those, how far
their values (`project`) are from zero, in root mean squares of all values of that bit. Then one
query, each in its own process: ``load_model`` and `transform`, and numpy with onnxruntime alone;
seconds from the start to the code, and the largest resident memory, medians of ``--repeats``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

import sklearn_dsh
from sklearn_dsh import (
    CCAHasher,
    CMFHHasher,
    CMSSHHasher,
    CVHHasher,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    ITQHasher,
    Pretrained,
    RandomProjectionHasher,
    SCMHasher,
    SDHHasher,
    SePHHasher,
    ZeroShotHasher,
    make_sketch_photo,
    save_model,
    to_onnx,
)
from sklearn_dsh.codes import unpack_bits
from sklearn_dsh.comparison._report import format_table
from sklearn_dsh.comparison._results import Results

SHORT = {"max_iter": 2, "steps_per_iter": 20, "random_state": 0}
NO_TOKENS = {"sketch_tokens": None}
OF_VECTORS = {
    type(hasher).__name__: hasher
    for hasher in (
        ITQHasher(64), RandomProjectionHasher(64), CCAHasher(64, reg=0.1), CVHHasher(64),
        CMFHHasher(64), CMSSHHasher(64), SCMHasher(64), SDHHasher(64), SePHHasher(64),
        ZeroShotHasher(64),
    )
}  # fmt: skip
OF_VECTORS["DSH, vectors"] = DeepSketchHasher(64, **SHORT)
OF_IMAGES = {
    "compact": DeepSketchHasher(64, **NO_TOKENS, **SHORT),
    "DCMH": DCMHHasher(64, **NO_TOKENS, **SHORT),
    "metric": DeepMetricHasher(64, **NO_TOKENS, steps_per_iter=40, random_state=0),
    "pretrained, frozen": DeepSketchHasher(
        64, architecture=Pretrained(trained="none", n_versions=1), **SHORT
    ),
    "pretrained": DeepSketchHasher(64, architecture="pretrained", precision="float32", **SHORT),
}
QUERY = """
import time; start = time.perf_counter()
import sys
import numpy as np
rows = np.load(sys.argv[2])
if sys.argv[1].endswith(".onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1])
    codes = session.run(None, {session.get_inputs()[0].name: rows})[0]
else:
    from sklearn_dsh import load_model
    codes = load_model(sys.argv[1], mmap_mode="r").transform(rows, view="sketch")
seconds = time.perf_counter() - start
# (getrusage would give the largest of this process and, before it began, of its parent.)
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024)
"""


def data_of(kind, n_rows):
    """What is fitted on, and rows to encode, by view."""
    if kind in OF_VECTORS:
        rng = np.random.default_rng(0)
        y = np.arange(600) % 10
        centres = {view: rng.normal(size=(10, d)) for view, d in (("sketch", 96), ("image", 96))}
        train = [c[y] + rng.normal(size=(600, 96)) for c in centres.values()]
        rows = {
            view: c[rng.integers(10, size=n_rows)] + rng.normal(size=(n_rows, 96))
            for view, c in centres.items()
        }
        return (*train, (y, y)), rows
    size = 160 if kind.startswith("pretrained") else 64
    drawn = make_sketch_photo(n_sketches=64, n_photos=64, size=size, random_state=0)
    more = make_sketch_photo(n_sketches=n_rows, n_photos=n_rows, size=size, random_state=1)
    train = (drawn.sketches, drawn.images, (drawn.y_sketch, drawn.y_image))
    return train, {"sketch": more.sketches, "image": more.images}


def compare_codes(kind, n_rows, folder):
    """A row for each view."""
    train, rows = data_of(kind, n_rows)
    hasher = (OF_VECTORS | OF_IMAGES)[kind].fit(*train)
    for view, of_view in rows.items():
        path = folder / f"{view}.onnx"
        to_onnx(hasher, path, view=view)
        session = onnxruntime.InferenceSession(path)
        entry = session.get_inputs()[0].name
        batches = np.array_split(np.arange(len(of_view)), max(1, len(of_view) // 250))
        codes = np.concatenate([session.run(None, {entry: of_view[at]})[0] for at in batches])
        values = hasher.project(of_view, view=view)
        differ = unpack_bits(codes, hasher.n_bits) != (values >= 0)
        relative = np.abs(values) / np.sqrt((values**2).mean(axis=0))
        yield {
            "view": view,
            "rows": len(of_view),
            "bits": int(differ.size),
            "bits that differ": int(differ.sum()),
            "largest value of these": float(relative[differ].max(initial=0)),
            "MB of the file": path.stat().st_size / 1e6,
        }
    save_model(hasher, folder / "model.safetensors")
    np.save(folder / "query.npy", rows["sketch"][:1])


def cost_of_a_query(folder, repeats):
    """Seconds and MB of both ways."""
    costs = {}
    for name, file in (("onnxruntime", "sketch.onnx"), ("sklearn-dsh", "model.safetensors")):
        command = [sys.executable, "-c", QUERY, str(folder / file), str(folder / "query.npy")]
        runs = [
            list(map(float, subprocess.check_output(command, text=True).split()))
            for _ in range(repeats)
        ]
        seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
        costs |= {f"s to a code, {name}": seconds, f"MB of memory, {name}": memory}
    return costs


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=[*OF_VECTORS, *OF_IMAGES])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("onnx_codes.jsonl"))
    options = parser.parse_args()
    results = Results(options.output)
    common = {"version": sklearn_dsh.__version__, "onnxruntime": onnxruntime.__version__}
    cells = [["hasher", "view", "bits", "differ", "largest of these", "s", "s, here"]]
    for kind in options.kinds or [*OF_VECTORS, *OF_IMAGES]:
        key = common | {"kind": kind, "rows": options.rows}
        if not results.find(key):
            with tempfile.TemporaryDirectory() as folder:
                rows = list(compare_codes(kind, options.rows, Path(folder)))
                costs = cost_of_a_query(Path(folder), options.repeats)
            for row in rows:
                results.add(key | row | costs)
                print(json.dumps(results.rows[-1]), flush=True)
        for row in results.find(key):
            cells.append(
                [
                    kind,
                    row["view"],
                    f"{row['bits']:,}",
                    str(row["bits that differ"]),
                    f"{row['largest value of these']:.1e}",
                    f"{row['s to a code, onnxruntime']:.2f}",
                    f"{row['s to a code, sklearn-dsh']:.2f}",
                ]
            )
    print(f"\n{format_table(cells)}")


if __name__ == "__main__":
    main()
