"""What a GPU gives, in one command of at most eight minutes.

    python benchmarks/gpu.py --data FOLDER                 # on a machine with a GPU
    python benchmarks/gpu.py --device cpu --tiny           # the same with tiny sizes, as a test

FOLDER holds ``sketch/<category>/*`` and ``photo/<category>/*``; without it, what needs real images
is left out. Each part runs in a process of its own with a share of ``--budget`` seconds. Its row is
in ``--output`` as soon as it ends: measured, failed, cut off (with what it had measured by then),
or left out as the time was up.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from argparse import Namespace
from itertools import chain
from pathlib import Path

import numpy as np
import torch

import sklearn_dsh

# Name of a part -> its share of the time. They run in this order, the most wanted first.
PARTS = {
    "tests": 0.1,
    "paper networks, synthetic": 0.15,
    "paper networks, real": 0.35,
    "pretrained, tuned": 0.3,
    "search": 0.1,
}
STARTED = time.perf_counter()
SHORTEST = 5.0  # seconds, under which no part is begun


def on_gpu_tests(options):
    """The tests that are marked ``gpu``."""
    files = ["tests/deep", "tests/retrieval/test_search.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *files]
    root = Path(__file__).parent.parent
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if result.returncode not in (0, 5):
        raise RuntimeError(result.stdout[-2000:])
    yield {"summary": result.stdout.strip().splitlines()[-1]}


def paper_synthetic(options):
    """Images a second of the paper's networks at full size: a fit against a bare loop."""
    import training_throughput as throughput

    settings = Namespace(
        architecture="compact" if options.tiny else "paper", bits=16 if options.tiny else 128,
        size=32, batch_size=4 if options.tiny else 128, steps=2 if options.tiny else 40,
        precision="auto", n_jobs=-1,
    )  # fmt: skip
    n = 8 if options.tiny else 512
    sketches, photos, _ = throughput.draw(n, 32 if options.tiny else 227, 0)
    labels = np.arange(n) % throughput.N_CATEGORIES
    found = {}
    few = Namespace(**vars(settings) | {"steps": 2})
    throughput.bare_loop(few)  # warm up
    throughput.fit_seconds(few, sketches, photos, labels, augment=True)
    for name, run in (
        ("bare loop", lambda: throughput.bare_loop(settings)),
        ("fit", lambda: throughput.fit_seconds(settings, sketches, photos, labels)),
        ("augmented fit",
         lambda: throughput.fit_seconds(settings, sketches, photos, labels, augment=True)),
    ):  # fmt: skip
        found[f"{name}, images/s"] = 2 * settings.batch_size * settings.steps / run()
        yield found | largest_memory()
    yield {"fit / bare loop": found["fit, images/s"] / found["bare loop, images/s"]}


def paper_real(options):
    """Mean average precision of the paper's networks after as many steps as there is time for."""
    architecture = "compact" if options.tiny else "paper"
    yield from trained_on_data(options, architecture, options.bits, most_steps=options.steps)


def pretrained_tuned(options):
    """All of the pretrained backbone, and its last stages."""
    from sklearn_dsh import EfficientNetLite0, Pretrained

    for trained in ("last", "all"):
        backbone = EfficientNetLite0(32 if options.tiny else 160)
        for found in trained_on_data(options, Pretrained(backbone, trained=trained), 64):
            yield {f"{trained}, {name}": value for name, value in found.items()}


