"""Calls that write something: what they need, how they are made, and what is there afterwards."""

import json
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_dsh import (
    DeepSketchHasher,
    ITQHasher,
    load_model,
    make_sketch_photo,
    save_model,
)
from sklearn_dsh.cli._main import commands
from sklearn_dsh.deep import _checkpoint
from sklearn_dsh.gallery import Gallery

SIZE = 32
FIT = {"max_iter": 2, "steps_per_iter": 6, "batch_size": 8, "random_state": 0, "device": "cpu"}


class Operation:
    """A call that writes to ``<root>/out``.

    ``prepare(root)`` makes what it reads, and what an earlier call left; ``call(root)`` makes it
    and gives something to compare; ``look(root)`` gives what is there, None if nothing is, and
    raises if it is not whole; ``is_state(found, old, new)`` says whether it may be there.
    """

    disk = 16  # megabytes in which it has room
    # Names that a call may leave when it is killed; the next one removes them.
    temporary = r"\.[\w.-]+\.[0-9a-f]{8}\.part"

    def is_state(self, found, old, new):
        return same(found, old) or same(found, new)

    def names(self, root):
        """What is in the folder, random parts of names aside."""
        files = (path for path in Path(root, "out").rglob("*"))
        return sorted(_plain(path.relative_to(root).as_posix()) for path in files)


def _plain(name):
    return re.sub(r"(codes|items)-[0-9a-f]{8}", r"\1-*", name)


def same(a, b):
    try:
        np.testing.assert_equal(a, b)
    except (AssertionError, TypeError, ValueError):
        return False
    return True


def run(*arguments):
    """A command line; SystemExit with its code if that is not 0."""
    try:
        commands([str(argument) for argument in arguments])
    except SystemExit as ended:
        if ended.code:
            raise


class GallerySave(Operation):
    temporary = r"(codes|items|gallery)-[0-9a-f]{8}\.(npy|json|part)"

    def prepare(self, root):
        _gallery(0, 300).save(root / "out")

    def call(self, root):
        _gallery(1, 5000).save(root / "out")

    def look(self, root):
        folder = root / "out"
        if not (folder / "gallery.json").exists():
            return None
        gallery = Gallery.load(folder)
        names = [os.path.basename(path) for path in gallery.paths]
        return np.array(gallery.codes), names, gallery.labels, gallery.n_bits


def _gallery(seed, n):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    return Gallery(codes, 128, [f"/photos/{seed}/{i}.jpg" for i in range(n)])


class NewGallery(GallerySave):
    """As above, where none was."""

    def prepare(self, root):
        pass


class Index(GallerySave):
    def prepare(self, root):
        super().prepare(root)
        for seed in (1, 2):
            _gallery(seed, 2000).save(root / f"piece_{seed}")

    def call(self, root):
        run("index", root / "piece_1", root / "piece_2", "-o", root / "out", "--quiet")


class Encode(GallerySave):
    disk = 100  # with the model

    def prepare(self, root):
        super().prepare(root)
        write_images(root / "data")
        rng = np.random.default_rng(0)
        hasher = DeepSketchHasher(16, **FIT)
        sketches = rng.integers(0, 256, (8, SIZE, SIZE), dtype=np.uint8)
        photos = rng.integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)
        save_model(hasher.fit(sketches, photos, np.arange(8) % 2), root / "model.safetensors")

    def call(self, root):
        run("encode", root / "model.safetensors", root / "data" / "photo", "-o", root / "out",
            "--labels", "--quiet")  # fmt: skip


class Parquet(Operation):
    def prepare(self, root):
        (root / "out").mkdir()
        _gallery(0, 300).to_parquet(root / "out" / "g.parquet")

    def call(self, root):
        _gallery(1, 5000).to_parquet(root / "out" / "g.parquet")

    def look(self, root):
        gallery = Gallery.from_parquet(root / "out" / "g.parquet")
        return gallery.codes, gallery.paths, gallery.labels, gallery.n_bits


