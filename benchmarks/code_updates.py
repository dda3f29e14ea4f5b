"""Time and memory of one D, B_I, B_S sweep at the size of the paper's TU-Berlin Extension.

    python benchmarks/code_updates.py

204,489 photos, 17,500 sketches, 250 categories, 128 bits. The memory is the peak of what one
sweep allocates beyond its inputs (codes, the networks' outputs, labels), as tracemalloc sees
numpy's allocations; the seconds are the median of ``--repeats`` sweeps without tracemalloc.
"""

import argparse
import platform
import time
import tracemalloc

import numpy as np

from sklearn_dsh.deep._alternation import Alternation


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=204_489)
    parser.add_argument("--sketches", type=int, default=17_500)
    parser.add_argument("--categories", type=int, default=250)
    parser.add_argument("--bits", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random_state = np.random.RandomState(options.seed)
    sizes = {"sketch": options.sketches, "image": options.images}
    labels = {view: random_state.randint(options.categories, size=n) for view, n in sizes.items()}
    vectors = random_state.standard_normal((300, options.categories))
    alternation = Alternation(
        labels, options.categories, options.bits, vectors, random_state, init_codes="separated"
    )
    noise = np.random.default_rng(options.seed)
    outputs = {}
    for view in sizes:
        outputs[view] = noise.standard_normal((sizes[view], options.bits), dtype=np.float32)
        outputs[view] += alternation.item_codes()[view]
    seconds = []
    for _ in range(options.repeats):
        started = time.perf_counter()
        alternation.update(outputs)
        seconds.append(time.perf_counter() - started)
    tracemalloc.start()
    alternation.update(outputs)
    _, peak = tracemalloc.get_traced_memory()
    print(
        f"n_I = {options.images}, n_S = {options.sketches}, {options.categories} categories, "
        f"{options.bits} bits, seed {options.seed}; numpy {np.__version__}, "
        f"Python {platform.python_version()}"
    )
    print(f"one sweep and its objective: {np.median(seconds):.2f} s (median of {len(seconds)})")
    print(f"peak beyond the inputs: {peak / 1e6:.0f} MB")
    print(f"smallest distance of two categories' codes: {alternation.smallest_distance()} bits")


if __name__ == "__main__":
    main()
