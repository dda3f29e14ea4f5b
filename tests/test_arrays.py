"""Tensors stand for the arrays that they hold, wherever rows, codes or labels are taken."""

import numpy as np
import pytest
import torch

from sklearn_dsh import (
    CCAHasher,
    DeepSketchHasher,
    HammingRetriever,
    ITQHasher,
    PerView,
    SketchImageArray,
    StratifiedViewKFold,
    metrics,
    stack_views,
)
from sklearn_dsh._arrays import plain_array
from sklearn_dsh.codes import (
    check_codes,
    hamming_distances,
    pack_bits,
    to_bitarrays,
    unpack_bits,
)
from sklearn_dsh.comparison import plot_retrieved
from sklearn_dsh.confidence import Confidence
from sklearn_dsh.gallery import Gallery
from sklearn_dsh.preprocessing import HOGFeatures

RNG = np.random.default_rng(0)
N = 24
X, Y = RNG.normal(size=(2, N, 4)).astype(np.float32)
LABELS = np.arange(N) % 3
TEXTS = [*"abc"] * 8
CODES = RNG.integers(0, 256, (N, 4), dtype=np.uint8)
SKETCHES = RNG.integers(0, 256, (N, 32, 32), dtype=np.uint8)
PHOTOS = RNG.integers(0, 256, (N, 32, 32, 3), dtype=np.uint8)


class OnDevice(torch.Tensor):
    """Refuses what a tensor on a GPU refuses."""

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def numpy(self, *, force=False):
        return super().numpy(force=True) if force else self.__array__()


TENSORS = {
    "plain": torch.as_tensor,
    "with gradients": lambda a: torch.as_tensor(a).requires_grad_(a.dtype.kind == "f"),
    "on a device": lambda a: torch.as_tensor(a).as_subclass(OnDevice),
    "rows in a list": lambda a: [*torch.as_tensor(a).requires_grad_(a.dtype.kind == "f")],
}
every_tensor = pytest.mark.parametrize("kind", TENSORS)


def fitted():
    return CCAHasher(8, random_state=0).fit(X, Y, LABELS)


def deep_codes(X, Y, class_vectors=None):
    hasher = DeepSketchHasher(
        8, max_iter=1, steps_per_iter=2, class_vectors=class_vectors, random_state=0
    )
    return hasher.fit(X, Y, LABELS).transform(X, view="sketch")


def calibrated(values):
    gallery = Gallery(CODES, 32, ["a photo"] * N, TEXTS)
    confidence = Confidence.calibrate(gallery, values, TEXTS)
    return [confidence.scale, *confidence.measure(gallery, values, TEXTS)]


def measured(name, query_codes, gallery_codes):
    found = getattr(metrics, name)(query_codes, gallery_codes, LABELS, LABELS)
    return np.hstack(found if isinstance(found, tuple) else [found])


def eight_times(rows):
    """As values of 32 bits."""
    if isinstance(rows, list):
        return [row.repeat(8) for row in rows]
    return rows.repeat(1, 8)


