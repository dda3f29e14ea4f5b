"""Names of categories: one Unicode form, and a warning of those that one view has alone."""

import csv
import unicodedata
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.utils import Bunch

from sklearn_dsh import (
    CCAHasher,
    DeepSketchHasher,
    ITQHasher,
    StratifiedViewKFold,
    load_sketch_photo_folder,
    stack_views,
)
from sklearn_dsh.comparison import Plan, compare, default_methods, make_zero_shot_problem
from sklearn_dsh.confidence import Confidence
from sklearn_dsh.datasets import (
    load_class_vectors,
    load_quickdraw,
    load_sketchy,
    load_tu_berlin,
    zero_shot_split,
)
from sklearn_dsh.datasets._finding import images_by_category
from sklearn_dsh.exceptions import OneViewWarning
from sklearn_dsh.gallery import Gallery
from sklearn_dsh.metrics import mean_average_precision

ONE, TWO = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
RNG = np.random.default_rng(0)
X_SK, X_IMG = RNG.standard_normal((40, 5)), RNG.standard_normal((60, 5))
KINDS = {"text": np.asarray, "objects": lambda y: np.array(y, dtype=object), "list": list,
         "series": pd.Series}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


def names(n, cafe=ONE):
    return ([cafe, "tree", "boat", "cup"] * n)[:n]


def deep():
    return DeepSketchHasher(8, max_iter=1, steps_per_iter=2, random_state=0)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        *((lambda: CCAHasher(8), kind) for kind in KINDS),
        (lambda: ITQHasher(8), "text"),
        (deep, "text"),
    ],
)
def test_two_forms_of_a_word_in_y_are_one_category(make, kind):
    y_one = names(40), names(60)
    y_two = KINDS[kind](names(40)), KINDS[kind](names(60, TWO))
    with warnings.catch_warnings():
        warnings.simplefilter("error", OneViewWarning)
        hasher = make().set_params(random_state=0).fit(X_SK, X_IMG, y_two)
    assert hasher.classes_.tolist() == sorted(names(4))
    expected = make().set_params(random_state=0).fit(X_SK, X_IMG, y_one)
    np.testing.assert_array_equal(
        hasher.transform(X_SK, "sketch"), expected.transform(X_SK, "sketch")
    )
    assert hasher.score(X_SK, X_IMG, y_two) == expected.score(X_SK, X_IMG, y_one)
    # Of one view, and in a container, too.
    mixed = KINDS[kind](names(20) + names(20, TWO))
    assert make().fit(X_SK, mixed).classes_.tolist() == sorted(names(4))
    X, y = stack_views(X_SK, X_IMG, y_two)
    assert set(y.tolist()) == set(names(4))
    assert make().fit(X, y).classes_.tolist() == sorted(names(4))


@every_kind
def test_metrics_and_splits_know_both_forms(kind):
    codes = np.arange(40, dtype=np.uint8)[:, None]
    one, two = KINDS[kind](names(40)), KINDS[kind](names(40, TWO))
    assert mean_average_precision(codes, codes, one, two) == mean_average_precision(
        codes, codes, one, one
    )
    X, _ = stack_views(X_SK, X_IMG)
    splits = [
        [test.tolist() for _, test in StratifiedViewKFold(5).split(X, KINDS[kind](y))]
        for y in (names(100), names(50) + names(100, TWO)[50:])
    ]
    assert splits[0] == splits[1]


def test_labels_of_ascii_and_numbers_are_not_copied():
    X = np.zeros((4, 2))
    for y in (np.array(names(4, "cafe")), np.arange(4)):
        _, y_rows = stack_views(X, X, y, interleave=False)
        assert y_rows.dtype == y.dtype


@pytest.mark.parametrize("table", [dict, lambda v: pd.DataFrame(v).T], ids=["dict", "DataFrame"])
@pytest.mark.parametrize(("given", "held"), [(ONE, TWO), (TWO, ONE), (TWO, TWO)])
def test_class_vectors_of_either_form(table, given, held):
    vectors = {name: RNG.normal(size=3) for name in names(4, given)}
    hasher = deep().set_params(class_vectors=table(vectors))
    hasher.fit(X_SK, X_IMG, (names(40, held), names(60, held)))
    assert hasher.classes_.tolist() == sorted(names(4))


@pytest.mark.parametrize("form", [ONE, TWO])
def test_word_vectors_are_found_by_either_form(form, tmp_path):
    (tmp_path / "words.txt").write_text(f"{ONE} 3 4\ntree 1 0\n", encoding="utf-8")
    assert load_class_vectors(tmp_path / "words.txt", [form, "tree"])[form].tolist() == [0.6, 0.8]


