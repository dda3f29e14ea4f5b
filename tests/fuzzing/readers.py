"""What reads files: each reader with sound ones, what it makes of them, and what it may not tell.

A reader is made in an empty folder. ``read(content)`` puts the bytes where the library finds them,
reads them and gives what it got of them, to be compared.
"""

import io
import json
import re
import signal
import warnings
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dsh import (
    CCAHasher,
    DeepSketchHasher,
    HammingRetriever,
    ITQHasher,
    load_model,
    load_sketch_photo_folder,
    save_model,
)
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.datasets import load_class_vectors, load_quickdraw
from sklearn_dsh.deep._caffe_file import _net_parameter
from sklearn_dsh.deep._caffe_weights import ModelFile
from sklearn_dsh.deep._checkpoint import FILE_NAME
from sklearn_dsh.gallery import Gallery
from sklearn_dsh.preprocessing import load_image

from .image_files import images_of

MEGABYTES = 64  # of resident memory that reading a small file may take
MAX_PIXELS = 1 << 21  # what Pillow lets through here: the bound below is per pixel
BYTES_PER_PIXEL = 20


class Reader:
    """What the readers share.

    Attributes
    ----------
    seeds : list of bytes
        Sound files.
    place : Path
        The file, which errors have to name; or the folder that it is in.
    words : tuple of bytes
        Of which the format is made.
    megabytes : float
        More resident memory than that is a fault.
    notices_damage : bool
        Whether a file that is not one of the seeds is refused, or gives the same.
    """

    words = ()
    megabytes = MEGABYTES
    notices_damage = False

    def __init__(self, folder):
        self.folder = Path(folder)

    def read(self, content):
        self.place.write_bytes(content)
        return self.load()

    def begin(self):
        """Called in a process of the reader's own."""

    def may_be_shorter(self, seed, kept):
        """Whether nobody can tell that a file was longer; it is read up to there then."""
        return False


class Images(Reader):
    formats = ()
    megabytes = MEGABYTES + BYTES_PER_PIXEL * 2 * MAX_PIXELS / (1 << 20)  # it warns at the half

    def __init__(self, folder):
        super().__init__(folder)
        made = [file for name in self.formats for file in images_of(name)]
        self.place = self.folder / "image"
        self.seeds = [file for file in made if len(file) < 4096 and self._is_read(file)]

    def _is_read(self, content):
        try:
            return self.read(content) is not None
        except ValueError:  # such pixels are refused: numbers of unknown range, say
            return False

    def begin(self):
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS

    def load(self):
        pixels, sketch = load_image(self.place), load_image(self.place, 32, "L")
        assert pixels.dtype == sketch.dtype == np.uint8
        assert (pixels.ndim, pixels.shape[2], sketch.shape) == (3, 3, (32, 32))
        return pixels

    def may_be_shorter(self, seed, kept):
        # The last number of an image in text, which need not end in a line break; and the palette
        # of PCX, a part that a file may do without.
        is_text = self.seeds[seed][:2] in (b"P1", b"P2", b"P3")
        is_pcx = self.seeds[seed].startswith(b"\n\x05\x01\x08")
        return (is_text and self.seeds[seed][kept:].strip().isdigit()) or (
            is_pcx and len(self.seeds[seed]) - kept <= 769
        )


IMAGES = {
    f"images: {name}": type(name, (Images,), {"formats": (name,)})
    for name in ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
}
OTHERS = ("AVIF", "BLP", "DDS", "DIB", "EPS", "ICNS", "ICO", "IM", "JPEG2000", "MPO", "MSP",
          "PCX", "QOI", "SGI", "SPIDER", "TGA", "XBM")  # fmt: skip
IMAGES["images: other formats"] = type("Others", (Images,), {"formats": OTHERS})


