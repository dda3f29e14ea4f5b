"""Codes of onnxruntime are those of `transform`, but where a value is zero but for rounding."""

import json

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_common import HASHERS

from sklearn_dsh import (
    BaseCrossModalHasher,
    CCAHasher,
    CMSSHHasher,
    Compact,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    EdgeTokens,
    ITQHasher,
    Pretrained,
    SDHHasher,
    TorchBackbone,
    ZeroShotHasher,
    make_sketch_photo,
    to_onnx,
)
from sklearn_dsh.codes import unpack_bits

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

VIEWS = ("sketch", "image")
rng = np.random.default_rng(0)
Y = np.arange(60) % 3
X = rng.normal(size=(60, 10)) + 3 * np.eye(3, 10)[Y]
DRAWN = make_sketch_photo(n_categories=3, n_sketches=18, n_photos=24, size=32, random_state=0)
IMAGES = {"sketch": DRAWN.sketches, "image": DRAWN.images}
LABELS = DRAWN.y_sketch, DRAWN.y_image
TINY = {"max_iter": 1, "steps_per_iter": 2, "random_state": 0}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def run(path, rows):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (entry,), (answer,) = session.get_inputs(), session.get_outputs()
    assert answer.name == "codes"
    return session.run(None, {entry.name: rows})[0]


def assert_same_codes(hasher, view, rows, codes):
    """Equal but for bits whose value is within rounding of zero."""
    expected = hasher.transform(rows, view)
    assert codes.dtype == np.uint8
    assert codes.shape == expected.shape
    values = hasher.project(rows, view)
    differ = unpack_bits(codes, hasher.n_bits) != unpack_bits(expected, hasher.n_bits)
    size = np.sqrt((values**2).mean(axis=0))
    assert (np.abs(values)[differ] <= 1e-4 * np.broadcast_to(size, values.shape)[differ]).all()
    assert differ.mean() <= 1e-4 or differ.sum() <= 1


def check_vectors(hasher, n_bits, views, path):
    fitted = clone(hasher).set_params(n_bits=n_bits, random_state=0).fit(X, X, (Y, Y))
    for view in views:
        to_onnx(fitted, path, view=view)
        for rows in (X, X[:1], rng.normal(scale=3, size=(200, 10))):
            assert_same_codes(fitted, view, rows, run(path, rows))


# One for each module; all of them among the slow tests.
@pytest.mark.parametrize("hasher", [CMSSHHasher(), SDHHasher(), ZeroShotHasher()], ids=str)
def test_vectors(hasher, path):
    check_vectors(hasher, 12, ["image"], path)


@pytest.mark.slow
@pytest.mark.parametrize("n_bits", [12, 64])
@pytest.mark.parametrize("hasher", HASHERS, ids=lambda hasher: type(hasher).__name__)
def test_vectors_of_all(hasher, n_bits, path):
    check_vectors(hasher, n_bits, VIEWS, path)


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("make", "polarity"),
    [
        (DeepSketchHasher, "auto"),
        pytest.param(DeepSketchHasher, "dark", marks=slow),
        pytest.param(DeepSketchHasher, "bright", marks=slow),
        pytest.param(DCMHHasher, "dark", marks=slow),
        pytest.param(DeepMetricHasher, "auto", marks=slow),
    ],
)
def test_images(make, polarity, path):
    settings = TINY if make is not DeepMetricHasher else {"steps_per_iter": 2, "random_state": 0}
    hasher = make(
        12, architecture=Compact(32, polarity=polarity), sketch_tokens=None, **settings
    ).fit(*IMAGES.values(), LABELS)
    for view, images in IMAGES.items():
        to_onnx(hasher, path, view=view)
        half = len(images) // 2
        mixed = np.concatenate([images[:half], 255 - images[half:]])
        assert_same_codes(hasher, view, mixed, run(path, mixed))


def make_network():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, 4), torch.nn.ReLU())


