"""Checks that every hasher passes beside scikit-learn's own `check_estimator`.

They test what scikit-learn knows nothing of: two views, their containers and packed codes.
"""

import pickle
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from .codes import unpack_bits
from .views import SketchImageArray, stack_views

__all__ = ["check_hasher", "hasher_checks_generator"]

_N_BITS = 13  # not divisible by 8


def check_hasher(hasher: Any) -> None:
    """Run every check of this module on a hasher.

    Parameters
    ----------
    hasher : BaseCrossModalHasher instance
        An instance with the parameters to test it with; it is cloned, never fitted itself. The
        checks set `n_bits` and, where it is None, `random_state`.

    Raises
    ------
    AssertionError
        If a check fails.

    See Also
    --------
    hasher_checks_generator : The single checks, for ``pytest.mark.parametrize``.
    sklearn.utils.estimator_checks.check_estimator : Scikit-learn's checks.

    Examples
    --------
    >>> from sklearn_dsh import RandomProjectionHasher
    >>> from sklearn_dsh.estimator_checks import check_hasher
    >>> check_hasher(RandomProjectionHasher())
    """
    for instance, check in hasher_checks_generator(hasher):
        check(instance)


def hasher_checks_generator(hasher: Any) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """Yield (hasher, check) pairs; ``check(hasher)`` raises AssertionError if it fails.

    Every check runs on feature vectors; those that depend on what the rows are also run on images
    where the hasher's tags say that it takes them.

    Parameters
    ----------
    hasher : BaseCrossModalHasher instance
        The hasher to test.

    Yields
    ------
    hasher : BaseCrossModalHasher instance
        The same hasher.
    check : callable
        Takes the hasher; its ``__name__`` says what it checks.

    Examples
    --------
    >>> from sklearn_dsh import RandomProjectionHasher
    >>> from sklearn_dsh.estimator_checks import hasher_checks_generator
    >>> checks = list(hasher_checks_generator(RandomProjectionHasher()))
    >>> checks[0][1].__name__
    'check_container_equals_arrays'
    """
    for check in _CHECKS:
        yield hasher, check
    if get_tags(hasher).input_tags.three_d_array:
        for check in _IMAGE_CHECKS:
            on_images = partial(check, make_views=_image_views)
            on_images.__name__ = f"{check.__name__}_on_images"
            yield hasher, on_images


def _feature_views(n_sketches=18, n_images=26, n_features=20, random_state=0):
    """Unpaired feature vectors of three well separated categories with text labels."""
    rng = np.random.default_rng(random_state)
    centres = 4 * rng.standard_normal((3, n_features))
    parts = []
    for n_rows in (n_sketches, n_images):
        y = rng.permutation(np.arange(n_rows) % 3)
        X = centres[y] + rng.standard_normal((n_rows, n_features))
        parts.append((X, np.array(["cat", "dog", "eel"])[y]))
    (X_sk, y_sk), (X_img, y_img) = parts
    return X_sk, X_img, y_sk, y_img


def _image_views(n_sketches=12, n_images=16, side=32, random_state=0):
    """Unpaired images: one position of a bar per category, black on white and in colour."""
    rng = np.random.default_rng(random_state)
    y_sk, y_img = np.arange(n_sketches) % 3, np.arange(n_images) % 3
    X_sk = np.full((n_sketches, side, side), 255, dtype=np.uint8)
    X_img = rng.integers(120, 256, (n_images, side, side, 3), dtype=np.uint8)
    for images, y in ((X_sk, y_sk), (X_img, y_img)):
        for image, label in zip(images, y, strict=True):
            start = 3 + 9 * label + rng.integers(0, 3)
            image[start : start + 3] = 10
    names = np.array(["cat", "dog", "eel"])
    return X_sk, X_img, names[y_sk], names[y_img]


