import numpy as np
import pytest
from sklearn.utils import Bunch

from sklearn_dsh.comparison import make_zero_shot_problem
from sklearn_dsh.datasets import zero_shot_split

NOT_IN_IMAGENET = [
    "bat", "cabin", "cow", "dolphin", "door", "giraffe", "helicopter", "mouse", "pear", "raccoon",
    "rhinoceros", "saw", "scissors", "seagull", "skyscraper", "songbird", "sword", "tree",
    "wheelchair", "windmill", "window",
]  # fmt: skip


def make_data(n_categories, *, n_photos=5, named=()):
    """One sketch and some photos of every category, each a vector."""
    others = [f"category {i:03d}" for i in range(n_categories - len(named))]
    categories = np.array([*named, *others])
    y_image = np.repeat(categories, n_photos)
    return Bunch(
        sketches=np.zeros((n_categories, 1)),
        images=np.zeros((len(y_image), 1)),
        y_sketch=categories[::-1],
        y_image=y_image,
    )


@pytest.mark.parametrize(
    ("protocol", "n_seen", "n_held_out", "n_photos"),
    [
        ("sketchy_100_25", 100, 25, 5),
        ("sketchy_104_21", 104, 21, 5),
        ("tu_berlin_220_30", 220, 30, 400),
        ("sketchy68_48_20", 48, 20, 5),
        ("pacs_5_2", 5, 2, 5),
    ],
)
def test_sizes(protocol, n_seen, n_held_out, n_photos):
    named = NOT_IN_IMAGENET if protocol == "sketchy_104_21" else ()
    data = make_data(n_seen + n_held_out, n_photos=n_photos, named=named)
    held_out = zero_shot_split(protocol, data)
    assert held_out.tolist() == sorted({*held_out.tolist()} & {*data.y_sketch.tolist()})
    assert len(held_out) == n_held_out

    problem = make_zero_shot_problem(data, held_out)
    assert problem.sizes() == [n_seen, n_seen * n_photos, n_held_out, n_held_out * n_photos]
    # Generalised: a fifth of the other photos is in the gallery, not trained on.
    problem = make_zero_shot_problem(data, held_out, generalised=True)
    n_more = n_seen * n_photos // 5
    assert problem.sizes() == [
        n_seen, n_seen * n_photos - n_more, n_held_out, n_held_out * n_photos + n_more
    ]  # fmt: skip


def test_sketchy_without_the_categories_of_imagenet():
    data = make_data(125, named=NOT_IN_IMAGENET)
    assert zero_shot_split("sketchy_104_21", data).tolist() == NOT_IN_IMAGENET
    with pytest.raises(ValueError, match=r"has draws 0 to 0, got draw=1"):
        zero_shot_split("sketchy_104_21", data, draw=1)
    with pytest.raises(ValueError, match=r"holds out \['tree', 'window'\], which the data lack"):
        zero_shot_split(
            "sketchy_104_21",
            make_data(125, named=[c for c in NOT_IN_IMAGENET if c not in ("tree", "window")]),
        )


@pytest.mark.parametrize("protocol", ["sketchy_100_25", "sketchy68_48_20"])
def test_draws_are_seeded(protocol):
    data = make_data({"sketchy_100_25": 125, "sketchy68_48_20": 68}[protocol])
    draws = [zero_shot_split(protocol, data, draw=draw).tolist() for draw in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    categories = sorted(data.y_sketch)
    expected = np.random.default_rng(1).permutation(categories)[: len(draws[2])]
    assert draws[2] == sorted(expected)


def test_tu_berlin_draws_from_categories_with_many_photos():
    data = make_data(250, n_photos=400)
    few = np.unique(data.y_image)[:219]
    keep = ~np.isin(data.y_image, few)
    keep |= np.tile(np.arange(400) < 399, 250)
    data.y_image = data.y_image[keep]
    held_out = zero_shot_split("tu_berlin_220_30", data)
    assert not {*held_out} & {*few}
    more = data.y_image != np.unique(data.y_image)[220]
    data.y_image = data.y_image[more | (np.cumsum(~more) < 400)]
    assert len(zero_shot_split("tu_berlin_220_30", data)) == 30
    more = data.y_image != np.unique(data.y_image)[221]
    data.y_image = data.y_image[more | (np.cumsum(~more) < 400)]
    with pytest.raises(ValueError, match="at least 400 photos, of which the data have 29"):
        zero_shot_split("tu_berlin_220_30", data)


def test_all_pairs_of_pacs():
    data = make_data(7)
    pairs = {tuple(zero_shot_split("pacs_5_2", data, draw=draw).tolist()) for draw in range(21)}
    assert len(pairs) == 21
    with pytest.raises(ValueError, match="'pacs_5_2' has draws 0 to 20, got draw=21"):
        zero_shot_split("pacs_5_2", data, draw=21)


def test_other_data_and_unknown_protocols():
    with pytest.raises(ValueError, match="'sketchy_100_25' is for 125 categories, the data have 7"):
        zero_shot_split("sketchy_100_25", make_data(7))
    with pytest.raises(ValueError, match="'protocol' parameter of zero_shot_split must be a str"):
        zero_shot_split("sketchy", make_data(7))
    with pytest.raises(ValueError, match="'draw' parameter of zero_shot_split must be an int"):
        zero_shot_split("pacs_5_2", make_data(7), draw=-1)
