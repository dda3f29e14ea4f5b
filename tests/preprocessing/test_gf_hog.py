import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from sklearn_dsh import PerView, SketchImageArray
from sklearn_dsh.preprocessing import EdgeTokens, GFHOGFeatures
from sklearn_dsh.preprocessing._gradient_field import (
    edge_directions,
    harmonic_field,
    window_histograms,
)

SMALL = {"n_words": 6, "image_size": 32, "n_points": 20, "orientations": 4, "random_state": 0}


def sketch_of(*boxes, size=32):
    """A sketch of filled boxes (top, bottom, left, right), thin ones being strokes."""
    sketch = np.full((size, size), 255, dtype=np.uint8)
    for top, bottom, left, right in boxes:
        sketch[top:bottom, left:right] = 0
    return sketch


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(0, 256, (5, 40, 56, 3), dtype=np.uint8)


@pytest.fixture
def fitted(photos):
    return GFHOGFeatures(**SMALL).fit(photos)


def neighbour_mean(field):
    """Mean of the two to four neighbours that a pixel has, one by one."""
    mean = np.empty_like(field)
    size = len(field)
    for i, j in np.ndindex(field.shape):
        around = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        mean[i, j] = np.mean([field[p] for p in around if min(p) >= 0 and max(p) < size])
    return mean


@pytest.mark.parametrize("share", [0.004, 0.1, 0.9])
def test_field_is_harmonic_and_keeps_its_boundary(share):
    rng = np.random.default_rng(1)
    known = rng.random((16, 16)) < share
    known[5, 7] = True
    values = np.exp(1j * rng.uniform(0, 2 * np.pi, known.shape))
    field = harmonic_field(values, known)
    np.testing.assert_array_equal(field[known], values[known])
    np.testing.assert_allclose(field[~known], neighbour_mean(field)[~known], atol=1e-9)
    assert np.abs(field).max() <= 1 + 1e-9


def test_field_between_parallel_strokes_is_constant():
    known = np.zeros((20, 20), dtype=bool)
    known[[4, 13]] = True
    field = harmonic_field(np.where(known, 0.6 + 0.8j, 99), known)
    np.testing.assert_allclose(field, 0.6 + 0.8j, atol=1e-9)


def test_field_between_different_strokes_is_linear():
    known = np.zeros((20, 20), dtype=bool)
    known[[4, 14]] = True
    values = np.zeros((20, 20), dtype=complex)
    values[4], values[14] = 1, -1
    field = harmonic_field(values, known)
    np.testing.assert_allclose(field[4:15, 3], np.linspace(1, -1, 11), atol=1e-9)
    np.testing.assert_allclose(field[:4], 1, atol=1e-9)


def test_field_of_no_stroke_is_zero():
    assert not harmonic_field(np.ones((8, 8)), np.zeros((8, 8), dtype=bool)).any()


def test_directions_of_strokes():
    sketch = sketch_of((15, 17, 4, 28), (4, 12, 8, 10), (20, 30, 14, 24))
    directions, on_stroke = edge_directions((255 - sketch[None]) / np.float32(255))
    directions, on_stroke = directions[0], on_stroke[0]
    np.testing.assert_array_equal(on_stroke[sketch == 255], False)
    np.testing.assert_allclose(directions[15:17, 12:20], 1, atol=0.1)  # horizontal
    np.testing.assert_allclose(directions[6:10, 8:10], -1, atol=0.1)  # vertical: twice 90 degrees
    np.testing.assert_array_equal(on_stroke[24:26, 18:20], False)  # inside of a filled shape
    np.testing.assert_allclose(np.abs(directions), on_stroke, atol=1e-5)


def test_window_histograms_sum_cells():
    votes = np.random.default_rng(0).random((12, 12, 2))
    whole = votes[3:9, 2:8].reshape(3, 2, 3, 2, 2).sum(axis=(1, 3)).ravel()
    # Cells of 1.5 pixels cut pixels in halves: the same as whole cells of three times the pixels.
    fine = votes.repeat(2, axis=0).repeat(2, axis=1)
    cut = fine[7:16, 3:12].reshape(3, 3, 3, 3, 2).sum(axis=(1, 3)).ravel() / 4
    for centre, cell, expected in [((6, 5), 2, whole), ((5.75, 3.75), 1.5, cut)]:
        found = window_histograms(votes, np.array([centre], dtype=float), cell)[0]
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected), rtol=1e-5)
    corner = window_histograms(votes, np.array([[0.0, 0.0]]), 2)[0].reshape(3, 3, 2)
    assert not corner[0].any()  # beyond the image
    assert not corner[:, 0].any()
    assert corner[1:, 1:].all()


def test_words_are_counted(fitted, photos):
    """Each image by hand: descriptors one by one, each to its nearest word."""
    features = fitted.transform(photos)
    assert features.shape == (5, 6)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features.sum(axis=1), 1, rtol=1e-5)
    assert fitted.words_.shape == (6, 3 * 3 * 4)
    sketch = sketch_of((10, 12, 4, 28))
    (descriptors,) = fitted._describe((255 - sketch[None]) / np.float32(255))
    assert descriptors.shape == (20 * 3, 36)
    nearest = [np.linalg.norm(fitted.words_ - each, axis=1).argmin() for each in descriptors]
    expected = np.bincount(nearest, minlength=6) / len(nearest)
    np.testing.assert_allclose(fitted.transform(sketch[None])[0], expected, rtol=1e-5)