def _seeded(hasher, **params):
    """Clone with a seed and a number of bits that needs padding."""
    new = clone(hasher).set_params(n_bits=_N_BITS, **params)
    if "random_state" in new.get_params() and new.random_state is None:
        new.set_params(random_state=0)
    return new


def check_container_equals_arrays(hasher, make_views=_feature_views):
    """`fit(X, y)` with a container is `fit(X_sk, X_img, (y_sk, y_img))`, and so is `score`."""
    X_sk, X_img, y_sk, y_img = make_views()
    by_arrays = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    X, y = stack_views(X_sk, X_img, (y_sk, y_img), interleave=False)
    by_container = _seeded(hasher).fit(X, y)
    for rows, view in ((X_sk, "sketch"), (X_img, "image")):
        np.testing.assert_array_equal(
            by_arrays.transform(rows, view=view), by_container.transform(rows, view=view)
        )
    np.testing.assert_allclose(
        by_arrays.score(X_sk, X_img, (y_sk, y_img)), by_container.score(X, y)
    )
    if hasattr(by_arrays, "classes_"):
        np.testing.assert_array_equal(by_arrays.classes_, by_container.classes_)


def check_container_rows_are_aligned(hasher, make_views=_feature_views):
    """Row i of the codes is the code of row i of a container, interleaved or cut."""
    X_sk, X_img, y_sk, y_img = make_views()
    X, y = stack_views(X_sk, X_img, (y_sk, y_img))
    fitted = _seeded(hasher).fit(X, y)
    for part in (X, X[::2], X[X.is_sketch], X[~X.is_sketch][[1, 0]]):
        for method in (fitted.transform, fitted.project):
            got = method(part)
            assert got.shape[0] == len(part)
            for view, in_view in (("sketch", part.is_sketch), ("image", ~part.is_sketch)):
                if in_view.any():
                    expected = method(part.take_view(view), view=view)
                    np.testing.assert_allclose(got[in_view], expected, rtol=1e-5, atol=1e-6)


def check_codes_are_packed_signs(hasher, make_views=_feature_views):
    """Codes are uint8, `project >= 0` packed, and the bits that fill the last byte are zero."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    for rows, view in ((X_sk, "sketch"), (X_img, "image")):
        codes, values = fitted.transform(rows, view=view), fitted.project(rows, view=view)
        assert codes.dtype == np.uint8
        assert codes.shape == (len(rows), -(-_N_BITS // 8))
        assert values.dtype.kind == "f"
        assert values.shape == (len(rows), _N_BITS)
        np.testing.assert_array_equal(unpack_bits(codes, _N_BITS), values >= 0)
        assert not np.unpackbits(codes, axis=1)[:, _N_BITS:].any(), "pad bits are not zero"
    assert len(fitted.get_feature_names_out()) == -(-_N_BITS // 8)


def check_transform_follows_permutation(hasher, make_views=_feature_views):
    """Permuted rows have permuted codes."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    for rows, view in ((X_sk, "sketch"), (X_img, "image")):
        order = np.random.default_rng(1).permutation(len(rows))
        np.testing.assert_allclose(
            fitted.project(rows[order], view=view),
            fitted.project(rows, view=view)[order],
            rtol=1e-4,
            atol=1e-5,
        )