def test_galleries_and_confidence_know_both_forms():
    codes = np.tile(np.array([[0], [255], [15], [240]], dtype=np.uint8), (10, 1))
    paths = list(map(str, range(40)))
    gallery = Gallery(codes, 8, paths, names(40, TWO))
    assert gallery.labels == names(40)
    values = np.unpackbits(codes, axis=1) - 0.5
    expected = Confidence.calibrate(gallery, values, names(40), n_neighbors=5)
    confidence = Confidence.calibrate(gallery, values, names(40, TWO), n_neighbors=5)
    assert confidence == expected
    assert confidence.measure(gallery, values, names(40, TWO)) == (1.0, 1.0)


def test_zero_shot_problems_know_both_forms():
    data = Bunch(sketches=X_SK, images=X_IMG, y_sketch=np.array(names(40)),
                 y_image=np.array(names(60, TWO)))  # fmt: skip
    for form in (ONE, TWO):
        problem = make_zero_shot_problem(data, [form, "cup"])
        assert len(problem.gallery) == 30
    seven = ["a", "b", "c", "d", "e", "f"]
    of_pacs = Bunch(y_sketch=np.array([*seven, ONE]), y_image=np.array([*seven, TWO]))
    assert zero_shot_split("pacs_5_2", of_pacs).tolist() == ["a", "b"]


# Folders


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), "white").save(path)


def write(root, sketches, photos, n=2):
    for folder, categories in (("sketch", sketches), ("photo", photos)):
        for category in categories:
            for i in range(n):
                draw(root / folder / category / f"{i}.png")
    return root


def folder(root, sketches, photos):
    return load_sketch_photo_folder(write(root, sketches, photos), size=None)