class CaffeFile(Reader):
    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "net.caffemodel"
        rng = np.random.default_rng(0)
        self.seeds = [
            self._message(rng, legacy, double) for legacy in (False, True) for double in (0, 1)
        ]

    @staticmethod
    def _message(rng, legacy, double):
        net = _net_parameter()()
        for name, kind, shapes in (
            ("conv1-S", "Convolution", [(2, 3, 2, 2), (2,)]),
            ("BN1-S", "BatchNorm", [(2,), (2,), (1,)]),
            ("fc_p-S_4", "InnerProduct", [(4, 1024), (4,)]),
        ):
            layer = (net.layers if legacy else net.layer).add(name=name)
            layer.type = {"Convolution": 4, "InnerProduct": 14}.get(kind, 39) if legacy else kind
            for shape in shapes:
                blob = layer.blobs.add()
                if legacy:
                    sides = (1,) * (4 - len(shape)) + shape
                    blob.num, blob.channels, blob.height, blob.width = sides
                else:
                    blob.shape.dim.extend(shape)
                values = rng.integers(-4, 4, int(np.prod(shape))) / 4
                (blob.double_data if double else blob.data).extend(values.tolist())
        return net.SerializeToString()

    def load(self):
        file = ModelFile(self.place)
        values = [blob for layer in file.layers.values() for blob in layer.blobs]
        assert all(np.isfinite(blob).all() for blob in values)
        return {name: layer.blobs for name, layer in file.layers.items()}, (
            file.hash_layer("sketch"),
            file.linear("conv1-S", (2, 3, 2, 2), "conv"),
        )


class WordVectors(Reader):
    """The last word of the file is wanted: it is read to its end."""

    _CLASSES = ("cat", "sea turtle", "zebra")
    words = (b"cat", b"zebra", b" 1.5", b"\n3 2\n")
    ending = ""

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / f"vectors{self.ending}"
        self.seeds = self._make()

    def load(self):
        found = load_class_vectors(self.place, self._CLASSES, missing="ignore")
        for vector in found.values():
            assert vector.dtype == np.float64
            np.testing.assert_allclose(np.linalg.norm(vector), 1, rtol=1e-6)
        return found


_ROWS = (("the", 3, 4), ("cat", -1.25, 2), ("sea", 0.5, 1e-3), ("turtle", 8, 1), ("zebra", 1, 2.5))


class TextVectors(WordVectors):
    def _make(self):
        lines = "".join(f"{word} {x} {y}\n" for word, x, y in _ROWS).encode()
        return [lines, b"5 2\n" + lines]

    def may_be_shorter(self, seed, kept):
        # Without a header the number of lines is not known, and "zebra" may not be wanted there.
        return not self.seeds[seed].startswith(b"5 2") and self.seeds[seed][:kept].endswith(b"\n")


class BinaryVectors(WordVectors):
    def _make(self):
        files = [b"5 2\n", b"5 2\n"]
        for word, *values in _ROWS:
            record = word.encode() + b" " + np.array(values, "<f4").tobytes()
            files = [files[0] + record, files[1] + record + b"\n"]
        return files


class CompressedVectors(WordVectors):
    ending = ".gz"

    def _make(self):
        import gzip

        text, binary = TextVectors(self.folder).seeds, BinaryVectors(self.folder).seeds
        return [gzip.compress(content, mtime=0) for content in (*text, *binary)]

    def may_be_shorter(self, seed, kept):
        return kept >= len(self.seeds[seed]) - 8  # of the checksum, behind all that is wanted


class Drawings(Reader):
    words = (b'"drawing"', b"true", b"[]", b"[[1],[2]]", b"255", b"-0.5")

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "cat.ndjson"
        lines = [
            {"word": "cat", "recognized": True, "drawing": [[[0, 255, 9], [3, 4, 90]], [[7], [8]]]},
            {"word": "cat", "recognized": False, "drawing": [[[1, 2], [200, 100]]]},
            {"recognized": True, "drawing": [[[1.5, 2], [20, 10]]], "countrycode": "DÉ"},
        ]
        self.seeds = [b"".join(json.dumps(line).encode() + b"\n" for line in lines)]

    def load(self):
        # A sample, of which the last line is no part: it is looked at all the same.
        drawn = load_quickdraw(self.folder, max_per_category=2, size=32, random_state=3)
        everything = load_quickdraw(self.folder, max_per_category=None, size=32)
        assert len(drawn.sketches) == min(2, len(everything.sketches))
        return everything.sketches, everything.recognized

    def may_be_shorter(self, seed, kept):
        return self.seeds[seed][:kept].endswith((b"\n", b"}"))


class Bitmaps(Reader):
    words = (b"(2, 784)", b"'|u1'", b"True", b"-1,", b"{", b"PK\x03\x04")

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "cat.npy"
        self.seeds = [_npy(np.arange(3 * 784, dtype=np.uint8).reshape(3, 784))]

    def load(self):
        return load_quickdraw(self.folder, max_per_category=None, size=32).sketches


