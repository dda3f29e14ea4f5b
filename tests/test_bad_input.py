"""What bad input gets: the message is part of the interface.

Bad codes are in codes/test_packed.py, bad image files in preprocessing/.
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from sklearn_dsh import (
    CCAHasher,
    Compact,
    DeepSketchHasher,
    ITQHasher,
    RandomProjectionHasher,
    SketchImageArray,
    retrieval_scorer,
    stack_views,
)

RNG = np.random.default_rng(0)
X_SK, X_IMG = RNG.standard_normal((6, 5)), RNG.standard_normal((9, 5))
Y_SK, Y_IMG = np.arange(6) % 3, np.arange(9) % 3
SKETCHES = RNG.integers(0, 256, (6, 32, 32), dtype=np.uint8)
PHOTOS = RNG.integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
CONTAINER, ROWS = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG))
NAN, INF = X_SK.copy(), X_SK.copy()
NAN[1, 2], INF[1, 2] = np.nan, np.inf

HASHERS = [
    DeepSketchHasher(max_iter=1, steps_per_iter=2, architecture=Compact(32), random_state=0),
    ITQHasher(),
    CCAHasher(),
    RandomProjectionHasher(),
]
DEEP, ITQ, CCA, RANDOM = HASHERS

every_hasher = pytest.mark.parametrize("hasher", HASHERS, ids=lambda h: type(h).__name__)


def assert_fit_raises(hasher, call, *texts, error=ValueError):
    """Fit must fail with all texts in the message, before anything is learned."""
    hasher = clone(hasher)
    with pytest.raises(error) as caught:
        hasher.fit(*call)
    for text in texts:
        assert text in str(caught.value)
    assert set(vars(hasher)) == set(hasher.get_params(deep=False))


CALLS = {
    "unpaired arrays with one y": (
        (X_SK, X_IMG, Y_SK),
        ["6 sketches and 9 photos are not paired", "n_samples", "y=(y_sk, y_img)"],
    ),
    "unpaired arrays with one y of the photos": (
        (X_SK, X_IMG, Y_IMG),
        ["6 sketches and 9 photos are not paired", "y=(y_sk, y_img)"],
    ),
    "unpaired arrays with concatenated y": (
        (X_SK, X_IMG, np.r_[Y_SK, Y_IMG]),
        ["not paired", "15 labels", "y=(y_sk, y_img)"],
    ),
    "unpaired arrays without y": (
        (X_SK, X_IMG),
        ["6 sketches and 9 photos without labels", "n_samples", "y=(y_sk, y_img)"],
    ),
    "pairs with too few labels": (
        (X_SK, X_IMG[:6], Y_SK[:4]),
        ["y has 4 labels", "n_samples=6 pairs", "y=(y_sk, y_img)"],
    ),
    "labels of the views exchanged": (
        (X_SK, X_IMG, (Y_IMG, Y_SK)),
        ["y_sk has 9 labels", "n_samples=6 sketches", "y=(y_sk, y_img)"],
    ),
    "too few labels of photos": (
        (X_SK, X_IMG, (Y_SK, Y_IMG[:2])),
        ["y_img has 2 labels", "n_samples=9 photos"],
    ),
    "a 3-tuple": (
        (X_SK, X_IMG, (Y_SK, Y_IMG, Y_IMG)),
        ["y is a tuple of 3", "y=(y_sk, y_img)"],
    ),
    "a list of two label arrays": (
        (X_SK, X_IMG, [Y_SK, Y_IMG]),
        ["as a tuple, not a list", "y=(y_sk, y_img)"],
    ),
    "a list of two label arrays of one length": (
        (X_SK, X_IMG[:6], [Y_SK, Y_SK]),
        ["shape (2, 6)", "as a tuple, not a list", "y=(y_sk, y_img)"],
    ),
    "labels that are a table": (
        (X_SK, X_IMG, (np.eye(6), np.eye(9))),
        ["y_sk should be a 1d array of labels", "(6, 6)"],
    ),
    "a tuple of labels in place of photos": (
        (X_SK, (Y_SK, Y_IMG)),
        ["A tuple of 2 was given where photos", "fit(X_sk, X_img, y=(y_sk, y_img))"],
    ),
    "a tuple of labels without photos": (
        (X_SK, None, (Y_SK, Y_IMG)),
        ["photos are missing", "y=(y_sk, y_img)"],
    ),
    "one view with too many labels": (
        (X_SK, Y_IMG),
        ["y has 9 labels", "n_samples=6", "(y_sk, y_img)"],
    ),
    "one view with a number for labels": ((X_SK, 3), ["y should be a 1d array"]),
    "container plus Y": (
        (CONTAINER, X_IMG, ROWS),
        ["X is a SketchImageArray, which holds both views", "fit(X, y)"],
    ),
    "container plus photos without labels": (
        (CONTAINER, X_IMG),
        ["X is a SketchImageArray, which holds both views"],
    ),
    "container second": ((X_SK, CONTAINER), ["pass it first, fit(X, y)"]),
    "container as labels": ((X_SK, X_IMG, CONTAINER), ["pass it first, fit(X, y)"]),
    "container with a tuple": (
        (CONTAINER, None, (Y_SK, Y_IMG)),
        ["one label a row", "stack_views(X_sk, X_img, (y_sk, y_img))"],
    ),
    "container with too few labels": (
        (CONTAINER, ROWS[:-1]),
        ["y has 14 labels", "n_samples=15"],
    ),
    "a fold without sketches": (
        (CONTAINER[~CONTAINER.is_sketch], Y_IMG),
        ["None of the n_samples=9 rows is of the sketch view", "StratifiedViewKFold"],
    ),
    "a fold without photos": (
        (CONTAINER[CONTAINER.is_sketch], Y_SK),
        ["None of the n_samples=6 rows is of the image view", "StratifiedViewKFold"],
    ),
    "an empty container": ((CONTAINER[[]], []), ["0 sample(s)"]),
    "continuous y": (
        (X_SK, X_IMG, (Y_SK + 0.5, Y_IMG + 0.5)),
        ["Unknown label type: continuous"],
    ),
    "continuous y of one view": ((X_SK, RNG.random(6)), ["Unknown label type: continuous"]),
    "NaN labels": ((X_SK, np.where(Y_SK == 1, np.nan, Y_SK)), ["Input y contains NaN"]),
    "infinite labels": ((X_SK, np.where(Y_SK == 1, np.inf, Y_SK)), ["Input y contains infinity"]),
    "None among labels": (
        (X_SK, np.array(["a", None, "b", "a", "b", "a"], dtype=object)),
        ["Unknown label type"],
    ),
    "text and number labels": (
        (X_SK, X_IMG, (Y_SK.astype(str), Y_IMG)),
        ["Labels of the sketches are text and labels of the photos are numbers"],
    ),
    "labels with nothing in common": (
        (X_SK, X_IMG, (np.full(6, "Cat"), np.full(9, "cat"))),
        ["no category in common", "'Cat'", "'cat'"],
    ),
    "NaN": ((NAN, X_IMG, (Y_SK, Y_IMG)), ["Input X contains NaN"]),
    "NaN in photos": ((X_IMG[:6], NAN, Y_SK), ["Input photos contains NaN"]),
    "infinity": ((INF, X_IMG, (Y_SK, Y_IMG)), ["Input X contains infinity"]),
    "complex": ((X_SK + 1j, Y_SK), ["Complex data not supported"]),
    "no rows": ((X_SK[:0], X_IMG, (Y_SK[:0], Y_IMG)), ["0 sample(s)"]),
    "no photos": ((X_SK, X_IMG[:0], (Y_SK, Y_IMG[:0])), ["0 sample(s)", "in the image view"]),
    "no columns": ((X_SK[:, :0], Y_SK), ["0 feature(s)"]),
    "one dimension": ((X_SK[:, 0], Y_SK), ["Reshape your data"]),
    "text": ((np.full((6, 2), "1.5"), Y_SK), ["X of shape (6, 2) holds str", "must be numbers"]),
    "text among numbers": (
        (np.array([["1", 2.5]] * 6, dtype=object), Y_SK),
        ["X of shape (6, 2) holds float and str"],
    ),
}


@every_hasher
@pytest.mark.parametrize("case", CALLS)
def test_fit(hasher, case):
    call, texts = CALLS[case]
    assert_fit_raises(hasher, call, *texts)


@every_hasher
@pytest.mark.parametrize("case", [case for case in CALLS if "label" in case or "tuple" in case])
def test_score_refuses_the_same_labels(hasher, case):
    call, texts = CALLS[case]
    fitted = clone(hasher).fit(X_SK, X_IMG, (Y_SK, Y_IMG))
    if case == "labels with nothing in common":  # then no query has a relevant item
        assert np.isnan(fitted.score(*call))
        return
    with pytest.raises(ValueError) as caught:
        fitted.score(*call)
    for text in texts:
        assert text in str(caught.value)


@every_hasher
@pytest.mark.parametrize(
    "call",
    [
        (csr_array(X_SK), X_IMG, (Y_SK, Y_IMG)),
        (X_SK, csr_array(X_IMG), (Y_SK, Y_IMG)),
        (csr_array(X_SK), Y_SK),
    ],
)
def test_sparse(hasher, call):
    assert_fit_raises(hasher, call, "Sparse data was passed", error=TypeError)


def test_sparse_in_a_container():
    with pytest.raises(TypeError, match="images is a sparse matrix"):
        stack_views(X_SK, csr_array(X_IMG))


def test_missing_y():
    for call in ((X_SK, X_IMG[:6]), (X_SK,), (CONTAINER,)):
        assert_fit_raises(
            DEEP, call, "DeepSketchHasher requires y to be passed, but the target y is None"
        )
    assert_fit_raises(CCA, (X_SK,), "requires y to be passed", "or pairs fit(X_sk, X_img)")


@every_hasher
def test_score_needs_y(hasher):
    fitted = clone(hasher).fit(X_SK, X_IMG, (Y_SK, Y_IMG))
    for call in ((X_SK, X_IMG[:6]), (X_SK,), (CONTAINER,)):
        with pytest.raises(ValueError, match="score requires y to be passed"):
            fitted.score(*call)


IMAGE_CALLS = {
    "photos and sketches exchanged": (
        (PHOTOS, SKETCHES, (Y_IMG, Y_SK)),
        ["Sketches must be images of shape (n, H, W)", "(9, 32, 32, 3)", "fit(X_sk, X_img, y)"],
    ),
    "colour sketches": (
        (PHOTOS[:6], PHOTOS, (Y_SK, Y_IMG)),
        ["Sketches must be images of shape (n, H, W)", "view='image'"],
    ),
    "grey photos": (
        (SKETCHES, SKETCHES, Y_SK),
        ["Photos must be images of shape (n, H, W, 3)", "got shape (6, 32, 32)", "view='sketch'"],
    ),
    "four channels": (
        (SKETCHES, np.zeros((6, 32, 32, 4), np.uint8), Y_SK),
        ["must be (n, H, W, 3)", "(6, 32, 32, 4)"],
    ),
    "channels first": (
        (SKETCHES, PHOTOS[:6].transpose(0, 3, 1, 2), Y_SK),
        ["must be (n, H, W, 3)", "(6, 3, 32, 32)"],
    ),
    "five dimensions": ((SKETCHES, PHOTOS[:6, None], Y_SK), ["must be (n, H, W, 3)"]),
    "float images": (
        (SKETCHES / 255, PHOTOS, (Y_SK, Y_IMG)),
        ["must be uint8", "float64", "astype('uint8')"],
    ),
    "signed images": ((SKETCHES.astype(np.int64), PHOTOS, (Y_SK, Y_IMG)), ["uint8", "int64"]),
    "small images": (
        (SKETCHES[:, :31], PHOTOS, (Y_SK, Y_IMG)),
        ["at least 32 x 32 pixels, got 31 x 32"],
    ),
    "no images": ((SKETCHES[:0], PHOTOS, (Y_SK[:0], Y_IMG)), ["0 sample(s)", "sketch view"]),
    "features and images": (
        (X_SK, PHOTOS, (Y_SK, Y_IMG)),
        ["One view holds feature vectors and the other images", "(32, 32, 3)"],
    ),
    "container of exchanged views": (
        (SketchImageArray(PHOTOS, SKETCHES), np.r_[Y_IMG, Y_SK]),
        ["Sketches must be images of shape (n, H, W)"],
    ),
}


@pytest.mark.parametrize("case", IMAGE_CALLS)
def test_fit_images(case):
    call, texts = IMAGE_CALLS[case]
    assert_fit_raises(DEEP, call, *texts)


@pytest.mark.parametrize("hasher", [ITQ, CCA, RANDOM], ids=lambda h: type(h).__name__)
def test_images_where_features_are_needed(hasher):
    name = type(hasher).__name__
    assert_fit_raises(
        hasher,
        (SKETCHES, PHOTOS, (Y_SK, Y_IMG)),
        f"{name} takes feature vectors (n_samples, n_features)",
        "(6, 32, 32)",
        "PerView(sketch=HOGFeatures(), image=HOGFeatures())",
    )
    assert_fit_raises(hasher, (["a.png"], ["b"]), f"{name} takes feature vectors", "image paths")


def _image_files(folder, n):
    paths = [folder / f"{i}.png" for i in range(n)]
    for path in paths:
        path.write_bytes(b"these bytes are looked at later")
    return paths


@every_hasher
@pytest.mark.parametrize("kind", [str, Path])
def test_photo_paths_as_second_of_two_arguments(hasher, kind, tmp_path):
    paths = [kind(path) for path in _image_files(tmp_path, 6)]
    assert_fit_raises(
        hasher,
        (paths, paths),
        "taken for labels, but its strings are existing files",
        str(tmp_path / "0.png"),
        "y=(y_sk, y_img)",
    )


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda paths: str(paths[0]), "X of shape () holds str"),
        (lambda paths: [*paths[:2], None], "X of shape (3,) holds NoneType and PosixPath"),
        (lambda paths: pd.DataFrame({"path": map(str, paths)}), "X of shape (3, 1) holds str"),
    ],
    ids=["one path", "a missing path", "a table"],
)
def test_paths_that_are_no_array_of_paths(make, given, tmp_path):
    X = make(_image_files(tmp_path, 3))
    y = [0] if isinstance(X, str) else [0, 1, 0]
    assert_fit_raises(DEEP, (X, y), given, "1-D array or list of nothing but str")


def test_text_in_place_of_photos_features():
    photos = np.full((9, 2), "a")
    with pytest.raises(ValueError, match=r"^photos of shape \(9, 2\) holds str: .* numbers\.$"):
        CCAHasher().fit(X_SK, photos, (Y_SK, Y_IMG))
    late = X_SK[np.arange(150) % 6].astype(object)
    late[120, 0] = "1.5"
    with pytest.raises(ValueError, match=r"X of shape .* holds float and str"):
        CCAHasher().fit(late, np.arange(150) % 3)


def test_unreadable_paths(tmp_path):
    paths = _image_files(tmp_path, 3)
    missing, folder, empty = tmp_path / "missing.png", tmp_path / "folder", tmp_path / "empty.png"
    folder.mkdir()
    empty.touch()
    for path, text in (
        (missing, "cannot be read"),
        (folder, "not a regular file"),
        (empty, "empty (0 bytes)"),
    ):
        bad = [*paths[:2], path]
        assert_fit_raises(DEEP, (bad, paths, ([0, 1, 0], [0, 1, 0])), str(path), text)
        assert_fit_raises(DEEP, (paths, bad, ([0, 1, 0], [0, 1, 0])), str(path), text)
    entries = [entry for entry in os.scandir(tmp_path) if entry.name == "folder"]
    assert_fit_raises(DEEP, (entries, [0]), str(folder), "not a regular file")
    with pytest.raises(ValueError, match=r"file 'missing\.png' cannot be read") as caught:
        clone(DEEP).fit(["missing.png"], [0])
    assert "str_" not in str(caught.value)


@every_hasher
class TestTransform:
    def test_wrong_view(self, hasher):
        fitted = clone(hasher).fit(X_SK, X_IMG, (Y_SK, Y_IMG))
        for method in (fitted.transform, fitted.project):
            for view in ("photo", "Sketch", 1, ["sketch"]):
                text = re.escape(f"view must be 'sketch' or 'image', got {view!r}")
                with pytest.raises(ValueError, match=text):
                    method(X_SK, view=view)

    def test_view_that_was_not_fitted(self, hasher):
        fitted = clone(hasher).fit(X_SK, Y_SK)
        for method in (fitted.transform, fitted.project):
            with pytest.raises(ValueError, match="fitted on the sketch view only, so view='image'"):
                method(X_IMG, view="image")
            with pytest.raises(ValueError, match="fitted on the sketch view only"):
                method(CONTAINER)
        with pytest.raises(ValueError, match=r"Fit both views: fit\(X_sk, X_img, y\)"):
            fitted.score(X_SK, X_IMG, (Y_SK, Y_IMG))

    def test_view_with_a_container(self, hasher):
        fitted = clone(hasher).fit(CONTAINER, ROWS)
        with pytest.raises(ValueError, match="view='image' was given with a SketchImageArray"):
            fitted.transform(CONTAINER, view="image")

    def test_other_number_of_features(self, hasher):
        fitted = clone(hasher).fit(X_SK, X_IMG, (Y_SK, Y_IMG))
        for view in ("sketch", "image"):
            text = f"X has 4 features, but {type(hasher).__name__} is expecting 5 features as input"
            with pytest.raises(ValueError, match=text):
                fitted.transform(X_SK[:, :4], view=view)

    def test_unsound_rows(self, hasher):
        fitted = clone(hasher).fit(X_SK, X_IMG, (Y_SK, Y_IMG))
        with pytest.raises(ValueError, match="contains NaN"):
            fitted.transform(NAN, view="sketch")
        with pytest.raises(ValueError, match="contains infinity"):
            fitted.transform(INF, view="image")
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            fitted.transform(X_SK[:0], view="sketch")
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            fitted.transform(CONTAINER[[]])
        with pytest.raises(TypeError, match="Sparse data"):
            fitted.transform(csr_array(X_SK), view="sketch")
        with pytest.raises(ValueError, match="Reshape your data"):
            fitted.transform(X_SK[0], view="sketch")


def test_photos_encoded_as_sketches():
    fitted = clone(DEEP).fit(SKETCHES, PHOTOS, (Y_SK, Y_IMG))
    with pytest.raises(ValueError, match="photos are encoded with view='image'"):
        fitted.transform(PHOTOS)
    with pytest.raises(ValueError, match="sketches are encoded with view='sketch'"):
        fitted.transform(SKETCHES, view="image")
    with pytest.raises(ValueError, match=r"fitted on rows of shape \(32, 32\)"):
        fitted.transform(np.zeros((2, 40, 40), np.uint8))


@pytest.mark.parametrize("hasher", [ITQ, RANDOM], ids=lambda h: type(h).__name__)
def test_views_of_different_width_need_another_method(hasher):
    assert_fit_raises(
        hasher,
        (X_SK, X_IMG[:, :4], (Y_SK, Y_IMG)),
        "5 features for sketches and 4 for photos",
        "CCAHasher",
    )


@every_hasher
@pytest.mark.parametrize("n_bits", [0, -1, 8.0, "8", None])
def test_n_bits(hasher, n_bits):
    with pytest.raises(ValueError, match="The 'n_bits' parameter of"):
        clone(hasher).set_params(n_bits=n_bits).fit(X_SK, Y_SK)


def test_ordinary_folds_name_the_splitter():
    X, y = stack_views(X_SK, X_IMG, (Y_SK, Y_IMG), interleave=False)
    with pytest.raises(ValueError, match="StratifiedViewKFold"):
        cross_val_score(ITQHasher(8), X, y, cv=KFold(3), error_score="raise")
    with pytest.raises(ValueError, match="StratifiedViewKFold"):
        GridSearchCV(ITQHasher(), {"n_bits": [8]}, cv=KFold(3), error_score="raise").fit(X, y)


def test_scorer_on_a_fold_without_a_view():
    fitted = ITQHasher(8).fit(CONTAINER, ROWS)
    photos = ~CONTAINER.is_sketch
    for score in (fitted.score, lambda X, y: retrieval_scorer("precision_at_k")(fitted, X, y)):
        with pytest.raises(ValueError, match="StratifiedViewKFold"):
            score(CONTAINER[photos], ROWS[photos])
