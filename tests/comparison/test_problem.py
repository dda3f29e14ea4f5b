import numpy as np
import pytest
from sklearn.utils import Bunch

from sklearn_dsh.comparison import make_problem


def make_data(**split):
    """Every row holds its own number; sketches are even, photos odd."""
    y_sketch, y_image = np.array(["a", "b"] * 10), np.array(["a", "b", "b"] * 7)
    sketches = (
        np.full((20, 32, 32), 0, dtype=np.uint8) + 2 * np.arange(20, dtype=np.uint8)[:, None, None]
    )
    images = np.zeros((21, 32, 32, 3), dtype=np.uint8)
    images += (2 * np.arange(21, dtype=np.uint8) + 1)[:, None, None, None]
    return Bunch(sketches=sketches, images=images, y_sketch=y_sketch, y_image=y_image, **split)


def numbers(images):
    return np.asarray(images).reshape(len(images), -1)[:, 0].tolist()


@pytest.mark.parametrize("protocol", ["paper", "unseen"])
def test_queries_are_not_trained_on(protocol):
    problem = make_problem(make_data(), protocol)
    trained = numbers(problem.train.take_view("sketch")[:])
    queries = numbers(problem.queries)
    assert sorted(trained + queries) == list(range(0, 40, 2))
    assert sorted(problem.y_query) == ["a"] * 2 + ["b"] * 2
    assert [["a", "b"][n // 2 % 2] for n in queries] == list(problem.y_query)
    assert problem.sizes() == [16, problem.train.n_images, 4, len(problem.gallery)]
    photos, gallery = numbers(problem.train.take_view("image")[:]), numbers(problem.gallery)
    if protocol == "paper":
        assert photos == gallery == list(range(1, 43, 2))
        assert "all 21 photos" in problem.description
    else:
        assert sorted(photos + gallery) == list(range(1, 43, 2))
        assert 4 <= len(gallery) <= 5
        assert set(problem.y_gallery) == {"a", "b"}
        assert f"query {len(gallery)} other photos" in problem.description
    in_order = np.array(["a", "b", "b"] * 7)[np.array(gallery) // 2]
    np.testing.assert_array_equal(problem.y_gallery, in_order)
    assert len(problem.y_train) == len(problem.train)
    sketch_labels = problem.y_train[problem.train.is_sketch]
    assert [["a", "b"][n // 2 % 2] for n in trained] == list(sketch_labels)


def test_the_split_of_the_data_is_followed():
    split_sketch = np.array(["test"] + ["train"] * 18 + ["test"])
    split_image = np.array(["train"] * 18 + ["test"] * 3)
    data = make_data(split_sketch=split_sketch, split_image=split_image)
    problem = make_problem(data, "unseen")
    assert numbers(problem.queries) == [0, 38]
    assert numbers(problem.gallery) == [37, 39, 41]
    assert numbers(make_problem(data).gallery) == list(range(1, 43, 2))
    # What the data do not split is drawn.
    data = make_data(split_sketch=split_sketch, split_image=None)
    assert 4 <= len(make_problem(data, "unseen").gallery) <= 5


def test_other_parts_of_a_split_are_left_out():
    split = np.array(["test"] * 4 + ["val"] * 4 + ["train"] * 12)
    problem = make_problem(make_data(split_sketch=split))
    assert numbers(problem.queries) == [0, 2, 4, 6]
    assert numbers(problem.train.take_view("sketch")[:]) == list(range(16, 40, 2))
    assert problem.sizes() == [12, 21, 4, 21]


def test_sketches_of_the_unseen_photos_are_left_out():
    """Sketches 0 to 9 were drawn after photo 0, and so on to photo 1; the others have none."""
    groups = {"sketch_groups": np.arange(20) // 10, "image_groups": np.arange(21)}
    split_image = np.array(["test", "train", "test"] * 7)
    split = {"split_image": split_image, "split_sketch": np.array(["test", "train"] * 10)}
    problem = make_problem(make_data(**split, **groups), "unseen")
    assert numbers(problem.train.take_view("sketch")[:]) == list(range(22, 40, 4))
    assert numbers(problem.queries) == list(range(0, 40, 4))
    assert numbers(problem.gallery)[0] == 1
    assert make_problem(make_data(**split, **groups)).sizes() == [10, 21, 10, 21]
    del groups["image_groups"]
    assert make_problem(make_data(**split, **groups), "unseen").sizes()[0] == 10


def test_a_view_that_is_missing():
    data = make_data()
    data.images = None
    with pytest.raises(ValueError, match="The data have no images: sketches query photos"):
        make_problem(data)


@pytest.mark.parametrize("dtype", [None, object])
def test_a_category_too_small_to_be_split(dtype):
    data = make_data()
    data.y_sketch[:18] = "b"
    data.y_sketch = data.y_sketch.astype(dtype or data.y_sketch.dtype)
    with pytest.raises(ValueError, match="The sketch view has 1 items of 'a': at least 5"):
        make_problem(data)


def test_no_such_protocol():
    with pytest.raises(ValueError, match="protocol must be one of"):
        make_problem(make_data(), "zero-shot")