def trained_on_data(options, architecture, n_bits, most_steps=None):
    """A fit of the default length, or of what the part's time allows of ``most_steps``."""
    from training_throughput import StepClock

    from sklearn_dsh import DeepSketchHasher, load_sketch_photo_folder, make_sketch_photo
    from sklearn_dsh.comparison import evaluate, make_problem

    if options.data is None and not options.tiny:
        yield {"left out": "needs --data"}
        return
    data = (
        make_sketch_photo(n_categories=3, n_sketches=30, n_photos=30, size=32, random_state=0)
        if options.data is None
        else load_sketch_photo_folder(options.data, size=None)
    )
    hasher = DeepSketchHasher(
        n_bits, architecture=architecture, device=options.device, random_state=0, n_jobs=-1,
        batch_size=8 if options.tiny else 32, steps_per_iter=1 if options.tiny else "auto",
    )  # fmt: skip
    problem = make_problem(data, "unseen")
    is_first_try = most_steps is not None and not options.tiny
    if is_first_try:
        hasher.set_params(steps_per_iter=20)
    with StepClock() as clock:
        result = evaluate(hasher, problem, k=50)
    yield measured(hasher, result, clock.seconds)
    if is_first_try:
        gone, n_steps = time.perf_counter() - STARTED, len(hasher.loss_curve_)
        n_steps = affordable_steps(options.part_seconds, gone, clock.seconds, n_steps, most_steps)
        if n_steps:
            hasher.set_params(steps_per_iter=n_steps // 3)
            with StepClock() as clock:
                result = evaluate(hasher, problem, k=50)
            yield measured(hasher, result, clock.seconds)


def affordable_steps(seconds, gone, step_seconds, n_steps, most_steps):
    """Steps of a further fit within ``seconds``, of which ``gone`` are; 0 if it pays no more.

    The first fit took ``step_seconds`` for ``n_steps``, and what it took besides, a further one
    takes again; a fifth is kept back.
    """
    besides = gone - step_seconds
    steps = int(0.8 * (seconds - gone - besides) * n_steps / step_seconds)
    return min(steps, most_steps) if steps > n_steps else 0


def measured(hasher, result, step_seconds):
    steps = len(hasher.loss_curve_)
    return {
        "mAP, unseen": result.mean_average_precision,
        "fit, s": result.fit_seconds,
        "steps": steps,
        "steps/s": steps / step_seconds,
        "encoding, images/s": 1e6 / result.encode_microseconds,
    } | largest_memory()


def search(options):
    """Ten million codes on the device and on the CPU."""
    from sklearn_dsh import HammingRetriever

    n, n_queries = (5_000, 10) if options.tiny else (10_000_000, 1000)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    queries = rng.integers(0, 256, (n_queries, 16), dtype=np.uint8)
    found, answers = {}, []
    for name, settings in (
        ("device", {"device": options.device}), ("CPU", {"device": "cpu", "n_jobs": -1})
    ):  # fmt: skip
        retriever = HammingRetriever(100, algorithm="linear_scan", **settings).fit(codes)
        retriever.kneighbors(queries[:1])
        started = time.perf_counter()
        answers.append(retriever.kneighbors(queries))
        found[f"{name}, queries/s"] = n_queries / (time.perf_counter() - started)
        yield found
    for a, b in zip(*answers, strict=True):
        np.testing.assert_array_equal(a, b)
    yield {"device / CPU": found["device, queries/s"] / found["CPU, queries/s"]}


def largest_memory():
    if not torch.cuda.is_available():
        return {}
    return {"GPU memory, GB": torch.cuda.max_memory_allocated() / 1e9}


RUN = dict(
    zip(
        PARTS,
        (on_gpu_tests, paper_synthetic, paper_real, pretrained_tuned, search),
        strict=True,
    )
)


def run_part(name, arguments, seconds):
    """The row of one part, run in a process that is ended when its time is up."""
    if seconds < SHORTEST:
        return {"left out": "the time was up"}
    started = time.perf_counter()
    command = [sys.executable, __file__, *arguments, "--part", name]
    process = subprocess.Popen(
        [*command, "--part-seconds", str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        printed, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it started, too
        printed, _ = process.communicate()
        return last_line(printed) | {"cut off": f"after {seconds:.0f} s"}
    row = last_line(printed) | {"seconds": round(time.perf_counter() - started, 1)}
    if process.returncode:
        row["failed"] = errors.decode()[-2000:]
    return row


def last_line(printed):
    """What a part had measured when it printed its last whole line."""
    lines = printed.decode().split("\n")[:-1]
    return json.loads(lines[-1]) if lines else {}


def machine(device):
    facts = {
        "sklearn-dsh": sklearn_dsh.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": device,
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        facts |= {"GPU": properties.name, "GPU memory, GB": properties.total_memory / 1e9}
    return facts


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4000, help="at most, of the paper's networks")
    parser.add_argument("--budget", type=float, default=480, help="seconds of all parts together")
    parser.add_argument("--output", type=Path, default=Path("gpu.jsonl"))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--part-seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        found = {}
        for more in RUN[options.part](options):
            found |= more
            print(json.dumps(found), flush=True)
        return
    end = time.perf_counter() + options.budget
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with open(options.output, "a") as file:
        for row in chain([{"part": "machine", **machine(options.device)}], parts(end)):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(json.dumps(row), flush=True)


def parts(end):
    """Rows of the parts, each made when it is asked for; what time one leaves the next have."""
    left = dict(PARTS)
    for name in PARTS:
        share = left[name] / sum(left.values())
        del left[name]
        seconds = share * max(end - time.perf_counter(), 0)
        yield {"part": name, **run_part(name, sys.argv[1:], seconds)}


if __name__ == "__main__":
    main()
