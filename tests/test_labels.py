"""A list's labels are looked at before NumPy may cast them: what is missing is no category."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sklearn_dsh import (
    CCAHasher,
    ITQHasher,
    PerView,
    SketchImageArray,
    SketchKFold,
    StratifiedViewKFold,
    metrics,
    retrieval_scorer,
    stack_views,
)
from sklearn_dsh.baselines import SCMHasher
from sklearn_dsh.comparison import plot_retrieved
from sklearn_dsh.confidence import Confidence
from sklearn_dsh.datasets import zero_shot_split
from sklearn_dsh.gallery import Gallery

N = 24
NAN = float("nan")
TEXT, NUMBERS, BOOLEANS = [*"abcdefgabcdefgabcdefgabc"], [0, 1, 2] * 8, [True, False, True] * 8
X = np.random.default_rng(0).normal(size=(N, 4))
CODES = np.arange(N, dtype=np.uint8)[:, None]
BOTH = SketchImageArray(X, X)

# What stands among labels that are otherwise sound, and what kind of these. Only lists of the
# first few are cast by NumPy to something that looks sound.
ODD = {
    "NaN among text": (TEXT, NAN),
    "NumPy's NaN among text": (TEXT, np.float32("nan")),
    "a number among text": (TEXT, 7),
    "a boolean among text": (TEXT, True),
    "bytes among text": (TEXT, b"cat"),
    "a boolean among numbers": (NUMBERS, True),
    "a number among booleans": (BOOLEANS, 3),
    "a masked entry among text": (TEXT, np.ma.masked),
    "a number too large for 64 bits": (NUMBERS, 2**70),
    "None among text": (TEXT, None),
    "None among numbers": (NUMBERS, None),
    "NA among text": (TEXT, pd.NA),
    "NA among numbers": (NUMBERS, pd.NA),
    "NaT among text": (TEXT, pd.NaT),
    "NaN among numbers": (NUMBERS, NAN),
    "NaN among booleans": (BOOLEANS, NAN),
}


def twice(y):
    """For the rows of both views."""
    if isinstance(y, list):
        return [*y, *y]
    if hasattr(y, "iloc"):
        return pd.concat([y, y])
    return (np.ma if isinstance(y, np.ma.MaskedArray) else np).concatenate([y, y])


def hasher(y):
    return ITQHasher(8, random_state=0).fit(X, np.asarray(y))


def of_metric(name, argument):
    def call(y, good):
        labels = {"query_labels": good, "gallery_labels": good} | {argument: y}
        return getattr(metrics, name)(CODES, CODES, **labels)

    return call


def check_confidence(y, good):
    values = np.where(np.unpackbits(CODES, axis=1), 1.0, -1.0)
    gallery = Gallery(CODES, 8, ["a photo"] * N, TEXT)
    Confidence.calibrate(gallery, values, y)
    return Confidence(0.0, 0.0).measure(gallery, values, y)


# Each entry that takes labels and what it calls them; called with some, and with sound ones.
ENTRIES = {
    "fit, sketches": ("y_sk", lambda y, good: ITQHasher(8).fit(X, X, (y, good))),
    "fit, photos": ("y_img", lambda y, good: CCAHasher(8).fit(X, X, (good, y))),
    "fit, pairs": ("y", lambda y, good: CCAHasher(8).fit(X, X, y)),
    "fit, one view": ("y", lambda y, good: CCAHasher(8).fit(X, y)),
    "fit, container": ("y", lambda y, good: CCAHasher(8).fit(BOTH, twice(y))),
    "score": ("y", lambda y, good: hasher(good).score(X, y)),
    "score, photos": ("y_img", lambda y, good: CCAHasher(8).fit(X, X, good).score(X, X, (good, y))),
    "scorer": ("y", lambda y, good: retrieval_scorer("recall_at_k")(hasher(good), X, y)),
    "score_codes": ("y", lambda y, good: metrics.score_codes(CODES, y)),
    "stack_views, sketches": ("y_sk", lambda y, good: stack_views(X, X, (y, good))),
    "stack_views, photos": ("y_img", lambda y, good: stack_views(X, X, (good, y))),
    "stack_views, pairs": ("y", lambda y, good: stack_views(X, X, y)),
    "stratified split": ("y", lambda y, good: next(StratifiedViewKFold(2).split(BOTH, twice(y)))),
    "sketch split": ("y", lambda y, good: next(SketchKFold(2).split(BOTH, twice(y)))),
    "groups": ("groups", lambda y, good: next(SketchKFold(2).split(BOTH, None, twice(y)))),
    "groups of both": (
        "groups",
        lambda y, good: next(StratifiedViewKFold(2).split(BOTH, None, twice(y))),
    ),
    "PerView": ("y", lambda y, good: PerView(sketch=StandardScaler()).fit(BOTH, twice(y))),
    "plot_retrieved": (
        "gallery_labels",
        lambda y, good: plot_retrieved(
            np.zeros((N, 32, 32), np.uint8), np.zeros((N, 32, 32, 3), np.uint8), CODES, CODES,
            good, y, n_queries=1, n_found=1,
        ),
    ),
    "zero_shot_split": (
        "y_sketch",
        lambda y, good: zero_shot_split(
            "pacs_5_2", Bunch(y_sketch=y, y_image=good)
        ),
    ),
    "confidence": ("labels", check_confidence),
} | {
    f"{name}, {argument}": (argument, of_metric(name, argument))
    for name in metrics.__all__
    if name not in ("retrieval_scorer", "score_codes")
    for argument in ("query_labels", "gallery_labels")
}  # fmt: skip
# Of text alone, and those that hand labels on to transformers, which take any numbers.
TEXT_ONLY, NOT_NUMBERS = ("zero_shot_split", "confidence"), ("PerView",)


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("entry", ENTRIES)
def test_odd_labels_in_a_list_are_refused_by_name(entry, case):
    sound, odd = ODD[case]
    name, call = ENTRIES[entry]
    if sound is not TEXT and entry in TEXT_ONLY:
        pytest.skip("takes text only")
    if case == "NaN among numbers" and entry in NOT_NUMBERS:
        pytest.skip("takes any numbers")
    call(list(sound), list(sound))
    labels = [*sound[:5], odd, *sound[6:]]
    with pytest.raises(ValueError, match=rf"\b{name}\b") as caught:
        call(labels, list(sound))
    if "Input" not in str(caught.value):  # scikit-learn's words for NaN in an array of numbers
        assert f"{name}[5] is {odd!r}" in str(caught.value)


@pytest.mark.parametrize("entry", ENTRIES)
def test_masked_labels_are_refused_by_name(entry):
    name, call = ENTRIES[entry]
    with pytest.raises(ValueError, match=rf"^{name} has masked entries"):
        call(np.ma.masked_array(TEXT, np.arange(N) == 5), TEXT)


@pytest.mark.parametrize("y", [TEXT, NUMBERS, BOOLEANS, [1.0, 2.0] * 12, [np.str_("a"), "b"] * 12])
def test_sound_lists_give_the_classes_that_arrays_give(y):
    expected = CCAHasher(8).fit(X, np.array(y)).classes_
    for form in (y, [[label] for label in y], np.ma.masked_array(y), pd.Series(y)):
        classes = CCAHasher(8).fit(X, y=form).classes_
        assert classes.tolist() == expected.tolist()
    assert CCAHasher(8).fit(X, y).classes_.dtype == expected.dtype


def test_booleans_are_no_numbers_of_the_other_view():
    with pytest.raises(ValueError, match="sketches are booleans and labels of the photos are num"):
        CCAHasher(8).fit(X, X, (BOOLEANS, NUMBERS))
    with pytest.raises(ValueError, match="of one kind, got bool and int64"):
        metrics.precision_at_k(CODES, CODES, BOOLEANS, NUMBERS)


# One-hot rows


ONE_HOT = np.eye(3, dtype=int)[NUMBERS]


@pytest.mark.parametrize("make", [np.asarray, np.ndarray.tolist, pd.DataFrame], ids=str)
@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry != "fit, one view"])
def test_one_hot_labels_are_told_what_to_do(entry, make):
    name, call = ENTRIES[entry]
    with pytest.raises(ValueError, match="look like one-hot rows") as caught:
        call(make(ONE_HOT), NUMBERS)
    advice = f"{name}.argmax(axis=1)" if make is np.asarray else f"np.argmax({name}, axis=1)"
    assert f"use {advice}." in str(caught.value)


@pytest.mark.parametrize("estimator", [SCMHasher(8), ITQHasher(8)], ids=str)
def test_one_hot_labels_that_were_taken_for_photos(estimator):
    with pytest.raises(ValueError, match=r"one-hot rows: use y.argmax\(axis=1\)"):
        estimator.fit(X, ONE_HOT)


def test_a_table_that_is_not_one_hot_has_another_advice():
    with pytest.raises(
        ValueError, match=r"y should be a 1d array of labels, .* shape \(24, 4\)"
    ) as e:
        CCAHasher(8).fit(X, X, X)
    assert "one-hot" not in str(e.value)
