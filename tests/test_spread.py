"""Features that say nothing, or are out of range, are refused before any hasher learns of them."""

import numpy as np
import pytest
from planted_views import two_views
from sklearn.base import clone

from sklearn_dsh import (
    CCAHasher,
    CMFHHasher,
    CMSSHHasher,
    CVHHasher,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    ITQHasher,
    RandomProjectionHasher,
    SCMHasher,
    SDHHasher,
    SePHHasher,
    SketchImageArray,
    ZeroShotHasher,
    stack_views,
)

HASHERS = [
    CCAHasher(16, random_state=0),
    CMFHHasher(16, random_state=0),
    CMSSHHasher(16, random_state=0),
    CVHHasher(16, random_state=0),
    DCMHHasher(16, max_iter=1, steps_per_iter=3, random_state=0),
    DeepMetricHasher(16, steps_per_iter=3, random_state=0),
    DeepSketchHasher(16, max_iter=1, steps_per_iter=3, random_state=0),
    ITQHasher(16, random_state=0),
    RandomProjectionHasher(16, random_state=0),
    SCMHasher(16, random_state=0),
    SCMHasher(16, sequential=False, random_state=0),
    SDHHasher(16, random_state=0),
    SePHHasher(16, random_state=0),
    ZeroShotHasher(16, random_state=0),
]
every_hasher = pytest.mark.parametrize("hasher", HASHERS, ids=str)
X_SK, X_IMG, (Y_SK, Y_IMG) = two_views(width=(12, 12), one_space=True)
ROW = X_SK[:1]

# Rows of a view, by its rows.
ALIKE = {
    "zero": lambda X: X * 0,
    "equal": lambda X: np.repeat(ROW, len(X), axis=0),
    "equal, of float32": lambda X: np.repeat(ROW, len(X), axis=0).astype(np.float32),
    "equal, but for rounding": lambda X: np.where(
        np.arange(len(X))[:, None] % 2, ROW, np.nextafter(ROW, np.inf)
    ),
    "equal and large": lambda X: np.full_like(X, 1e50),
    "equal integers": lambda X: np.full(X.shape, 3),
}
SCALES = [(np.float64, 1e200), (np.float64, 1e-200), (np.float32, 1e30), (np.float32, 1e-30)]


def assert_refused(hasher, call, *texts):
    hasher = clone(hasher)
    with pytest.raises(ValueError) as caught:
        hasher.fit(*call)
    for text in texts:
        assert text in str(caught.value)
    assert set(vars(hasher)) == set(hasher.get_params(deep=False))  # nothing was learned


@every_hasher
@pytest.mark.parametrize("case", ALIKE)
def test_rows_that_are_all_the_same(hasher, case):
    alike = ALIKE[case]
    text = "All {} rows of the {} view are the same"
    both = alike(X_SK), alike(X_IMG)
    assert_refused(hasher, (both[0], X_IMG, (Y_SK, Y_IMG)), text.format(60, "sketch"))
    assert_refused(hasher, (X_SK, both[1], (Y_SK, Y_IMG)), text.format(90, "image"))
    assert_refused(hasher, (both[0], both[0], Y_SK), text.format(60, "sketch"))
    assert_refused(hasher, (both[0], Y_SK), text.format(60, "sketch"))
    assert_refused(hasher, (SketchImageArray(None, both[1]), Y_IMG), text.format(90, "image"))
    assert_refused(hasher, stack_views(*both, (Y_SK, Y_IMG)), text.format(60, "sketch"))


@every_hasher
@pytest.mark.parametrize(("kind", "scale"), SCALES)
def test_scales_that_products_do_not_stand(hasher, kind, scale):
    X, Y = ((scale * rows).astype(kind) for rows in (X_SK, X_IMG))
    say = "go up to" if scale > 1 else "differ by"
    texts = [say, f"products of {'them' if scale > 1 else 'such'}", kind.__name__, "MaxAbsScaler"]
    assert_refused(hasher, (X, X_IMG.astype(kind), (Y_SK, Y_IMG)), "the sketch view", *texts)
    assert_refused(hasher, (X_SK.astype(kind), Y, (Y_SK, Y_IMG)), "the image view", *texts)
    assert_refused(hasher, (Y, Y_IMG), "the sketch view", *texts)


@every_hasher
@pytest.mark.parametrize(
    ("kind", "scale"),
    [(np.float64, 1e57), (np.float64, 1e-58), (np.float32, 1e12), (np.float32, 1e-13)],
)
def test_scales_that_are_let_in_are_learned_of(hasher, kind, scale):
    X, Y = ((scale * rows).astype(kind) for rows in (X_SK, X_IMG))
    fitted = clone(hasher).fit(X, Y, (Y_SK, Y_IMG))
    assert np.isfinite(fitted.project(Y, view="image")).all()
    assert len(np.unique(fitted.transform(Y, view="image"), axis=0)) > 1


@every_hasher
def test_columns_that_say_nothing_beside_others(hasher):
    X, Y = (np.c_[np.full((len(rows), 3), 0.1), rows, 0 * rows] for rows in (X_SK, X_IMG))
    fitted = clone(hasher).fit(X, Y, (Y_SK, Y_IMG))
    assert np.isfinite(fitted.project(X, view="sketch")).all()
    assert len(np.unique(fitted.transform(Y, view="image"), axis=0)) > 1


def test_a_part_of_the_data_may_be_alike():
    hasher = clone(HASHERS[6]).partial_fit(X_SK, X_IMG, (Y_SK, Y_IMG))
    hasher.partial_fit(X_SK[[0] * 5], X_IMG, (Y_SK[[0] * 5], Y_IMG))