def check_score_ignores_gallery_order(hasher, make_views=_feature_views):
    """The score does not depend on the order of photos or sketches and lies in [0, 1]."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    score = fitted.score(X_sk, X_img, (y_sk, y_img))
    assert isinstance(score, float)
    assert 0 <= score <= 1
    rng = np.random.default_rng(1)
    i, j = rng.permutation(len(X_sk)), rng.permutation(len(X_img))
    np.testing.assert_allclose(fitted.score(X_sk[i], X_img[j], (y_sk[i], y_img[j])), score)


def check_one_view(hasher, make_views=_feature_views):
    """A hasher fitted on one view encodes and scores it and refuses the other."""
    X_sk, X_img, y_sk, y_img = make_views()
    for view, other, rows, y, container in (
        ("sketch", "image", X_sk, y_sk, SketchImageArray(X_sk, None)),
        ("image", "sketch", X_img, y_img, SketchImageArray(None, X_img)),
    ):
        fitted = _seeded(hasher).fit(container, y)
        codes = fitted.transform(container)
        np.testing.assert_array_equal(codes, fitted.transform(rows))
        np.testing.assert_array_equal(codes, fitted.transform(rows, view=view))
        np.testing.assert_allclose(fitted.score(container, y), fitted.score(rows, y))
        _assert_raises(f"fitted on the {view} view only", fitted.transform, rows, view=other)
    by_array = _seeded(hasher).fit(X_sk, y_sk)
    by_container = _seeded(hasher).fit(SketchImageArray(X_sk, None), y_sk)
    np.testing.assert_array_equal(by_array.transform(X_sk), by_container.transform(X_sk))


def check_pickle_and_memmap(hasher, make_views=_feature_views):
    """A pickled hasher, and one loaded with its arrays memory-mapped, give the same codes."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hasher.joblib"
        joblib.dump(fitted, path)
        loaded = [pickle.loads(pickle.dumps(fitted)), joblib.load(path, mmap_mode="r")]
        for rows, view in ((X_sk, "sketch"), (X_img, "image")):
            for other in loaded:
                np.testing.assert_array_equal(
                    other.transform(rows, view=view), fitted.transform(rows, view=view)
                )
        del loaded, other  # Windows keeps mapped files


def check_refit_resets(hasher, make_views=_feature_views):
    """A second fit is as if it were the first: other views, labels and bits leave no trace."""
    X_sk, X_img, y_sk, y_img = make_views()
    fresh = _seeded(hasher).fit(SketchImageArray(X_sk, None), y_sk)
    again = _seeded(hasher).set_params(n_bits=5)
    again.fit(X_sk, X_img, (np.char.add(y_sk, "s"), np.char.add(y_img, "s")))
    again.set_params(n_bits=_N_BITS).fit(SketchImageArray(X_sk, None), y_sk)
    np.testing.assert_array_equal(again.transform(X_sk), fresh.transform(X_sk))
    assert set(vars(again)) == set(vars(fresh)), "fitted attributes were left over or lost"
    assert again.views_ == ("sketch",)


def check_random_state_repeats(hasher, make_views=_feature_views):
    """An int `random_state` gives the same codes whatever the global generator does."""
    X_sk, X_img, y_sk, y_img = make_views()
    codes = []
    for _ in range(2):
        fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
        codes.append(fitted.transform(X_sk, view="sketch"))
        np.random.random_sample(3)  # noqa: NPY002 - moves the global generator on purpose
    np.testing.assert_array_equal(codes[0], codes[1])