# Each takes rows of two views.
OF_FEATURES = {
    "fit": lambda X, Y: CCAHasher(8, random_state=0).fit(X, Y, LABELS).weights_["sketch"],
    "fit, pairs": lambda X, Y: ITQHasher(8, random_state=0).fit(X, Y).weights_,
    "fit, one view": lambda X, Y: ITQHasher(8, random_state=0).fit(X).weights_,
    "fit of a network": deep_codes,
    "class_vectors": lambda X, Y: deep_codes(*FEATURES, X[:3]),
    "class_vectors by label": lambda X, Y: deep_codes(*FEATURES, {i: X[i] for i in range(3)}),
    "score": lambda X, Y: fitted().score(X, Y, LABELS),
    "transform": lambda X, Y: fitted().transform(Y, view="image"),
    "project": lambda X, Y: fitted().project(X, view="sketch"),
    "container": lambda X, Y: fitted().project(SketchImageArray(X, Y)),
    "stack_views": lambda X, Y: stack_views(X, Y, LABELS)[0][3],
    "PerView": lambda X, Y: PerView().fit(SketchImageArray(X, Y)).transform(X, view="sketch"),
    "confidence": lambda X, Y: calibrated(eight_times(X)),
}
FEATURES = X, Y
# Each takes codes.
OF_CODES = {
    "check_codes": check_codes,
    "unpack_bits": lambda codes: unpack_bits(codes, 32),
    "to_bitarrays": lambda codes: [item.tobytes() for item in to_bitarrays(codes)],
    "hamming_distances": lambda codes: hamming_distances(codes, CODES),
    "hamming_distances, second": lambda codes: hamming_distances(CODES, codes),
    "retriever, fit": lambda codes: HammingRetriever(3).fit(codes).kneighbors()[0],
    "retriever, partial_fit": lambda codes: HammingRetriever(3).partial_fit(codes).kneighbors()[0],
    "kneighbors": lambda codes: HammingRetriever(3).fit(CODES).kneighbors(codes)[1],
    "radius_neighbors": lambda codes: np.concatenate(
        HammingRetriever(radius=9).fit(CODES).radius_neighbors(codes)[1]
    ),
    "gallery": lambda codes: Gallery(codes, 32, ["a photo"] * N).codes,
    "gallery, search": lambda codes: Gallery(CODES, 32, ["a photo"] * N).search(codes, 3)[1],
    "score_codes": lambda codes: metrics.score_codes(codes, LABELS),
    "plot_retrieved": lambda codes: len(
        plot_retrieved(SKETCHES, PHOTOS, codes, codes, TEXTS, TEXTS, n_found=2).axes
    ),
} | {
    f"{name}, {side}": lambda codes, name=name, queries=side == "queries": measured(
        name, *((codes, CODES) if queries else (CODES, codes))
    )
    for name in metrics.__all__
    if name not in ("retrieval_scorer", "score_codes")
    for side in ("queries", "gallery")
}
# Each takes images, labels or flags.
OF_OTHERS = {
    "images": (SKETCHES, lambda rows: HOGFeatures().fit_transform(rows)[:2]),
    "images of a container": (PHOTOS, lambda rows: SketchImageArray(SKETCHES, rows)[N + 1]),
    "labels": (LABELS, lambda y: CCAHasher(8, random_state=0).fit(X, y).classes_),
    "labels of both": (LABELS, lambda y: CCAHasher(8).fit(X, Y, (y, y)).classes_),
    "labels of codes": (LABELS, lambda y: metrics.recall_at_k(CODES, CODES, y, LABELS)),
    "labels to split": (
        np.tile(LABELS, 2),
        lambda y: next(StratifiedViewKFold(2).split(SketchImageArray(X, Y), y))[1],
    ),
    "bits": (CODES > 99, pack_bits),
    "flags": (LABELS > 0, lambda flags: metrics.score_codes(CODES, LABELS, is_sketch=flags)),
    "mask": (
        LABELS > 0,
        lambda mask: HammingRetriever(3).fit(CODES).kneighbors(CODES, mask=mask)[1],
    ),
}


@every_tensor
@pytest.mark.parametrize("entry", OF_FEATURES)
def test_features(entry, kind):
    call, make = OF_FEATURES[entry], TENSORS[kind]
    expected = call(*(TENSORS["plain"](rows) if entry == "confidence" else rows for rows in (X, Y)))
    np.testing.assert_array_equal(call(make(X), make(Y)), expected)


@every_tensor
@pytest.mark.parametrize("entry", OF_CODES)
def test_codes(entry, kind):
    call = OF_CODES[entry]
    np.testing.assert_array_equal(call(TENSORS[kind](CODES)), call(CODES))


@every_tensor
@pytest.mark.parametrize("entry", OF_OTHERS)
def test_images_labels_and_flags(entry, kind):
    array, call = OF_OTHERS[entry]
    np.testing.assert_array_equal(call(TENSORS[kind](array)), call(array))


@pytest.mark.parametrize("entry", OF_CODES)
@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_signed_bytes_are_no_codes_anywhere(entry, make):
    with pytest.raises(
        ValueError, match=r"dtype int8 has signed bytes.*from_offset_bytes\(.*from_signed_bytes\("
    ):
        OF_CODES[entry](make(CODES.view(np.int8)))


def test_memory_is_shared():
    codes = torch.as_tensor(CODES)
    assert np.shares_memory(check_codes(codes), CODES)


def test_types_that_numpy_has_not():
    rows = torch.as_tensor(X).bfloat16()
    found, expected = (ITQHasher(8, random_state=0).fit(r).weights_ for r in (rows, rows.float()))
    np.testing.assert_array_equal(found, expected)


def test_sparse_tensors_are_told_what_to_do():
    with pytest.raises(TypeError, match=r"X is a sparse tensor.*\.to_dense\(\)"):
        ITQHasher(8).fit(torch.as_tensor(X).to_sparse())


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("X", lambda rows: ITQHasher(8).fit(rows)),
        ("X", lambda rows: fitted().transform(rows, view="sketch")),
        ("photos", lambda rows: ITQHasher(8).fit(X, rows)),
        ("images", lambda rows: SketchImageArray(X, rows)),
        ("X", lambda rows: HammingRetriever().fit(rows)),
        ("query_codes", lambda rows: metrics.recall_at_k(rows, rows, LABELS, LABELS)),
        ("X", lambda rows: HOGFeatures().fit(rows)),
    ],
)
def test_masked_entries_are_missing(name, call):
    rows = np.ma.masked_array(X, np.arange(4 * N).reshape(N, 4) == 7)
    with pytest.raises(ValueError, match=rf"^{name} has masked entries \(1 of 96\)"):
        call(rows)


def test_a_mask_that_hides_nothing():
    rows = np.ma.masked_array(X, np.zeros((N, 4), bool))
    assert type(plain_array(rows, "X")) is np.ndarray
    weights = [ITQHasher(8, random_state=0).fit(r).weights_ for r in (X, rows)]
    np.testing.assert_array_equal(*weights)
