"""What is written: links are followed, no device is replaced, and a full disk loses nothing."""

import errno
import os
import shutil
import socket
import stat
from contextlib import contextmanager

import numpy as np
import pytest

from sklearn_dsh import DeepSketchHasher, demo, load_model
from sklearn_dsh._outputs import (
    check_output_file,
    check_output_folder,
    check_space,
    named_errors,
    replaced,
    save_or_keep,
)
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.deep._checkpoint import FILE_NAME
from sklearn_dsh.gallery import Gallery
from sklearn_dsh.model_files import _container

pytestmark = pytest.mark.skipif(os.name == "nt", reason="has no pipes among files")


@pytest.fixture(params=["pipe", "socket", "device"])
def special(request, tmp_path):
    """A path to what is neither a file nor a folder, and what it is called."""
    path = tmp_path / "special"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    return path, request.param


def kind(path):
    return stat.S_IFMT(os.lstat(path).st_mode)


def fit_with_checkpoints(folder):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 5)), np.arange(12) % 2
    hasher = DeepSketchHasher(8, max_iter=1, steps_per_iter=2, checkpoint_dir=folder)
    return hasher.fit(X, X, y)


def fit_with_cache(folder):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 5)), np.arange(12) % 2
    DeepSketchHasher(8, max_iter=1, steps_per_iter=2, cache_dir=folder).fit(X, X, y)


def checkpoint_file(path):
    """The file in the folder that is told, in place of the folder."""
    path.rename(path.with_name(FILE_NAME))
    try:
        fit_with_checkpoints(path.parent)
    finally:
        path.with_name(FILE_NAME).rename(path)


def save_gallery(path):
    Gallery(np.zeros((2, 1), np.uint8), 8, ["a", "b"]).save(path)


class TestWhatIsNoFile:
    """Refused by name, before any work, and left as it is."""

    @pytest.mark.parametrize(
        "write", [check_output_file, check_output_folder, Results, save_gallery,
                  fit_with_cache, fit_with_checkpoints, checkpoint_file],
    )  # fmt: skip
    @pytest.mark.parametrize("through_link", [False, True])
    def test_in_the_library(self, special, tmp_path, write, through_link, monkeypatch):
        monkeypatch.setattr("sklearn_dsh.deep._fit.alternate", None)  # never reached
        path, name = special
        before, given = kind(path), path
        if through_link and write is not checkpoint_file:
            given = tmp_path / "link"
            given.symlink_to(path)
        with pytest.raises(ValueError, match=f"' is a {name}: expected "):
            write(given)
        assert kind(path) == before

    def test_on_the_command_line(self, special, tmp_path, run, shared):
        path, name = special
        before = kind(path)
        text = f"Error: {str(path)!r} is a {name}: expected "
        for arguments in (
            ("fit", "no_data", path),
            ("encode", "no_model", "no_photos", "-o", path),
            ("index", "no_gallery", "-o", path),
            ("export", "no_gallery", "--to", "parquet", "-o", path),
            ("export", "no_gallery", "--to", "lancedb", "-o", path),
            ("compare", "no_data", "-o", path),
        ):
            result = run(*arguments, code=1)
            assert text in result.stderr
            assert kind(path) == before

    def test_results_that_are_there(self, tmp_path, run):
        for name in ("results.jsonl", "tables.md", "curves.png", "retrieved"):
            folder = tmp_path / name.replace(".", "-")
            folder.mkdir()
            os.mkfifo(folder / name)
            result = run("compare", "no_data", "-o", folder, code=1)
            assert f"{str(folder / name)!r} is a pipe" in result.stderr

    def test_of_the_demo(self, special):
        path, name = special
        with pytest.raises(ValueError, match=f"is a {name}: expected the name of a file for the p"):
            demo.main(["--output", str(path), "--data", "no_data"])

    def test_a_folder_for_a_file_and_a_file_for_a_folder(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ValueError, match="' is a folder: expected the name of a file for x"):
            check_output_file(tmp_path, "x")
        with pytest.raises(ValueError, match="file' is a file: expected a folder for y"):
            check_output_folder(tmp_path / "file", "y")
        with pytest.raises(ValueError, match=r"file/deeper' cannot be written: Not a directory"):
            check_output_folder(tmp_path / "file" / "deeper")
        with pytest.raises(ValueError, match=r"There is no folder .*none' to write x to"):
            check_output_file(tmp_path / "none" / "file", "x")
        for name in ("", f"{tmp_path}{os.sep}none{os.sep}"):
            with pytest.raises(ValueError, match="' is no name of a file: expected that of a file"):
                check_output_file(name)
        (tmp_path / "circle").symlink_to(tmp_path / "circle")
        with pytest.raises(ValueError, match="circle' cannot be written: Too many levels"):
            check_output_file(tmp_path / "circle")

    @pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write anywhere")
    def test_a_folder_without_permission(self, tmp_path):
        tmp_path.chmod(0o500)
        for check in (check_output_file, check_output_folder):
            with pytest.raises(ValueError, match="cannot be written to: choose another place"):
                check(tmp_path / "x")