def test_sketch_and_photo_of_one_shape_share_words():
    photo = np.full((2, 64, 64, 3), 220, dtype=np.uint8)
    photo[0, 16:48, 16:48] = 30
    y, x = np.indices((64, 64)) - 31.5
    photo[1, np.abs(y) + np.abs(x) < 24] = 30
    square = np.full((64, 64), 255, dtype=np.uint8)
    square[15:49, 15:49] = 0
    square[17:47, 17:47] = 255
    gf_hog = GFHOGFeatures(12, image_size=40, orientations=6, random_state=0)
    same, other = gf_hog.fit_transform(photo)
    drawn = gf_hog.transform(square[None])[0]
    assert np.minimum(drawn, same).sum() > 0.6
    assert np.minimum(drawn, other).sum() < 0.3
    tokens = EdgeTokens().transform(photo)
    gf_hog = GFHOGFeatures(12, image_size=64, n_points=40, random_state=0).fit(photo)
    np.testing.assert_array_equal(gf_hog.transform(tokens), gf_hog.transform(photo))


def test_opposite_contrast_has_the_same_words(fitted):
    photo = np.full((1, 32, 32, 3), 200, dtype=np.uint8)
    photo[:, 8:24, 8:24] = 20
    dark, light = fitted.transform(np.concatenate([photo, 255 - photo]))
    assert np.minimum(dark, light).sum() > 0.9


@pytest.mark.parametrize("shape", [(1, 40, 40), (1, 40, 40, 3)])
def test_empty_drawing_is_zero(fitted, shape):
    assert not fitted.transform(np.full(shape, 255, dtype=np.uint8)).any()


def test_one_vocabulary_for_both_views(photos, fitted):
    sketches = np.stack([sketch_of((10, 12, 4, 28)), sketch_of((4, 28, 10, 12))])
    shared = FrozenEstimator(fitted)
    per_view = PerView(sketch=shared, image=shared)
    Xt = per_view.fit_transform(SketchImageArray(sketches, photos))
    np.testing.assert_array_equal(Xt.sketches, fitted.transform(sketches))
    np.testing.assert_array_equal(Xt.images, fitted.transform(photos))
    assert per_view.get_feature_names_out()[0] == "gfhogfeatures0"


def test_rows_do_not_depend_on_each_other_nor_on_processes(photos, fitted):
    many = np.concatenate([photos] * 14)  # more than one batch
    features = fitted.transform(many)
    np.testing.assert_array_equal(features, np.tile(features[:5], (14, 1)))
    np.testing.assert_array_equal(fitted.transform(photos[[3, 0]]), features[[3, 0]])
    with parallel_config(backend="threading"):
        fitted.set_params(n_jobs=2)
        np.testing.assert_array_equal(fitted.transform(many), features)
    subset = SketchImageArray(None, many)[::-1].take_view("image")
    np.testing.assert_array_equal(fitted.transform(subset), features[::-1])


def test_seeds_refits_and_pickles(photos, fitted):
    expected = fitted.transform(photos)
    again = clone(fitted).fit(photos)
    np.testing.assert_array_equal(again.words_, fitted.words_)
    np.testing.assert_array_equal(clone(fitted).fit_transform(photos), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(photos), expected)
    other = clone(fitted).set_params(random_state=1).fit(photos)
    assert not np.array_equal(other.words_, fitted.words_)
    assert other.set_params(n_words=4).fit(photos).transform(photos).shape == (5, 4)
    assert list(fitted.get_feature_names_out()) == [f"gfhogfeatures{i}" for i in range(6)]


@pytest.mark.parametrize(("name", "limit"), [("_FIT_IMAGES", 3), ("_FIT_DESCRIPTORS", 50)])
def test_learns_from_a_seeded_choice(photos, fitted, monkeypatch, name, limit):
    monkeypatch.setattr(f"sklearn_dsh.preprocessing._gf_hog.{name}", limit)
    first, second = (GFHOGFeatures(**SMALL).fit(photos).words_ for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, fitted.words_)  # those of all images


def test_paths(photos, fitted, tmp_path):
    paths = []
    for i, photo in enumerate(photos[:2]):
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(photo).save(paths[-1])
    np.testing.assert_array_equal(fitted.transform(paths), fitted.transform(photos[:2]))
    series = pd.Series(paths, index=[1, 0])  # rows go by position, not by these labels
    np.testing.assert_array_equal(fitted.transform(series), fitted.transform(photos[:2]))
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png.*the file is empty"):
        fitted.transform([str(tmp_path / "empty.png")])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 40, 40)), "dtype float64: expected uint8"),
        (np.zeros((3, 16, 40), dtype=np.uint8), "at least 32 x 32"),
        (np.zeros((0, 40, 40), dtype=np.uint8), r"0 sample\(s\)"),
        ([], "no images"),
    ],
)
def test_bad_input(fitted, X, message):
    for call in (GFHOGFeatures().fit, fitted.transform):
        with pytest.raises(ValueError, match=message):
            call(X)


def test_unfitted(photos):
    with pytest.raises(NotFittedError):
        GFHOGFeatures().transform(photos)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_words": 0}, "'n_words' parameter"),
        ({"edges": "canny"}, "'edges' parameter"),
        ({"cell_sizes": ()}, r"cell_sizes=\(\): expected at least one part"),
        ({"cell_sizes": [5, 10]}, r"cell_sizes=\[5, 10\].*at most 1"),
        ({"n_words": 10000}, "5 images have 300 descriptors, fewer than n_words=10000"),
    ],
)
def test_bad_parameters(photos, parameters, message):
    with pytest.raises(ValueError, match=message):
        GFHOGFeatures(**{**SMALL, **parameters}).fit(photos)
