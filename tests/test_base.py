"""The base class, through the smallest hasher that can be written on it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_dsh import BaseCrossModalHasher, SketchImageArray, stack_views
from sklearn_dsh.views import RowSubset


class SignHasher(BaseCrossModalHasher):
    """Bits are the signs of the first values of a row; it records what its hooks were given."""

    _view_kinds = ("features", "images", "paths")

    def __init__(self, n_bits=3, *, image_size=32):
        self.n_bits = n_bits
        self.image_size = image_size

    def _fit_views(self, data):
        self.seen_ = data

    def _project_view(self, X, view):
        if X.ndim == 1:
            return np.array([[len(str(path)) % 2 - 0.5] * self.n_bits for path in X])
        rows = np.asarray(X[:]).reshape(len(X), -1)[:, : self.n_bits].astype(float)
        return rows if rows.min() < 0 else rows - 128


class Supervised(SignHasher):
    _label_use = "required"


class NeedsPairsOrLabels(SignHasher):
    _label_use = "optional"


class SameSpace(SignHasher):
    _view_kinds = ("features",)
    _shared_feature_space = True


RNG = np.random.default_rng(0)
X_SK, X_IMG = RNG.standard_normal((5, 4)), RNG.standard_normal((7, 6))
Y_SK, Y_IMG = np.array(list("abaab")), np.array(list("bababab"))


def test_hooks_are_given_validated_views_and_encoded_labels():
    fitted = SignHasher().fit(X_SK, X_IMG, (Y_SK, Y_IMG))
    np.testing.assert_array_equal(fitted.seen_.sketch, X_SK)
    np.testing.assert_array_equal(fitted.seen_.image, X_IMG)
    np.testing.assert_array_equal(fitted.classes_[fitted.seen_.y_sketch], Y_SK)
    np.testing.assert_array_equal(fitted.classes_[fitted.seen_.y_image], Y_IMG)
    assert not fitted.seen_.paired


def test_fitted_attributes():
    fitted = SignHasher().fit(X_SK, X_IMG, (Y_SK, Y_IMG))
    assert fitted.views_ == ("sketch", "image")
    assert fitted.view_shapes_ == {"sketch": (4,), "image": (6,)}
    assert fitted.n_features_in_ == 4
    assert fitted.classes_.tolist() == ["a", "b"]
    assert fitted.get_feature_names_out().tolist() == ["signhasher0"]
    assert not hasattr(SignHasher().fit(X_SK), "classes_")


def test_codes_are_signs_by_hand():
    fitted = SignHasher(n_bits=3).fit([[1.0, -1.0, 1.0]])
    # 101 and five pad bits; zero counts as positive.
    assert fitted.transform([[2.0, -3.0, 0.0]]).tolist() == [[0b10100000]]
    assert fitted.project([[2.0, -3.0, 0.0]]).tolist() == [[2.0, -3.0, 0.0]]


def test_more_than_one_byte():
    X = np.full((1, 10), -1.0)
    X[0, [0, 9]] = 1
    fitted = SignHasher(n_bits=10).fit(X)
    assert fitted.transform(X).tolist() == [[0b10000000, 0b01000000]]
    assert fitted.get_feature_names_out().tolist() == ["signhasher0", "signhasher1"]


def test_container_rows_keep_their_order():
    X, y = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG))
    fitted = SignHasher().fit(X, y)
    expected = [
        (fitted.project([row], view="sketch" if sketch else "image"))[0]
        for row, sketch in zip((X[i] for i in range(len(X))), X.is_sketch, strict=True)
    ]
    np.testing.assert_array_equal(fitted.project(X), expected)
    only_photos = X[~X.is_sketch]
    assert fitted.transform(only_photos).shape == (7, 1)


def test_fit_transform_gives_the_codes_of_the_first_argument():
    codes = SignHasher().fit_transform(X_SK, X_IMG, (Y_SK, Y_IMG))
    np.testing.assert_array_equal(codes, SignHasher().fit(X_SK).transform(X_SK))
    X, y = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG))
    np.testing.assert_array_equal(
        SignHasher().fit_transform(X, y), SignHasher().fit(X, y).transform(X)
    )


def test_one_image_view_is_the_default_view():
    fitted = SignHasher().fit(SketchImageArray(None, X_IMG))
    assert fitted.views_ == ("image",)
    assert fitted.n_features_in_ == 6
    np.testing.assert_array_equal(fitted.transform(X_IMG), fitted.transform(X_IMG, view="image"))


def test_rows_that_may_be_of_either_view_are_asked_for_it(tmp_path):
    alike = SignHasher().fit(X_SK, -X_SK, (Y_SK, Y_SK))
    files = [tmp_path / "x.png", tmp_path / "yy.png"]
    for file in files:
        file.write_bytes(b"not empty")
    of_images = SignHasher().fit(*_images(), (Y_SK[:4], Y_IMG[:6]))
    for hasher, rows in (
        (alike, X_SK),
        (alike, pd.DataFrame(X_SK)),
        (alike, X_SK.tolist()),
        (of_images, files),
        (of_images, np.array(list(map(str, files)))),
    ):
        for method in (hasher.transform, hasher.project):
            with pytest.raises(ValueError, match=r"view='image'.*SketchImageArray\(None, X\)"):
                method(rows)
            containers = SketchImageArray(rows, None), SketchImageArray(None, rows)
            for view, container in zip(("sketch", "image"), containers, strict=True):
                np.testing.assert_array_equal(method(rows, view=view), method(container))
    # The shape says what these are.
    sketches = _images()[0]
    np.testing.assert_array_equal(
        of_images.transform(sketches), of_images.transform(sketches, view="sketch")
    )
    assert alike.fit_transform(X_SK, -X_SK, (Y_SK, Y_SK)).shape == (5, 1)


def test_score_by_hand():
    # Sketches 00 and 11; a photo of the right category at distance 0, a wrong one at 1.
    X_sk, y_sk = np.array([[-1.0, -1.0], [1.0, 1.0]]), ["a", "b"]
    X_img, y_img = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]), ["a", "c", "b"]
    fitted = SignHasher(n_bits=2).fit(X_sk, X_img, (y_sk, y_img))
    assert fitted.score(X_sk, X_img, (y_sk, y_img)) == 1.0
    # With the labels exchanged, the relevant photo comes last of three.
    assert fitted.score(X_sk, X_img, (["b", "a"], y_img)) == pytest.approx(1 / 3)
    # One view: every row queries the others; both of "a" are at distance 0, "b" has no partner.
    assert fitted.score(X_sk[[0, 0, 1]], ["a", "a", "b"]) == 1.0


def test_score_of_a_container_is_that_of_arrays():
    X, y = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG))
    fitted = SignHasher().fit(X, y)
    assert fitted.score(X, y) == pytest.approx(fitted.score(X_SK, X_IMG, (Y_SK, Y_IMG)))


def test_data_frames():
    sketches = pd.DataFrame(X_SK, columns=list("abcd"))
    photos = pd.DataFrame(X_IMG, columns=list("efghij"))
    fitted = SignHasher().fit(sketches, photos, (Y_SK, Y_IMG))
    assert fitted.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(
        fitted.transform(photos, view="image"),
        SignHasher().fit(X_SK, X_IMG, (Y_SK, Y_IMG)).transform(X_IMG, view="image"),
    )
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(photos[list("jihgfe")], view="image")
    with pytest.warns(UserWarning, match="in the image view"):
        fitted.transform(X_IMG, view="image")
    fitted.fit(X_SK)
    assert not hasattr(fitted, "feature_names_in_")


def test_set_output_with_a_container():
    X, y = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG))
    hasher = SignHasher().set_output(transform="pandas")
    frame = hasher.fit_transform(X, y)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == ["signhasher0"]
    np.testing.assert_array_equal(frame.to_numpy(), SignHasher().fit_transform(X, y))
    assert hasher.score(X, y) == SignHasher().fit(X, y).score(X, y)
    index = [f"row{i}" for i in range(5)]
    assert hasher.transform(pd.DataFrame(X_SK, index=index)).index.tolist() == index


def _images(n_sketches=4, n_images=6, side=32):
    return (
        RNG.integers(0, 256, (n_sketches, side, side), dtype=np.uint8),
        RNG.integers(0, 256, (n_images, side, side, 3), dtype=np.uint8),
    )


def test_images():
    sketches, photos = _images()
    fitted = SignHasher().fit(sketches, photos, (Y_SK[:4], Y_IMG[:6]))
    assert fitted.view_shapes_ == {"sketch": (32, 32), "image": (32, 32, 3)}
    assert fitted.n_features_in_ == 32 * 32
    assert fitted.seen_.image is photos
    X = SketchImageArray(sketches, photos)[[5, 0, 8, 2, 4]]
    fitted.fit(X, ["a", "a", "b", "b", "b"])
    assert isinstance(fitted.seen_.image, RowSubset)
    assert fitted.transform(X).shape == (5, 1)
    with pytest.raises(ValueError, match=r"fitted on rows of shape \(32, 32\)"):
        fitted.transform(_images(side=40)[0])


def test_paths_follow_images_and_images_follow_paths(tmp_path):
    sketches, photos = _images()
    paths = []
    for name in ("x.png", "yy.png"):
        (tmp_path / name).write_bytes(b"not empty")
        paths.append(tmp_path / name)
    fitted = SignHasher(image_size=48).fit(sketches, photos, (Y_SK[:4], Y_IMG[:6]))
    assert fitted.transform(paths, view="image").shape == (2, 1)
    fitted = SignHasher().fit(paths, paths, (["a", "b"], ["a", "b"]))
    assert fitted.view_shapes_ == {"sketch": (32, 32), "image": (32, 32, 3)}
    assert fitted.transform(photos, view="image").shape == (6, 1)
    with pytest.raises(ValueError, match=r"fitted on rows of shape \(32, 32\)"):
        fitted.transform(X_SK)
    features = SignHasher().fit(X_SK, X_IMG, (Y_SK, Y_IMG))
    with pytest.raises(ValueError, match=r"fitted on rows of shape \(4,\)"):
        features.transform(paths)


@pytest.mark.parametrize(
    ("hasher", "call", "accepted"),
    [
        (Supervised(), (X_SK,), False),
        (Supervised(), (X_SK, X_IMG[:5]), False),
        (Supervised(), (X_SK, Y_SK), True),
        (NeedsPairsOrLabels(), (X_SK,), False),
        (NeedsPairsOrLabels(), (X_SK, X_IMG[:5]), True),
        (NeedsPairsOrLabels(), (X_SK, Y_SK), True),
        (NeedsPairsOrLabels(), (stack_views(X_SK, X_IMG)[0],), False),
        (SignHasher(), (X_SK,), True),
        (SignHasher(), (stack_views(X_SK, X_IMG)[0],), True),
    ],
)
def test_which_hashers_need_labels(hasher, call, accepted):
    if accepted:
        clone(hasher).fit(*call)
    else:
        with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
            clone(hasher).fit(*call)


def test_nothing_is_set_when_arguments_are_bad():
    hasher = Supervised()
    for call in ((X_SK, X_IMG, Y_SK), (X_SK,), (X_SK * np.nan, Y_SK), (X_SK, RNG.random(5))):
        with pytest.raises(ValueError):
            hasher.fit(*call)
    assert set(vars(hasher)) == {"n_bits", "image_size"}


def test_what_is_left_out_of_pickles_survives_a_fit():
    class Handle(SignHasher):
        def __getstate__(self):
            return {**super().__getstate__(), "handle": None}

    hasher = Handle()
    hasher.handle = handle = object()
    assert hasher.fit(X_SK, X_IMG, (Y_SK, Y_IMG)) is hasher
    assert hasher.handle is handle
    assert hasher.views_ == ("sketch", "image")


def test_one_feature_space():
    SameSpace().fit(X_SK, X_IMG[:, :4], (Y_SK, Y_IMG))
    with pytest.raises(ValueError, match="4 features for sketches and 6 for photos"):
        SameSpace().fit(X_SK, X_IMG, (Y_SK, Y_IMG))


def test_only_view_is_routed():
    hasher = SignHasher()
    routing = hasher.get_metadata_routing()
    requested = {
        method: dict(getattr(routing, method).requests) for method in ("fit", "transform", "score")
    }
    assert requested == {"fit": {}, "transform": {"view": None}, "score": {}}
