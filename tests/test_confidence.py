"""Sure or not: thresholds by brute force, and what the rule is for on sketches it has not seen."""

import itertools
from collections import Counter

import numpy as np
import pytest

from sklearn_dsh import CCAHasher
from sklearn_dsh.codes import pack_bits
from sklearn_dsh.confidence import Confidence, Verdict
from sklearn_dsh.gallery import Gallery

N_BITS = 12


@pytest.fixture(scope="module")
def gallery():
    """Three categories of 12 photos each around codes of their own."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["boat", "cup", "tree"], 12)
    centres = rng.random((3, N_BITS)) < 0.5
    bits = np.repeat(centres, 12, axis=0) ^ (rng.random((36, N_BITS)) < 0.08)
    return Gallery(pack_bits(bits), N_BITS, [f"{i}.png" for i in range(36)], labels)


@pytest.fixture(scope="module")
def values(gallery):
    """Values of 60 sketches, some of them faint, some of a category that the gallery lacks."""
    rng = np.random.default_rng(1)
    bits = np.unpackbits(gallery.codes, axis=1)[:, :N_BITS]
    firmness = rng.uniform(0.1, 1, (60, 1))
    return firmness * (2.0 * bits[np.arange(60) % 36] - 1) + rng.normal(0, 0.4, (60, N_BITS))


@pytest.fixture(scope="module")
def labels(gallery):
    labels = [gallery.labels[i % 36] for i in range(60)]
    return labels[:54] + ["lamp"] * 6


def answers(gallery, values, n_neighbors):
    """Agreement, category and its share of each query, one by one."""
    scale = np.sqrt((values**2).mean())
    bits = np.unpackbits(gallery.codes, axis=1)[:, :N_BITS]
    for row in values:
        distances = (bits != (row >= 0)).sum(axis=1)
        nearest = sorted(range(len(bits)), key=lambda i: (distances[i], i))[:n_neighbors]
        firm = np.where(row >= 0, 1 + row / scale, row / scale - 1)
        agreement = np.mean([np.where(bits[i], firm, -firm).sum() for i in nearest])
        counts = Counter(gallery.labels[i] for i in nearest)
        category = max(counts, key=counts.get)
        yield agreement / N_BITS, category, counts[category] / n_neighbors


def outcome(found, labels, min_agreement, min_share):
    """Share of sure ones among known sketches, and of right ones among sure ones."""
    sure = [a >= min_agreement - 1e-12 and s >= min_share for a, _, s in found]
    known = [label != "lamp" for label in labels]
    right = [c == label for (_, c, _), label in zip(found, labels, strict=True)]
    n_sure = sum(sure)
    return (
        sum(s and k for s, k in zip(sure, known, strict=True)) / sum(known),
        sum(s and r for s, r in zip(sure, right, strict=True)) / n_sure if n_sure else np.nan,
    )


@pytest.mark.parametrize("sure_share", [0.5, 0.67])
def test_the_strictest_with_which_enough_are_sure(sure_share, gallery, values, labels):
    chosen = Confidence.calibrate(
        gallery, values, labels, n_neighbors=5, sure_share=sure_share, min_right=0.5
    )
    found = list(answers(gallery, values, 5))
    sure, right = outcome(found, labels, chosen.min_agreement, chosen.min_share)
    all_pairs = itertools.product({a for a, _, _ in found}, {s for _, _, s in found})
    outcomes = [outcome(found, labels, *pair) for pair in all_pairs]
    fewest = min(share for share, is_right in outcomes if share >= sure_share and is_right >= 0.5)
    assert sure == pytest.approx(fewest)
    assert right == pytest.approx(max(r for share, r in outcomes if share == fewest))
    assert right > outcome(found, labels, -np.inf, 0)[1]  # it was worth choosing


def test_fewer_are_sure_where_too_few_would_be_right(gallery, values, labels):
    chosen = Confidence.calibrate(gallery, values, labels, n_neighbors=5, min_right=1.0)
    found = list(answers(gallery, values, 5))
    sure, right = outcome(found, labels, chosen.min_agreement, chosen.min_share)
    assert right == 1
    most = max(
        share_sure
        for a, s in itertools.product({a for a, _, _ in found}, {s for _, _, s in found})
        for share_sure, share_right in [outcome(found, labels, a, s)]
        if share_right == 1
    )
    assert sure == pytest.approx(most)
    assert 0 < sure < 0.7


def test_never_sure_where_nothing_is_right(gallery, values):
    other = {"boat": "cup", "cup": "tree", "tree": "boat"}
    wrong = [other[category] for _, category, _ in answers(gallery, values, 10)]
    never = Confidence.calibrate(gallery, values, wrong)
    assert never.min_agreement == float("inf")
    sure, right = never.measure(gallery, values, wrong)
    assert sure == 0
    assert np.isnan(right)


def test_judge_and_measure_agree(gallery, values, labels):
    confidence = Confidence.calibrate(gallery, values, labels, n_neighbors=5)
    _, indices = gallery.search(pack_bits(values >= 0), 5)
    verdicts = [
        confidence.judge(row, gallery.codes[nearest], [gallery.labels[i] for i in nearest])
        for row, nearest in zip(values, indices, strict=True)
    ]
    found = list(answers(gallery, values, 5))
    assert [v.category for v in verdicts] == [category for _, category, _ in found]
    assert all((v.reason is None) == v.sure for v in verdicts)
    right = [v.category == label for v, label in zip(verdicts, labels, strict=True) if v.sure]
    n_sure = sum(v.sure for v in verdicts)
    expected = n_sure / 60, sum(right) / n_sure
    assert confidence.measure(gallery, values, labels) == pytest.approx(expected)


def test_reasons_by_hand():
    confidence = Confidence(min_agreement=1.5, min_share=0.75, n_neighbors=4)
    codes = np.array([[0b1100_0000], [0b1100_0000], [0b1100_0000], [0b1110_0000]], np.uint8)
    # By hand: three times (2 + 2 + 2 + 2) / 4, once (2 + 2 - 2 + 2) / 4: 1.75 on average.
    values = [1, 1, -1, -1]
    assert confidence.judge(values, codes, list("aaab")) == Verdict("a", True, None)
    assert confidence.judge(values, codes, list("aabb")) == Verdict("a", False, "mixed")
    assert confidence.judge(values, codes, list("baab")) == Verdict("b", False, "mixed")
    half = [0.5, 0.5, -0.5, -0.5]  # three times 1.5, once 0.75: 1.3125
    assert confidence.judge(half, codes, list("aaaa")) == Verdict("a", False, "far")
    assert confidence.judge(half, codes, list("abcd")) == Verdict("a", False, "far")


def test_unseen_sketches_and_sketches_of_unknown_categories():
    """What is asked of the page, on planted data: 6 categories in the gallery, 2 it lacks."""
    rng = np.random.default_rng(0)
    centres, maps = 3 * np.eye(8), rng.normal(size=(2, 8, 30))

    def view(y, A):
        hidden = centres[y] + 0.8 * rng.normal(size=(len(y), 8))
        return hidden @ A + rng.normal(size=(len(y), 30))

    names = np.array([f"category {i}" for i in range(8)])
    y_photos, y_train, y_held_out, y_measured = (
        rng.integers(0, 6, n) for n in (400, 300, 300, 300)
    )
    y_unknown = rng.integers(6, 8, 200)
    photos = view(y_photos, maps[1])
    hasher = CCAHasher(32, random_state=0)
    hasher.fit(view(y_train, maps[0]), photos, (y_train, y_photos))
    codes = hasher.transform(photos, view="image")
    gallery = Gallery(codes, 32, ["photo.png"] * 400, names[y_photos])

    def project(y):
        return hasher.project(view(y, maps[0]), view="sketch")

    confidence = Confidence.calibrate(gallery, project(y_held_out), names[y_held_out])
    sure, right = confidence.measure(gallery, project(y_measured), names[y_measured])
    assert sure >= 0.6
    assert right >= 0.9
    sure_of_unknown, right = confidence.measure(gallery, project(y_unknown), names[y_unknown])
    assert sure_of_unknown <= 0.4
    assert right == 0  # the gallery has none


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"labels": ["boat"] * 59}, "59 labels for 60 sketches"),
        ({"labels": ["lamp"] * 60}, "such as 'lamp', is one of the gallery's, such as 'boat'"),
        ({"values": np.zeros((60, 8))}, r"shape \(60, 8\): expected \(n_sketches, 12\)"),
        ({"values": np.zeros((5, 12)), "labels": ["boat"] * 5}, "5 sketches .* at least 20"),
        ({"sure_share": 0}, "sure_share=0: expected a number above 0, up to 1"),
        ({"min_right": 1.5}, "min_right=1.5"),
        ({"n_neighbors": 0}, "n_neighbors=0"),
    ],
)
def test_bad_calibration(changes, text, gallery, values, labels):
    arguments = {"gallery": gallery, "values": values, "labels": labels} | changes
    with pytest.raises(ValueError, match=text):
        Confidence.calibrate(**arguments)


def test_gallery_without_labels(gallery, values, labels):
    unlabelled = Gallery(gallery.codes, N_BITS, gallery.paths)
    with pytest.raises(ValueError, match=r"no labels.*encode --labels"):
        Confidence.calibrate(unlabelled, values, labels)


def test_judge_of_another_number_of_photos(gallery):
    with pytest.raises(ValueError, match="3 codes and 3 labels: expected those of the 10 nearest"):
        Confidence(0.0, 0.5).judge(np.zeros(N_BITS), gallery.codes[:3], gallery.labels[:3])
