import gc
import multiprocessing
import os
import signal
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sklearn_dsh import BackboneFeatures, DeepSketchHasher, TorchBackbone
from sklearn_dsh.deep import _reading
from sklearn_dsh.deep._batches import FeatureSource, ImageSource
from sklearn_dsh.deep._reading import ByteFile, read_ahead


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    photos = np.random.default_rng(0).integers(0, 256, (9, 40, 40, 3), dtype=np.uint8)
    paths = []
    for i, photo in enumerate(photos):
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(photo).save(paths[-1])
    return np.array(paths), photos


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_files_come_in_the_order_asked_for(files, n_jobs):
    paths, photos = files
    rng = np.random.default_rng(1)
    requests = [{"image": rng.integers(0, 9, 3)} for _ in range(12)]
    got = list(read_ahead({"image": ImageSource(paths, "image", 40)}, requests, n_jobs))
    assert len(got) == 12
    for batch, request in zip(got, requests, strict=True):
        np.testing.assert_array_equal(batch["image"], photos[request["image"]])


def test_features_and_slices_need_no_workers():
    rows = np.arange(12.0).reshape(6, 2)
    got = list(read_ahead({"sketch": FeatureSource(rows)}, [{"sketch": slice(1, 3)}] * 2))
    np.testing.assert_array_equal(got[1]["sketch"], rows[1:3])


def test_a_damaged_file_is_named(files, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    source = ImageSource(np.append(files[0], str(bad)), "image", 40)
    with pytest.raises(ValueError, match=r"^Cannot read the image file .*bad\.png"):
        list(read_ahead({"image": source}, [{"image": np.array([0])}, {"image": np.array([9])}]))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(1, 30), shape=st.sampled_from([(1,), (3,), (4, 5)]))
def test_a_byte_file_is_like_an_array(data, n, shape):
    rng = np.random.default_rng(n)
    array = np.zeros((n, *shape), dtype=np.uint8)
    file = ByteFile(array.shape)
    for _ in range(3):
        start = data.draw(st.integers(0, n - 1))
        stop = data.draw(st.integers(start + 1, n))
        values = rng.integers(0, 256, (stop - start, *shape), dtype=np.uint8)
        array[start:stop] = values
        file[start:stop] = values
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=9)), dtype=int)
    np.testing.assert_array_equal(file[rows], array[rows])
    np.testing.assert_array_equal(file[:], array)
    assert len(file) == n


SHORT = {"max_iter": 1, "steps_per_iter": 2, "batch_size": 4, "random_state": 0}


def fit_on_files(paths, **settings):
    sketches = np.random.default_rng(0).integers(128, 256, (9, 40, 40), dtype=np.uint8)
    return DeepSketchHasher(8, **SHORT, **settings).fit(sketches, paths, np.arange(9) % 3)


# What reads files ahead: name -> function of the paths that gives what is to be called then.
READING = {
    "fit": lambda paths: lambda: fit_on_files(paths, n_jobs=2, cache_size=0),
    "transform": lambda paths: fit_on_files(paths, n_jobs=2).transform,
    "features": lambda paths: fit_on_files(paths, n_jobs=2).features,
    "BackboneFeatures": lambda paths: (
        BackboneFeatures(TorchBackbone(torch.nn.Conv2d(3, 8, 5, 4), size=64), n_jobs=2).transform
    ),
}


@pytest.mark.skipif(not _reading.CAN_FORK, reason="files are read by this process")
@pytest.mark.parametrize("entry", READING)
def test_a_process_that_is_killed(files, entry, monkeypatch):
    paths = np.tile(files[0], 30)
    call = READING[entry](files[0])
    arguments = () if entry == "fit" else (paths,)
    if entry in ("transform", "features"):
        arguments += ("image",)

    def read_or_die(self, path):
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros((self.size, self.size, 3), dtype=np.uint8)

    monkeypatch.setattr(ImageSource, "_read", read_or_die)
    monkeypatch.setattr(ImageSource, "block", 4)
    with pytest.raises(RuntimeError, match=r"A process that decodes image files died.*: lower n_"):
        call(*arguments)


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("has_folder", [False, True])
def test_no_file_is_left_open(files, tmp_path, n_jobs, has_folder):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        fit_on_files(
            files[0], n_jobs=n_jobs, cache_size=0, cache_dir=tmp_path if has_folder else None
        ).transform(files[0], "image")
        gc.collect()
    assert [str(one.message) for one in told if one.category is ResourceWarning] == []