def table(root, sketches, photos):
    """The same by a split.csv, with files of which no name tells the category."""
    rows = []
    for view, categories in (("sketch", sketches), ("photo", photos)):
        for i, category in enumerate(categories):
            draw(root / f"{view}{i}.png")
            rows.append([f"{view}{i}.png", view, category, "train"])
    with open(root / "split.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "view", "label", "split"], *rows])
    return load_sketch_photo_folder(root, size=None)


def sketchy(root, sketches, photos):
    for view, categories in (("sketch", sketches), ("photo", photos)):
        for category in categories:
            for i in range(2):
                draw(root / view / "tx_000000000000" / category / f"n1_1-{i}.png")
    return load_sketchy(root, extension=False, size=None, n_queries=0, check_counts=False)


def tu_berlin(root, sketches, photos):
    for view, categories in (("png", sketches), ("ImageResized", photos)):
        for category in categories:
            for i in range(2):
                draw(root / view / category / f"{i}.png")
    return load_tu_berlin(root, size=None, n_queries=0, check_counts=False)


LOADERS = {load.__name__: load for load in (folder, table, sketchy, tu_berlin)}
every_loader = pytest.mark.parametrize("loader", LOADERS)


@every_loader
def test_two_forms_of_a_name_in_folders_are_one_category(loader, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = LOADERS[loader](tmp_path, ["boat", ONE], ["boat", TWO])
    assert data.target_names.tolist() == ["boat", ONE]
    assert set(data.y_sketch) == set(data.y_image) == {"boat", ONE}
    for paths in (data.sketches, data.images):  # files are opened by the names that they have
        assert [Image.open(path).size for path in paths] == [(32, 32)] * len(paths)
    if loader != "table":
        assert any(TWO in path for path in data.images)


def test_two_forms_of_a_name_side_by_side(tmp_path):
    data = folder(tmp_path, [ONE, TWO], [ONE])
    assert data.y_sketch.tolist() == [ONE] * 4
    assert len(set(data.sketches)) == 4
    assert list(images_by_category(tmp_path / "sketch")) == [ONE]


def test_categories_of_quick_draw_come_in_one_form(tmp_path):
    np.save(tmp_path / f"{TWO}.npy", np.zeros((3, 784), dtype=np.uint8))
    for categories in (None, [ONE], [TWO]):
        assert load_quickdraw(tmp_path, categories=categories).y_sketch.tolist() == [ONE] * 3
    np.save(tmp_path / f"{ONE}.npy", np.zeros((3, 784), dtype=np.uint8))
    with pytest.raises(ValueError, match="Two files of one category"):
        load_quickdraw(tmp_path)


# One view only

SKETCHES, PHOTOS = ["Bird", "boat", "cup", "tree "], ["bird", "boat", "cup", "tree", "train"]


def fit(root, sketches, photos):
    y = np.repeat(sketches, 10), np.repeat(photos, 10)
    CCAHasher(8).fit(RNG.normal(size=(len(y[0]), 3)), RNG.normal(size=(len(y[1]), 3)), y)


def fit_container(root, sketches, photos):
    y = np.repeat(sketches, 10), np.repeat(photos, 10)
    X_sk, X_img = (RNG.normal(size=(len(part), 3)) for part in y)
    X, y = stack_views(X_sk, X_img, y)
    CCAHasher(8).fit(X, y)


def fit_deep(root, sketches, photos):
    y = np.repeat(sketches, 10), np.repeat(photos, 10)
    deep().fit(RNG.normal(size=(len(y[0]), 3)), RNG.normal(size=(len(y[1]), 3)), y)


def compare_methods(root, sketches, photos):
    y = np.repeat(sketches, 10), np.repeat(photos, 10)
    data = Bunch(sketches=RNG.normal(size=(len(y[0]), 9)), images=RNG.normal(size=(len(y[1]), 9)),
                 y_sketch=y[0], y_image=y[1])  # fmt: skip
    plan = Plan(methods=("CCA-ITQ", "LSH"), bits=(8,), protocols=("paper",), seeded_bits=8)
    rows = compare(data, plan, root / "rows.jsonl", methods=default_methods("vectors"))
    assert not any("error" in row for row in rows)


ENTRIES = LOADERS | {
    entry.__name__: entry for entry in (fit, fit_container, fit_deep, compare_methods)
}
every_entry = pytest.mark.parametrize("entry", ENTRIES)


def one_view_warnings(entry, root, *categories):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ENTRIES[entry](root, *categories)
    return [w for w in told if w.category is OneViewWarning]


@every_entry
def test_categories_of_one_view_are_named_once(entry, tmp_path):
    sketches, photos = list(SKETCHES), list(PHOTOS)
    if entry == "table":  # where blanks around a name are none of it
        sketches[3], photos[3] = "t-ree", "tree"
    (told,) = one_view_warnings(entry, tmp_path, sketches, photos)
    text = str(told.message)
    assert f"Sketches without photos: 'Bird', {sketches[3]!r}. " in text
    assert "Photos without sketches: 'bird', 'train', 'tree'. " in text
    assert "'Bird' and 'bird'" in text
    assert sorted([repr(sketches[3]), "'tree'"]) == sorted(
        [part for part in ("'tree '", "'t-ree'", "'tree'") if part in text.split("sketches: ")[1]]
    )
    assert "differ only in case, spaces" in text
    assert "'boat'" not in text
    assert told.filename == __file__


@every_entry
def test_it_is_switched_off_by_its_class(entry, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        warnings.filterwarnings("ignore", category=OneViewWarning)
        warnings.filterwarnings("ignore", "Left out, as they")
        ENTRIES[entry](tmp_path, ["Bird", "boat", "cup"], ["bird", "boat", "cup"])


@every_entry
def test_nothing_is_told_where_both_views_have_all(entry, tmp_path):
    assert one_view_warnings(entry, tmp_path, ["boat", "cup"], ["boat", "cup"]) == []


def test_of_many_the_first_are_named(tmp_path):
    more = [f"{letter}{i}" for letter in "ab" for i in range(10)]
    with pytest.warns(OneViewWarning, match=r"'a0', 'a1', .*'a9' and 10 more\. Categories") as told:
        fit(tmp_path, ["cup", "tree"], ["cup", "tree", *more])
    assert "b0" not in str(told[0].message)


def test_numbers_are_named_too(tmp_path):
    with pytest.warns(OneViewWarning, match=r"Sketches without photos: 3\. Categories are one"):
        fit(tmp_path, [1, 2, 3], [1, 2])


def test_one_view_alone_is_not_told_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error", OneViewWarning)
        CCAHasher(8).fit(X_SK, names(40))


def test_a_part_that_is_gone_on_with_may_lack_a_category():
    y = np.array(names(40)), np.array(names(60))
    hasher = deep().fit(X_SK, X_IMG, y)
    few = y[1] != "cup"
    with warnings.catch_warnings():
        warnings.simplefilter("error", OneViewWarning)
        hasher.partial_fit(X_SK, X_IMG[few], (y[0], y[1][few]))
