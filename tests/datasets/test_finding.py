"""Which files are images, what is in a folder, and what is told of the rest."""

import os
import re
import warnings

import pytest
from PIL import Image, features

from sklearn_dsh import load_sketch_photo_folder
from sklearn_dsh.datasets import load_sketchy, load_tu_berlin
from sklearn_dsh.datasets._finding import IMAGE_SUFFIXES, images_below, images_by_category
from sklearn_dsh.exceptions import PassedOverWarning
from sklearn_dsh.preprocessing import load_image


def draw(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 32), (level,) * 3).save(path)


@pytest.fixture
def root(tmp_path):
    for view in ("sketch", "photo"):
        for category in ("cat", "dog"):
            draw(tmp_path / view / category / "0.png")
    return tmp_path


def names(paths, folder):
    return [os.path.relpath(path, folder) for path in paths]


def test_images_are_what_pillow_reads():
    Image.init()
    kinds = {*Image.OPEN, "MPO"}  # which is opened as a JPEG
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in kinds}
    assert known >= IMAGE_SUFFIXES - {".avif", ".jp2", ".j2k", ".jpx"}  # which a build may lack
    # Vector graphics, documents, icons, films and measurements are none.
    assert not IMAGE_SUFFIXES & {".pdf", ".eps", ".ico", ".mpg", ".h5", ".psd", ".svg", ".txt"}


