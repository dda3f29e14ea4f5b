"""``encode`` and ``index``: from files to galleries, and from several galleries to one."""

import json
import multiprocessing
import os
import shutil
from pathlib import Path
from signal import SIGKILL

import numpy as np
import pytest

from sklearn_dsh import Compact, DeepSketchHasher, load_model, save_model
from sklearn_dsh.cli import _encode, _files
from sklearn_dsh.deep import _reading
from sklearn_dsh.deep._batches import ImageSource
from sklearn_dsh.gallery import Gallery, hash_file
from sklearn_dsh.retrieval import _choice
from sklearn_dsh.views import SketchImageArray


def transform(shared, paths, view="image"):
    views = (None, np.array(paths)) if view == "image" else (np.array(paths), None)
    return load_model(shared / "cca.model").transform(SketchImageArray(*views))


def test_codes_paths_and_labels(shared, images_of):
    gallery = Gallery.load(shared / "gallery")
    paths = images_of(shared / "data/photo")
    assert gallery.paths == paths
    np.testing.assert_array_equal(gallery.codes, transform(shared, paths))
    assert gallery.labels == [Path(path).parent.name for path in paths]
    assert gallery.n_bits == 20
    assert gallery.model_id == hash_file(shared / "cca.model")


def test_batches_are_joined_in_order(shared, images_of, monkeypatch):
    monkeypatch.setattr(_files, "_AT_ONCE", 5)
    paths = images_of(shared / "data/photo")
    codes, bad = _files.encode_files(load_model(shared / "cca.model"), paths, "image", quiet=True)
    np.testing.assert_array_equal(codes, transform(shared, paths))
    assert bad == {}


def test_sketches_and_no_labels(shared, run, tmp_path, images_of):
    arguments = [shared / "data/sketch", "-o", tmp_path / "g", "--view", "sketch", "--quiet"]
    result = run("encode", shared / "cca.model", *arguments)
    assert result.output == ""
    gallery = Gallery.load(tmp_path / "g")
    assert gallery.labels is None
    paths = images_of(shared / "data/sketch")
    np.testing.assert_array_equal(gallery.codes, transform(shared, paths, "sketch"))


