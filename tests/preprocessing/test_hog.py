import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from sklearn_dsh import SketchImageArray
from sklearn_dsh.preprocessing import HOGFeatures


def bars(angle, size=64):
    """A picture of parallel bars at an angle in degrees."""
    y, x = np.indices((size, size))
    wave = np.sin((x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))) / 2)
    return np.uint8(127.5 + 120 * wave)


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(0, 256, (5, 40, 56, 3), dtype=np.uint8)


@pytest.mark.parametrize(("angle", "expected"), [(22, 0), (67, 1), (112, 2), (157, 3)])
def test_histogram_peaks_at_the_direction_of_the_gradient(angle, expected):
    hog = HOGFeatures(orientations=4, cells_per_block=1)
    histograms = hog.fit_transform(bars(angle)[None]).reshape(8, 8, 4)
    assert (histograms[1:-1, 1:-1].argmax(axis=2) == expected).all()


def test_dark_on_white_equals_white_on_dark():
    image = bars(30)[None]
    hog = HOGFeatures()
    np.testing.assert_allclose(hog.transform(image), hog.transform(255 - image), atol=1e-6)


def test_photos_and_sketches_share_one_space(photos, tmp_path):
    hog = HOGFeatures(image_size=32, pixels_per_cell=8, cells_per_block=2, orientations=6)
    features = hog.fit(photos).transform(photos)
    assert features.shape == (5, 3 * 3 * 4 * 6)
    assert features.dtype == np.float32
    grey = np.stack([np.asarray(Image.fromarray(photo).convert("L")) for photo in photos])
    np.testing.assert_allclose(hog.transform(grey), features, atol=1e-6)
    paths = []
    for i, photo in enumerate(photos):
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(photo).save(paths[-1])
    for given in (paths, np.array(paths), np.array(paths, dtype=object)):
        np.testing.assert_allclose(hog.transform(given), features, atol=1e-6)


def test_rows_do_not_depend_on_each_other_nor_on_processes(photos):
    many = np.concatenate([photos] * 60)  # more than one batch
    features = HOGFeatures(image_size=32).fit_transform(many)
    np.testing.assert_array_equal(features, np.tile(features[:5], (60, 1)))
    np.testing.assert_array_equal(HOGFeatures(image_size=32, n_jobs=2).transform(many), features)


def test_works_unfitted_cloned_and_pickled(photos):
    hog = HOGFeatures(image_size=32)
    expected = hog.transform(photos)
    np.testing.assert_array_equal(clone(hog).transform(photos), expected)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(hog.fit(photos))).transform(photos), expected
    )
    assert hog.fit(photos) is hog
    assert vars(hog) == vars(clone(hog))


def test_set_output(photos):
    pytest.importorskip("pandas")
    hog = HOGFeatures(image_size=32).set_output(transform="pandas")
    frame = hog.fit_transform(photos)
    assert list(frame.columns) == list(hog.get_feature_names_out())
    assert frame.columns[0] == "hogfeatures0"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 40, 40)), "dtype float64: expected uint8"),
        (np.zeros((3, 100), dtype=np.uint8), r"shape \(3, 100\).*no images"),
        (np.zeros((3, 16, 40), dtype=np.uint8), "at least 32 x 32"),
        (np.zeros((3, 40, 40, 4), dtype=np.uint8), r"\(3, 40, 40, 4\).*\(n, height, width, 3\)"),
        (np.zeros((0, 40, 40), dtype=np.uint8), r"0 sample\(s\)"),
        ([], "no images"),
        (np.arange(3), "no images"),
    ],
)
def test_bad_input(X, message):
    for call in (HOGFeatures().fit, HOGFeatures().transform):
        with pytest.raises(ValueError, match=message):
            call(X)


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png.*the file is empty"):
        HOGFeatures().transform([str(tmp_path / "empty.png")])


def test_bad_parameters(photos):
    with pytest.raises(ValueError, match="'image_size' parameter"):
        HOGFeatures(image_size=16).fit(photos)
    with pytest.raises(ValueError, match="no room for a block of 3 cells of 16 pixels"):
        HOGFeatures(image_size=32, pixels_per_cell=16, cells_per_block=3).fit(photos)


def test_rows_of_a_memmap_are_read_in_batches(tmp_path, photos):
    many = np.concatenate([photos] * 60)
    np.save(tmp_path / "photos.npy", many)
    stored = np.load(tmp_path / "photos.npy", mmap_mode="r")
    container = SketchImageArray(None, stored)[::-1]
    subset = container.take_view("image")
    assert not isinstance(subset, np.ndarray)  # rows are gathered only when asked for
    features = HOGFeatures(image_size=32).transform(subset)
    np.testing.assert_array_equal(features, HOGFeatures(image_size=32).transform(many[::-1]))