class TestLinks:
    """What they lead to is written; they stay."""

    def test_to_a_model(self, tmp_path, run, shared):
        target, link = tmp_path / "there" / "model.safetensors", tmp_path / "link.model"
        target.parent.mkdir()
        link.symlink_to(target)
        for bits in (8, 16):  # nothing is there yet; then a file is
            run("fit", shared / "data", link, "--method", "LSH", "--size", 32, "--bits", bits)
            assert link.is_symlink()
            assert load_model(target)[-1].n_bits == bits
        assert [path.name for path in target.parent.iterdir()] == ["model.safetensors"]

    def test_to_a_gallery(self, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "there")
        for _ in range(2):
            save_gallery(link)
            assert link.is_symlink()
            assert len(Gallery.load(tmp_path / "there")) == 2

    def test_to_a_checkpoint(self, tmp_path):
        (tmp_path / "there").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "there")
        fit_with_checkpoints(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()

    def test_to_results(self, tmp_path):
        (tmp_path / "link.jsonl").symlink_to(tmp_path / "there.jsonl")
        Results(tmp_path / "link.jsonl").add({"a": 1})
        assert (tmp_path / "there.jsonl").read_text() == '{"a": 1}\n'


class TestReplaced:
    def test_an_error_leaves_what_was_there(self, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(b"old")

        def fail():
            with replaced(path) as file:
                file.write(b"new")
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert path.read_bytes() == b"old"
        with replaced(path) as file:
            file.write(b"new")
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"new"
        assert [each.name for each in tmp_path.iterdir()] == ["file"]

    def test_errors_name_the_file(self, tmp_path):
        with (
            pytest.raises(OSError, match=r"x' could not be written: No space left on device\."),
            named_errors(tmp_path / "x"),
        ):
            raise OSError(errno.ENOSPC, "No space left on device")
        with (
            pytest.raises(OSError, match=r"x' could not be written: 8 requested and 0 written\."),
            named_errors(tmp_path / "x"),
        ):
            raise OSError("8 requested and 0 written")  # numpy's


class TestFullDisk:
    def test_is_told_before(self, tmp_path, monkeypatch):
        free = shutil.disk_usage(tmp_path)._replace(free=3 << 20)
        asked = []
        monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or free)
        check_space(tmp_path / "none" / "x", 3 << 20)
        with pytest.raises(OSError, match=r"x' takes about 3.5 MB, and 3.0 MB are free there"):
            check_space(tmp_path / "none" / "x", 7 << 19)
        assert asked == [tmp_path, tmp_path]

    def test_of_a_model_is_told_before_it_is_trained(self, tmp_path, run, shared, monkeypatch):
        free = shutil.disk_usage(tmp_path)._replace(free=5 << 20)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
        monkeypatch.setattr(DeepSketchHasher, "fit", None)  # never reached
        result = run("fit", shared / "data", tmp_path / "m.model", code=1)
        assert f"Error: {str(tmp_path / 'm.model')!r} takes about " in result.stderr

    def test_keeps_what_was_trained(self, tmp_path, run, shared, monkeypatch):
        """The place is full after the training: the model is kept in another, which is told."""
        full, other = tmp_path / "full", tmp_path / "other"
        full.mkdir()
        other.mkdir()
        monkeypatch.chdir(other)
        replaced = _container.replaced

        @contextmanager
        def fill(path):
            with replaced(path) as file:
                if str(full) in file.name:
                    file.write(b"some of it")
                    raise OSError(errno.ENOSPC, "No space left on device")
                yield file

        monkeypatch.setattr(_container, "replaced", fill)
        arguments = ("--method", "LSH", "--size", 32, "--bits", 8)
        result = run("fit", shared / "data", full / "m.model", *arguments, code=1)
        (kept,) = other.iterdir()
        assert f"{str(full / 'm.model')!r} could not be written: No space left" in result.stderr
        assert f"What was made is kept in {str(kept)!r}" in result.stderr
        assert load_model(kept)[-1].n_bits == 8
        assert list(full.iterdir()) == []

    def test_everywhere_says_so(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        def save(path):
            raise OSError(f"{path} is full")

        with pytest.raises(OSError, match=r"x is full$"):
            save_or_keep(save, tmp_path / "x")

    def test_of_a_gallery_keeps_the_old_one(self, tmp_path, monkeypatch):
        save_gallery(tmp_path / "gallery")

        def fill(file, codes, **options):
            raise OSError("16 requested and 0 written")

        monkeypatch.setattr(np, "save", fill)
        with pytest.raises(OSError, match=r"codes-\w+\.npy' could not be written: 16 requested"):
            Gallery(np.ones((3, 1), np.uint8), 8, list("abc")).save(tmp_path / "gallery")
        assert len(Gallery.load(tmp_path / "gallery")) == 2
        assert len(list((tmp_path / "gallery").iterdir())) == 3