def test_files_folders_and_a_list(shared, run, tmp_path, images_of, monkeypatch):
    photos = images_of(shared / "data/photo")
    folder = tmp_path / "photos"
    for i, name in enumerate(["b/2.PNG", "b/1.png", "a.png", ".hidden.png", ".cache/3.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[i], folder / name)
    (folder / "notes.txt").write_text("no image")
    odd = tmp_path / "image_without_suffix"
    shutil.copy(photos[5], odd)
    monkeypatch.chdir(tmp_path)
    arguments = [odd.name, "photos", "-", "photos/a.png", "-o", "g"]
    listed = f"{photos[7]}\n\nphotos/b/1.png\n"
    result = run("encode", shared / "cca.model", *arguments, input=listed)
    names = [odd.name, "photos/a.png", "photos/b/1.png", "photos/b/2.PNG", photos[7]]
    assert Gallery.load("g").paths == [str(tmp_path / name) for name in names]
    assert "Wrote g: 5 photos, 20 bits each." in result.stderr
    assert result.stdout == ""


def test_links_to_folders_are_followed(shared, run, tmp_path, images_of):
    folder = tmp_path / "photos"
    folder.mkdir()
    category = next(path for path in (shared / "data/photo").iterdir() if path.is_dir())
    (folder / "zebra").mkdir()
    shutil.copy(images_of(category)[0], folder / "zebra/0.png")
    shutil.copy(images_of(category)[0], tmp_path / "not_asked_for.png")
    (folder / "alias").symlink_to(folder / "zebra")
    (folder / "linked").symlink_to(category)
    (folder / "back").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    run("encode", shared / "cca.model", folder, "-o", tmp_path / "g", "--labels")
    gallery = Gallery.load(tmp_path / "g")
    assert gallery.labels == ["zebra"] + ["linked"] * len(images_of(category))


def test_the_gallery_notes_the_model_that_encoded_it(shared, run, tmp_path, monkeypatch):
    model = tmp_path / "model.safetensors"
    shutil.copy(shared / "cca.model", model)
    expected, encode_files = hash_file(model), _encode.encode_files

    def encode(*args, **kwargs):
        found = encode_files(*args, **kwargs)
        model.write_bytes(b"another model, written while this one encoded")
        return found

    monkeypatch.setattr(_encode, "encode_files", encode)
    run("encode", model, shared / "data/photo", "-o", tmp_path / "g")
    assert Gallery.load(tmp_path / "g").model_id == expected


def test_nothing_to_encode(shared, run, tmp_path):
    model = shared / "cca.model"
    result = run("encode", model, tmp_path / "none", "-o", tmp_path / "g", code=1)
    assert result.stderr == f"Error: There is no file or folder {str(tmp_path / 'none')!r}.\n"
    (tmp_path / "empty").mkdir()
    result = run("encode", model, tmp_path / "empty", "-o", tmp_path / "g", code=1)
    assert result.stderr == f"Error: No image files under {str(tmp_path / 'empty')!r}.\n"
    result = run("encode", model, "-", "-o", tmp_path / "g", code=1, input="\n")
    assert result.stderr == "Error: No image files under '-'.\n"
    assert not (tmp_path / "g").exists()


@pytest.fixture
def with_a_broken_one(shared, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(shared / "data/photo", folder)
    path = sorted(folder.rglob("*.png"))[3]
    path.write_bytes(path.read_bytes()[:200])
    return folder, path


def test_a_broken_image_stops(shared, run, tmp_path, with_a_broken_one):
    folder, path = with_a_broken_one
    result = run("encode", shared / "cca.model", folder, "-o", tmp_path / "g", code=1)
    assert f"\nError: Cannot read the image file {str(path)!r}: " in result.stderr
    assert not (tmp_path / "g").exists()


def test_a_broken_image_is_left_out_if_wanted(shared, run, tmp_path, with_a_broken_one, images_of):
    folder, path = with_a_broken_one
    empty = folder / "empty.png"
    empty.touch()
    arguments = [folder, "-o", tmp_path / "g", "--skip-bad", "--labels", "--quiet"]
    result = run("encode", shared / "cca.model", *arguments)
    first, *reasons = result.stderr.splitlines()
    assert first == "Left out 2 files that cannot be read:"
    assert [reason.partition(": ")[0] for reason in reasons] == [
        f"  Cannot read the image file {str(p)!r}" for p in (empty, path)
    ]
    gallery = Gallery.load(tmp_path / "g")
    sound = [p for p in images_of(folder) if p not in (str(path), str(empty))]
    assert sorted(gallery.paths) == sound
    np.testing.assert_array_equal(gallery.codes, transform(shared, gallery.paths))
    assert gallery.labels == [Path(p).parent.name for p in gallery.paths]


def test_all_broken(shared, run, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    arguments = [tmp_path, "-o", tmp_path / "g", "--skip-bad"]
    result = run("encode", shared / "cca.model", *arguments, code=1)
    assert "Error: None of the 1 files can be read: Cannot read the image file" in result.stderr


def test_a_folder_that_is_no_gallery_is_known_first(run, shared, tmp_path):
    result = run("encode", "no_model", "no_photos", "-o", shared / "data", code=1)
    assert result.stderr == (
        f"Error: The folder {str(shared / 'data')!r} is no gallery and not empty (it holds "
        "'photo'): nothing was written. Give a new folder, or one that holds a gallery, to be "
        "replaced.\n"
    )


def make_piece(folder, n, seed, *, n_bytes=2, n_bits=16, labels=True, model_id=None):
    codes = np.random.default_rng(seed).integers(0, 256, (n, n_bytes), dtype=np.uint8)
    codes[:, -1] &= 0xFE  # of 15 bits, too
    paths = [f"{seed}/{i}.jpg" for i in range(n)]
    gallery = Gallery(codes, n_bits, paths, ["c"] * n if labels else None, model_id=model_id)
    gallery.save(folder)
    return gallery


@pytest.mark.parametrize("labels", [True, False])
def test_pieces_make_one_gallery(labels, run, tmp_path):
    pieces = [make_piece(tmp_path / f"p{i}", 10 + i, i, labels=labels) for i in range(3)]
    folders = [tmp_path / f"p{i}" for i in range(3)]
    result = run("index", *folders, "-o", tmp_path / "whole", "--json")
    assert json.loads(result.stdout) == {
        "gallery": str(tmp_path / "whole"),
        "n_pieces": 3,
        "n_photos": 33,
        "n_bits": 16,
        "n_code_bytes": 66,
        "algorithm": "linear_scan",
        "n_structure_bytes": 0,
    }
    whole = Gallery.load(tmp_path / "whole")
    np.testing.assert_array_equal(whole.codes, np.concatenate([p.codes for p in pieces]))
    assert whole.paths == [path for piece in pieces for path in piece.paths]
    assert whole.labels == (["c"] * 33 if labels else None)


def test_photos_are_appended(run, tmp_path):
    make_piece(tmp_path / "whole", 5, 0)
    make_piece(tmp_path / "new", 2, 1)
    result = run("index", tmp_path / "whole", tmp_path / "new", "-o", tmp_path / "whole")
    assert result.stdout.startswith(
        f"{tmp_path / 'whole'}: 7 photos of 2 pieces, 16 bits each, 14 bytes of codes.\n"
        "In memory HammingRetriever(algorithm='auto') takes 'linear_scan'"
    )
    assert len(Gallery.load(tmp_path / "whole")) == 7
    result = run("index", tmp_path / "whole", tmp_path / "new", "-o", tmp_path / "more")
    assert result.stderr == "2 paths occur more than once: such photos are found repeatedly.\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bits": 15}, "hold codes of 16 and 15 bits: encode all pieces with the same model."),
        ({"model_id": "sha256:2"}, "were encoded with different model files: encode all pieces"),
        ({"labels": False}, "only one has labels: encode all pieces with --labels, or all without"),
    ],
)
def test_pieces_that_do_not_go_together(options, message, run, tmp_path):
    make_piece(tmp_path / "a", 5, 0)
    make_piece(tmp_path / "b", 5, 1, **options)
    result = run("index", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c", code=1)
    assert message in result.stderr
    assert repr(str(tmp_path / "a")) in result.stderr
    assert not (tmp_path / "c").exists()


def test_a_structure_and_its_memory_are_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_choice._ScanTimes, "share", lambda *args, **kwargs: 0.1)  # not the clock
    rng = np.random.default_rng(0)
    codes = np.repeat(rng.integers(0, 256, (10, 16), dtype=np.uint8), 3000, axis=0)
    codes[np.arange(30000), rng.integers(0, 16, 30000)] ^= 1
    Gallery(codes, 128, [str(i) for i in range(30000)]).save(tmp_path / "piece")
    result = run("index", tmp_path / "piece", "-o", tmp_path / "whole", "--json")
    report = json.loads(result.stdout)
    assert report["algorithm"] in ("balls", "multi_index")
    assert report["n_structure_bytes"] > 0


@pytest.mark.filterwarnings("ignore:Most of the sketches:UserWarning")
@pytest.mark.skipif(not _reading.CAN_FORK, reason="files are read by this process")
def test_a_reading_process_that_is_killed(shared, run, tmp_path, monkeypatch, images_of):
    paths = np.array(images_of(shared / "data/photo"))
    settings = {"max_iter": 1, "steps_per_iter": 2, "batch_size": 4, "n_jobs": 2}
    hasher = DeepSketchHasher(8, architecture=Compact(size=32), sketch_tokens=None, **settings)
    hasher.fit(paths, paths, np.arange(len(paths)) % 3)
    save_model(hasher, tmp_path / "deep.model")

    def die(self, path):
        assert multiprocessing.parent_process() is not None
        os.kill(os.getpid(), SIGKILL)

    monkeypatch.setattr(ImageSource, "_read", die)
    monkeypatch.setattr(ImageSource, "block", 4)
    arguments = [
        tmp_path / "deep.model",
        shared / "data/photo",
        "-o",
        tmp_path / "g",
        "--quiet",
    ]
    result = run("encode", *arguments, code=1)
    assert result.stderr.startswith("Error: A process that decodes image files died near ")
    assert "lower n_jobs" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "g").exists()
