import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_dsh._calls import ViewData
from sklearn_dsh._pairs import draw_pairs, training_pairs


@given(
    seed=st.integers(0, 2**32 - 1),
    n_x=st.integers(1, 40),
    n_y=st.integers(1, 40),
    n_pairs=st.sampled_from(["auto", 1, 7, 200]),
)
def test_pairs_are_of_one_category_and_use_rows_evenly(seed, n_x, n_y, n_pairs):
    rng = np.random.default_rng(seed)
    x_labels, y_labels = rng.integers(0, 4, n_x), rng.integers(0, 4, n_y)
    y_labels[0] = x_labels[0]  # at least one category in both
    x_rows, y_rows = draw_pairs(x_labels, y_labels, n_pairs, np.random.RandomState(0))
    np.testing.assert_array_equal(x_labels[x_rows], y_labels[y_rows])
    both = np.intersect1d(x_labels, y_labels)
    larger = {c: max(np.sum(x_labels == c), np.sum(y_labels == c)) for c in both}
    expected = sum(larger.values()) if n_pairs == "auto" else n_pairs
    assert len(x_rows) == len(y_rows) == expected
    if n_pairs == "auto":
        for labels, rows in ((x_labels, x_rows), (y_labels, y_rows)):
            used = np.bincount(rows, minlength=len(labels))
            for c in both:
                times = used[labels == c]
                assert times.sum() == larger[c]
                assert times.min() >= 1
                assert times.max() - times.min() <= 1


def test_paired_rows_stay_as_they_are():
    X, Y, y = np.arange(6.0).reshape(3, 2), np.ones((3, 4), np.float32), np.array([0, 1, 0])
    data = ViewData(X, Y, y, y, paired=True)
    first, second, labels = training_pairs(data, 100, np.random.RandomState(0))
    np.testing.assert_array_equal(first, X)
    np.testing.assert_array_equal(second, Y)
    assert second.dtype == np.float64
    assert labels is y


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_one_view_is_paired_with_itself(view):
    X, y = np.arange(8.0)[:, None], np.arange(8) % 2
    given_view = {"sketch": (X, None, y, None), "image": (None, X, None, y)}[view]
    first, second, labels = training_pairs(ViewData(*given_view), "auto", np.random.RandomState(0))
    np.testing.assert_array_equal(first[:, 0] % 2, labels)
    np.testing.assert_array_equal(second[:, 0] % 2, labels)
    np.testing.assert_array_equal(np.sort(first[:, 0]), X[:, 0])


def test_pairs_are_seeded():
    labels = np.arange(30) % 3
    first, again, other = (
        draw_pairs(labels, labels, "auto", np.random.RandomState(s)) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
