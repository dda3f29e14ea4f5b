import numpy as np
import pandas as pd
import pytest

from sklearn_dsh.deep._class_vectors import match_class_vectors

CLASSES = np.array(["cat", "dog"])


def test_none_is_one_hot():
    np.testing.assert_array_equal(match_class_vectors(None, CLASSES), np.eye(2))


def test_a_mapping_is_matched_by_label():
    vectors = {"dog": [1, 2, 3], "bird": [0, 0, 0], "cat": [4, 5, 6]}
    expected = np.array([[4, 1], [5, 2], [6, 3]])
    np.testing.assert_array_equal(match_class_vectors(vectors, CLASSES), expected)
    np.testing.assert_array_equal(
        match_class_vectors({1: [1.0], 0: [0.5]}, np.arange(2)), [[0.5, 1]]
    )


def test_an_array_has_the_order_of_the_classes():
    array = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(match_class_vectors(array, CLASSES), array.T)
    np.testing.assert_array_equal(match_class_vectors(pd.DataFrame(array), CLASSES), array.T)


def test_a_table_is_matched_by_its_index():
    table = pd.DataFrame([[1, 2], [0, 0], [4, 5]], index=["dog", "bird", "cat"])
    np.testing.assert_array_equal(match_class_vectors(table, CLASSES), [[4, 1], [5, 2]])
    table = pd.DataFrame([[1, 2], [4, 5]], index=[1, 0])
    np.testing.assert_array_equal(match_class_vectors(table, np.arange(2)), [[4, 1], [5, 2]])
    numbered = pd.DataFrame(np.arange(10.0)[:, None])
    assert match_class_vectors(numbered, np.array([2, 5, 7])).tolist() == [[2, 5, 7]]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"cat": [1.0]}, "no vector for 1 of 2 categories: dog"),
        ({"cat": [1.0], "dog": [1.0, 2.0]}, "one length"),
        (np.ones((3, 4)), r"\(2, d\), got \(3, 4\)"),
        (np.array([[1.0], [np.nan]]), "NaN"),
        (pd.DataFrame([[1], [2], [3]], index=["cat", "dog", "cat"]), "holds a label twice"),
    ],
)
def test_bad_class_vectors(vectors, message):
    with pytest.raises(ValueError, match=message):
        match_class_vectors(vectors, CLASSES)
