"""Dark strokes on white, bright ones on black, and what knows neither."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sklearn_dsh import BackboneFeatures, Compact, DeepSketchHasher, Pretrained, TorchBackbone
from sklearn_dsh.deep._batches import ImageSource
from sklearn_dsh.deep._polarity import are_mostly_dark, with_dark_strokes

QUICK = {"max_iter": 1, "steps_per_iter": 2, "batch_size": 4, "random_state": 0}


def drawings(n=12, size=40):
    rng = np.random.default_rng(0)
    sketches = np.full((n, size, size), 255, dtype=np.uint8)
    for i, sketch in enumerate(sketches):
        sketch[8 + i : 12 + i] = rng.integers(0, 100, (4, size))
        if i % 2:
            sketch[:, 20:24] = 0
    return sketches


SKETCHES = drawings()
PHOTOS = np.random.default_rng(1).integers(0, 256, (12, 40, 40, 3), dtype=np.uint8)
Y = np.arange(12) % 2
DATA = SKETCHES, PHOTOS, (Y, Y)


def compact(polarity, size=40):
    return DeepSketchHasher(16, architecture=Compact(size, polarity=polarity), **QUICK)


@given(arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))))
def test_of_a_sketch_and_its_inverse_one_is_mostly_dark(sketches):
    dark = are_mostly_dark(sketches)
    np.testing.assert_array_equal(are_mostly_dark(255 - sketches), ~dark)
    for sketch, is_dark in zip(sketches, dark, strict=True):
        n_dark = sum(value < 128 for value in sketch.ravel().tolist())
        if 2 * n_dark != sketch.size:
            assert is_dark == (2 * n_dark > sketch.size)
    turned = with_dark_strokes(sketches, "auto")
    np.testing.assert_array_equal(with_dark_strokes(255 - sketches, "auto"), turned)


@pytest.mark.parametrize("size", [40, 32])  # as they are, resized
def test_auto_gives_a_set_and_its_inverse_the_same_codes(size, tmp_path):
    hasher = compact("auto", size).fit(*DATA)
    again = compact("auto", size).fit(255 - SKETCHES, *DATA[1:])
    expected = compact("dark", size).fit(*DATA).project(SKETCHES)
    mixed = np.where((np.arange(12) % 3 == 0)[:, None, None], 255 - SKETCHES, SKETCHES)
    paths = []
    for i, sketch in enumerate(mixed):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(sketch).save(paths[-1])
    for fitted in (hasher, again):
        for sketches in (SKETCHES, 255 - SKETCHES, mixed):
            np.testing.assert_array_equal(fitted.project(sketches), expected)
        np.testing.assert_array_equal(fitted.project(paths, view="sketch"), expected)


def test_bright_strokes_are_turned_round():
    bright = compact("bright").fit(255 - SKETCHES, *DATA[1:])
    dark = compact("dark").fit(*DATA)
    np.testing.assert_array_equal(bright.project(255 - SKETCHES), dark.project(SKETCHES))
    np.testing.assert_array_equal(
        bright.project(PHOTOS, view="image"), dark.project(PHOTOS, view="image")
    )


def test_photos_are_left_as_they_are():
    source = ImageSource(PHOTOS, "image", 40, "bright")
    np.testing.assert_array_equal(source[:], PHOTOS)


def test_most_dark_sketches_are_told_of_once():
    with pytest.warns(UserWarning, match=r"mostly dark.*Compact\(polarity='bright'\)") as told:
        hasher = compact("dark").fit(255 - SKETCHES, *DATA[1:])
    assert len(told) == 1
    with pytest.warns(UserWarning, match="mostly dark") as told:
        hasher.transform(255 - SKETCHES)
    assert len(told) == 1
    half = np.concatenate([255 - SKETCHES[:6], SKETCHES[6:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hasher.transform(half)  # not more than half of them
        hasher.transform(PHOTOS // 4, view="image")
        compact("auto").fit(255 - SKETCHES, *DATA[1:]).transform(255 - SKETCHES)
        compact("bright").fit(255 - SKETCHES, *DATA[1:])
    one_more = half.copy()
    one_more[6] = 0
    with pytest.warns(UserWarning, match="mostly dark"):
        hasher.transform(one_more)


def test_other_architectures_and_features_turn_too():
    torch.manual_seed(0)
    backbone = TorchBackbone(torch.nn.Conv2d(3, 5, 5, 4), size=40)
    dark = BackboneFeatures(backbone).transform(SKETCHES)
    bright = BackboneFeatures(backbone, polarity="bright").transform(255 - SKETCHES)
    auto = BackboneFeatures(backbone, polarity="auto").transform(255 - SKETCHES)
    np.testing.assert_array_equal(bright, dark)
    np.testing.assert_array_equal(auto, dark)
    with pytest.warns(UserWarning, match="mostly dark"):
        BackboneFeatures(backbone).transform(255 - SKETCHES)
    values = [
        DeepSketchHasher(
            8, architecture=Pretrained(backbone, trained=trained, polarity="auto"), **QUICK
        )
        .fit(sketches, *DATA[1:])
        .project(sketches)
        for trained in ("none", "all")
        for sketches in (SKETCHES, 255 - SKETCHES)
    ]
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[2], values[3])


def test_a_wrong_polarity_is_refused():
    with pytest.raises(ValueError, match=r"polarity must be one of 'dark', .*, got 'x'"):
        compact("x").fit(*DATA)
