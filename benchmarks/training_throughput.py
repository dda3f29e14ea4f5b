"""Images per second of a fit against a bare torch loop and against decoding alone.

    python benchmarks/training_throughput.py
    python benchmarks/training_throughput.py --architecture paper --batch-size 64   # on a GPU

* arrays: ``DeepSketchHasher.fit`` on arrays, without augmentation, against a loop of forward,
  backward and optimiser step over the same networks, losses and batch size, with one batch of
  tensors that is ready; the augmentation's cost is shown beside it.
* files: the same fit on image files that are decoded anew for every batch, against reading as
  many batches alone, against the slower of that and the fit on arrays (where the processes that
  decode have cores of their own), and against one after the other (where they have not). With a
  cache folder, files are decoded once before the steps.
* memory: the largest resident memory of a fit on ``--files`` files over that of the networks'
  step alone, each in a process of its own.

All runs are interleaved in one process; medians over ``--repeats``.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from PIL import Image

import sklearn_dsh
from sklearn_dsh import DeepSketchHasher
from sklearn_dsh.deep._batches import make_source
from sklearn_dsh.deep._losses import Drawn, code_loss
from sklearn_dsh.deep._optimizer import Optimizer
from sklearn_dsh.deep._pixels import to_network
from sklearn_dsh.deep._reading import read_ahead
from sklearn_dsh.deep.architectures import describe_network, resolve_architecture

N_CATEGORIES = 20


def draw(n, size, seed):
    """Sketches and photos with smooth random shapes, so that files are of usual size."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % N_CATEGORIES
    rows, columns = np.mgrid[:size, :size] / size
    waves = rng.uniform(1, 5, (N_CATEGORIES, 2))
    shape = np.stack([np.sin(6 * (a * rows + b * columns)) for a, b in waves])[labels]
    noise = rng.normal(scale=0.2, size=(n, size, size))
    sketches = np.where(np.abs(shape + noise) < 0.3, 0, 255).astype(np.uint8)
    photos = (128 + 60 * (shape + noise)[..., None] + rng.uniform(-50, 50, (n, 1, 1, 3))).clip(
        0, 255
    )
    return sketches, photos.astype(np.uint8), labels


def make_files(folder, n, size):
    """n PNG sketches and n JPEG photos."""
    folder.mkdir(parents=True, exist_ok=True)
    sketches, photos, _ = draw(n, size, 0)
    for i in range(n):
        Image.fromarray(sketches[i]).save(folder / f"{i}.png")
        Image.fromarray(photos[i]).save(folder / f"{i}.jpg", quality=90)


def list_files(folder, n, n_different):
    """Paths of n sketches and n photos, which repeat after ``n_different``, and their labels."""
    turns = np.arange(n) % n_different
    paths = [np.array([str(folder / f"{i}.{end}") for i in turns]) for end in ("png", "jpg")]
    return *paths, turns % N_CATEGORIES


def make_architecture(options):
    size = None if options.architecture == "paper" else options.size
    return resolve_architecture(options.architecture, size)


def make_hasher(options, **changes):
    settings = {
        "architecture": make_architecture(options),
        "batch_size": options.batch_size,
        "max_iter": 2,
        "steps_per_iter": options.steps // 2,
        "precision": options.precision,
        "n_jobs": options.n_jobs,
        "random_state": 0,
        "augment": False,
    } | changes
    return DeepSketchHasher(options.bits, **settings)


def synchronise():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def bare_loop(options):
    """Seconds of the steps alone, on tensors that are ready."""
    hasher = make_hasher(options)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kinds = dict.fromkeys(("sketch", "image"), "images")
    settings = describe_network(
        hasher.architecture, options.bits, kinds, {}, has_tokens=True, n_categories=N_CATEGORIES
    )
    sizes, pixels = hasher.architecture.sizes(), hasher.architecture.pixels()
    n = options.batch_size
    network = hasher.architecture.build(settings).to(device).train()
    helper = torch.nn.Linear(network.c1.out_shape[0], N_CATEGORIES).to(device)
    optimizer = Optimizer(torch.nn.ModuleList([network, helper]), options.steps, device, hasher)
    g = torch.Generator().manual_seed(0)
    strokes = torch.rand(2 * n, 1, sizes["sketch"], sizes["sketch"], generator=g)
    sketches, tokens = to_network(strokes, pixels["sketch"]).to(device).chunk(2)
    photos = 2 * torch.rand(n, sizes["image"], sizes["image"], 3, generator=g) - 1
    photos = to_network(photos.permute(0, 3, 1, 2), pixels["image"]).to(device)
    labels = torch.arange(n, device=device) % N_CATEGORIES
    codes = torch.randn(N_CATEGORIES, options.bits, generator=g).sign().to(device)
    items, own = Drawn(np.arange(n), labels), codes[labels]
    synchronise()
    started = time.perf_counter()
    for _ in range(options.steps):
        with optimizer.autocast():
            a, b = network.strokes(sketches, tokens)
            drawn = network.sketch_head(torch.cat([a, b])).float()
            features = network.c1(photos)
            fused = network.image_head(network.fuse(features, b)).float()
            helped = helper(features.mean(dim=(2, 3))).float()
        loss = code_loss(drawn[:n], own, items, codes, hasher.loss)
        loss = loss + 0.3 * code_loss(drawn[n:], own, items, codes, hasher.loss)
        loss = loss + code_loss(fused, own, items, codes, hasher.loss)
        loss = loss + 0.3 * items.cross_entropy(helped)
        optimizer.step(loss)
    synchronise()
    return time.perf_counter() - started


