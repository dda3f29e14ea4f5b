import pickle

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2luv
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags

from sklearn_dsh.preprocessing import EdgeTokens, SketchTokenizer
from sklearn_dsh.preprocessing._channels import (
    N_CHANNELS,
    channel_planes,
    draw_lookups,
    look_up,
)
from sklearn_dsh.preprocessing._thinning import fill_between, line_ridges
from sklearn_dsh.preprocessing._token_forest import (
    background_probability,
    flatten_forest,
    place_nodes,
)

SMALL = {
    "n_tokens": 4,
    "patch_size": 15,
    "n_patches": 1000,
    "n_features": 100,
    "n_estimators": 4,
    "random_state": 0,
}


def textured_scenes(n, size=64, seed=0):
    """Discs and boxes on striped ground: only the outlines of the shapes are contours.

    The stripes have more contrast than the shapes have, so a gradient cannot tell them apart.
    """
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    photos = np.empty((n, size, size, 3), dtype=np.uint8)
    contours = np.zeros((n, size, size), dtype=np.uint8)
    for photo, contour in zip(photos, contours, strict=True):
        angle, period, phase = rng.uniform(0, np.pi), rng.uniform(4, 6), rng.uniform(0, 6)
        stripes = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period + phase)
        centre_y, centre_x, radius = *rng.uniform(24, 40, 2), rng.uniform(12, 18)
        far = np.hypot if rng.random() < 0.5 else lambda a, b: np.maximum(abs(a), abs(b))
        inside = far(y - centre_y, x - centre_x) < radius
        grey = 110 + 50 * stripes
        grey[inside] = 150 + 10 * rng.standard_normal(inside.sum())
        photo[:] = np.clip(grey, 0, 255)[..., None]
        outline = inside & ~(
            np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1)
            & np.roll(inside, -1, 1)
        )  # fmt: skip
        contour[outline] = 255
    return photos, contours


def best_f(strengths, contours, thresholds):
    """Best F over thresholds; a pixel within 2 pixels of one of the other map is right."""
    best = 0
    near_contour = np.array([gaussian_filter(c / 255, 1, truncate=2) > 0 for c in contours])
    for threshold in thresholds:
        found = strengths >= threshold
        if not found.any():
            continue
        near_found = np.array([gaussian_filter(f.astype(float), 1, truncate=2) > 0 for f in found])
        precision = (found & near_contour).sum() / found.sum()
        recall = ((contours > 0) & near_found).sum() / (contours > 0).sum()
        if precision + recall:
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


@pytest.fixture(scope="module")
def scenes():
    return textured_scenes(6, size=48)


@pytest.fixture(scope="module")
def fitted(scenes):
    return SketchTokenizer(**SMALL).fit(*scenes)


def test_learned_contours_beat_gradients_in_texture():
    tokenizer = SketchTokenizer(
        8, patch_size=21, n_patches=3000, n_features=300, n_estimators=8, random_state=0
    ).fit(*textured_scenes(20))
    photos, contours = textured_scenes(8, seed=1)
    thresholds = np.linspace(0.02, 0.98, 33)
    learned = tokenizer.contour_probability(photos, thinned=True)
    edges = 1 - EdgeTokens(thinning=1).transform(photos) / 255
    edges_f = best_f(edges, contours, thresholds)
    assert best_f(learned, contours, thresholds) > edges_f + 0.25
    # The drawings, too.
    drawn = 1 - tokenizer.transform(photos) / 255
    assert best_f(drawn, contours, thresholds) > edges_f + 0.25


def test_tokens_are_mean_contours(fitted):
    assert fitted.tokens_.shape == (4, 15, 15)
    assert fitted.tokens_.dtype == np.float32
    assert 0 <= fitted.tokens_.min() <= fitted.tokens_.max() <= 1
    # A patch is around a contour, so every mean has one in its centre.
    np.testing.assert_array_equal(fitted.tokens_[:, 7, 7], 1)


