import numpy as np
import pytest
from sklearn.utils import Bunch

from sklearn_dsh import CCAHasher
from sklearn_dsh.comparison import evaluate
from sklearn_dsh.comparison._zero_shot import make_zero_shot_problem

Y_SKETCH = np.array(list("abcd" * 3))  # sketch i is 2 i: a has 0, 8 and 16
Y_IMAGE = np.array(list("aabbccdd" * 5))  # photo i is 2 i + 1: a has 1, 3, 17, 19, 33, 35, ...


def make_data(**split):
    """Every row holds its own number; sketches are even, photos odd."""
    sketches = np.zeros((12, 32, 32), dtype=np.uint8)
    sketches += 2 * np.arange(12, dtype=np.uint8)[:, None, None]
    images = np.zeros((40, 32, 32, 3), dtype=np.uint8)
    images += (2 * np.arange(40, dtype=np.uint8) + 1)[:, None, None, None]
    return Bunch(sketches=sketches, images=images, y_sketch=Y_SKETCH, y_image=Y_IMAGE, **split)


def numbers(images):
    return np.asarray(images).reshape(len(images), -1)[:, 0].tolist()


def check_labels(problem):
    """Labels belong to their rows, whatever the rows are."""
    sketches = problem.train.is_sketch
    for rows, labels in (
        (problem.train.take_view("sketch")[:], problem.y_train[sketches]),
        (problem.queries, problem.y_query),
    ):
        np.testing.assert_array_equal(Y_SKETCH[np.array(numbers(rows)) // 2], labels)
    for rows, labels in (
        (problem.train.take_view("image")[:], problem.y_train[~sketches]),
        (problem.gallery, problem.y_gallery),
    ):
        np.testing.assert_array_equal(Y_IMAGE[np.array(numbers(rows)) // 2], labels)


@pytest.mark.parametrize("held_out", [["b", "d"], np.array(["d", "b", "d"])])
def test_held_out_categories_are_searched_among_themselves(held_out):
    problem = make_zero_shot_problem(make_data(), held_out)
    assert numbers(problem.train.take_view("sketch")[:]) == [0, 4, 8, 12, 16, 20]
    of_a_and_c = [1, 3, 9, 11, 17, 19, 25, 27, 33, 35, 41, 43, 49, 51, 57, 59, 65, 67, 73, 75]
    assert numbers(problem.train.take_view("image")[:]) == of_a_and_c
    assert numbers(problem.queries) == [2, 6, 10, 14, 18, 22]
    assert numbers(problem.gallery) == sorted(set(range(1, 81, 2)) - set(of_a_and_c))
    check_labels(problem)
    assert problem.protocol == "zero-shot"
    assert problem.description == (
        "2 categories. Trained on 6 sketches and 20 photos;\n"
        "6 sketches of other categories (b, d) query 20 photos of these"
    )


def test_a_split_has_no_say_where_the_gallery_is_unseen():
    split = {"split_sketch": np.array(["test"] * 6 + ["train"] * 6)}
    split["split_image"] = np.array(["train"] * 30 + ["test"] * 10)
    problem, plain = (make_zero_shot_problem(make_data(**s), ["b", "d"]) for s in (split, {}))
    assert problem.sizes() == plain.sizes() == [6, 20, 6, 20]


def test_generalised_with_a_split():
    data = make_data(split_image=np.array(["train"] * 30 + ["test"] * 10))
    problem = make_zero_shot_problem(data, ["b"], generalised=True)
    assert numbers(problem.train.take_view("sketch")[:]) == [0, 4, 6, 8, 12, 14, 16, 20, 22]
    # Photos 0 to 29, less b's; in the gallery are all of b, and the last ten.
    trained = [1, 3, 9, 11, 13, 15, 17, 19, 25, 27, 29, 31, 33, 35, 41, 43, 45, 47, 49, 51, 57, 59]
    assert numbers(problem.train.take_view("image")[:]) == trained
    assert numbers(problem.queries) == [2, 10, 18]
    last_ten = list(range(61, 81, 2))
    assert numbers(problem.gallery) == sorted({5, 7, 21, 23, 37, 39, 53, 55, 69, 71, *last_ten})
    check_labels(problem)
    assert problem.protocol == "generalised zero-shot"
    assert problem.description == (
        "3 categories. Trained on 9 sketches and 22 photos;\n"
        "3 sketches of other categories (b) query 18 photos, 8 of them of the categories trained on"
    )


def test_generalised_leaves_other_parts_of_the_split_out():
    split = np.array(["test"] * 8 + ["val"] * 8 + ["train"] * 24)
    problem = make_zero_shot_problem(make_data(split_image=split), ["a", "b"], generalised=True)
    assert numbers(problem.train.take_view("image")[:])[:3] == [41, 43, 45]
    seen = problem.gallery[~np.isin(problem.y_gallery, ["a", "b"])]
    assert numbers(seen) == [9, 11, 13, 15]
    assert problem.sizes() == [6, 12, 6, 24]
    # Without a part "train" all that is not tested is trained on.
    split = np.array(["test"] * 8 + ["val"] * 8 + ["more"] * 24)
    problem = make_zero_shot_problem(make_data(split_image=split), ["a", "b"], generalised=True)
    assert problem.sizes() == [6, 16, 6, 24]


def test_a_split_that_is_a_list():
    split = np.array(["test", "train"] * 50)[: len(make_data().y_image)]
    array, given = (
        make_zero_shot_problem(make_data(split_image=part), ["a", "b"], generalised=True)
        for part in (split, split.tolist())
    )
    np.testing.assert_array_equal(array.y_gallery, given.y_gallery)
    np.testing.assert_array_equal(array.y_train, given.y_train)


def test_generalised_without_a_split():
    problems = [
        make_zero_shot_problem(make_data(), ["a", "b"], generalised=True, random_state=seed)
        for seed in (0, 0, 1)
    ]
    for problem in problems:
        check_labels(problem)
        trained, gallery = numbers(problem.train.take_view("image")[:]), numbers(problem.gallery)
        assert sorted(trained + gallery) == list(range(1, 81, 2))
        labels, counts = np.unique(problem.y_gallery, return_counts=True)
        assert (labels.tolist(), counts.tolist()) == (["a", "b", "c", "d"], [10, 10, 2, 2])
    galleries = [numbers(problem.gallery) for problem in problems]
    assert galleries[0] == galleries[1] != galleries[2]


def test_labels_that_are_numbers():
    data = make_data()
    data.y_sketch, data.y_image = (
        np.unique(y, return_inverse=True)[1] for y in (Y_SKETCH, Y_IMAGE)
    )
    problem = make_zero_shot_problem(data, [1, 3])
    assert numbers(problem.queries) == [2, 6, 10, 14, 18, 22]
    with pytest.raises(ValueError, match="There are no sketches of the held_out 4"):
        make_zero_shot_problem(data, [1, 4])


def test_hashers_are_evaluated_on_it():
    # Of feature vectors whose first two numbers tell four categories by their signs.
    signs = {"a": (1, 1), "b": (1, -1), "c": (-1, 1), "d": (-1, -1)}
    rng = np.random.default_rng(0)

    def features(y):
        return np.array([signs[label] for label in y]) + 0.1 * rng.normal(size=(len(y), 2))

    data = Bunch(
        sketches=features(Y_SKETCH), images=features(Y_IMAGE), y_sketch=Y_SKETCH, y_image=Y_IMAGE
    )
    problem = make_zero_shot_problem(data, ["b", "c"])
    result = evaluate(CCAHasher(8, random_state=0), problem)
    assert len(result.query_codes) == 6
    assert len(result.gallery_codes) == 20


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ("b", "held_out='b': expected a list of categories"),
        (["b", "x", "y"], "There are no sketches of the held_out x, y: the data have a, b, c, d"),
        ([2, 3], "There are no sketches of the held_out 2, 3"),
        (["b"], "held_out has 1 categories and leaves 3 to train on: at least 2 must be held out"),
        (["b", "b"], "held_out has 1 categories"),
        (["a", "b", "c"], "held_out has 3 categories and leaves 1 to train on.*and 2 left"),
        ([], "held_out has 0 categories"),
    ],
)
def test_held_out_categories_that_are_not_there_or_too_few(held_out, message):
    with pytest.raises(ValueError, match=message):
        make_zero_shot_problem(make_data(), held_out)


def test_too_few_for_the_generalised_gallery():
    data = make_data()
    with pytest.raises(ValueError, match="leaves 1 to train on: at least 1 must be held out"):
        make_zero_shot_problem(data, ["a", "b", "c"], generalised=True)
    data.y_image = np.where((np.arange(40) < 16) | (Y_IMAGE != "a"), Y_IMAGE, "d")
    message = r"There are 4 photos of 'a': at least 5 of each category are needed to hold some out"
    with pytest.raises(ValueError, match=message):
        make_zero_shot_problem(data, ["b"], generalised=True)


def test_a_category_without_photos():
    data = make_data()
    data.y_image = np.where(Y_IMAGE == "b", "a", Y_IMAGE)
    with pytest.raises(ValueError, match="There are no photos of the held_out b: the data have a"):
        make_zero_shot_problem(data, ["b", "c"])
