"""Cleaning and cropping of drawings, on pictures whose strokes are known."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the page needs Starlette")

from sklearn_dsh.serve._images import to_sketch


def box_outline(top, left, side, *, size=400, width=10, ground=255, ink=0):
    """A picture of the outline of a square."""
    picture = np.full((size, size), ground, dtype=np.uint8)
    picture[top : top + side, left : left + side] = ink
    picture[top + width : top + side - width, left + width : left + side - width] = ground
    return picture


def extent(sketch):
    rows, columns = (np.flatnonzero((sketch[0] < 128).any(axis=axis)) for axis in (1, 0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize(("top", "left", "side"), [(10, 20, 150), (200, 150, 150), (5, 5, 390)])
def test_strokes_fill_three_quarters_of_the_frame(top, left, side):
    sketch = to_sketch(box_outline(top, left, side), (64, 64))
    assert sketch.shape == (1, 64, 64)
    assert sketch.dtype == np.uint8
    # 0.75 * 64 = 48 pixels, 8 on every side; an edge may fall on a pixel's middle.
    np.testing.assert_allclose(extent(sketch), [8, 56, 8, 56], atol=1)
    assert sketch[0, 32, 32] == sketch[0, 2, 2] == 255
    assert sketch.min() < 30


def test_a_wide_drawing_stays_wide():
    picture = np.full((300, 500), 255, dtype=np.uint8)
    picture[50:70, 100:400] = 0
    top, bottom, left, right = extent(to_sketch(picture, (100, 100)))
    np.testing.assert_allclose([left, right], [12.5, 87.5], atol=1)
    np.testing.assert_allclose([top, bottom], [47.5, 52.5], atol=1)


def test_a_dot_stays_small():
    picture = np.full((400, 400), 255, dtype=np.uint8)
    picture[300:310, 50:60] = 0
    top, bottom, left, right = extent(to_sketch(picture, (100, 100)))
    # 10 of the 100 pixels that are cropped at least (a quarter of the picture).
    np.testing.assert_allclose([bottom - top, right - left], 10, atol=1)


def test_place_in_the_canvas_does_not_matter():
    first = to_sketch(box_outline(10, 20, 200), (64, 64))
    second = to_sketch(box_outline(150, 130, 200), (64, 64))
    np.testing.assert_array_equal(first, second)


def test_bright_on_dark_is_inverted():
    chalk = to_sketch(box_outline(50, 60, 200, ground=0, ink=255), (64, 64))
    np.testing.assert_array_equal(chalk, to_sketch(box_outline(50, 60, 200), (64, 64)))


def test_photo_of_a_drawing_on_unevenly_lit_paper():
    rng = np.random.default_rng(0)
    drawn = box_outline(60, 60, 280, ink=90).astype(float)
    light = np.linspace(0.5, 0.95, 400)[None]  # from left to right
    photo = np.clip(drawn * light + rng.normal(0, 3, drawn.shape), 0, 255).astype(np.uint8)
    sketch = to_sketch(photo, (64, 64))
    clean = to_sketch(box_outline(60, 60, 280), (64, 64))
    assert np.abs(sketch.astype(int) - clean).mean() < 4
    assert sketch[0, :6].min() > 250  # no shadow and no grain is left outside


def test_dust_does_not_move_the_crop():
    picture = box_outline(100, 100, 200)
    with_dust = picture.copy()
    with_dust[3, 3] = with_dust[390, 20] = 0
    np.testing.assert_array_equal(to_sketch(with_dust, (64, 64)), to_sketch(picture, (64, 64)))


def test_not_square_where_the_hasher_is_not():
    assert to_sketch(box_outline(100, 100, 200), (40, 80)).shape == (1, 40, 80)


@pytest.mark.parametrize("shape", [(8, 8), (8, 512), (13, 201)])
def test_small_and_narrow_pictures(shape):
    picture = np.full(shape, 255, dtype=np.uint8)
    picture[2:6, 2:6] = 0
    assert to_sketch(picture, (64, 64)).min() < 30


def test_shrunk_like_pillow_does():
    # The frame is cropped at whole pixels: what remains is one resize, done here by hand.
    picture = np.full((512, 512), 255, dtype=np.uint8)
    picture[64:448, 64:448] = 0  # filled 384 = 0.75 * 512, with paper around
    expected = Image.fromarray(picture).resize((64, 64), Image.Resampling.LANCZOS)
    sketch = to_sketch(picture, (64, 64))[0]
    ring = np.asarray(expected)[:9]
    np.testing.assert_array_equal(sketch[:9], ring)
