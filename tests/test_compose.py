"""One transformer per view."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.utils import get_tags

from sklearn_dsh import CCAHasher, HOGFeatures, PerView, SketchImageArray, stack_views
from sklearn_dsh.views import RowSubset

RNG = np.random.default_rng(0)
X_SK, X_IMG = RNG.standard_normal((8, 4)), RNG.standard_normal((12, 6)) + 5
Y_SK, Y_IMG = np.arange(8) % 2, np.arange(12) % 2


def _container():
    return stack_views(X_SK, X_IMG, (Y_SK, Y_IMG))


def test_each_view_has_its_own_transformer():
    X, y = _container()
    per_view = PerView(sketch=StandardScaler(), image=PCA(n_components=2)).fit(X, y)
    Xt = per_view.transform(X)
    np.testing.assert_array_equal(Xt.is_sketch, X.is_sketch)
    np.testing.assert_allclose(
        Xt.take_view("sketch"), StandardScaler().fit_transform(X.take_view("sketch"))
    )
    scores = PCA(n_components=2).fit(X.take_view("image")).transform(X.take_view("image"))
    np.testing.assert_allclose(Xt.take_view("image"), scores)


def test_part_of_a_container():
    X, y = _container()
    per_view = PerView(sketch=StandardScaler(), image=PCA(n_components=2)).fit(X, y)
    rows = np.array([7, 2, 19, 3, 2, 11])
    for part, whole in zip(
        (per_view.transform(X[rows])[i] for i in range(6)),
        (per_view.transform(X)[int(i)] for i in rows),
        strict=True,
    ):
        np.testing.assert_allclose(part, whole)


def test_rows_that_may_be_of_either_view_are_asked_for_it():
    alike = PerView(sketch=StandardScaler()).fit(*stack_views(X_SK, X_SK + 1, (Y_SK, Y_SK)))
    with pytest.raises(ValueError, match=r"view='image'.*SketchImageArray\(None, X\)"):
        alike.transform(X_SK)
    np.testing.assert_allclose(alike.transform(X_SK, view="image"), X_SK)
    pipeline = make_pipeline(alike, CCAHasher(8)).fit(*stack_views(X_SK, X_SK + 1, (Y_SK, Y_SK)))
    with pytest.raises(ValueError, match=r"In a Pipeline.*SketchImageArray\(None, X\)"):
        pipeline.transform(X_SK)
    assert pipeline.transform(SketchImageArray(None, X_SK)).shape == (8, 1)


def test_plain_arrays_take_view():
    X, y = _container()
    per_view = PerView(sketch=StandardScaler(), image=PCA(n_components=2)).fit(X, y)
    np.testing.assert_allclose(per_view.transform(X_SK), per_view.sketch_.transform(X_SK))
    np.testing.assert_allclose(
        per_view.transform(X_IMG, view="image"), per_view.image_.transform(X_IMG)
    )


def test_labels_are_divided_by_view():
    X, y = _container()
    per_view = PerView(sketch=SelectKBest(k=1), image=SelectKBest(k=2)).fit(X, y)
    expected = SelectKBest(k=2).fit(X.take_view("image"), y[~X.is_sketch])
    np.testing.assert_array_equal(per_view.image_.get_support(), expected.get_support())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        per_view.fit(X, y[:-1])


def test_passthrough_copies_nothing():
    X, _ = _container()
    Xt = PerView(image=StandardScaler()).fit_transform(X)
    assert Xt.sketches is X_SK
    photos = np.zeros((5, 32, 32, 3), dtype=np.uint8)
    X = SketchImageArray(np.zeros((3, 32, 32), dtype=np.uint8), photos)[[7, 0, 4, 1]]
    Xt = PerView().fit_transform(X)
    assert Xt.images is photos
    np.testing.assert_array_equal(Xt.view_rows, X.view_rows)


def test_passthrough_keeps_data_frames():
    frame = pd.DataFrame(X_SK, columns=list("abcd"))
    per_view = PerView(image=StandardScaler()).fit(SketchImageArray(frame, X_IMG))
    assert per_view.feature_names_in_.tolist() == list("abcd")
    assert per_view.transform(frame) is frame
    assert per_view.get_feature_names_out().tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        per_view.transform(frame[list("dcba")])


def test_parameters_are_nested_and_transformers_cloned():
    per_view = PerView(sketch=PCA(n_components=2))
    assert per_view.get_params()["sketch__n_components"] == 2
    per_view.set_params(sketch__n_components=3, image=StandardScaler(), image__with_mean=False)
    fitted = clone(per_view).fit(_container()[0])
    assert fitted.sketch_.n_components_ == 3
    assert fitted.sketch_ is not fitted.sketch
    assert not hasattr(fitted.sketch, "n_components_")
    assert fitted.image_.with_mean is False
    assert per_view.sketch.n_components == 3


def test_one_view_only():
    per_view = PerView(sketch=PCA(2), image=StandardScaler()).fit(SketchImageArray(None, X_IMG))
    assert per_view.sketch_ is None
    assert per_view.n_features_in_ == 6
    np.testing.assert_allclose(per_view.transform(X_IMG), per_view.image_.transform(X_IMG))
    Xt = per_view.transform(SketchImageArray(None, X_IMG))
    assert Xt.sketches is None
    with pytest.raises(ValueError, match="fitted without rows of the sketch view"):
        per_view.transform(X_SK, view="sketch")
    with pytest.raises(ValueError, match="fitted without rows of the image view"):
        PerView().fit(X_SK).transform(_container()[0])


def test_fold_without_a_view_keeps_its_backing():
    X, _ = _container()
    Xt = PerView(sketch=StandardScaler()).fit(X).transform(X[~X.is_sketch])
    assert Xt.n_sketches == 0
    with pytest.raises(ValueError, match="StratifiedViewKFold"):
        Xt.check_views()


def test_images_are_gathered_only_for_transformers_of_arrays():
    class Recorder(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.fitted_ = True
            return self

        def transform(self, X):
            self.seen_ = X
            return np.zeros((len(X), 1))

    class ImageRecorder(Recorder):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.three_d_array = True
            return tags

    photos = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    X = SketchImageArray(photos[..., 0], photos)[[9, 0, 6, 3]]
    per_view = PerView(sketch=Recorder(), image=ImageRecorder()).fit(X)
    per_view.transform(X)
    assert isinstance(per_view.image_.seen_, RowSubset)
    np.testing.assert_array_equal(per_view.sketch_.seen_, photos[[0, 3], ..., 0])
    assert type(per_view.sketch_.seen_) is np.ndarray


def test_hog_features_of_both_views():
    photos = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    X = SketchImageArray(photos[:3, ..., 0].copy(), photos)[[6, 0, 2, 4, 1]]
    per_view = PerView(sketch=HOGFeatures(image_size=32), image=HOGFeatures(image_size=32))
    Xt = per_view.fit_transform(X)
    assert Xt.sketches.shape[1] == Xt.images.shape[1]
    np.testing.assert_allclose(Xt[0], per_view.transform(photos[3:4], view="image")[0])
    np.testing.assert_allclose(Xt[1], per_view.transform(X.sketches[:1])[0])


def test_set_output():
    X, _ = _container()
    per_view = PerView(sketch=StandardScaler(), image=PCA(2)).set_output(transform="pandas")
    Xt = per_view.fit(X).transform(X)
    assert Xt.take_view("image").columns.tolist() == ["pca0", "pca1"]
    per_view.set_output(transform="default")
    assert isinstance(per_view.transform(X).images, np.ndarray)


def test_feature_names_of_the_transformer():
    per_view = PerView(sketch=PCA(n_components=2)).fit(X_SK)
    assert per_view.get_feature_names_out().tolist() == ["pca0", "pca1"]
    assert PerView().fit(X_SK).get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]


def test_pickle():
    X, _ = _container()
    per_view = PerView(sketch=StandardScaler()).fit(X)
    again = pickle.loads(pickle.dumps(per_view))
    np.testing.assert_array_equal(again.transform(X).sketches, per_view.transform(X).sketches)


def test_sparse_output_is_refused():
    X = SketchImageArray(np.arange(4)[:, None], X_IMG)
    with pytest.raises(TypeError, match="sketches is a sparse matrix"):
        PerView(sketch=OneHotEncoder()).fit_transform(X)


def test_bad_calls():
    X, _ = _container()
    per_view = PerView().fit(X)
    with pytest.raises(ValueError, match="view is for plain arrays"):
        per_view.transform(X, view="image")
    with pytest.raises(ValueError, match="view must be 'sketch' or 'image', got 'photo'"):
        per_view.transform(X_SK, view="photo")
    with pytest.raises(ValueError, match="has 6 features, but PerView is expecting 4"):
        per_view.transform(X_IMG)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        per_view.transform(X[[]])
    with pytest.raises(ValueError, match=r"fitted on rows of shape \(4,\)"):
        per_view.transform(np.zeros((2, 32, 32), np.uint8))
    with pytest.raises(ValueError, match="'sketch' parameter of PerView must be"):
        PerView(sketch="drop").fit(X)


def test_tags_are_those_of_a_plain_array():
    assert get_tags(PerView()).input_tags.three_d_array
    assert not get_tags(PerView()).input_tags.allow_nan
    assert get_tags(PerView(sketch=SimpleImputer())).input_tags.allow_nan
    assert not get_tags(PerView(image=SimpleImputer())).input_tags.allow_nan
    assert get_tags(PerView(image=TargetEncoder())).target_tags.required
    assert get_tags(PerView(sketch=csr_to_dense())).input_tags.sparse
    rows = PerView(sketch=csr_to_dense()).fit_transform(csr_array(X_SK))
    np.testing.assert_array_equal(rows, X_SK)


def csr_to_dense():
    return FunctionTransformer(lambda X: X.toarray(), accept_sparse=True)


def test_view_is_requested_metadata():
    with config_context(enable_metadata_routing=True):
        per_view = PerView().set_transform_request(view=True)
    assert per_view.get_metadata_routing().transform.requests == {"view": True}
