import pickle

import numpy as np
import pytest
from joblib import parallel_config
from PIL import Image
from sklearn.base import clone

from sklearn_dsh import SketchImageArray
from sklearn_dsh.preprocessing import EdgeTokens, SHELOFeatures
from sklearn_dsh.preprocessing._strokes import soft_bins, stroke_directions

SMALL = {"image_size": 32, "n_cells": 8, "n_blocks": 2, "orientations": 4}


def line(angle, size=60, width=3.0, shift=(0, 0)):
    """A sketch of one long soft-edged stroke at an angle in degrees, counter-clockwise."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    y, x = y - shift[0], x - shift[1]
    off = np.abs(y * np.cos(np.radians(angle)) + x * np.sin(np.radians(angle)))
    return np.uint8(255 * np.clip(off - width / 2 + 0.5, 0, 1))


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(0, 256, (5, 40, 56, 3), dtype=np.uint8)


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 150])
def test_direction_of_a_stroke_is_doubled(angle):
    directions = stroke_directions(line(angle)[None] / np.float32(255))[0]
    expected = np.exp(2j * np.radians(angle))
    inside = directions[20:40, 20:40].sum()
    assert abs(inside / abs(inside) - expected) < 0.05  # Sobel's masks are not quite isotropic


def test_soft_bins():
    doubled = np.exp(2j * np.radians([0, 45, 56.25, 180 - 11.25]))
    votes = soft_bins(3 * doubled, 4)
    expected = [[3, 0, 0, 0], [0, 3, 0, 0], [0, 2.25, 0.75, 0], [2.25, 0, 0, 0.75]]
    np.testing.assert_allclose(votes, expected, atol=1e-5)
    np.testing.assert_array_equal(soft_bins(np.zeros((2, 3)), 5), np.zeros((2, 3, 5)))


@pytest.mark.parametrize(
    ("angle", "expected"), [(0, 0), (30, 1), (60, 2), (90, 3), (120, 4), (150, 5)]
)
def test_mass_is_in_the_bin_of_the_stroke(angle, expected):
    shelo = SHELOFeatures(image_size=60, n_cells=15, n_blocks=1, orientations=6)
    histogram = shelo.fit_transform(line(angle)[None])[0] ** 2
    assert histogram.argmax() == expected
    assert histogram[expected] > 0.85


def test_mass_is_in_the_block_of_the_stroke():
    sketch = np.full((1, 60, 60), 255, dtype=np.uint8)
    sketch[0, 9:11, 42:58] = 0
    shelo = SHELOFeatures(image_size=60, n_cells=15, n_blocks=3, orientations=6)
    histograms = shelo.transform(sketch).reshape(3, 3, 6) ** 2
    assert histograms[0, 2, 0] > 0.8
    assert histograms.sum() == pytest.approx(1, abs=1e-5)
    assert histograms[2].sum() == histograms[:, 0].sum() == 0


def test_pixels_and_cells_are_shared_linearly():
    """A stroke midway between the centres of two blocks counts half in each."""
    sketch = np.full((1, 64, 64), 255, dtype=np.uint8)
    sketch[0, 31:33] = 0
    shelo = SHELOFeatures(image_size=64, n_cells=16, n_blocks=2, orientations=4)
    histograms = shelo.transform(sketch).reshape(2, 2, 4) ** 2
    np.testing.assert_allclose(histograms[..., 0], 0.25, atol=1e-5)


def test_quarter_turn_moves_blocks_and_bins():
    sketch = np.minimum(line(20, shift=(-9, 5)), line(75, shift=(3, 12)))
    shelo = SHELOFeatures(image_size=60, n_cells=15, n_blocks=3, orientations=8)
    before, after = (
        shelo.transform(image[None]).reshape(3, 3, 8) ** 2 for image in (sketch, np.rot90(sketch))
    )
    expected = np.roll(np.rot90(before), 4, axis=2)
    np.testing.assert_allclose(after, expected, atol=1e-5)
    assert np.abs(after - before).max() > 0.05


def test_small_shift_changes_little():
    shelo = SHELOFeatures(image_size=60, n_cells=15, n_blocks=3, orientations=8)
    here, near, far = shelo.transform(
        np.stack([line(35), line(35, shift=(1, 1)), line(125, shift=(15, 15))])
    )
    assert here @ near > 0.95
    assert here @ far < 0.3


def test_contrast_and_sign_do_not_matter():
    sketch = line(35)[None]
    shelo = SHELOFeatures(image_size=60)
    expected = shelo.transform(sketch)
    np.testing.assert_allclose(shelo.transform(255 - sketch // 5 * 2), expected, atol=0.02)
    assert np.linalg.norm(expected) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 40, 40), (1, 40, 40, 3)])
def test_empty_drawing_is_zero(shape):
    assert not SHELOFeatures().transform(np.full(shape, 200, dtype=np.uint8)).any()


def test_photos_are_described_by_their_edges(photos, tmp_path):
    shelo = SHELOFeatures(image_size=40, n_cells=10)
    square = np.full((1, 40, 40, 3), 230, dtype=np.uint8)
    square[:, 10:30, 10:30] = 40, 90, 20
    tokens = EdgeTokens().transform(square)
    expected = shelo.fit(square).transform(square)
    assert expected.shape == (1, 6 * 6 * 36)
    assert expected.dtype == np.float32
    np.testing.assert_array_equal(shelo.transform(tokens), expected)
    # A file is a photo or a sketch by its colours; `edges` decides where that is wrong.
    paths = np.array([str(tmp_path / name) for name in ("photo.png", "sketch.png", "rgb.png")])
    Image.fromarray(square[0]).save(paths[0])
    Image.fromarray(tokens[0]).save(paths[1])
    Image.fromarray(tokens[0]).convert("RGB").save(paths[2])
    for given in (paths, list(paths)):
        np.testing.assert_array_equal(shelo.transform(given), np.tile(expected, (3, 1)))
    edges, strokes = SHELOFeatures(**SMALL, edges=True), SHELOFeatures(**SMALL, edges=False)
    grey = np.asarray(Image.fromarray(square[0]).convert("L"))[None]
    np.testing.assert_array_equal(
        edges.transform(grey), edges.transform(grey[..., None].repeat(3, 3))
    )
    np.testing.assert_array_equal(edges.transform(paths[:1]), edges.transform(square))
    np.testing.assert_array_equal(strokes.transform(square), strokes.transform(grey))
    np.testing.assert_array_equal(strokes.transform(grey), SHELOFeatures(**SMALL).transform(grey))
    assert np.abs(edges.transform(grey) - strokes.transform(grey)).max() > 0.01


def test_rows_do_not_depend_on_each_other_nor_on_processes(photos):
    many = np.concatenate([photos] * 30)  # more than one batch
    shelo = SHELOFeatures(**SMALL)
    features = shelo.fit_transform(many)
    np.testing.assert_array_equal(features, np.tile(features[:5], (30, 1)))
    np.testing.assert_array_equal(shelo.transform(photos[[3, 0]]), features[[3, 0]])
    with parallel_config(backend="threading"):
        np.testing.assert_array_equal(SHELOFeatures(**SMALL, n_jobs=2).transform(many), features)
    container = SketchImageArray(None, many)[::-1]
    np.testing.assert_array_equal(shelo.transform(container.take_view("image")), features[::-1])


def test_works_unfitted_cloned_and_pickled(photos):
    shelo = SHELOFeatures(**SMALL)
    expected = shelo.transform(photos)
    np.testing.assert_array_equal(clone(shelo).transform(photos), expected)
    copy = pickle.loads(pickle.dumps(shelo.fit(photos)))
    np.testing.assert_array_equal(copy.transform(photos), expected)
    assert shelo.fit(photos) is shelo
    assert vars(shelo) == vars(clone(shelo))
    names = shelo.get_feature_names_out()
    assert len(names) == expected.shape[1] == 2 * 2 * 4
    assert names[0] == "shelofeatures0"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 40, 40)), "dtype float64: expected uint8"),
        (np.zeros((3, 16, 40), dtype=np.uint8), "at least 32 x 32"),
        (np.zeros((0, 40, 40), dtype=np.uint8), r"0 sample\(s\)"),
        ([], "no images"),
    ],
)
def test_bad_input(X, message):
    for call in (SHELOFeatures().fit, SHELOFeatures().transform):
        with pytest.raises(ValueError, match=message):
            call(X)


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png.*the file is empty"):
        SHELOFeatures().transform([str(tmp_path / "empty.png")])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_size": 16}, "'image_size' parameter"),
        ({"orientations": 1}, "'orientations' parameter"),
        ({"edges": "canny"}, "'edges' parameter"),
        ({"n_cells": 5}, "n_blocks=6, n_cells=5.*expected n_blocks <= n_cells"),
        ({"image_size": 32, "n_cells": 40}, "n_cells=40, image_size=32: expected"),
    ],
)
def test_bad_parameters(photos, parameters, message):
    for call in (SHELOFeatures(**parameters).fit, SHELOFeatures(**parameters).transform):
        with pytest.raises(ValueError, match=message):
            call(photos)
