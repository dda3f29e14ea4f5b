"""Images in folders: every command finds those of the loaders, and an error names what is wrong."""

import itertools
import os
import shutil
import struct
import subprocess
import sys
import unicodedata
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

from sklearn_dsh import demo, load_sketch_photo_folder
from sklearn_dsh.exceptions import PassedOverWarning
from sklearn_dsh.gallery import Gallery

ONE, TWO = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture
def data(shared, tmp_path):
    """A copy of the folder, in which something may be wrong."""
    return Path(shutil.copytree(shared / "data", tmp_path / "data"))


def commands_that_read(shared, data, tmp_path):
    """The arguments of every command that reads images, and the folder that it reads."""
    model, gallery, photos = shared / "cca.model", shared / "gallery", data / "photo"
    serve = ["serve", model, gallery, "--port", 0, "--no-open"]
    method = ["--method", "CCA-ITQ", "--bits", 8, "--size", 32]
    return {
        "fit": ["fit", data, tmp_path / "m.model", *method],
        "fit DSH": [
            "fit",
            data,
            tmp_path / "m.model",
            "--steps",
            1,
            "--bits",
            8,
            "--size",
            32,
        ],
        "evaluate": ["evaluate", model, data],
        "encode": ["encode", model, photos, "-o", tmp_path / "g", "--labels"],
        "search": ["search", model, gallery, photos],
        "serve --calibrate": [*serve, "--calibrate", photos],
        "serve --samples": [*serve, "--samples", photos],
        "compare": ["compare", data, "-o", tmp_path / "c", "--methods", "LSH", "--quick"],
        "demo": ["--data", data, "--output", tmp_path / "demo.png"],
    }


NAMES = list(commands_that_read(Path(), Path(), Path()))
every_command = pytest.mark.parametrize("name", NAMES)


def run_to_an_error(name, arguments, run, capsys):
    """What the command says in the end; a traceback fails the test."""
    if name.startswith("serve"):
        pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")
    if name == "demo":
        pytest.importorskip("matplotlib")
        with pytest.raises(SystemExit) as stop:
            demo.main([str(argument) for argument in arguments])
        assert stop.value.code == 1
        text = capsys.readouterr().err
    else:
        result = run(*arguments, code=1)
        assert type(result.exception) is SystemExit, result.exception
        text = result.stderr
    assert "Traceback" not in text
    return text.splitlines()[-1]


def cut_off(path):
    path.write_bytes(path.read_bytes()[:60])


def no_image(path):
    path.write_text("no image")


def empty(path):
    path.write_bytes(b"")


def bomb(path):
    """A small file that claims to hold 16 gigabytes of pixels."""
    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def link_to_nothing(path):
    path.unlink()
    path.symlink_to("gone.png")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        *itertools.product(NAMES, (cut_off, bomb, pipe, link_to_nothing)),
        *itertools.product(("fit DSH", "encode"), (no_image, empty)),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name, spoil, shared, data, tmp_path, run, capsys):
    for path in (data / "photo").rglob("*.png"):  # whichever is read
        spoil(path)
    arguments = commands_that_read(shared, data, tmp_path)[name]
    text = run_to_an_error(name, arguments, run, capsys)
    assert text.startswith("Error: ")
    assert f"'{data / 'photo'}/" in text
    assert ".png'" in text


ERRORS = [
    PermissionError(13, "Permission denied"),
    MemoryError(),
    SyntaxError("broken PNG file"),
    struct.error("unpack requires a buffer of 4 bytes"),
]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *((name, RuntimeError("a decoder failed")) for name in NAMES),
        *itertools.product(("fit DSH", "encode", "demo"), ERRORS),
    ],
)
def test_whatever_pillow_raises_names_the_file(
    name, error, shared, data, tmp_path, run, capsys, monkeypatch
):
    def fail(path, *args, **kwargs):
        raise error

    monkeypatch.setattr("sklearn_dsh.preprocessing._resize.Image.open", fail)
    text = run_to_an_error(name, commands_that_read(shared, data, tmp_path)[name], run, capsys)
    assert text.startswith(f"Error: Cannot read the image file '{data}/")