def test_tokens_are_told_apart_by_direction():
    contours = np.zeros((4, 48, 48), dtype=bool)
    contours[:2, :, 24] = True
    contours[2:, 24] = True
    photos = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), dtype=np.uint8)
    tokens = SketchTokenizer(**{**SMALL, "n_tokens": 2}).fit(photos, contours).tokens_
    assert {(t[0, 7] > 0.5, t[7, 0] > 0.5) for t in tokens} == {(True, False), (False, True)}


def test_maps(fitted, scenes):
    photos, _ = scenes
    tokens, probability = fitted.transform(photos), fitted.contour_probability(photos)
    assert tokens.dtype == np.uint8
    assert probability.dtype == np.float32
    assert tokens.shape == probability.shape == photos.shape[:3]
    assert 0 <= probability.min() <= probability.max() <= 1
    thin = fitted.contour_probability(photos, thinned=True)
    np.testing.assert_array_equal(thin[thin > 0], probability[thin > 0])
    assert 0 < (thin > 0).mean() < 0.4
    # Where the token map is dark there is a contour.
    dark = tokens < 100
    assert probability[dark].mean() > probability.mean() + 0.1


@pytest.mark.parametrize("shape", [(32, 32), (37, 64), (64, 33)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sizes_and_strides(fitted, shape, stride):
    photos = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    tokenizer = pickle.loads(pickle.dumps(fitted)).set_params(stride=stride)
    assert tokenizer.transform(photos).shape == (2, *shape)


def test_small_photos_with_large_patches():
    photos, contours = textured_scenes(3, size=40)
    tokenizer = SketchTokenizer(**{**SMALL, "patch_size": 35}).fit(
        photos[:, :32, :32], contours[:, :32, :32]
    )
    assert tokenizer.transform(photos[:, :32, :32]).shape == (3, 32, 32)


def test_photos_of_different_sizes(scenes):
    photos, contours = scenes
    cut = slice(0, 40)
    mixed = [photos[0], photos[1][cut], photos[2][:, cut]]
    lines = [contours[0] / 255, contours[1][cut] / 255, contours[2][:, cut] > 0]
    first = SketchTokenizer(**SMALL).fit(mixed, lines)
    as_objects = np.empty(3, dtype=object)
    as_objects[:] = mixed
    second = SketchTokenizer(**SMALL).fit(as_objects, lines)
    np.testing.assert_array_equal(first.transform(photos), second.transform(photos))


def test_kinds_of_contour_maps_agree(scenes, fitted):
    photos, contours = scenes
    for same in (contours > 0, contours / 255, (contours / 255).astype(np.float32)):
        again = clone(fitted).fit(photos, same)
        np.testing.assert_array_equal(again.transform(photos), fitted.transform(photos))


def test_seeds_threads_refits_and_pickles(scenes, fitted):
    photos, contours = scenes
    expected = fitted.transform(photos)
    before = photos.copy(), contours.copy()
    for n_jobs in (1, 3):
        again = clone(fitted).set_params(n_jobs=n_jobs).fit(photos, contours)
        np.testing.assert_array_equal(again.transform(photos), expected)
        for name, values in fitted.forest_.items():
            np.testing.assert_array_equal(again.forest_[name], values)
    np.testing.assert_array_equal(before[0], photos)
    np.testing.assert_array_equal(before[1], contours)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(photos), expected)
    np.testing.assert_array_equal(fitted.transform(photos[[4, 1]]), expected[[4, 1]])
    np.testing.assert_array_equal(clone(fitted).fit_transform(photos, contours), expected)
    other = clone(fitted).set_params(random_state=1).fit(photos, contours)
    assert not np.array_equal(other.lookups_, fitted.lookups_)
    # Parameters that fit has read do not change what was learned.
    read = pickle.loads(pickle.dumps(fitted)).set_params(patch_size=35, n_tokens=9)
    np.testing.assert_array_equal(read.transform(photos), expected)


def test_everything_learned_is_arrays(fitted):
    learned = {name for name in vars(fitted) if name.endswith("_")}
    assert learned == {"tokens_", "lookups_", "forest_"}
    arrays = [fitted.tokens_, fitted.lookups_, *fitted.forest_.values()]
    assert all(type(values) is np.ndarray for values in arrays)


def test_plain_photos_give_empty_drawings():
    photos, contours = textured_scenes(20, size=48)
    photos[10:] = np.arange(10, 250, 24, dtype=np.uint8)[:, None, None, None]
    contours[10:] = 0
    plain = np.full((1, 48, 48, 3), 99, dtype=np.uint8)
    assert SketchTokenizer(**SMALL).fit(photos, contours).transform(plain).min() > 200


def test_goes_into_a_hasher(fitted, scenes):
    from sklearn_dsh import Compact, DeepSketchHasher

    photos, contours = scenes
    y = np.arange(6) % 2
    settings = {"n_bits": 8, "max_iter": 1, "steps_per_iter": 2, "architecture": Compact(48)}
    hasher = DeepSketchHasher(**settings, random_state=0, sketch_tokens=FrozenEstimator(fitted))
    with_tokens = clone(hasher).fit(255 - contours, photos, y)
    codes = with_tokens.transform(photos, view="image")
    assert codes.shape == (6, 1)
    # The same as with its maps handed over by a function.
    hasher.set_params(sketch_tokens=lambda photos: fitted.transform(photos))
    by_hand = hasher.fit(255 - contours, photos, y)
    np.testing.assert_array_equal(
        by_hand.project(photos, view="image"), with_tokens.project(photos, view="image")
    )


def test_tags(fitted):
    tags = get_tags(fitted)
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required
    assert tags.requires_fit


PHOTOS = np.zeros((2, 40, 48, 3), dtype=np.uint8)
LINES = np.zeros((2, 40, 48), dtype=np.uint8)
LINES[:, 20] = 255


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (PHOTOS, None, "requires y to be passed, but the target y is None.*fit\\(photos, contours"),
        (PHOTOS, LINES[:1], "X has 2 photos and y 1 contour maps"),
        (PHOTOS, PHOTOS, r"y\[0\] of shape \(40, 48, 3\).*height and width, \(40, 48\)"),
        (PHOTOS, LINES[:, :, 1:], r"y\[0\] of shape \(40, 47\)"),
        (PHOTOS, 2 * LINES.astype(float), r"y\[0\] of dtype float64 with values from 0.0 to 510"),
        (PHOTOS, np.where(LINES, np.nan, 1), r"y\[0\] of dtype float64 with values from nan"),
        (PHOTOS, LINES.astype(int), r"y\[0\] of dtype int64"),
        (PHOTOS, LINES // 4, "have 0 patches around contours.*contour_level=0.4"),
        (PHOTOS, LINES | 255, "and 0 of background"),
        (PHOTOS.astype(float), LINES, "dtype float64: expected uint8"),
        (PHOTOS[..., 0], LINES, "are no images"),
        (PHOTOS[:0], LINES[:0], r"0 sample\(s\)"),
        ([], [], r"0 sample\(s\)"),
        ([PHOTOS[0], PHOTOS[1].astype(float)], LINES, r"X\[1\].*float64 is no photo"),
        ([PHOTOS[0], PHOTOS[1][..., 0]], LINES, r"X\[1\] of shape \(40, 48\)"),
        ([PHOTOS[0][:20]], [LINES[0][:20]], r"X\[0\].*at least 32 x 32"),
    ],
)
def test_bad_data(X, y, message):
    with pytest.raises(ValueError, match=message):
        SketchTokenizer(**SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patch_size": 16}, "patch_size=16: expected an odd number"),
        ({"n_tokens": 9999}, "have 96 patches around contours.*at least n_tokens=9999"),
        ({"stride": 0}, "'stride' parameter"),
        ({"contour_level": 0}, "'contour_level' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        SketchTokenizer(**{**SMALL, **parameters}).fit(PHOTOS, LINES)


@pytest.mark.parametrize("method", ["transform", "contour_probability"])
def test_bad_photos(fitted, method):
    with pytest.raises(NotFittedError):
        getattr(SketchTokenizer(), method)(PHOTOS)
    for bad in (PHOTOS[..., 0], PHOTOS.astype(float), np.array(["a.png"]), PHOTOS[:, :16]):
        with pytest.raises(ValueError):
            getattr(fitted, method)(bad)


# Channels and the features that are looked up in them


def test_colour_channels_are_luv():
    photo = np.random.default_rng(0).integers(0, 256, (36, 40, 3), dtype=np.uint8)
    planes = channel_planes(photo, 11)
    assert planes.shape == (2 * N_CHANNELS + 1, 46, 50)
    assert not planes[-1].any()
    luv = rgb2luv(np.pad(photo, ((5, 5), (5, 5), (0, 0)), mode="symmetric")) / 100
    expected = gaussian_filter(luv, (1, 1, 0), truncate=3)
    np.testing.assert_allclose(np.moveaxis(planes[:3], 0, -1), expected, atol=1e-4)


@pytest.mark.parametrize("direction", range(4))
def test_gradient_channels_of_a_ramp(direction):
    """A grey ramp has one gradient, in one of the four directions of 0, 45, 90, 135 degrees."""
    y, x = np.indices((64, 64)) - 31.5
    angle = direction * np.pi / 4
    # Grey values of equal steps in L, so that the gradient is the same everywhere.
    lightness = 50 + 0.5 * (np.cos(angle) * x + np.sin(angle) * y)
    greys = np.arange(256, dtype=np.uint8)
    of_grey = rgb2luv(np.repeat(greys, 3).reshape(1, -1, 3))[0, :, 0]
    grey = np.interp(lightness, of_grey, greys).round().astype(np.uint8)
    planes = channel_planes(np.repeat(grey[..., None], 3, axis=2), 5)
    middle = planes[:, 30:38, 30:38].mean(axis=(1, 2))
    smooth_length, directions = middle[4], middle[10:14]
    # By hand: a slope of 0.005 against its own mean plus the floor of 0.02.
    np.testing.assert_allclose(smooth_length, 0.005 / (0.005 + 0.02), rtol=0.1)
    np.testing.assert_allclose(directions, smooth_length * (np.arange(4) == direction), atol=0.01)
    # The directions share out the length.
    np.testing.assert_allclose(planes[10:14].sum(axis=0), planes[4], rtol=1e-4)


def test_cells_are_means_of_channels():
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    planes = channel_planes(photo, 15)
    np.testing.assert_allclose(
        planes[N_CHANNELS:-1, 20, 25],
        planes[:N_CHANNELS, 19:22, 24:27].mean(axis=(1, 2)),
        rtol=1e-4,
    )


def test_all_lookups_by_hand():
    size = 5
    planes = np.random.default_rng(0).random((2 * N_CHANNELS + 1, 9, 11), dtype=np.float32)
    planes[-1] = 0
    lookups = draw_lookups(10**6, size, np.random.RandomState(0))
    features = look_up(planes, np.array([4, 5]), np.array([3, 7]), lookups)
    for row, (i, j) in zip(features, [(4, 3), (5, 7)], strict=True):
        patches = planes[:, i - 2 : i + 3, j - 2 : j + 3]  # a cell is a pixel here
        expected = list(patches[:N_CHANNELS].ravel())
        for cells in patches[N_CHANNELS:-1].reshape(N_CHANNELS, -1):
            expected += [cells[a] - cells[b] for a in range(25) for b in range(a + 1, 25)]
        np.testing.assert_array_equal(row, np.array(expected, dtype=np.float32))


def test_lookups_stay_in_the_patch():
    lookups = draw_lookups(500, 35, np.random.RandomState(0))
    assert lookups.shape == (500, 2, 3)
    assert len(np.unique(lookups, axis=0)) == 500
    is_pixel = lookups[:, 1, 0] == 2 * N_CHANNELS  # the plane of zeros
    pixels, cells = lookups[is_pixel], lookups[~is_pixel]
    assert np.abs(pixels[:, 0, 1:]).max() <= 17
    assert np.abs(cells[:, :, 1:]).max() <= 14  # centres of cells of 7 pixels
    # The share of the pixels in the 14 x (35 x 35 + 300) features.
    assert 0.74 < len(pixels) / 500 < 0.87


# The forest


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("classes", [2, 5])
def test_walk_equals_predict_proba(kind, classes):
    rng = np.random.default_rng(0)
    planes = rng.random((2 * N_CHANNELS + 1, 40, 44), dtype=np.float32)
    # Few values, so that many features lie on a threshold.
    planes = np.round(planes * 8) / np.float32(7)
    planes[-1] = 0
    lookups = draw_lookups(60, 9, np.random.RandomState(0))
    rows, columns = rng.integers(4, 36, 400), rng.integers(4, 40, 400)
    y = rng.integers(0, classes, 400)
    forest = kind(7, random_state=0).fit(look_up(planes, rows, columns, lookups), y)
    flat = flatten_forest(forest.estimators_)
    assert len(flat["roots"]) == 7
    assert {values.dtype.itemsize for values in flat.values()} == {4}
    rows, columns = np.arange(4, 36, 3), np.arange(4, 40)
    nodes = place_nodes(flat, lookups, planes.shape)
    found = background_probability(nodes, flat["roots"], planes, rows, columns)
    everywhere = look_up(
        planes, np.repeat(rows, len(columns)), np.tile(columns, len(rows)), lookups
    )
    expected = forest.predict_proba(everywhere)[:, 0].reshape(len(rows), len(columns))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_thresholds_part_the_same_floats():
    """Between neighbouring floats, where scikit-learn's threshold is no float itself."""
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    forest = ExtraTreesClassifier(20, random_state=0).fit([[low], [high]] * 5, [0, 1] * 5)
    planes = np.zeros((2, 1, 2), dtype=np.float32)
    planes[0, 0] = low, high
    lookups = np.array([[[0, 0, 0], [1, 0, 0]]], dtype=np.int16)
    flat = flatten_forest(forest.estimators_)
    nodes = place_nodes(flat, lookups, planes.shape)
    found = background_probability(nodes, flat["roots"], planes, np.array([0]), np.arange(2))
    np.testing.assert_array_equal(found[0], forest.predict_proba(planes[0].T)[:, 0])


# Thinning


def test_ridges_by_hand():
    profile = np.array([0, 1, 3, 2, 2, 4, 4, 1, 0], dtype=np.float32)
    strength = np.tile(profile, (9, 1))
    ridges = line_ridges(strength)
    # The peak of 3, and one pixel of the two of the plateau of 4.
    assert ridges[:, 2].all()
    np.testing.assert_array_equal(ridges[:, 5] ^ ridges[:, 6], True)
    assert not ridges[:, [0, 1, 3, 4, 7, 8]].any()
    np.testing.assert_array_equal(line_ridges(strength.T).sum(axis=0), 2)


@pytest.mark.parametrize("sign", [1, -1])
def test_ridges_of_a_diagonal_band(sign):
    y, x = np.indices((40, 40))
    distance = (y - x) if sign == 1 else (y + x - 39)
    ridges = line_ridges(np.exp(-(distance**2) / 18.0).astype(np.float32))
    inside = ridges[5:35, 5:35]
    np.testing.assert_array_equal(inside, (distance == 0)[5:35, 5:35])


def test_no_ridge_in_nothing_nor_on_the_border():
    assert not line_ridges(np.full((20, 20), 0.3, dtype=np.float32)).any()


def test_fill_between():
    values = np.array([[0, 4], [8, 4]], dtype=np.float32)
    filled = fill_between(values, np.array([0, 2]), np.array([1, 3]), (4, 5))
    expected = [[0, 0, 2, 4, 4], [4, 4, 4, 4, 4], [8, 8, 6, 4, 4], [8, 8, 6, 4, 4]]
    np.testing.assert_allclose(filled, expected)
