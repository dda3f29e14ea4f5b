import numpy as np
import pytest
from PIL import Image

from sklearn_dsh.datasets import _sketchy, load_sketchy

CATEGORIES = ("airplane", "hot-air_balloon", "zebra")


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 36), (level, level, level)).save(path)


def make_tree(root, categories=CATEGORIES):
    """Two photos a category with three sketches each; the extension has them again and 3 more."""
    for c, category in enumerate(categories):
        for p in range(2):
            name, level = f"n{c:04}_{p}", 80 * c + 40 * p
            save(root / f"256x256/photo/tx_000000000000/{category}/{name}.jpg", level)
            save(root / f"EXTEND_image_sketchy/{category}/{name}.jpg", 250)
            for i in range(1, 4):
                save(root / f"256x256/sketch/tx_000000000000/{category}/{name}-{i}.png", level + i)
        for i in range(3):
            save(root / f"EXTEND_image_sketchy/{category}/ext_{i}.jpg", 200 + 10 * c + i)


@pytest.fixture
def root(tmp_path, monkeypatch):
    make_tree(tmp_path)
    monkeypatch.setattr(_sketchy, "N_CATEGORIES", 3)
    monkeypatch.setattr(_sketchy, "N_SKETCHES", 18)
    monkeypatch.setattr(_sketchy, "N_PHOTOS", 6)
    monkeypatch.setattr(_sketchy, "PHOTOS_PER_CATEGORY", 2)
    monkeypatch.setattr(_sketchy, "N_PHOTOS_EXTENDED", 15)
    return tmp_path


def test_published_counts():
    assert _sketchy.N_PHOTOS == _sketchy.N_CATEGORIES * _sketchy.PHOTOS_PER_CATEGORY
    assert _sketchy.N_PHOTOS_EXTENDED == _sketchy.N_PHOTOS + 60_502


def test_pixels_labels_and_groups(root):
    data = load_sketchy(root, n_queries=2, size=32)
    assert data.sketches.shape == (18, 32, 32)
    assert data.images.shape == (15, 32, 32, 3)
    assert data.sketches.dtype == data.images.dtype == np.uint8
    assert list(data.target_names) == list(CATEGORIES)
    assert list(data.y_sketch) == [c for c in CATEGORIES for _ in range(6)]
    assert list(data.y_image) == [c for c in CATEGORIES for _ in range(5)]
    assert list(data.sketches[:6, 0, 0]) == [1, 2, 3, 41, 42, 43]
    assert list(data.sketch_groups[:6]) == ["airplane/n0000_0"] * 3 + ["airplane/n0000_1"] * 3
    assert list(data.image_groups[:5]) == [
        f"airplane/{name}" for name in ("n0000_0", "n0000_1", "ext_0", "ext_1", "ext_2")
    ]
    # Photos that are in both folders are those of Sketchy itself.
    np.testing.assert_allclose(data.images[:5, 16, 16, 0], [0, 40, 200, 201, 202], atol=2)
    assert set(data.sketch_groups) <= set(data.image_groups)
    assert data.split_image is None


def test_without_extension(root):
    data = load_sketchy(root, extension=False, n_queries=1, size=32)
    assert len(data.images) == 6
    assert set(data.image_groups) == set(data.sketch_groups)


def test_extension_without_the_first_photos(root):
    for path in (root / "EXTEND_image_sketchy").glob("*/n*.jpg"):
        path.unlink()
    assert len(load_sketchy(root, n_queries=1, size=None).images) == 15


def test_queries_are_drawn_from_each_category(root):
    data = load_sketchy(root, n_queries=2, size=None)
    for category in CATEGORIES:
        parts = data.split_sketch[data.y_sketch == category]
        assert sorted(parts) == ["test"] * 2 + ["train"] * 4
    again = load_sketchy(root, n_queries=2, size=None, random_state=0)
    np.testing.assert_array_equal(data.split_sketch, again.split_sketch)
    others = [load_sketchy(root, n_queries=2, size=None, random_state=s) for s in range(1, 4)]
    assert any(not np.array_equal(data.split_sketch, other.split_sketch) for other in others)
    assert set(load_sketchy(root, n_queries=0, size=None).split_sketch) == {"train"}


def test_paths_instead_of_pixels(root):
    data = load_sketchy(root, n_queries=1, size=None)
    assert data.sketches.dtype.kind == data.images.dtype.kind == "U"
    np.testing.assert_array_equal(data.sketches, data.sketch_paths)
    np.testing.assert_array_equal(data.images, data.image_paths)
    assert data.sketches[0].endswith("n0000_0-1.png")