class Split(Reader):
    words = (b"train", b"sketch,", b'"a,b"', b"../", b",,", b'""', b"x" * 200_000)

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "split.csv"
        rows = []
        for view in ("sketch", "photo"):
            for i, label in enumerate(("cat", "dog", "cat", "two words")):
                path = self.folder / view / label / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (32, 32), (i, 0, 0)).save(path)
                part = "test" if i == 2 else "train"
                rows.append(f"{view}/{label}/{i}.png,{view},{label},{part}")
        text = "\n".join(["path,view,label,split", *rows, ""])
        quoted = "\r\n".join(
            [
                "split,label,path,view",
                *('{3},"{2}",{0},{1}'.format(*row.split(",")) for row in rows),
                "",
            ]
        )
        self.seeds = [text.encode(), b"\xef\xbb\xbf" + quoted.encode()]  # fmt: skip

    def load(self):
        data = load_sketch_photo_folder(self.folder, size=None)
        assert len(data.sketches) == len(data.y_sketch) == len(data.split_sketch)
        assert not any("\n" in part for part in (*data.split_sketch, *data.split_image))
        return [data[key].tolist() for key in ("sketches", "images", "y_sketch", "y_image",
                                               "split_sketch", "split_image")]  # fmt: skip

    def may_be_shorter(self, seed, kept):
        text = self.seeds[seed][:kept].lstrip(b"\xef\xbb\xbf").decode()
        last = re.split("\r?\n?", text)[-1] if not text.endswith("\n") else ""
        return last == "" or last.split(",")[-1] in ("train", "test", "sketch", "photo")


class GalleryPart(Reader):
    """One file of the three; the name of the folder, or of the file, is in the error."""

    words = (b'"paths"', b'"count"', b"20", b"null", b"'|u1'", b"(6, 3)", b'"codes-')
    pattern = ""

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder
        rng = np.random.default_rng(0)
        codes = np.packbits(rng.integers(0, 2, (6, 20)), axis=1)
        names = [f"photo {i}.jpg" for i in range(6)]
        Gallery(codes, 20, names, list("ababab"), model_id="sha256:00").save(folder)
        (self.file,) = self.folder.glob(self.pattern)
        self.seeds = [self.file.read_bytes()]

    def read(self, content):
        self.file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*looks like unpacked bits")
            gallery = Gallery.load(self.folder)
            assert gallery.codes.dtype == np.uint8
            in_memory = Gallery.load(self.folder, mmap_mode=None)
            np.testing.assert_array_equal(gallery.codes, in_memory.codes)
            gallery.search(gallery.codes[:1], 2)
        assert isinstance(gallery.model_id, str | None)
        return gallery.codes.copy(), gallery.paths, gallery.labels, gallery.n_bits


class GalleryHeader(GalleryPart):
    pattern = "gallery.json"


class GalleryCodes(GalleryPart):
    pattern = "codes-*.npy"


class GalleryItems(GalleryPart):
    pattern = "items-*.json"


class GalleryParquet(Reader):
    """Pages of a Parquet file have no checksums, unless asked for: other bytes may be read."""

    words = (b"PAR1", b"sklearn_dsh", b'"n_bits"', b"20", b"null", b"path", b"code", b"label")
    notices_damage = False

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "g.parquet"
        codes = np.packbits(np.random.default_rng(0).integers(0, 2, (6, 20)), axis=1)
        names = [f"photo {i}.jpg" for i in range(6)]
        self.seeds = []
        for labels, model_id in ((list("ababab"), "sha256:00"), (None, None)):
            Gallery(codes, 20, names, labels, model_id=model_id).to_parquet(self.place)
            self.seeds.append(self.place.read_bytes())

    def read(self, content):
        self.place.write_bytes(content)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*looks like unpacked bits")
            gallery = Gallery.from_parquet(self.place)
        assert isinstance(gallery.model_id, str | None)
        return gallery.codes, gallery.paths, gallery.labels, gallery.n_bits


class ResultLines(Reader):
    """Only of the last line a part may be lost: a process may have been killed in it."""

    words = (b"null", b'{"a": 1}', b"NaN")

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "results.jsonl"
        rows = [{"method": "DSH", "map": 0.5, "bits": 64}, {"error": "é"}, {"method": "CCA"}]
        self.seeds = [b"".join(json.dumps(row).encode() + b"\n" for row in rows)]

    def load(self):
        rows = Results(self.place).rows
        assert all(isinstance(row, dict) for row in rows)
        return rows

    def may_be_shorter(self, seed, kept):
        return True