@pytest.mark.parametrize(
    ("trained", "readout"),
    [
        pytest.param("none", "categories", marks=slow),
        pytest.param("last", "categories", marks=slow),
        ("last", "features"),
    ],
)
def test_networks_that_know_images(trained, readout, path):
    backbone = TorchBackbone(make_network, size=32, mean=(9, 8, 7), order="bgr", strokes="bright")
    architecture = Pretrained(backbone, trained=trained)
    hasher = DeepSketchHasher(12, architecture=architecture, readout=readout, **TINY)
    hasher.fit(*IMAGES.values(), LABELS)
    for view, images in IMAGES.items():
        to_onnx(hasher, path, view=view)
        assert_same_codes(hasher, view, images, run(path, images))


class Counting(torch.nn.Module):
    def forward(self, images):
        return images.mean(dim=(2, 3)) / len(images)


def test_networks_for_a_fixed_number_of_images_are_refused(path):
    architecture = Pretrained(TorchBackbone(Counting(), size=32), trained="none")
    hasher = DeepSketchHasher(12, architecture=architecture, **TINY)
    hasher.fit(*IMAGES.values(), LABELS)
    with pytest.raises(ValueError, match="fix the number of rows"):
        to_onnx(hasher, path, view="sketch")
    assert not path.exists()


def test_sketches_of_a_hasher_with_tokens_and_not_its_photos(path):
    hasher = DeepSketchHasher(12, architecture=Compact(32), sketch_tokens=EdgeTokens(), **TINY)
    hasher.fit(*IMAGES.values(), LABELS)
    to_onnx(hasher, path, view="sketch")
    assert_same_codes(hasher, "sketch", IMAGES["sketch"], run(path, IMAGES["sketch"]))
    with pytest.raises(ValueError, match=r"EdgeTokens\(\).*Fit with sketch_tokens=None"):
        to_onnx(hasher, path, view="image")


def test_images_of_another_size_are_refused_and_the_file_says_which(path):
    hasher = DeepSketchHasher(12, architecture=Compact(32), sketch_tokens=None, **TINY)
    hasher.fit(*IMAGES.values(), LABELS)
    to_onnx(hasher, path, view="image")
    session = onnxruntime.InferenceSession(path)
    facts = json.loads(session.get_modelmeta().custom_metadata_map["sklearn_dsh"])
    assert facts["input"] == ["photos", 32, 32, 3]
    assert (facts["hasher"], facts["view"], facts["n_bits"]) == ("DeepSketchHasher", "image", 12)
    assert session.get_inputs()[0].shape[1:] == [32, 32, 3]
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        run(path, np.zeros((1, 40, 32, 3), dtype=np.uint8))
    with pytest.raises(Exception, match="Unexpected input data type"):
        run(path, np.zeros((1, 32, 32, 3)))


class Own(BaseCrossModalHasher):
    def __init__(self, n_bits=8, random_state=None):
        self.n_bits, self.random_state = n_bits, random_state

    def _fit_views(self, data):
        pass

    def _project_view(self, X, view):
        return X[:, : self.n_bits]


def test_what_cannot_be_exported_is_refused_and_nothing_written(path):
    pipeline = make_pipeline(StandardScaler(), ITQHasher(8)).fit(X)
    with pytest.raises(TypeError, match=r"pipeline\[-1\]"):
        to_onnx(pipeline, path, view="sketch")
    with pytest.raises(TypeError, match="takes a hasher"):
        to_onnx(StandardScaler(), path, view="sketch")
    with pytest.raises(TypeError, match="does not know what a Own computes"):
        to_onnx(Own().fit(X), path, view="sketch")
    with pytest.raises(NotFittedError):
        to_onnx(CCAHasher(), path, view="sketch")
    with pytest.raises(ValueError, match="got view='image'"):
        to_onnx(ITQHasher(8).fit(X), path, view="image")
    with pytest.raises(ValueError, match="no folder"):
        to_onnx(ITQHasher(8).fit(X), path / "x" / "y", view="sketch")
    assert not path.exists()