@every_command
@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")]
)
def test_a_folder_that_cannot_be_read_or_vanishes_is_named(
    name, error, shared, data, tmp_path, run, capsys, monkeypatch
):
    category = sorted((data / "photo").iterdir())[1]
    scandir = os.scandir

    def fail(path=None):
        if path is not None and os.fspath(path) == str(category):
            raise type(error)(*error.args, str(category))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail)
    text = run_to_an_error(name, commands_that_read(shared, data, tmp_path)[name], run, capsys)
    assert text.startswith(f"Error: Cannot read the folder '{category}': {error.args[1]}")


@pytest.mark.parametrize("error", [RuntimeError("shared memory"), MemoryError(), OSError("full")])
def test_other_errors_while_data_are_read_end_with_a_message(
    error, run, data, tmp_path, monkeypatch
):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("sklearn_dsh.datasets.load_sketch_photo_folder", fail)
    result = run("fit", data, tmp_path / "m.model", code=1)
    assert type(result.exception) is SystemExit
    told = result.stderr.splitlines()[-1]
    assert told.startswith(f"Error: {str(error) or 'The memory is used up: take smaller images'}")


def test_a_worker_that_dies_names_where(run, data, tmp_path, monkeypatch):
    read = "sklearn_dsh.deep._batches.load_image"
    monkeypatch.setattr(read, lambda *args, **kwargs: os._exit(1))  # as a decoder that crashes
    for path in list((data / "photo").rglob("*.png")):
        for i in range(15):  # more than are read at once, by a process of their own
            os.link(path, path.with_name(f"{path.stem}-{i}.png"))
    monkeypatch.setattr("sklearn_dsh.deep._fit.check_strokes", lambda *args: False)
    arguments = ["--steps", 1, "--bits", 8, "--size", 32, "--set", "sketch_tokens=null"]
    for sketch in list((data / "sketch").rglob("*.png")):
        for i in range(15):
            os.link(sketch, sketch.with_name(f"{sketch.stem}-{i}.png"))
    result = run("fit", data, tmp_path / "m.model", *arguments, code=1)
    assert type(result.exception) is SystemExit
    assert f"Error: A process that decodes image files died near '{data}/" in result.stderr


# What is found


@pytest.fixture
def varied(data):
    """Suffixes of all kinds, folders deeper, hidden ones, links, and files that are no images."""
    first, second, third = sorted(path.name for path in (data / "photo").iterdir())
    for view in ("sketch", "photo"):
        folder = data / view
        image = Image.open(next((folder / first).glob("*.png"))).convert("RGB")
        for name in ("a.jfif", "b.JPEG", "deeper/c.jpe", "deeper/yet/d.webp", ".hidden.png",
                     ".hidden/e.png", "Thumbs.db"):  # fmt: skip
            path = folder / first / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, {".db": "PNG", ".jfif": "JPEG", ".jpe": "JPEG"}.get(path.suffix))
        (folder / second / "up").symlink_to(folder)
        (folder / third).rename(data / f"{view}-of-{third}")
        (folder / third).symlink_to(data / f"{view}-of-{third}")
        (folder / first / "notes.txt").write_text("no image")
    return data


def found_by_encode(run, model, folder, output, *options):
    result = run("encode", model, folder, "-o", output, "--labels", *options)
    gallery = Gallery.load(output)
    return dict(zip(gallery.paths, gallery.labels, strict=True)), result.stderr


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_commands_and_loaders_find_the_same_images(
    view, shared, run, varied, tmp_path, monkeypatch
):
    with pytest.warns(PassedOverWarning, match=r"\.txt \(2\)"):
        read = load_sketch_photo_folder(varied, size=None)
    expected = dict(zip(read[f"{view}_paths"].tolist(), read[f"y_{view}"].tolist(), strict=True))
    folder = varied / {"sketch": "sketch", "image": "photo"}[view]
    assert {Path(path).suffix for path in expected} == {".png", ".jfif", ".JPEG", ".jpe", ".webp"}

    model = shared / "cca.model"
    found, told = found_by_encode(run, model, folder, tmp_path / "g", "--view", view)
    assert found == expected
    assert ".txt (1)" in told
    assert "Warning: 2 images are further down than" in told
    found, _ = found_by_encode(run, model, os.path.relpath(folder), tmp_path / "g", "--view", view)
    assert found == expected

    result = run("search", model, shared / "gallery", folder, "--json", "--view", view)
    assert result.stdout.count('"query"') == len(expected)

    from sklearn_dsh.datasets._finding import images_by_category

    with pytest.warns(PassedOverWarning):
        labelled = images_by_category(folder)
    pairs = {str(path): label for label, paths in labelled.items() for path in paths}
    assert pairs == expected


