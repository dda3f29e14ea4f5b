"""What forked children make of the library after their parent used it: one JSON object on stdout.

Run by itself, with the names of what is to be tried, as ``test_forks`` does: OpenMP's threads start
in the parent, and a child that waits for them never ends.
"""

import json
import multiprocessing
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.sparse import issparse
from sklearn.base import clone

from sklearn_dsh import (
    BackboneFeatures,
    CCAHasher,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    EdgeTokens,
    GFHOGFeatures,
    HammingRetriever,
    HOGFeatures,
    SHELOFeatures,
    TorchBackbone,
)
from sklearn_dsh._forks import cached
from sklearn_dsh._progress import Progress
from sklearn_dsh.deep import _weights
from sklearn_dsh.gallery import Gallery

PATIENCE = 60  # seconds, after which a child is said to hang
FORK = multiprocessing.get_context("fork")
RNG = np.random.default_rng(0)
SKETCHES = RNG.integers(128, 256, (40, 48, 48), dtype=np.uint8)
PHOTOS = RNG.integers(0, 256, (40, 48, 48, 3), dtype=np.uint8)
VECTORS = RNG.normal(size=(300, 64)).astype(np.float32)
Y = np.arange(40) % 3
Y_VECTORS = np.arange(300) % 3
CODES = RNG.integers(0, 256, (3000, 8), dtype=np.uint8)
SHORT = {"max_iter": 1, "steps_per_iter": 2, "batch_size": 16, "random_state": 0}


def write_images(folder):
    paths = [str(Path(folder) / f"{i}.png") for i in range(len(PHOTOS))]
    for path, photo in zip(paths, PHOTOS, strict=True):
        Image.fromarray(photo).save(path)
    return np.array(paths)


def hasher_on_images():
    return DeepSketchHasher(16, **SHORT).fit(SKETCHES, PHOTOS, Y)


def hasher_on_vectors():
    return DeepSketchHasher(16, **SHORT).fit(VECTORS, VECTORS, Y_VECTORS)


def called(method, *arguments, **options):
    return lambda: method(*arguments, **options)


def encoding(method, X, view):
    return lambda folder: called(getattr(hasher_on_images(), method), X, view=view)


def encoding_paths(folder):
    return called(hasher_on_images().transform, write_images(folder), view="image")


def network_of_vectors(folder):
    network = hasher_on_vectors().build_network()
    return lambda: network.sketch(torch.from_numpy(VECTORS)).detach().numpy()


def fitting(hasher, X=VECTORS, Y=VECTORS, y=Y_VECTORS):
    return lambda folder: lambda: clone(hasher).fit(X, Y, y).project(X, view="sketch")


def fitting_on_paths(folder):
    return fitting(DeepSketchHasher(16, **SHORT), SKETCHES, write_images(folder), Y)(folder)


def backbone_features(folder):
    backbone = TorchBackbone(torch.nn.Conv2d(3, 8, 5, 4), size=64)
    return called(BackboneFeatures(backbone).transform, write_images(folder))


def searching(**settings):
    return lambda folder: called(
        HammingRetriever(**settings).fit(CODES).radius_neighbors_graph, CODES
    )


def searching_on_disk(folder):
    Gallery(CODES, 64, [str(i) for i in range(len(CODES))]).save(Path(folder) / "gallery")
    gallery = Gallery.load(Path(folder) / "gallery")
    return lambda: gallery.search(CODES[:9])[0]


def making(features, X=SKETCHES):
    return lambda folder: lambda: clone(features).fit(X).transform(X)


# Name -> function of a folder to write in that gives a function without arguments.
ENTRIES = {
    "transform": encoding("transform", SKETCHES, "sketch"),
    "project": encoding("project", PHOTOS, "image"),
    "features": encoding("features", SKETCHES, "sketch"),
    "transform of paths": encoding_paths,
    "build_network": network_of_vectors,
    "fit on vectors": fitting(DeepSketchHasher(16, **SHORT)),
    "fit on images": fitting(DeepSketchHasher(16, **SHORT), SKETCHES, PHOTOS, Y),
    "fit on paths": fitting_on_paths,
    "fit of DCMH": fitting(DCMHHasher(16, **SHORT)),
    "fit of DeepMetricHasher": fitting(DeepMetricHasher(16, **SHORT)),
    "fit of CCA": fitting(CCAHasher(16, random_state=0)),
    "BackboneFeatures": backbone_features,
    "search in threads": searching(n_jobs=2),
    "search of a structure": searching(algorithm="multi_index", n_jobs=2),
    "search by torch": searching(device="cpu:0"),
    "search on disk": searching_on_disk,
    "EdgeTokens": making(EdgeTokens(n_jobs=2), np.tile(PHOTOS, (2, 1, 1, 1))),
    "HOGFeatures": making(HOGFeatures(image_size=32, n_jobs=2)),
    "SHELOFeatures": making(SHELOFeatures(image_size=32, n_jobs=2)),
    "GFHOGFeatures": making(
        GFHOGFeatures(8, image_size=32, n_points=20, n_jobs=2, random_state=0), SKETCHES[:9]
    ),
}


