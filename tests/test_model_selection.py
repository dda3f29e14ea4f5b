"""Splitters: every property they promise, on random data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.model_selection import check_cv

from sklearn_dsh import SketchImageArray, SketchKFold, StratifiedViewKFold, stack_views

SPLITTERS = [StratifiedViewKFold, SketchKFold]


def _data(n_sketches=17, n_images=31, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_sketches) % n_classes), np.arange(n_images) % n_classes
    return stack_views(np.zeros((n_sketches, 1)), np.zeros((n_images, 1)), y)


@given(
    n_splits=st.integers(2, 4),
    n_sketches=st.integers(12, 30),
    n_images=st.integers(12, 40),
    n_classes=st.integers(1, 3),
    shuffle=st.booleans(),
    with_y=st.booleans(),
)
def test_stratified_view_kfold(n_splits, n_sketches, n_images, n_classes, shuffle, with_y):
    X, y = _data(n_sketches, n_images, n_classes)
    cv = StratifiedViewKFold(n_splits, shuffle=shuffle, random_state=3 if shuffle else None)
    splits = list(cv.split(X, y if with_y else None))
    assert len(splits) == cv.get_n_splits(X, y) == n_splits
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in splits])), np.arange(len(X))
    )
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(X)))
        assert (np.diff(test) > 0).all()
        assert (np.diff(train) > 0).all()
        for view in (X.is_sketch, ~X.is_sketch):
            in_test = view[test]
            assert abs(in_test.sum() - view.sum() / n_splits) < 1
            if with_y:
                for label in range(n_classes):
                    expected = np.sum(y[view] == label) / n_splits
                    assert abs(np.sum(y[test][in_test] == label) - expected) < 1


@given(
    n_splits=st.integers(2, 4),
    n_sketches=st.integers(12, 30),
    n_images=st.integers(1, 40),
    shuffle=st.booleans(),
    with_y=st.booleans(),
)
def test_sketch_kfold(n_splits, n_sketches, n_images, shuffle, with_y):
    X, y = _data(n_sketches, n_images)
    cv = SketchKFold(n_splits, shuffle=shuffle, random_state=3 if shuffle else None)
    photos = np.flatnonzero(~X.is_sketch)
    tested = []
    for train, test in cv.split(X, y if with_y else None):
        for rows in (train, test):
            np.testing.assert_array_equal(rows[~X.is_sketch[rows]], photos)
            assert (np.diff(rows) > 0).all()
        train_sketches, test_sketches = train[X.is_sketch[train]], test[X.is_sketch[test]]
        assert not set(train_sketches) & set(test_sketches)
        assert len(train_sketches) + len(test_sketches) == n_sketches
        if with_y:
            for label in range(3):
                expected = np.sum(y[X.is_sketch] == label) / n_splits
                assert abs(np.sum(y[test_sketches] == label) - expected) < 1
        tested.append(test_sketches)
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.flatnonzero(X.is_sketch))


@pytest.mark.parametrize("with_y", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
def test_groups_stay_together_across_views(with_y, shuffle):
    # Group g: photo g and the sketches drawn from it.
    photo_of_sketch = np.random.default_rng(0).integers(0, 24, 40)
    y_img = np.arange(24) % 3
    y_sk = y_img[photo_of_sketch]
    X, rows = stack_views(np.zeros((40, 1)), np.zeros((24, 1)), (np.arange(40), np.arange(40, 64)))
    groups = np.r_[photo_of_sketch, np.arange(24)][rows]
    y = np.r_[y_sk, y_img][rows] if with_y else None
    cv = StratifiedViewKFold(4, shuffle=shuffle, random_state=0 if shuffle else None)
    tested = []
    for train, test in cv.split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])
        assert X[train].n_sketches * X[train].n_images * X[test].n_sketches * X[test].n_images
        tested.append(test)
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.arange(64))


@pytest.mark.parametrize("with_y", [True, False])
def test_groups_of_sketches_stay_together(with_y):
    X, y = _data(40, 10)
    groups = np.random.default_rng(0).integers(0, 12, 50)
    for train, test in SketchKFold(3).split(X, y if with_y else None, groups):
        sketch_groups = [set(groups[rows][X.is_sketch[rows]]) for rows in (train, test)]
        assert not sketch_groups[0] & sketch_groups[1]
        assert X[test].n_images == X[train].n_images == 10


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_seeds(splitter):
    X, y = _data()

    def tests(**arguments):
        return [test.tolist() for _, test in splitter(3, **arguments).split(X, y)]

    assert tests() == tests()
    assert tests(shuffle=True, random_state=0) == tests(shuffle=True, random_state=0)
    assert tests(shuffle=True, random_state=0) != tests(shuffle=True, random_state=1)
    assert tests() != tests(shuffle=True, random_state=0)


@pytest.mark.parametrize("splitter", SPLITTERS)
class TestErrors:
    def test_plain_array(self, splitter):
        with pytest.raises(TypeError, match=r"splits a SketchImageArray .* got ndarray"):
            next(splitter().split(np.zeros((10, 2)), np.zeros(10)))

    def test_lengths(self, splitter):
        X, y = _data()
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            next(splitter().split(X, y[:-1]))
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            next(splitter().split(X, y, np.zeros(3)))

    def test_continuous_labels(self, splitter):
        X, y = _data()
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            next(splitter().split(X, y + 0.5))

    def test_too_many_splits(self, splitter):
        X, y = _data(3, 30, n_classes=1)
        with pytest.raises(ValueError, match="n_splits=4"):
            list(splitter(4).split(X, y))

    def test_one_fold(self, splitter):
        X, y = _data()
        with pytest.raises(ValueError, match="n_splits=1"):
            list(splitter(1).split(X, y))


def test_a_group_that_is_a_whole_view():
    X, y = _data()
    with pytest.raises(ValueError, match="fold has no row of the image view"):
        list(StratifiedViewKFold(2).split(X, y, np.where(X.is_sketch, np.arange(len(X)), -1)))


def test_sketch_kfold_needs_sketches():
    with pytest.raises(ValueError, match="no row of X is of the sketch view"):
        next(SketchKFold(2).split(SketchImageArray(None, np.zeros((6, 1)))))


def test_one_view_is_split_like_any_array():
    X = SketchImageArray(np.zeros((9, 1)), None)
    y = np.arange(9) % 3
    assert [len(test) for _, test in StratifiedViewKFold(3).split(X, y)] == [3, 3, 3]
    assert [len(test) for _, test in SketchKFold(3).split(X, y)] == [3, 3, 3]


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_scikit_learn_splitter_interface(splitter):
    cv = splitter(n_splits=3, shuffle=True, random_state=7)
    assert check_cv(cv) is cv
    assert repr(cv) == f"{splitter.__name__}(n_splits=3, random_state=7, shuffle=True)"
    assert cv.get_n_splits() == 3
    assert cv.get_metadata_routing().split.requests == {"groups": True}
    with config_context(enable_metadata_routing=True):
        routing = cv.set_split_request(groups="photo").get_metadata_routing()
    assert routing.split.requests == {"groups": "photo"}
