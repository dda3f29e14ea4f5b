import csv

import numpy as np
import pytest
from PIL import Image

from sklearn_dsh import load_sketch_photo_folder


@pytest.fixture
def root(tmp_path):
    """Two categories; the grey level of each picture tells which it is."""
    level = 0
    for view, suffix in (("sketch", "png"), ("photo", "png")):
        for label in ("cat", "dog"):
            folder = tmp_path / view / label
            folder.mkdir(parents=True)
            for i in range(3 if view == "sketch" else 4):
                Image.new("RGB", (50, 40), (level, level, level)).save(folder / f"{i}.{suffix}")
                level += 10
    return tmp_path


def write_split(root, rows, columns=("path", "view", "label", "split")):
    with open(root / "split.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def read_split(root):
    with open(root / "split.csv", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture
def split_root(root):
    """The last of every folder is for testing; one sketch is not listed."""
    rows = [
        (f"{view}/{label}/{i}.png", view, label, "test" if i == n - 1 else "train")
        for label in ("dog", "cat")
        for view, n in (("photo", 4), ("sketch", 3))
        for i in range(n)
        if (view, label, i) != ("sketch", "cat", 0)
    ]
    write_split(root, rows)
    return root


def test_hidden_files_and_folders_are_passed_over(root):
    expected = load_sketch_photo_folder(root, size=32)
    hidden = root / "sketch" / ".ipynb_checkpoints"
    hidden.mkdir()
    Image.new("RGB", (50, 40)).save(hidden / "0.png")
    (root / "photo" / "cat" / "._0.png").write_bytes(b"what a file system wrote beside 0.png")
    found = load_sketch_photo_folder(root, size=32)
    for name in ("sketch_paths", "image_paths"):
        assert list(found[name]) == list(expected[name])


def test_without_split(root):
    data = load_sketch_photo_folder(root, size=32)
    assert data.sketches.shape == (6, 32, 32)
    assert data.images.shape == (8, 32, 32, 3)
    assert data.sketches.dtype == data.images.dtype == np.uint8
    assert list(data.y_sketch) == ["cat"] * 3 + ["dog"] * 3
    assert list(data.y_image) == ["cat"] * 4 + ["dog"] * 4
    assert list(data.target_names) == ["cat", "dog"]
    assert data.split_sketch is None
    assert data.split_image is None
    # Every picture is at its label's and path's place.
    np.testing.assert_array_equal(data.sketches[:, 0, 0], np.arange(0, 60, 10))
    np.testing.assert_array_equal(data.images[:, 5, 5, 1], np.arange(60, 140, 10))
    assert data.image_paths[-1] == str(root / "photo" / "dog" / "3.png")


def test_other_files_are_passed_over(root):
    (root / "sketch" / "cat" / "Thumbs.db").write_text("x")
    (root / "sketch" / "cat" / "notes.txt").write_text("x")
    (root / "sketch" / "empty").mkdir()
    Image.new("L", (40, 40)).save(root / "sketch" / "dog" / "9.JPG")
    data = load_sketch_photo_folder(str(root), size=32)
    assert list(data.y_sketch) == ["cat"] * 3 + ["dog"] * 4
    assert list(data.target_names) == ["cat", "dog"]


def test_paths_instead_of_pixels(root):
    data = load_sketch_photo_folder(root, size=None)
    assert data.sketches.dtype.kind == data.images.dtype.kind == "U"
    np.testing.assert_array_equal(data.sketches, data.sketch_paths)
    np.testing.assert_array_equal(data.images, data.image_paths)


def test_split_is_given_back_in_its_order(split_root):
    data = load_sketch_photo_folder(split_root, size=32)
    assert list(data.y_sketch) == ["dog"] * 3 + ["cat"] * 2
    assert list(data.split_sketch) == ["train", "train", "test", "train", "test"]
    assert list(data.split_image) == (["train"] * 3 + ["test"]) * 2
    np.testing.assert_array_equal(data.sketches[:, 0, 0], [30, 40, 50, 10, 20])


@pytest.mark.parametrize(
    ("split", "sketches", "photos"),
    [
        ("train", [30, 40, 10], [100, 110, 120, 60, 70, 80]),
        ("test", [50, 20], [130, 90]),
        ({"sketch": "train"}, [30, 40, 10], [100, 110, 120, 130, 60, 70, 80, 90]),
        ({"sketch": "test", "image": None}, [50, 20], [100, 110, 120, 130, 60, 70, 80, 90]),
        ({"image": "test"}, [30, 40, 50, 10, 20], [130, 90]),
    ],
)
def test_parts_of_the_split(split_root, split, sketches, photos):
    data = load_sketch_photo_folder(split_root, split=split, size=32)
    np.testing.assert_array_equal(data.sketches[:, 0, 0], sketches)
    np.testing.assert_array_equal(data.images[:, 0, 0, 0], photos)
    for array in (data.y_sketch, data.split_sketch, data.sketch_paths):
        assert len(array) == len(sketches)


@pytest.mark.parametrize("size", [32, 64])
def test_damaged_image_is_named(root, size):
    (root / "photo" / "dog" / "2.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"2\.png.*the file is empty"):
        load_sketch_photo_folder(root, size=size)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("photo/cat/9.png", "photo", "cat", "train"),
            "line 2: there is no file 'photo/cat/9.png'",
        ),
        (("photo/cat/0.png", "image", "cat", "train"), "line 2: view 'image', expected 'sketch'"),
        (("photo/cat/0.png", "photo", "", "train"), "line 2: an empty field"),
        (("photo/cat/0.png", "photo", "cat"), "line 2: an empty field"),
        (("photo/cat/0.png", "photo", " ", "train"), "line 2: an empty field"),
        (("photo/cat/0.png", "photo", "cat", "Test"), "line 2: split 'Test', expected 'test'"),
        (("photo/cat/0.png", "photo", "cat", "big", "test"), r"line 2: \['test'\] beyond the col"),
        (("photo/cat/0.png", "photo", "cat", "train\nphoto"), "line 3: a split of several lines"),
        (("a/" * 5000, "photo", "cat", "train"), "line 2: there is no file 'a/a/"),
        (("a" * 200_000, "photo", "cat", "train"), "line 2: no sound CSV, field larger than"),
    ],
)
def test_bad_rows_of_the_split(root, row, message):
    write_split(root, [row])
    with pytest.raises(ValueError, match=message):
        load_sketch_photo_folder(root)


