"""Telling the call forms apart; the messages of bad input are in test_bad_input.py."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_dsh import SketchImageArray, StratifiedViewKFold, stack_views
from sklearn_dsh._calls import encode_labels, resolve_call
from sklearn_dsh._validation import check_columns, check_view, column_names, view_kind
from sklearn_dsh.views import RowSubset

X_SK, X_IMG = np.zeros((4, 2)), np.ones((6, 2))
Y_SK, Y_IMG = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1, 0, 1])


def test_unpaired():
    data = resolve_call(X_SK, X_IMG, (Y_SK, Y_IMG))
    assert data.sketch is X_SK
    assert data.image is X_IMG
    np.testing.assert_array_equal(data.y_sketch, Y_SK)
    np.testing.assert_array_equal(data.y_image, Y_IMG)
    assert not data.paired
    assert data.views == ("sketch", "image")


@pytest.mark.parametrize("y", [Y_SK, list(Y_SK), pd.Series(Y_SK), Y_SK[:, None]])
def test_pairs_with_labels(y):
    data = resolve_call(X_SK, X_IMG[:4], y)
    assert data.paired
    np.testing.assert_array_equal(data.y_sketch, Y_SK)
    np.testing.assert_array_equal(data.y_image, Y_SK)


def test_two_labels_in_a_list_are_labels_of_two_pairs():
    data = resolve_call(X_SK[:2], X_IMG[:2], ["a", "b"])
    assert data.paired
    assert data.y_image.tolist() == ["a", "b"]


def test_pairs_without_labels():
    data = resolve_call(X_SK, X_IMG[:4])
    assert data.paired
    assert data.y_sketch is None
    assert data.y_image is None


def test_a_tuple_of_equal_lengths_is_unpaired():
    assert not resolve_call(X_SK, X_IMG[:4], (Y_SK, Y_SK)).paired


@pytest.mark.parametrize(
    "arguments",
    [
        {"Y": Y_SK},
        {"y": Y_SK},
        {"Y": Y_SK.tolist()},
        {"y": pd.Series(Y_SK)},
        {"Y": None, "y": Y_SK},
    ],
)
def test_one_plain_array(arguments):
    data = resolve_call(X_SK, **arguments)
    assert data.sketch is X_SK
    assert data.image is None
    np.testing.assert_array_equal(data.y_sketch, Y_SK)
    assert data.views == ("sketch",)


def test_one_plain_array_without_labels():
    data = resolve_call(X_SK)
    assert data.y_sketch is None
    assert not data.paired


@pytest.mark.parametrize("keyword", ["Y", "y"])
@pytest.mark.parametrize("interleave", [True, False])
def test_container(keyword, interleave):
    X, y = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG), interleave=interleave)
    data = resolve_call(X, **{keyword: y})
    assert data.container is X
    np.testing.assert_array_equal(data.y_sketch, y[X.is_sketch])
    np.testing.assert_array_equal(data.y_image, y[~X.is_sketch])
    assert len(data.sketch) == 4
    assert len(data.image) == 6
    assert not data.paired


def test_container_of_one_view():
    data = resolve_call(SketchImageArray(None, X_IMG), Y_IMG)
    assert data.views == ("image",)
    assert data.sketch is None
    assert data.y_sketch is None
    np.testing.assert_array_equal(data.y_image, Y_IMG)


def test_lists_of_rows():
    data = resolve_call(X_SK.tolist(), X_IMG.tolist(), (Y_SK.tolist(), Y_IMG.tolist()))
    assert data.views == ("sketch", "image")


def test_two_dimensional_second_argument_is_photos():
    assert resolve_call(X_SK, X_IMG[:4]).image is not None


@given(
    y_sk=st.lists(st.sampled_from("abcd"), min_size=1, max_size=8),
    y_img=st.lists(st.sampled_from("abcd"), min_size=1, max_size=8),
)
def test_encoded_labels_decode(y_sk, y_img):
    y_sk, y_img = np.array(["a", *y_sk]), np.array(["a", *y_img])
    classes, sk, img = encode_labels(y_sk, y_img)
    assert classes.tolist() == sorted({*y_sk, *y_img})
    np.testing.assert_array_equal(classes[sk], y_sk)
    np.testing.assert_array_equal(classes[img], y_img)


def test_encode_labels_of_one_view_and_of_none():
    assert encode_labels(None, None) == (None, None, None)
    classes, sk, img = encode_labels(None, np.array([5, 3, 5]))
    assert sk is None
    np.testing.assert_array_equal(img, [1, 0, 1])
    np.testing.assert_array_equal(classes, [3, 5])
    assert encode_labels(np.array([5, 3]), None)[2] is None


def test_integral_floats_are_categories():
    np.testing.assert_array_equal(encode_labels(np.array([1.0, 2.0, 1.0]), None)[1], [0, 1, 0])


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize("kind", [int, float, bool])
def test_numbers_kept_as_objects_are_categories(kind):
    labels = np.array([kind(1), kind(0), kind(1)], dtype=object)
    classes, codes, _ = encode_labels(labels, None)
    assert classes.dtype == kind
    np.testing.assert_array_equal(codes, [1, 0, 1])


@pytest.mark.parametrize(
    "y",
    [
        ["a", None, "b"],
        [1, None, 2],
        [1, "a", 2],
        [0.5, 1.5, 1],
        [2**63, 2**63 + 1, -1],  # as floats the first two are one
        [2**70, 1, 2],
        [(1,), (1, 2), 3],
    ],
)
def test_labels_that_are_no_categories_are_named_before_fit(y):
    X = np.zeros((3, 4))
    with pytest.raises(ValueError, match="y_img must hold categories"):
        stack_views(X, X, ([1, 2, 1], objects(*y)))
    container, _ = stack_views(X, X)
    with pytest.raises(ValueError, match="y must hold categories"):
        next(StratifiedViewKFold(2).split(container, objects(*y, *y)))


def test_text_of_numpys_own_kind_is_text():
    labels = np.array(["b", "a", "b"], dtype=np.dtypes.StringDType())
    classes, codes, _ = encode_labels(labels, None)
    assert classes.tolist() == ["a", "b"]
    np.testing.assert_array_equal(codes, [1, 0, 1])


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (np.zeros((3, 4)), "features"),
        (np.zeros(3), "features"),
        (np.zeros((3, 32, 32), np.uint8), "images"),
        (np.zeros((3, 32, 32, 3), np.uint8), "images"),
        (RowSubset(np.zeros((3, 32, 32)), [0]), "images"),
        (["a.png", "b.png"], "paths"),
        (np.array(["a.png"]), "paths"),
        (np.array([Path("a.png")], dtype=object), "paths"),
        (np.array(["a.png", 3], dtype=object), "features"),
        ([], "features"),
    ],
)
def test_view_kind(X, kind):
    assert view_kind(X) == kind


def test_features_become_floats():
    assert check_view(np.ones((2, 3), np.float32), view="sketch").dtype == np.float32
    assert check_view([[1, 2]], view="sketch").dtype == np.float64
    assert check_view(pd.DataFrame({"a": [1]}), view="image").dtype == np.float64


def test_images_are_returned_uncopied():
    sketches = np.zeros((2, 32, 40), np.uint8)
    photos = np.zeros((2, 40, 32, 3), np.uint8)
    assert check_view(sketches, view="sketch") is sketches
    assert check_view(photos, view="image") is photos
    subset = RowSubset(photos, [1])
    assert check_view(subset, view="image") is subset


def test_paths_of_files(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(b"x")
    assert check_view(paths, view="sketch").tolist() == paths
    assert check_view([str(path) for path in paths], view="image").tolist() == [
        str(path) for path in paths
    ]


def test_columns():
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    names = column_names(frame)
    assert names.tolist() == ["a", "b"]
    assert column_names(frame.to_numpy()) is None
    check_columns(frame, 2, 2, names, view="image", name="H")
    with pytest.raises(ValueError, match=r"unexpected: \['c'\], missing: \['b'\]"):
        check_columns(frame.rename(columns={"b": "c"}), 2, 2, names, view="image", name="H")
    with pytest.raises(ValueError, match="the order being the same"):
        check_columns(frame[["b", "a"]], 2, 2, names, view="image", name="H")
    with pytest.warns(UserWarning, match="X does not have valid feature names, but H"):
        check_columns(frame.to_numpy(), 2, 2, names, view="image", name="H")
    with pytest.warns(UserWarning, match="X has feature names, but H was fitted without"):
        check_columns(frame, 2, 2, None, view="image", name="H")