class CheckpointFile(Reader):
    """The file of a fit that was interrupted: going on from it gives the codes of one that was not.

    Torch compares no checksums.
    """

    notices_damage = True
    megabytes = 2 * MEGABYTES  # a training, too

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / FILE_NAME
        rng = np.random.default_rng(0)
        self.data = (rng.normal(size=(12, 5)), rng.normal(size=(12, 5)), np.arange(12) % 2)
        self.seeds = [self._interrupted(step) for step in (1, 3)]

    def _fit(self):
        hasher = DeepSketchHasher(
            8, max_iter=2, steps_per_iter=2, batch_size=4, random_state=0, device="cpu",
            checkpoint_dir=self.folder, validation_fraction=0.4,
        )  # fmt: skip
        return hasher.fit(*self.data)

    def _interrupted(self, step):
        from sklearn_dsh.deep._training import NetworkTrainer

        take_step = NetworkTrainer._take_step

        def interrupted(trainer, *args):
            if trainer.step == step:
                signal.raise_signal(signal.SIGINT)
            return take_step(trainer, *args)

        NetworkTrainer._take_step = interrupted
        listens = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job does not
        try:
            self._fit()
        except KeyboardInterrupt:
            return self.place.read_bytes()
        finally:
            NetworkTrainer._take_step = take_step
            signal.signal(signal.SIGINT, listens)
        raise AssertionError("The fit was not interrupted.")

    def load(self):
        hasher = self._fit()
        return hasher.project(self.data[0], view="sketch")


class CheckpointContents(CheckpointFile):
    """As above, but the checksums of the archive are right: only what it holds is damaged."""

    notices_damage = False
    words = (b"trainer", b"step", b"K\x05", b"N", b"}", b"]", b"state", b"rows", b"fingerprint")

    def __init__(self, folder):
        super().__init__(folder)
        self.archive = self.seeds[0]
        with zipfile.ZipFile(io.BytesIO(self.archive)) as file:
            (name,) = (name for name in file.namelist() if name.endswith("data.pkl"))
            self.seeds = [file.read(name)]

    def read(self, content):
        archive = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(self.archive)) as sound,
            zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made,
        ):
            for name in sound.namelist():
                is_changed = name.endswith("data.pkl")
                made.writestr(name, content if is_changed else sound.read(name))
        return super().read(archive.getvalue())


class ModelOfFile(Reader):
    """Estimators: what is made of a damaged file is used, too, and may fail, but never crash."""

    def __init__(self, folder):
        super().__init__(folder)
        self.place = self.folder / "model.safetensors"
        rng = np.random.default_rng(0)
        self.rows, y = rng.normal(size=(24, 5)), np.arange(24) % 2
        settings = {"random_state": 0, "device": "cpu", "max_iter": 1, "steps_per_iter": 1}
        codes = rng.integers(0, 256, (300, 2), dtype=np.uint8)
        self.seeds = [
            self._saved(estimator)
            for estimator in (
                CCAHasher(8, random_state=0).fit(self.rows, self.rows, y),
                make_pipeline(StandardScaler(), ITQHasher(8, random_state=0)).fit(self.rows),
                DeepSketchHasher(4, **settings).fit(self.rows, self.rows, (y, y)),
                HammingRetriever(3, algorithm="balls").fit(codes).remove([3]),
            )
        ]

    def _saved(self, estimator):
        save_model(estimator, self.place)
        return self.place.read_bytes()

    def load(self):
        estimator = load_model(self.place)
        try:
            if isinstance(estimator, HammingRetriever):
                return estimator.kneighbors()
            return estimator.project(self.rows, view="sketch")
        except Exception:  # of numbers that nobody learned: told when they are used
            return None


READERS = IMAGES | {
    ".caffemodel files": CaffeFile,
    "word vectors: text": TextVectors,
    "word vectors: binary": BinaryVectors,
    "word vectors: gzip": CompressedVectors,
    "QuickDraw: drawings": Drawings,
    "QuickDraw: bitmaps": Bitmaps,
    "split.csv": Split,
    "gallery: header": GalleryHeader,
    "gallery: codes": GalleryCodes,
    "gallery: items": GalleryItems,
    "gallery: Parquet": GalleryParquet,
    "model files": ModelOfFile,
    "results of compare": ResultLines,
    "checkpoint: file": CheckpointFile,
    "checkpoint: contents": CheckpointContents,
}


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