def test_a_split_that_is_cut_off_is_known(split_root):
    table = split_root / "split.csv"
    text = table.read_text().rstrip()
    assert text.endswith(("train", "test"))
    table.write_text(text)  # editors may leave the last line without an end
    load_sketch_photo_folder(split_root)
    table.write_text(text[:-2])
    with pytest.raises(ValueError, match=r"the file ends in the split 't\w+', which seems to be"):
        load_sketch_photo_folder(split_root)


def test_a_file_may_be_listed_once(split_root):
    rows = read_split(split_root)
    write_split(split_root, [*rows, ["photo/../photo/dog/0.png", "photo", "dog", "test"]])
    with pytest.raises(ValueError, match=r"line 15: 'photo/../photo/dog/0\.png' is in line 2"):
        load_sketch_photo_folder(split_root)


def test_blanks_around_the_fields_of_the_split(split_root):
    expected = load_sketch_photo_folder(split_root, size=32)
    rows = read_split(split_root)
    write_split(split_root, [[path, *(f" {field} " for field in more)] for path, *more in rows])
    data = load_sketch_photo_folder(split_root, size=32)
    for name in ("y_sketch", "y_image", "split_sketch", "split_image"):
        np.testing.assert_array_equal(data[name], expected[name])


def test_a_split_of_another_encoding_is_named(root):
    (root / "split.csv").write_bytes(
        "path,view,label,split\nphoto/a.png,photo,Gebäude,test\n".encode("latin-1")
    )
    with pytest.raises(ValueError, match=r"split\.csv' is no text in UTF-8"):
        load_sketch_photo_folder(root)


def test_bad_columns_of_the_split(root):
    write_split(root, [], columns=("file", "view", "label", "split"))
    with pytest.raises(ValueError, match=r"missing \['path'\]"):
        load_sketch_photo_folder(root)


def test_part_that_does_not_exist(split_root):
    with pytest.raises(ValueError, match=r"split 'val' \(there are \['test', 'train'\]\)"):
        load_sketch_photo_folder(split_root, split="val")


def test_bad_arguments(root, tmp_path):
    with pytest.raises(ValueError, match=r"split='train' was asked for, but there is no"):
        load_sketch_photo_folder(root, split="train")
    with pytest.raises(ValueError, match=r"expected None, the name of a part"):
        load_sketch_photo_folder(root, split={"photo": "train"})
    with pytest.raises(ValueError, match="size=16: expected at least 32"):
        load_sketch_photo_folder(root, size=16)
    with pytest.raises(ValueError, match="There is no folder"):
        load_sketch_photo_folder(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match="No sketch files under"):
        load_sketch_photo_folder(tmp_path / "bare")