class StepClock:
    """Seconds between the first and the last gradient step of the fits inside."""

    def __enter__(self):
        from sklearn_dsh.deep._training import NetworkTrainer

        self.original, self.seconds = NetworkTrainer.run, 0.0

        def run(trainer, *arguments, **others):
            synchronise()
            started = time.perf_counter()
            losses = self.original(trainer, *arguments, **others)
            synchronise()
            self.seconds += time.perf_counter() - started
            return losses

        NetworkTrainer.run = run
        return self

    def __exit__(self, *_):
        from sklearn_dsh.deep._training import NetworkTrainer

        NetworkTrainer.run = self.original


def fit_seconds(options, X_sk, X_img, labels, **changes):
    """Seconds of the gradient steps of a fit, batches included, tokens and set-up excluded."""
    with StepClock() as clock:
        make_hasher(options, **changes).fit(X_sk, X_img, (labels, labels))
    return clock.seconds


def decode_seconds(options, paths):
    """Seconds to read as many batches of files as a fit does, by the same worker processes."""
    sizes = make_architecture(options).sizes()
    sources = {view: make_source(X, view, sizes[view]) for view, X in paths.items()}
    rng = np.random.default_rng(0)
    requests = [
        {view: rng.integers(0, len(X), options.batch_size) for view, X in paths.items()}
        for _ in range(options.steps)
    ]
    started = time.perf_counter()
    for _ in read_ahead(sources, requests, options.n_jobs):
        pass
    return time.perf_counter() - started


def largest_memory():
    """Bytes that this process, and its largest child, ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss begins with the memory of the process that started this one
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        own = int(line.split()[1])
    else:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * own, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def measure_memory(options, folder):
    """In a process of its own each: the steps alone, and a fit on many files."""
    script = [sys.executable, __file__, *sys.argv[1:], "--folder", str(folder), "--memory-of"]
    return {
        name: json.loads(subprocess.run([*script, name], capture_output=True, check=True).stdout)
        for name in ("steps", "files")
    }


def memory_of(options):
    options.steps = 10
    if options.memory_of == "steps":
        bare_loop(options)
    else:
        # Not drawn here: what drawing takes would be measured too.
        paths = list_files(Path(options.folder), options.files, options.items)
        fit_seconds(options, *paths, augment=True, code_updates="discrete")
    print(json.dumps(largest_memory()))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", default="compact", choices=["compact", "paper"])
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--size", type=int, default=64, help="side the networks read, in pixels")
    parser.add_argument("--pixels", type=int, default=256, help="side of the image files")
    parser.add_argument("--items", type=int, default=1000, help="of each view")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, help="of torch; default: all cores")
    parser.add_argument("--files", type=int, default=100_000, help="of each view, for the memory")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.memory_of:
        memory_of(options)
        return

    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), options.items, options.pixels)
        *paths, labels = list_files(Path(folder), options.items, options.items)
        sizes = make_architecture(options).sizes()
        arrays = [
            make_source(X, view, sizes[view])[:]
            for X, view in zip(paths, ("sketch", "image"), strict=True)
        ]
        runs = {
            "bare loop": lambda: bare_loop(options),
            "fit, arrays": lambda: fit_seconds(options, *arrays, labels),
            "fit, arrays, augmented": lambda: fit_seconds(options, *arrays, labels, augment=True),
            "decoding alone": lambda: decode_seconds(
                options, {"sketch": paths[0], "image": paths[1]}
            ),
            "fit, files": lambda: fit_seconds(options, *paths, labels, cache_size=0),
            "fit, files, cache_dir": lambda: fit_seconds(
                options, *paths, labels, cache_size=0, cache_dir=folder
            ),
        }
        for run in runs.values():
            run()  # warm up
        seconds = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, run in runs.items():
                seconds[name].append(run())
        n_images = 2 * options.batch_size * options.steps
        rate = {name: n_images / np.median(values) for name, values in seconds.items()}
        memory = measure_memory(options, folder) if options.files else None

    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(
        f"sklearn-dsh {sklearn_dsh.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}; "
        f"{where}, {torch.get_num_threads()} threads; {options.architecture}, {options.size} px "
        f"from files of {options.pixels} px, {options.batch_size} + {options.batch_size} images "
        f"a step, {options.steps} steps, {options.n_jobs} decoding processes, seed 0; medians of "
        f"{options.repeats}\n"
    )
    for name, value in rate.items():
        print(f"{name:24} {value:8.0f} images/s")
    alone = rate["decoding alone"], rate["fit, arrays"]
    ratios = {
        "fit on arrays / bare loop": rate["fit, arrays"] / rate["bare loop"],
        "augmented fit on arrays / bare loop": rate["fit, arrays, augmented"] / rate["bare loop"],
        "fit on files / decoding alone": rate["fit, files"] / alone[0],
        "fit on files / slower of decoding and fit on arrays": rate["fit, files"] / min(alone),
        "fit on files / decoding, then fit on arrays": rate["fit, files"]
        * (1 / alone[0] + 1 / alone[1]),
        "fit on files with cache_dir / fit on arrays": rate["fit, files, cache_dir"] / alone[1],
    }
    print()
    for name, ratio in ratios.items():
        print(f"{name:52} {ratio:.2f}")
    if memory:
        fit, worker = memory["files"]
        extra = (fit - memory["steps"][0]) / 2**30
        print(
            f"\nmemory, {options.files} files a view: {fit / 2**30:.2f} GiB, {extra:.2f} GiB above "
            f"the steps alone; the largest worker process {worker / 2**30:.2f} GiB"
        )


if __name__ == "__main__":
    main()