def test_samples_are_found_alike(varied, monkeypatch):
    _run = pytest.importorskip("sklearn_dsh.serve._run", reason="the page needs Starlette")
    with pytest.warns(PassedOverWarning):
        read = load_sketch_photo_folder(varied, size=None)
    monkeypatch.setattr(_run, "N_SAMPLES", 10_000)
    with pytest.warns(PassedOverWarning):
        samples = _run._choose_samples(varied / "sketch", None)
    assert sorted(map(str, samples)) == sorted(read.sketch_paths)


def test_labels_of_files_and_of_a_category(shared, run, tmp_path, data):
    first = sorted((data / "photo").iterdir())[0]
    files = sorted(first.glob("*.png"))
    for given in (files, [first], [f"{first}/"]):
        run("encode", shared / "cca.model", *given, "-o", tmp_path / "g", "--labels", "-q")
        assert set(Gallery.load(tmp_path / "g").labels) == {first.name}


@pytest.mark.parametrize("form", [ONE, TWO])
def test_categories_of_galleries_come_in_one_form(form, shared, run, tmp_path, data):
    first = sorted((data / "photo").iterdir())[0]
    first.rename(first.with_name(form))
    found, _ = found_by_encode(run, shared / "cca.model", data / "photo", tmp_path / "g")
    assert ONE in found.values()
    assert TWO not in found.values()
    assert all(os.path.isfile(path) for path in found)


def test_what_is_no_image_is_told_where_nothing_is_found(shared, run, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.heic").touch()
    model, photos = shared / "cca.model", tmp_path / "photos"
    for command in (
        ["encode", model, photos, "-o", tmp_path / "g"],
        ["search", model, shared / "gallery", photos],
    ):
        result = run(*command, code=1)
        assert "Error: No image files under" in result.stderr
        assert ".heic (1), " in result.stderr


@pytest.mark.parametrize(
    "name", ["fit", "evaluate", pytest.param("compare", marks=pytest.mark.slow)]
)
def test_categories_of_one_view_are_told_once(name, shared, run, tmp_path, data):
    first = sorted((data / "photo").iterdir())[0]
    first.rename(first.with_name(first.name.title()))
    arguments = commands_that_read(shared, data, tmp_path)[name]
    result = run(*arguments)
    assert result.stderr.count("Warning: Categories of one view only.") == 1
    assert f"{first.name.title()!r} and {first.name!r} differ only in case" in result.stderr


def test_it_is_told_of_no_more_if_that_is_wanted(shared, run, tmp_path, data):
    first = sorted((data / "photo").iterdir())[0]
    first.rename(first.with_name(first.name.title()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Categories of one view")
        result = run(*commands_that_read(shared, data, tmp_path)["fit"])
    assert "Warning" not in result.stderr


@pytest.mark.slow
def test_the_environment_switches_a_warning_off(data, tmp_path):
    first = sorted((data / "photo").iterdir())[0]
    first.rename(first.with_name(first.name.title()))
    arguments = [
        "fit",
        data,
        tmp_path / "m.model",
        "--method",
        "LSH",
        "--bits",
        8,
        "--size",
        32,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_dsh", *map(str, arguments)],
        env=os.environ | {"PYTHONWARNINGS": "ignore:Categories of one view"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert "Categories of one view" not in done.stderr