class FitArrays(Operation):
    """Its state is the checkpoint; what it gives are codes."""

    seconds = 0  # between two checkpoints: one after every step
    temporary = r"deep_hasher\.(part|pt)"

    def prepare(self, root):
        pass

    def data(self, root):
        rng = np.random.default_rng(0)
        y = np.arange(24) % 3
        return rng.normal(size=(24, 6)) + y[:, None], rng.normal(size=(24, 9)) + y[:, None], (y, y)

    def call(self, root):
        _checkpoint.SECONDS, _checkpoint.PART = self.seconds, np.inf
        X_sk, X_img, y = self.data(root)
        hasher = DeepSketchHasher(16, checkpoint_dir=root / "out", **FIT).fit(X_sk, X_img, y)
        return hasher.transform(X_sk, view="sketch"), hasher.transform(X_img, view="image")

    def look(self, root):
        path = root / "out" / _checkpoint.FILE_NAME
        if not path.exists():
            return None
        held = _checkpoint.Checkpoint(path.parent, {}, 0)
        held.fingerprint = _Anything()
        return "checkpoint" if held.load() is not None else None

    def is_state(self, found, old, new):
        return found in (None, "checkpoint")


class _Anything(dict):
    """A fingerprint that is that of every fit."""

    def keys(self):
        return set()

    def get(self, name):
        return _EQUAL


class _Equal:
    def __eq__(self, other):
        return True

    __hash__ = None


_EQUAL = _Equal()


class FitFiles(FitArrays):
    disk = 300  # of networks for images
    seconds = 60  # after every round

    def prepare(self, root):
        write_images(root / "data")

    def data(self, root):
        views = []
        for view in ("sketch", "photo"):
            paths = sorted((root / "data" / view).rglob("*.png"))
            views.append((np.array([str(p) for p in paths]), [p.parent.name for p in paths]))
        (X_sk, y_sk), (X_img, y_img) = views
        return X_sk, X_img, (np.array(y_sk), np.array(y_img))


class FitCommand(Operation):
    """``sklearn-dsh fit`` with checkpoints, in place of an older model."""

    disk = FitFiles.disk
    temporary = rf"{Operation.temporary}|{FitArrays.temporary}"

    def prepare(self, root):
        write_images(root / "data")
        rng = np.random.default_rng(0)
        (root / "out").mkdir()
        save_model(ITQHasher(8).fit(rng.normal(size=(20, 9))), root / "out" / "model.safetensors")

    def call(self, root):
        run("fit", root / "data", root / "out" / "model.safetensors", "--bits", 16, "--size", SIZE,
            "--set", "max_iter=2", "--steps", 8, "--set", "batch_size=8", "--device", "cpu",
            "--checkpoint-dir", root / "out" / "checkpoints", "--quiet")  # fmt: skip

    def look(self, root):
        hasher = load_model(root / "out" / "model.safetensors")
        if isinstance(hasher, ITQHasher):
            return "old"
        sketches = np.array([str(p) for p in sorted((root / "data").rglob("sketch/*/*.png"))])
        return hasher.transform(sketches, view="sketch")


class Compare(Operation):
    """Its state is the rows that are finished; figures are compared, times are not."""

    def prepare(self, root):
        write_images(root / "data")

    def call(self, root):
        run("compare", root / "data", "--methods", "LSH", "--methods", "CCA-ITQ", "--bits", 8,
            "--bits", 16, "--seeded-bits", 8, "--protocol", "paper", "--size", SIZE,
            "-o", root / "out", "--quiet")  # fmt: skip

    def look(self, root):
        path = root / "out" / "results.jsonl"
        if not path.exists():
            return None
        if (table := path.with_name("tables.md")).exists():
            assert table.read_text().endswith("\n")
        for picture in path.parent.rglob("*.png"):
            with Image.open(picture) as image:
                image.load()
        lines = path.read_text().split("\n")
        rows = [json.loads(line) for line in lines[:-1]]  # a broken last line is dropped
        return [
            {name: row.get(name) for name in ("method", "bits", "map", "settings_of", "settings")}
            for row in rows
        ]

    def is_state(self, found, old, new):
        found = found or []
        return same(found, (new or [])[: len(found)])


def write_images(folder):
    data = make_sketch_photo(
        n_categories=3, n_sketches=30, n_photos=30, size=SIZE, difficulty=0.3, random_state=0
    )
    for view, images, labels in (
        ("sketch", data.sketches, data.y_sketch),
        ("photo", data.images, data.y_image),
    ):
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / view / label / f"{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


OPERATIONS = {
    "Gallery.save": GallerySave(),
    "Gallery.save, of a new one": NewGallery(),
    "Gallery.to_parquet": Parquet(),
    "index": Index(),
    "encode": Encode(),
    "fit with checkpoints, arrays": FitArrays(),
    "fit with checkpoints, files": FitFiles(),
    "sklearn-dsh fit": FitCommand(),
    "compare": Compare(),
}
