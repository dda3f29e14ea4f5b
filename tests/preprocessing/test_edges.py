import pickle
import threading
from threading import Barrier

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_dsh.preprocessing import EdgeTokens


def half(left, right, size=48):
    photo = np.empty((1, size, size, 3), dtype=np.uint8)
    photo[:, :, : size // 2] = left
    photo[:, :, size // 2 :] = right
    return photo


def test_dark_stroke_where_the_photo_changes():
    token = EdgeTokens().fit_transform(half(30, 200))[0]
    assert token.dtype == np.uint8
    assert (token[:, 23:25].min(axis=1) < 30).all()
    assert (token[:, :20] == 255).all()
    assert (token[:, 28:] == 255).all()


def test_colours_of_equal_brightness_have_an_edge():
    red, green = (200, 0, 0), (0, 102, 0)
    token = EdgeTokens().fit_transform(half(red, green))[0]
    assert (token[:, 23:25].min(axis=1) < 30).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_photo_is_an_empty_drawing(level):
    assert (EdgeTokens().fit_transform(half(level, level)) == 255).all()


def test_contrast_does_not_matter():
    strong, weak = EdgeTokens().transform(np.concatenate([half(0, 240), half(100, 120)]))
    assert np.abs(strong.astype(int) - weak).max() <= 2


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("diagonal", [False, True])
def test_thinning_narrows_strokes(turn, diagonal):
    y, x = np.indices((64, 64))
    inside = (x + y > 64) if diagonal else (x > 32)
    photo = np.rot90(inside, turn)[None, :, :, None] * np.full(3, 200, dtype=np.uint8)
    soft, thin = (
        (255 - EdgeTokens(sigma=2, thinning=t).transform(photo)[0].astype(int))[16:48, 16:48]
        for t in (0, 1)
    )
    assert (soft > 100).sum() > 1.5 * (thin > 100).sum()
    # Not broken: every row and every column that the edge crosses still has a stroke.
    crossed = thin if turn == 0 or diagonal else thin.T
    assert (crossed.max(axis=1) > 150).all()


def test_faint_edges_stay_faint():
    photo = half(0, 240)
    photo[:, 10:14, 5:15] += 25
    ink = 255 - EdgeTokens().transform(photo)[0].astype(int)
    assert 5 < ink[8:16, 5:15].max() < 100


def test_photos_do_not_depend_on_each_other():
    photos = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 3), dtype=np.uint8)
    tokens = EdgeTokens()
    expected = np.concatenate([tokens.transform(photos[i : i + 1]) for i in range(3)])
    np.testing.assert_array_equal(tokens.transform(photos), expected)
    many = np.concatenate([photos] * 100)  # more than one batch
    np.testing.assert_array_equal(tokens.transform(many), np.concatenate([expected] * 100))


def test_threads_draw_the_same(monkeypatch):
    photos = np.random.default_rng(0).integers(0, 256, (50, 32, 40, 3), dtype=np.uint8)
    expected = EdgeTokens().transform(photos)
    draw, threads, both = EdgeTokens._draw, set(), Barrier(2, timeout=20)

    def watched(tokens, batch):
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            both.wait()  # passes only if two threads draw
        return draw(tokens, batch)

    monkeypatch.setattr(EdgeTokens, "_draw", watched)
    np.testing.assert_array_equal(EdgeTokens(n_jobs=2).transform(photos), expected)
    assert len(threads) == 2


def test_works_unfitted_cloned_and_pickled():
    photo = half(10, 90)
    tokens = EdgeTokens(sigma=1.5)
    expected = tokens.transform(photo)
    for copy in (clone(tokens), pickle.loads(pickle.dumps(tokens.fit(photo)))):
        np.testing.assert_array_equal(copy.transform(photo), expected)
    assert vars(tokens) == vars(clone(tokens))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 40, 40), dtype=np.uint8), r"\(3, 40, 40\).*expected uint8 of shape \(n, h"),
        (np.zeros((3, 40, 40, 3)), "dtype float64: expected uint8"),
        (np.zeros((0, 40, 40, 3), dtype=np.uint8), r"0 sample\(s\)"),
        (np.array(["a.png"]), "no images"),
    ],
)
def test_bad_input(X, message):
    for call in (EdgeTokens().fit, EdgeTokens().transform):
        with pytest.raises(ValueError, match=message):
            call(X)


@pytest.mark.parametrize(
    "parameters", [{"sigma": -1}, {"thinning": 1.5}, {"strongest": 0}, {"n_jobs": 0.5}]
)
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match=f"The {next(iter(parameters))!r} parameter"):
        EdgeTokens(**parameters).fit(half(0, 1))