class Slow:
    """Has what is worked out once, of which another thread is in the midst."""

    started, may_end = threading.Event(), threading.Event()

    @cached
    def value(self):
        self.started.set()
        self.may_end.wait(0 if FORK.parent_process() else PATIENCE)
        return np.ones(1)


def in_a_training(folder):
    return _weights._TRAINING.held, fitting(DeepSketchHasher(16, **SHORT))(folder)


def in_a_gallery(folder):
    gallery = Gallery(CODES, 64, [str(i) for i in range(len(CODES))])
    gallery.search(CODES[:9])
    return gallery._lock.held, lambda: gallery.search(CODES[:9])[0]


def in_a_bar(folder):
    def show():
        with Progress(3, desc="In a child") as bar:
            bar.update(3)
        return np.zeros(1)

    return Progress.get_lock, show


@contextmanager
def in_a_value():
    """In the midst of a value, whose lock, if there were one, all objects would share."""
    slow = Slow()
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    Slow.started.wait()
    yield
    Slow.may_end.set()
    thread.join()


# Name -> function of a folder that gives what another thread of the parent is in, a context, and
# what the child does.
HELD = {
    "while another thread trains": in_a_training,
    "while another thread opens a gallery": in_a_gallery,
    "while another thread draws a bar": in_a_bar,
    "while another thread works a value out": lambda folder: (in_a_value, lambda: Slow().value),
}
IN_A_POOL = "transform in a Pool"
NAMES = [*ENTRIES, *HELD, IN_A_POOL]


def in_child(function, pipe):
    try:
        pipe.send(as_array(function()))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


def as_array(values):
    return values.toarray() if issparse(values) else np.asarray(values)


def outcome(function, expected=None):
    """What a child makes of a function: "right", "wrong", "hangs" or an error."""
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=in_child, args=(function, sender))
    process.start()
    try:
        if not receiver.poll(PATIENCE):
            process.kill()
            return "hangs"
        found = receiver.recv()
    except EOFError:
        return "died"
    finally:
        process.join()
    if isinstance(found, str):
        return found
    if expected is None:
        return "right" if np.isfinite(found).all() else "wrong"
    return "right" if np.allclose(found, expected, rtol=1e-3, atol=1e-3) else "wrong"


def held_outcome(enter, function):
    """As `outcome`, while another thread of the parent is in a context."""
    entered, may_leave = threading.Event(), threading.Event()

    def hold():
        with enter():
            entered.set()
            may_leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    try:
        return outcome(function)
    finally:
        may_leave.set()
        thread.join()


def of_pool():
    """As `outcome`, of the workers of a Pool, which are daemons."""
    global _hasher
    _hasher = hasher_on_images()
    expected = _transform(slice(None))
    with FORK.Pool(2) as pool:
        parts = pool.map_async(_transform, [slice(0, 20), slice(20, 40)])
        try:
            same = np.array_equal(np.concatenate(parts.get(PATIENCE)), expected)
        except multiprocessing.TimeoutError:
            return "hangs"
    return "right" if same else "wrong"


def _transform(rows):
    return _hasher.transform(SKETCHES[rows], view="sketch")


def outcome_of(name):
    with tempfile.TemporaryDirectory() as folder:
        if name == IN_A_POOL:
            return of_pool()
        if name in HELD:
            return held_outcome(*HELD[name](folder))
        function = ENTRIES[name](folder)
        expected = as_array(function())
        # A fit adds up in another order there, and its steps follow the signs of small numbers.
        return outcome(function, None if name.startswith("fit") else expected)


if __name__ == "__main__":
    json.dump({name: outcome_of(name) for name in sys.argv[1:]}, sys.stdout)
