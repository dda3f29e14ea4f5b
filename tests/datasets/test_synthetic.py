import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from sklearn_dsh import make_sketch_photo
from sklearn_dsh.datasets._shapes import CATEGORIES
from sklearn_dsh.preprocessing import HOGFeatures


def test_shapes_and_labels():
    data = make_sketch_photo(n_categories=3, n_sketches=7, n_photos=10, size=48, random_state=0)
    assert data.sketches.shape == (7, 48, 48)
    assert data.images.shape == (10, 48, 48, 3)
    assert data.sketches.dtype == data.images.dtype == np.uint8
    assert len(data.target_names) == 3
    for labels, n in ((data.y_sketch, 7), (data.y_image, 10)):
        names, counts = np.unique(labels, return_counts=True)
        assert list(names) == list(data.target_names)
        assert counts.sum() == n
        assert np.ptp(counts) <= 1


def test_random_state():
    first, again, other = (
        make_sketch_photo(n_sketches=8, n_photos=8, size=32, random_state=seed)
        for seed in (0, 0, 1)
    )
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert not np.array_equal(first.images, other.images)
    assert not np.array_equal(first.sketches, other.sketches)
    state = np.random.RandomState(0)
    drawn = make_sketch_photo(n_sketches=8, n_photos=8, size=32, random_state=state)
    np.testing.assert_array_equal(drawn.images, first.images)


def test_members_of_a_category_differ():
    data = make_sketch_photo(n_categories=2, n_sketches=20, n_photos=20, size=32, random_state=0)
    assert len(np.unique(data.sketches.reshape(20, -1), axis=0)) == 20
    assert len(np.unique(data.images.reshape(20, -1), axis=0)) == 20


def test_sketches_are_strokes_on_white():
    n = len(CATEGORIES)
    sketches = make_sketch_photo(
        n_categories=n, n_sketches=5 * n, n_photos=1, random_state=0
    ).sketches
    ink = (sketches < 128).mean(axis=(1, 2))
    assert ((sketches == 255).mean(axis=(1, 2)) > 0.5).all()
    assert ((ink > 0.003) & (ink < 0.35)).all()


def test_photos_are_coloured_and_textured():
    data = make_sketch_photo(n_sketches=1, n_photos=40, random_state=0)
    assert (data.images.std(axis=(1, 2)).max(axis=1) > 5).all()
    saturation = np.ptp(data.images.astype(int), axis=3).mean(axis=(1, 2))
    assert saturation.mean() > 20


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_parts_of_all_categories(category):
    rng = np.random.default_rng(0)
    for _ in range(20):
        parts = CATEGORIES[category](rng)
        assert any(material == 0 for _, _, material in parts)
        for points, closed, material in parts:
            assert points.shape[1] == 2
            assert len(points) >= (3 if closed else 2)
            assert np.abs(points).max() <= 1.3
            assert material in (0, 1, 2)


def test_categories_can_be_told_apart():
    """Of HOG features' nearest neighbours more than chance (1/8) agree, within each view."""
    data = make_sketch_photo(n_sketches=240, n_photos=240, difficulty=0.3, random_state=0)
    for pictures, labels in ((data.sketches, data.y_sketch), (data.images, data.y_image)):
        features = HOGFeatures().fit_transform(pictures)
        model = KNeighborsClassifier(1).fit(features[:160], labels[:160])
        assert model.score(features[160:], labels[160:]) > 0.4


def test_difficulty_makes_sketches_and_photos_more_varied():
    easy, hard = (
        make_sketch_photo(n_categories=2, n_sketches=40, n_photos=40, difficulty=d, random_state=0)
        for d in (0.0, 1.0)
    )
    for view in ("sketches", "images"):
        ink = [HOGFeatures().fit_transform(data[view]).std(axis=0).mean() for data in (easy, hard)]
        assert ink[0] < ink[1]


@pytest.mark.parametrize(
    "parameters",
    [{"n_categories": 1}, {"n_categories": 99}, {"size": 16}, {"n_photos": 0}, {"difficulty": -1}],
)
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match=f"The {next(iter(parameters))!r} parameter"):
        make_sketch_photo(**parameters)