@pytest.mark.parametrize("case", [str.lower, str.upper], ids=["lower", "upper"])
@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES | {".avif", ".jfif", ".jpe"}))
def test_every_kind_of_image_is_read(suffix, case, root):
    Image.init()
    kind = Image.registered_extensions().get(suffix)
    optional = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
    if kind not in Image.SAVE or not features.check(optional.get(kind, "zlib")):
        pytest.skip(f"this Pillow does not write {suffix}")
    path = root / "photo" / "cat" / f"1{case(suffix)}"
    Image.new("1" if suffix == ".pbm" else "RGB", (64, 64)).save(path, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_sketch_photo_folder(root, size=32)
    assert names(data.image_paths, root / "photo")[1] == f"cat/1{case(suffix)}"
    assert load_image(path).shape == (64, 64, 3)


def test_everything_below_a_category_is_of_it(root):
    for name in ("cat/more/1.png", "cat/more/yet/2.png", "dog/a/1.png"):
        draw(root / "photo" / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_sketch_photo_folder(root, size=None)
    assert names(data.images, root / "photo") == [
        "cat/0.png", "cat/more/1.png", "cat/more/yet/2.png", "dog/0.png", "dog/a/1.png"
    ]  # fmt: skip
    assert data.y_image.tolist() == ["cat"] * 3 + ["dog"] * 2


def test_links_are_followed_once(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    draw(elsewhere / "1.png")
    (root / "photo" / "boat").symlink_to(elsewhere)
    (root / "photo" / "cat" / "up").symlink_to(root / "photo")
    (root / "photo" / "puppy").symlink_to(root / "photo" / "dog")
    with pytest.warns(PassedOverWarning, match=r"puppy' \(a link to a folder that is read already"):
        data = load_sketch_photo_folder(root, size=None)
    assert data.y_image.tolist() == ["boat", "cat", "dog"]


# What was not read is told, once


def empty(folder):
    return r"it is empty"


def other_kinds(folder):
    (folder / "a.heic").touch()
    (folder / "b.HEIC").touch()
    (folder / "notes").touch()
    return r"only files that are no images by their suffix: \.heic \(2\), no suffix \(1\)"


def hidden(folder):
    (folder / "Thumbs.db").touch()
    draw(folder / ".0.png")
    draw(folder / ".cache" / "0.png")
    return r"it is empty"


REASONS = {make.__name__: make for make in (empty, other_kinds, hidden)}


@pytest.mark.parametrize("reason", REASONS)
def test_a_category_without_images_is_named_and_why(reason, root):
    folder = root / "photo" / "cow"
    folder.mkdir()
    why = REASONS[reason](folder)
    named = rf"category folders: '{re.escape(str(folder))}' \({why}\)\."
    with pytest.warns(PassedOverWarning, match=named) as told:
        load_sketch_photo_folder(root, size=None)
    assert [w.category for w in told] == [PassedOverWarning]
    assert told[0].filename == __file__
    with pytest.raises(ValueError, match=rf"{re.escape(str(folder))}' holds no images \({why}\)"):
        images_by_category(root / "photo")


@pytest.mark.parametrize("reason", REASONS)
def test_research_data_without_images_of_a_category_are_refused(reason, tmp_path):
    folders = ("sketch/tx_000000000000", "photo/tx_000000000000", "png", "ImageResized")
    for folder in folders:
        draw(tmp_path / folder / "cat" / "n1-1.png")
        (tmp_path / folder / "cow").mkdir()
        REASONS[reason](tmp_path / folder / "cow")
    for load in (load_sketchy, load_tu_berlin):
        with pytest.raises(ValueError, match=r"cow' holds no images \((it is empty|only files)"):
            load(tmp_path, size=None, n_queries=0, check_counts=False)


def test_other_files_are_told_once_by_their_suffix(root):
    for name in ("photo/cat/a.heic", "photo/cat/b.heic", "sketch/dog/c.svg", "photo/dog/Thumbs.db"):
        (root / name).touch()
    (root / "photo" / "list of photos.txt").touch()  # in no category
    with pytest.warns(PassedOverWarning) as told:
        load_sketch_photo_folder(root, size=None)
    assert len(told) == 1
    text = str(told[0].message)
    assert r"suffix: .heic (2), .svg (1), " in text
    assert "Images have .apng, .avif, " in text
    assert "Thumbs" not in text
    assert "list of photos" not in text


def test_images_in_no_category_are_told_of(root):
    draw(root / "photo" / "stray.png")
    with pytest.warns(PassedOverWarning, match=r"Images in no category folder: '.*stray\.png'\."):
        data = load_sketch_photo_folder(root, size=None)
    assert data.y_image.tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    "read",
    [
        lambda root: images_by_category(root / "photo"),
        lambda root: load_sketch_photo_folder(root, size=None),
    ],
    ids=["images_by_category", "load_sketch_photo_folder"],
)
def test_a_folder_too_many_is_told_of(read, root):
    for name in ("pets/cat/0.png", "pets/dog/1.png"):
        draw(root / "photo" / name)
    with pytest.warns(PassedOverWarning, match=r"pets' are in folders in it, 'cat', 'dog', and"):
        read(root)


def test_a_view_without_images_tells_why(root):
    for name in ("cat/0.png", "dog/0.png"):
        (root / "photo" / name).rename(root / "photo" / name.replace("png", "heic"))
    message = r"No photo files under .*cat' \(only files that are no images by their suffix: \.heic"
    with pytest.raises(ValueError, match=message):
        load_sketch_photo_folder(root)


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")]
)
def test_a_folder_that_cannot_be_read_is_named(error, root, monkeypatch):
    scandir = os.scandir

    def fail_at_dog(path):
        if os.fspath(path).endswith("photo/dog"):
            raise type(error)(*error.args, os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail_at_dog)
    message = rf"Cannot read the folder '.*photo/dog': {error.args[1]}"
    for read in (load_sketch_photo_folder, images_below):
        with pytest.raises(ValueError, match=message):
            read(root)
    with pytest.raises(ValueError, match=message):
        images_by_category(root / "photo")


def test_a_pipe_is_no_image_and_is_not_waited_for(root):
    os.mkfifo(root / "photo" / "cat" / "1.png")
    with pytest.raises(ValueError, match=r"1\.png': it is no regular file"):
        load_sketch_photo_folder(root)