@pytest.mark.parametrize(
    "move",
    [
        {},
        {"EXTEND_image_sketchy": "256x256/EXTEND_image_sketchy"},
        {"EXTEND_image_sketchy": "EXTEND_image_sketchy_ready"},
        {"256x256": "Sketchy", "EXTEND_image_sketchy": "Sketchy/extended_photo"},
        {"256x256": "Sketchy/256x256", "EXTEND_image_sketchy": "Sketchy/EXTEND_image_sketchy"},
        {
            "256x256/sketch/tx_000000000000": "256x256/sketch/tx_000000000000_ready",
            "256x256/photo/tx_000000000000": "256x256/photo/tx_000000000000_ready",
        },
        {"256x256": "rendered_256x256/256x256"},
    ],
)
def test_layouts(root, move):
    for old, new in move.items():
        (root / new).parent.mkdir(exist_ok=True)
        (root / old).rename(root / new)
    data = load_sketchy(str(root), n_queries=1, size=None)
    assert (len(data.sketches), len(data.images)) == (18, 15)


def test_inner_folders_as_root(root):
    data = load_sketchy(root / "256x256", extension=False, n_queries=1, size=None)
    assert len(data.sketches) == 18
    # Nothing outside the given folder is read.
    with pytest.raises(ValueError, match=r"no photos of the extension .*EXTEND_image_sketchy"):
        load_sketchy(root / "256x256", n_queries=1)


def test_stray_files_are_passed_over(root):
    folder = root / "256x256/sketch/tx_000000000000"
    (folder / "list.txt").write_text("x")
    (folder / "zebra/Thumbs.db").write_text("x")
    (folder / "zebra/._n0002_0-1.png").write_text("x")
    (folder / ".cache").mkdir()
    assert len(load_sketchy(root, n_queries=1, size=None).sketches) == 18


def test_sketch_without_its_photo(root):
    (root / "256x256/photo/tx_000000000000/zebra/n0002_1.jpg").unlink()
    data = load_sketchy(root, extension=False, n_queries=1, size=None, check_counts=False)
    assert set(data.sketch_groups) - set(data.image_groups) == {"zebra/n0002_1"}


def remove(root, pattern):
    for path in sorted(root.glob(pattern), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["256x256/sketch/*/zebra/*2.png"], "Sketchy database: 16 sketches, expected 18"),
        (["256x256/photo/*/zebra/*_1.jpg"], r"fewer than 2 photos of 'zebra' \(1\)"),
        (["EXTEND_image_sketchy/zebra/ext*"], "12 photos in all, expected 15"),
        (
            ["256x256/photo/*/airplane/*", "256x256/photo/*/airplane"],
            "no photos of 'airplane'; 4 photos, expected 6",
        ),
        (
            ["EXTEND_image_sketchy/zebra/*", "EXTEND_image_sketchy/zebra"],
            "no photos of the extension of 'zebra'",
        ),
        (
            ["*/zebra/*", "*/zebra", "*/*/*/zebra/*", "*/*/*/zebra"],
            "2 category folders, expected 3",
        ),
    ],
)
def test_missing_parts_are_named(root, patterns, message):
    for pattern in patterns:
        remove(root, pattern)
    with pytest.raises(ValueError, match=message):
        load_sketchy(root, n_queries=1)
    load_sketchy(root, n_queries=1, size=None, check_counts=False)


def test_long_lists_are_shortened(tmp_path):
    make_tree(tmp_path, [f"c{i}" for i in range(8)])
    message = r"of 'c0' \(2\), 'c1' \(2\), 'c2' \(2\), 'c3' \(2\), 'c4' \(2\) and 3 more; 16 photos"
    with pytest.raises(ValueError, match=message):
        load_sketchy(tmp_path, extension=False)


def test_more_files_than_published_are_fine(root):
    save(root / "256x256/sketch/tx_000000000000/zebra/n0002_1-4.png", 0)
    assert len(load_sketchy(root, n_queries=1, size=None).sketches) == 19


def test_category_folder_without_images(root):
    remove(root, "256x256/sketch/*/zebra/*")
    for check_counts in (True, False):
        with pytest.raises(ValueError, match="zebra' holds no images"):
            load_sketchy(root, n_queries=1, check_counts=check_counts)


def test_damaged_image_is_named(root):
    (root / "256x256/sketch/tx_000000000000/zebra/n0002_1-2.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Cannot read the image file .*n0002_1-2\.png"):
        load_sketchy(root, n_queries=1, size=32)


def test_missing_folders(root, tmp_path):
    with pytest.raises(ValueError, match="There is no folder"):
        load_sketchy(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match=r"no sketches .* looked for .*256x256/sketch/tx_0000"):
        load_sketchy(tmp_path / "bare")
    (root / "256x256/photo").rename(root / "photos")
    with pytest.raises(ValueError, match="no photos of the Sketchy database"):
        load_sketchy(root)
    (root / "256x256/photo/tx_000000000000").mkdir(parents=True)
    with pytest.raises(ValueError, match="is empty: expected tx_000000000000/<category>/<image>"):
        load_sketchy(root)


def test_bad_arguments(root):
    with pytest.raises(ValueError, match="'airplane' has 6 sketches: n_queries=6 would leave none"):
        load_sketchy(root, n_queries=6)
    with pytest.raises(ValueError, match="'size' parameter"):
        load_sketchy(root, size=16)
    with pytest.raises(ValueError, match="'n_queries' parameter"):
        load_sketchy(root, n_queries=-1)