def check_fit_leaves_global_random_state(hasher, make_views=_feature_views):
    """Neither fit nor transform touches numpy's global generator."""
    X_sk, X_img, y_sk, y_img = make_views()
    before = np.random.get_state()  # noqa: NPY002
    _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img)).transform(X_sk, view="sketch")
    # All of it: drawing moves the position long before the key changes.
    for now, then in zip(np.random.get_state(), before, strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(now, then)


def check_transform_adds_nothing(hasher, make_views=_feature_views):
    """`transform`, `project` and `score` leave the hasher and its input as they were."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    kept = X_sk.copy(), X_img.copy()
    before, state = set(vars(fitted)), pickle.dumps(vars(fitted))
    fitted.transform(X_sk, view="sketch")
    fitted.project(X_img, view="image")
    fitted.score(X_sk, X_img, (y_sk, y_img))
    assert set(vars(fitted)) == before, "attributes were added"
    assert pickle.dumps(vars(fitted)) == state, "fitted attributes were changed"
    np.testing.assert_array_equal(X_sk, kept[0])
    np.testing.assert_array_equal(X_img, kept[1])


def check_paired_call(hasher, make_views=_feature_views):
    """`fit(X_sk, X_img, y)` with pairs equals a pair of the same labels, except for pairing."""
    X_sk, X_img, y_sk, _ = make_views()
    X_img = X_img[: len(X_sk)]
    fitted = _seeded(hasher).fit(X_sk, X_img, y_sk)
    score = fitted.score(X_sk, X_img, y_sk)
    np.testing.assert_allclose(fitted.score(X_sk, X_img, (y_sk, y_sk)), score)
    codes = _seeded(hasher).fit_transform(X_sk, X_img, y_sk)
    np.testing.assert_array_equal(codes, fitted.transform(X_sk, view="sketch"))


def check_labels_are_asked_for(hasher, make_views=_feature_views):
    """Without labels a hasher learns, or says that it requires y; `score` always does."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    _assert_raises("requires y to be passed", fitted.score, X_sk, X_img[: len(X_sk)])
    if get_tags(hasher).target_tags.required:
        _assert_raises("requires y to be passed", _seeded(hasher).fit, X_sk, X_img[: len(X_sk)])
    else:
        unsupervised = _seeded(hasher).fit(X_sk, X_img[: len(X_sk)])
        assert not hasattr(unsupervised, "classes_")


def check_memmap_is_read(hasher, make_views=_feature_views):
    """Read-only memory maps give the codes of arrays."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk, X_img, (y_sk, y_img))
    with tempfile.TemporaryDirectory() as folder:
        mapped = []
        for name, rows in (("sketches", X_sk), ("images", X_img)):
            np.save(Path(folder) / f"{name}.npy", rows)
            mapped.append(np.load(Path(folder) / f"{name}.npy", mmap_mode="r"))
        again = _seeded(hasher).fit(*mapped, (y_sk, y_img))
        np.testing.assert_array_equal(
            again.transform(mapped[0], view="sketch"), fitted.transform(X_sk, view="sketch")
        )
        np.testing.assert_array_equal(
            again.transform(mapped[1], view="image"), fitted.transform(X_img, view="image")
        )
        del mapped


def check_strides_do_not_matter(hasher, make_views=_feature_views):
    """Rows, columns and colours in reverse, which are views of memory, give the codes of copies."""
    X_sk, X_img, y_sk, y_img = make_views()
    fitted = _seeded(hasher).fit(X_sk[::-1], X_img[::-1], (y_sk[::-1], y_img[::-1]))
    for view, X in (("sketch", X_sk), ("image", X_img)):
        for reverse in (X[::-1], X[..., ::-1]):
            codes = fitted.transform(np.ascontiguousarray(reverse), view=view)
            np.testing.assert_array_equal(fitted.transform(reverse, view=view), codes)


def _assert_raises(text, function, *args, **kwargs):
    """Assert a ValueError whose message has `text`."""
    message = None
    try:
        function(*args, **kwargs)
    except ValueError as error:
        message = str(error)
    assert message is not None, f"no ValueError with {text!r} was raised"
    assert text in message, f"expected {text!r} in the error, got: {message}"


_CHECKS = (
    check_container_equals_arrays,
    check_container_rows_are_aligned,
    check_codes_are_packed_signs,
    check_transform_follows_permutation,
    check_score_ignores_gallery_order,
    check_one_view,
    check_pickle_and_memmap,
    check_refit_resets,
    check_random_state_repeats,
    check_fit_leaves_global_random_state,
    check_transform_adds_nothing,
    check_paired_call,
    check_labels_are_asked_for,
    check_memmap_is_read,
    check_strides_do_not_matter,
)
# Images take longer to learn: what could go wrong with them and not with features.
_IMAGE_CHECKS = (
    check_container_equals_arrays,
    check_container_rows_are_aligned,
    check_codes_are_packed_signs,
    check_transform_follows_permutation,
    check_one_view,
    check_pickle_and_memmap,
    check_memmap_is_read,
    check_strides_do_not_matter,
)
