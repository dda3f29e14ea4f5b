import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

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
