"""Scikit-learn's common checks and this library's own, on every public estimator."""

import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import SkipTestWarning
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import sklearn_dsh
from sklearn_dsh import (
    Architecture,
    Backbone,
    BackboneFeatures,
    CCAHasher,
    CMFHHasher,
    CMSSHHasher,
    Compact,
    CVHHasher,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    EdgeTokens,
    GFHOGFeatures,
    HammingRetriever,
    HOGFeatures,
    ITQHasher,
    PerView,
    RandomProjectionHasher,
    SCMHasher,
    SDHHasher,
    SePHHasher,
    SHELOFeatures,
    SketchTokenizer,
    TorchBackbone,
    ZeroShotHasher,
)
from sklearn_dsh.estimator_checks import check_hasher, hasher_checks_generator

HASHERS = [
    # As few steps as make every part run; how well it learns is tested elsewhere.
    DeepSketchHasher(max_iter=2, steps_per_iter=3, architecture=Compact(32)),
    DCMHHasher(max_iter=2, steps_per_iter=3, architecture=Compact(32)),
    DeepMetricHasher(steps_per_iter=3, architecture=Compact(32)),
    DeepMetricHasher(loss="contrastive", steps_per_iter=3, architecture=Compact(32)),
    ITQHasher(),
    CCAHasher(),
    CVHHasher(),
    CMFHHasher(),
    CMSSHHasher(),
    SCMHasher(),
    SCMHasher(sequential=False),
    SDHHasher(),
    SePHHasher(),
    ZeroShotHasher(),
    RandomProjectionHasher(),
]
DEEP = (DeepSketchHasher, DCMHHasher, DeepMetricHasher)
REQUIRE_LABELS = (*DEEP, CMSSHHasher, SCMHasher, SDHHasher, SePHHasher, ZeroShotHasher)
TWO_D_ESTIMATORS = [
    *HASHERS,
    HammingRetriever(),
    PerView(),
    PerView(sketch=StandardScaler(), image=PCA(n_components=2)),
]
# Scikit-learn has no checks for estimators that take images only, beyond being cloneable.
IMAGE_TRANSFORMERS = [
    HOGFeatures(),
    EdgeTokens(),
    SHELOFeatures(),
    GFHOGFeatures(20, image_size=32, random_state=0),
    BackboneFeatures(TorchBackbone(torch.nn.Conv2d(3, 4, 5, 4), size=32)),
    SketchTokenizer(2, patch_size=15, n_patches=500, n_features=50, n_estimators=2, random_state=0),
]


def _common_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        return parametrize_with_checks([*TWO_D_ESTIMATORS, *IMAGE_TRANSFORMERS])


@_common_checks()
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("hasher", "check"),
    [pair for hasher in HASHERS for pair in hasher_checks_generator(hasher)],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_hasher_checks(hasher, check):
    check(hasher)


@pytest.mark.parametrize("hasher", HASHERS, ids=lambda hasher: type(hasher).__name__)
@pytest.mark.parametrize("n_bits", [np.uint8(130), np.int64(130)])
def test_n_bits_of_numpys_types(hasher, n_bits):
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    X = rng.normal(size=(30, 10)) + 3 * np.eye(3, 10)[y]
    first, second = (
        clone(hasher).set_params(n_bits=n, random_state=0).fit(X, X, y) for n in (n_bits, 130)
    )
    for view in ("sketch", "image"):
        np.testing.assert_array_equal(first.transform(X, view), second.transform(X, view))
    assert len(first.get_feature_names_out()) == 17


def test_every_public_estimator_is_checked():
    public = {
        name
        for name in sklearn_dsh.__all__
        if isinstance(getattr(sklearn_dsh, name), type)
        and issubclass(getattr(sklearn_dsh, name), BaseEstimator)
    }
    checked = {type(estimator).__name__ for estimator in TWO_D_ESTIMATORS + IMAGE_TRANSFORMERS}
    networks = {  # objects with parameters, which fit nothing: tests/deep/architectures
        name for name in public if issubclass(getattr(sklearn_dsh, name), Architecture | Backbone)
    }
    assert public - networks - {"BaseCrossModalHasher"} == checked


def test_array_api_checks_are_not_skipped():
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    from scipy._lib._array_api import SCIPY_ARRAY_API

    assert SCIPY_ARRAY_API


@pytest.mark.parametrize("estimator", TWO_D_ESTIMATORS, ids=lambda e: type(e).__name__)
def test_scikit_learn_checks_are_many(estimator):
    assert len(list(estimator_checks_generator(estimator))) > 30


def test_tags():
    for hasher in HASHERS:
        tags = get_tags(hasher)
        assert tags.target_tags.required is isinstance(hasher, REQUIRE_LABELS)
        assert tags.input_tags.three_d_array is isinstance(hasher, DEEP)
        assert tags.input_tags.two_d_array
        assert not tags.input_tags.sparse
        assert not tags.input_tags.allow_nan
        assert not tags.no_validation
        assert not tags._skip_test
        assert tags.transformer_tags.preserves_dtype == []
    for transformer in IMAGE_TRANSFORMERS:
        tags = get_tags(transformer)
        assert tags.input_tags.three_d_array
        assert not tags.input_tags.two_d_array


class _Broken(RandomProjectionHasher):
    """A hasher whose code of a row depends on the other rows."""

    def _project_view(self, X, view):
        values = super()._project_view(X, view)
        return values - values[:1]


class _Growing(RandomProjectionHasher):
    """A hasher that remembers what it encoded."""

    def _project_view(self, X, view):
        self.last_ = X
        return super()._project_view(X, view)


class _Unseeded(RandomProjectionHasher):
    """A hasher that ignores its random_state."""

    def _fit_views(self, data):
        random_state, self.random_state = self.random_state, None
        super()._fit_views(data)
        self.random_state = random_state


@pytest.mark.parametrize("broken", [_Broken, _Growing, _Unseeded])
def test_check_hasher_finds_faults(broken):
    with pytest.raises(AssertionError):
        check_hasher(broken())


def _photos(n=5, side=40):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def _contours(photos):
    """A contour on each photo, for the transformer that learns them; the others ignore it."""
    y = np.zeros(photos.shape[:3], dtype=np.uint8)
    y[:, 20:21] = 255
    return y


@pytest.mark.parametrize("transformer", IMAGE_TRANSFORMERS, ids=lambda e: type(e).__name__)
class TestImageTransformers:
    def test_rows_do_not_depend_on_each_other(self, transformer):
        X = _photos()
        Xt = clone(transformer).fit(X, _contours(X)).transform(X)
        np.testing.assert_array_equal(Xt, clone(transformer).fit_transform(X, _contours(X)))
        order = [3, 1, 4, 0, 2]
        np.testing.assert_array_equal(
            transformer.fit(X, _contours(X)).transform(X[order]), Xt[order]
        )

    def test_pickle_and_input_unchanged(self, transformer):
        X = _photos()
        fitted = clone(transformer).fit(X, _contours(X))
        Xt = fitted.transform(X)
        np.testing.assert_array_equal(X, _photos())
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), Xt)

    @pytest.mark.parametrize("bad", [np.zeros((4, 7)), _photos().astype(float), _photos(0)])
    def test_refuses_what_is_no_image(self, transformer, bad):
        with pytest.raises(ValueError):
            clone(transformer).fit(bad, _contours(bad)).transform(bad)
