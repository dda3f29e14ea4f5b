import numpy as np
import pytest
from PIL import Image

from sklearn_dsh.datasets import _tu_berlin, load_tu_berlin

CATEGORIES = ("armchair", "car (sedan)", "t-shirt")


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 36), (level, level, level)).save(path)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Four sketches and two to four photos of each category, photos of three file types."""
    number = 1
    for c, category in enumerate(CATEGORIES):
        for _ in range(4):
            save(tmp_path / f"png/{category}/{number}.png", number)
            number += 1
        for i, suffix in enumerate(["jpg", "JPEG", "png", "jpg"][: 2 + c]):
            save(tmp_path / f"ImageResized/{category}/{i}.{suffix}", 100 + 10 * c + i)
    monkeypatch.setattr(_tu_berlin, "N_CATEGORIES", 3)
    monkeypatch.setattr(_tu_berlin, "N_SKETCHES", 12)
    monkeypatch.setattr(_tu_berlin, "SKETCHES_PER_CATEGORY", 4)
    monkeypatch.setattr(_tu_berlin, "N_PHOTOS", 9)
    return tmp_path


def test_published_counts():
    assert _tu_berlin.N_SKETCHES == _tu_berlin.N_CATEGORIES * _tu_berlin.SKETCHES_PER_CATEGORY
    assert _tu_berlin.N_PHOTOS <= _tu_berlin.N_PHOTOS_PUBLISHED


def test_pixels_and_labels(root):
    data = load_tu_berlin(root, n_queries=1, size=32)
    assert data.sketches.shape == (12, 32, 32)
    assert data.images.shape == (9, 32, 32, 3)
    assert data.sketches.dtype == data.images.dtype == np.uint8
    assert list(data.target_names) == list(CATEGORIES)
    assert list(data.y_sketch) == [c for c in CATEGORIES for _ in range(4)]
    assert list(data.y_image) == np.repeat(CATEGORIES, [2, 3, 4]).tolist()
    assert sorted(data.sketches[:, 0, 0]) == list(range(1, 13))
    levels = [100, 101, 110, 111, 112, 120, 121, 122, 123]
    np.testing.assert_allclose(data.images[:, 16, 16, 0], levels, atol=2)
    assert data.split_image is None


def test_queries_are_drawn_from_each_category(root):
    data = load_tu_berlin(root, n_queries=2, size=None)
    for category in CATEGORIES:
        parts = data.split_sketch[data.y_sketch == category]
        assert sorted(parts) == ["test"] * 2 + ["train"] * 2
    again = load_tu_berlin(root, n_queries=2, size=None, random_state=0)
    np.testing.assert_array_equal(data.split_sketch, again.split_sketch)
    others = [load_tu_berlin(root, n_queries=2, size=None, random_state=s) for s in range(1, 4)]
    assert any(not np.array_equal(data.split_sketch, other.split_sketch) for other in others)


def test_paths_instead_of_pixels(root):
    data = load_tu_berlin(root, n_queries=1, size=None)
    np.testing.assert_array_equal(data.sketches, data.sketch_paths)
    np.testing.assert_array_equal(data.images, data.image_paths)
    assert data.images[0] == str(root / "ImageResized/armchair/0.jpg")


@pytest.mark.parametrize(
    "move",
    [
        {"png": "png_ready", "ImageResized": "ImageResized_ready"},
        {"png": "TU-Berlin/sketches", "ImageResized": "TU-Berlin/images"},
        {"png": "TUBerlin/png_ready", "ImageResized": "TUBerlin/ImageResized_ready"},
        {"png": "sketches_png/png"},
    ],
)
def test_layouts(root, move):
    for old, new in move.items():
        (root / new).parent.mkdir(exist_ok=True)
        (root / old).rename(root / new)
    data = load_tu_berlin(str(root), n_queries=1, size=None)
    assert (len(data.sketches), len(data.images)) == (12, 9)


def test_stray_files_are_passed_over(root):
    (root / "png/filelist.txt").write_text("x")
    (root / "ImageResized/list.txt").write_text("x")
    (root / "ImageResized/t-shirt/urls.txt").write_text("x")
    data = load_tu_berlin(root, n_queries=1, size=None)
    assert (len(data.sketches), len(data.images)) == (12, 9)


def remove(root, pattern):
    for path in sorted(root.glob(pattern), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["png/t-shirt/12.png"], r"fewer than 4 sketches of 't-shirt' \(3\); 11 sketches"),
        (["ImageResized/t-shirt/0.jpg"], "TU-Berlin extension: 8 photos, expected 9"),
        (["ImageResized/armchair/*", "ImageResized/armchair"], "no photos of 'armchair'"),
        (["png/armchair/*", "png/armchair"], "no sketches of 'armchair'"),
        (["*/armchair/*", "*/armchair"], "2 category folders, expected 3"),
    ],
)
def test_missing_parts_are_named(root, patterns, message):
    for pattern in patterns:
        remove(root, pattern)
    with pytest.raises(ValueError, match=message):
        load_tu_berlin(root, n_queries=1)
    load_tu_berlin(root, n_queries=1, size=None, check_counts=False)


def test_category_folder_without_images(root):
    remove(root, "ImageResized/t-shirt/*")
    with pytest.raises(ValueError, match="t-shirt' holds no images"):
        load_tu_berlin(root, n_queries=1, check_counts=False)


def test_damaged_image_is_named(root):
    (root / "ImageResized/t-shirt/2.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"2\.png.*the file is empty"):
        load_tu_berlin(root, n_queries=1, size=32)


def test_missing_folders(root):
    with pytest.raises(ValueError, match="There is no folder"):
        load_tu_berlin(root / "nowhere")
    with pytest.raises(
        ValueError, match=r"no sketches of TU-Berlin .* looked for .* png, png_ready"
    ):
        load_tu_berlin(root / "ImageResized")
    (root / "ImageResized").rename(root / "elsewhere")
    with pytest.raises(ValueError, match=r"\(extension=False: without\).*ImageResized, ImageR"):
        load_tu_berlin(root)
    # TU-Berlin alone.
    data = load_tu_berlin(root, extension=False, n_queries=1, size=32)
    assert data.sketches.shape == (12, 32, 32)
    assert data.images is data.y_image is data.image_paths is None
    assert list(data.target_names) == list(CATEGORIES)
    (root / "png/armchair/1.png").unlink()
    with pytest.raises(ValueError, match=r"whole of TU-Berlin: .*'armchair' \(3\); 11 sketches"):
        load_tu_berlin(root, extension=False)


def test_bad_arguments(root):
    with pytest.raises(ValueError, match="'armchair' has 4 sketches: n_queries=10 would leave"):
        load_tu_berlin(root)
    with pytest.raises(ValueError, match="'size' parameter"):
        load_tu_berlin(root, size=16)
