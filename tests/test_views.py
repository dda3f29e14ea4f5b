"""The container of both views, against plain lists of (view, row) as the reference."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.model_selection import KFold
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.validation import _num_samples

from sklearn_dsh import SketchImageArray, stack_views
from sklearn_dsh.views import RowSubset


def _views(n_sketches=4, n_images=7, n_features=3):
    sketches = np.arange(n_sketches * n_features, dtype=float).reshape(n_sketches, n_features)
    images = 1000.0 + np.arange(n_images * n_features).reshape(n_images, n_features)
    return sketches, images


def _rows(X):
    """The container as a list of rows."""
    return [tuple(X[i]) for i in range(len(X))]


@given(
    n_sketches=st.integers(1, 6),
    n_images=st.integers(1, 6),
    selections=st.lists(st.randoms(use_true_random=False), min_size=1, max_size=3),
)
def test_selection_is_that_of_a_list(n_sketches, n_images, selections):
    sketches, images = _views(n_sketches, n_images)
    X = SketchImageArray(sketches, images)
    reference = [("sketch", tuple(row)) for row in sketches] + [
        ("image", tuple(row)) for row in images
    ]
    for random in selections:  # selections of selections
        n_rows = random.randint(0, len(reference))
        rows = [random.randrange(len(reference)) for _ in range(n_rows)]
        X, reference = X[np.array(rows, dtype=int)], [reference[row] for row in rows]
        assert _rows(X) == [row for _, row in reference]
        for view in ("sketch", "image"):
            expected = [row for name, row in reference if name == view]
            got = X.take_view(view)
            assert ([] if got is None else [tuple(row) for row in got]) == expected
        assert X.n_sketches == sum(view == "sketch" for view, _ in reference)
        assert X.shape == (len(reference),)
        assert X.n_sketches + X.n_images == len(X)
        if not reference:
            break


def test_all_ways_of_indexing_agree():
    X = SketchImageArray(*_views())
    mask = np.zeros(11, dtype=bool)
    mask[[1, 2, 5]] = True
    expected = [_rows(X)[i] for i in (1, 2, 5)]
    for rows in ([1, 2, 5], np.array([1, 2, 5], dtype=np.uint8), mask, mask.tolist(), [1, 2, -6]):
        assert _rows(X[rows]) == expected
    assert _rows(X[1:9:3]) == _rows(X)[1:9:3]
    assert len(X[[]]) == 0
    assert _rows(X[np.array([1, 2, 5]), ...]) == expected
    assert _rows(_safe_indexing(X, [1, 2, 5])) == expected
    assert _rows(_safe_indexing(X, mask)) == expected
    np.testing.assert_array_equal(X[-1], X.images[-1])
    np.testing.assert_array_equal(X[0], X.sketches[0])


def test_bad_rows_are_refused():
    X = SketchImageArray(*_views())
    with pytest.raises(IndexError):
        X[[11]]
    with pytest.raises(IndexError):
        X[np.ones(5, dtype=bool)]
    with pytest.raises(IndexError, match="one axis"):
        X[1, 2]


def test_scikit_learn_sees_rows():
    X = SketchImageArray(*_views())
    assert _num_samples(X) == 11
    assert indexable(X, np.zeros(11))[0] is X


def test_nothing_is_copied():
    sketches, images = _views()
    X = SketchImageArray(sketches, images)
    assert X.sketches is sketches
    assert X.images is images
    part = X[::2]
    assert part.sketches is sketches
    assert part.images is images
    assert X.take_view("sketch") is sketches
    assert X[np.r_[0:4, 6:9]].take_view("image").base is images  # consecutive rows: a slice


def test_image_rows_are_lazy():
    photos = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    photos.flags.writeable = False
    X = SketchImageArray(None, photos)[[4, 0, 2]]
    rows = X.take_view("image")
    assert isinstance(rows, RowSubset)
    assert rows.array is photos
    assert (rows.shape, rows.ndim, len(rows), rows.dtype) == ((3, 32, 32, 3), 4, 3, np.uint8)
    np.testing.assert_array_equal(rows[1:], photos[[0, 2]])
    np.testing.assert_array_equal(rows[[2, 0]], photos[[2, 4]])
    np.testing.assert_array_equal(rows[np.array([True, False, True])], photos[[4, 2]])
    np.testing.assert_array_equal(np.asarray(rows), photos[[4, 0, 2]])
    with pytest.raises(ValueError, match="copy=False"):
        np.array(rows, copy=False)
    assert "RowSubset(shape=(3, 32, 32, 3)" in repr(rows)


def test_memmaps_stay_memmaps(tmp_path):
    np.save(tmp_path / "photos.npy", np.zeros((5, 32, 32, 3), dtype=np.uint8))
    photos = np.load(tmp_path / "photos.npy", mmap_mode="r")
    X = SketchImageArray(np.zeros((2, 32, 32), dtype=np.uint8), photos)
    assert X.take_view("image") is photos
    assert isinstance(X[[3, 5]].take_view("image").array, np.memmap)


def test_data_frames_and_paths():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}, index=[7, 8, 9])
    paths = ["x.png", "y.png"]
    X = SketchImageArray(frame, paths)[[2, 0, 4]]
    pd.testing.assert_frame_equal(X.take_view("sketch"), frame.iloc[[2, 0]])
    assert X.take_view("image").tolist() == ["y.png"]
    assert X[1]["b"] == 4.0
    assert X[2] == "y.png"


def test_pickle():
    X = SketchImageArray(*_views())[[0, 9, 3]]
    again = pickle.loads(pickle.dumps(X))
    assert _rows(again) == _rows(X)
    np.testing.assert_array_equal(again.is_sketch, X.is_sketch)


@pytest.mark.parametrize(
    ("sketches", "images", "error", "text"),
    [
        (None, None, ValueError, "needs sketches, images or both"),
        (csr_array((2, 2)), np.zeros((2, 2)), TypeError, "sketches is a sparse matrix"),
        (np.zeros((2, 2)), csr_array((2, 2)), TypeError, "images is a sparse matrix"),
        (np.zeros((2, 2)), 3.0, ValueError, "images has no rows"),
        (SketchImageArray(None, np.zeros((1, 1))), None, TypeError, "SketchImageArray already"),
    ],
)
def test_what_cannot_be_a_view(sketches, images, error, text):
    with pytest.raises(error, match=text):
        SketchImageArray(sketches, images)


def test_is_not_an_array():
    X = SketchImageArray(*_views())
    with pytest.raises(TypeError, match="PerView"):
        np.asarray(X)


def test_wrong_view_name():
    with pytest.raises(ValueError, match="view must be 'sketch' or 'image', got 'photo'"):
        SketchImageArray(*_views()).take_view("photo")


@pytest.mark.parametrize("interleave", [True, False])
def test_stack_views_keeps_rows_and_labels_together(interleave):
    sketches, images = _views(5, 9)
    y_sk, y_img = np.array(list("abcab")), np.array(list("abcabcabc"))
    X, y = stack_views(sketches, images, (y_sk, y_img), interleave=interleave)
    label_of = {tuple(row): label for row, label in zip(sketches, y_sk, strict=True)}
    label_of |= {tuple(row): label for row, label in zip(images, y_img, strict=True)}
    assert [label_of[row] for row in _rows(X)] == y.tolist()
    assert len(set(_rows(X))) == 14
    assert X.sketches is sketches


def test_not_interleaved_is_sketches_then_photos():
    sketches, images = _views(3, 4)
    X, y = stack_views(sketches, images, ([0, 1, 0], [1, 0, 1, 0]), interleave=False)
    np.testing.assert_array_equal(y, [0, 1, 0, 1, 0, 1, 0])
    assert X.take_view("image") is images
    np.testing.assert_array_equal(X.is_sketch, [True] * 3 + [False] * 4)


@given(
    counts=st.lists(st.tuples(st.integers(6, 12), st.integers(6, 20)), min_size=1, max_size=4),
    n_splits=st.integers(2, 3),
)
def test_interleaved_rows_survive_an_unshuffled_kfold(counts, n_splits):
    # Labels sorted by category: the worst order for contiguous folds.
    y_sk = np.repeat(np.arange(len(counts)), [n for n, _ in counts])
    y_img = np.repeat(np.arange(len(counts)), [n for _, n in counts])
    X, y = stack_views(np.zeros((len(y_sk), 1)), np.zeros((len(y_img), 1)), (y_sk, y_img))
    for train, test in KFold(n_splits).split(X):
        for rows in (train, test):
            for in_view in (X.is_sketch[rows], ~X.is_sketch[rows]):
                assert set(y[rows][in_view]) == set(range(len(counts)))


def test_stack_views_label_forms():
    pairs = np.zeros((3, 2)), np.ones((3, 2))
    X, y = stack_views(*pairs)
    assert y is None
    assert len(X) == 6
    X, y = stack_views(*pairs, ["a", "b", "c"], interleave=False)
    assert y.tolist() == ["a", "b", "c", "a", "b", "c"]
    with pytest.raises(ValueError, match="needs both views"):
        stack_views(None, np.ones((3, 2)))


def test_text_and_number_labels_are_not_mixed():
    with pytest.raises(ValueError, match="sketches are text and labels of the photos are numbers"):
        stack_views(np.zeros((2, 2)), np.zeros((2, 2)), (["1", "2"], [1, 2]))
