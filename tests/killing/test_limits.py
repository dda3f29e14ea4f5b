"""A full disk, a limit on files or memory, a folder that is read-only: an error that says which."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from killing.children import in_child
from killing.operations import OPERATIONS, Encode, FitArrays, GallerySave, same
from sklearn_dsh._hasher_files import load_hasher
from sklearn_dsh.cli._main import commands
from sklearn_dsh.deep._checkpoint import FILE_NAME
from sklearn_dsh.deep._reading import ByteFile
from sklearn_dsh.preprocessing import load_image

resource = pytest.importorskip("resource", reason="there are no limits for processes here")
QUICK = ["Gallery.save"]
ALL = [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in OPERATIONS if n not in QUICK)]


def short_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))


def short_memory():
    """16 MB more than the process has already."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + (16 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def check(operation, root, ended, old, reasons):
    """The error says why and names a file, what was there is whole, the next call is a success."""
    looked = in_child(operation.look, root)
    assert looked.error is None
    if isinstance(operation, FitArrays) and ended.error is None:  # it trains on, and says so
        assert "The training goes on" in ended.told
    else:
        told = f"{ended.error} {ended.told}"
        assert str(root) in told
        assert any(reason in told for reason in reasons), told
        assert str(ended.error) != "exit 1" or "Traceback" not in ended.told
        assert operation.is_state(looked.value, old, old)


@pytest.fixture
def mounted(tmp_path):
    """What mounts a disk of some megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(megabytes):
        size = ["-o", f"size={megabytes}m"]
        try:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", *size, "tmpfs", disk], capture_output=True
            )
        except FileNotFoundError:
            pytest.skip("there is no mount")
        if done.returncode:
            pytest.skip("only root mounts a disk")
        return disk

    yield mount
    if os.path.ismount(disk):
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("name", ALL)
def test_files_of_limited_length(name, tmp_path):
    operation = OPERATIONS[name]
    assert in_child(operation.prepare, tmp_path).error is None
    old = in_child(operation.look, tmp_path).value
    ended = in_child(operation.call, tmp_path, prepare=short_files)
    check(operation, tmp_path, ended, old, [os.strerror(errno.EFBIG), "requested and"])
    assert in_child(operation.call, tmp_path).error is None


@pytest.mark.parametrize("name", ALL)
def test_a_full_disk(name, mounted):
    operation = OPERATIONS[name]
    disk = mounted(operation.disk)
    assert in_child(operation.prepare, disk).error is None
    old = in_child(operation.look, disk).value
    filler = open(disk / "filler", "wb", buffering=0)  # noqa: SIM115
    with filler:  # until nothing more fits
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while filler.write(bytes(size)) == size:
                    pass
    ended = in_child(operation.call, disk)
    check(
        operation, disk, ended, old,
        [os.strerror(errno.ENOSPC), "MB are free there", "requested and"],
    )  # fmt: skip
    (disk / "filler").unlink()
    again = in_child(operation.call, disk)
    assert again.error is None, again.told


@pytest.mark.parametrize("name", ALL)
def test_a_folder_that_is_read_only(name, mounted):
    operation = OPERATIONS[name]
    disk = mounted(operation.disk)
    assert in_child(operation.prepare, disk).error is None
    old = in_child(operation.look, disk).value
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    ended = in_child(operation.call, disk)
    if not isinstance(operation, FitArrays):
        assert same(in_child(operation.look, disk).value, old)
    told = f"{ended.error} {ended.told}"
    assert str(disk) in told
    assert "cannot be written to: choose another place" in told


class TestMemory:
    """It is not taken for damage of what was to be read."""

    @pytest.fixture
    def large(self, tmp_path):
        path = tmp_path / "large.png"
        Image.new("L", (6000, 6000)).save(path)  # 36 MB once it is decoded
        return path

    def test_of_an_image(self, large):
        assert in_child(load_image, large, 32).value.shape == (32, 32, 3)
        # In a new process: one that has run long has free memory of its own, which is no more.
        code = (
            "from killing.test_limits import load_image, short_memory\n"
            "short_memory()\n"
            f"load_image({str(large)!r}, 32)"
        )
        command, here = [sys.executable, "-c", code], Path(__file__).parents[1]
        ended = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
        last = ended.stderr.splitlines()[-1]
        assert last == f"MemoryError: No memory is left to read the image file {str(large)!r}."

    def test_a_damaged_length_is_no_lack_of_memory(self, tmp_path, monkeypatch):
        def much(*args, **kwargs):
            raise MemoryError

        path = tmp_path / "image.jp2"
        path.write_bytes(b"damaged")
        monkeypatch.setattr(Image, "open", much)
        with pytest.raises(ValueError, match=r"Cannot read the image file .*MemoryError"):
            load_image(path)

    def test_of_a_model(self, tmp_path, monkeypatch):
        def much(*args, **kwargs):
            raise MemoryError

        monkeypatch.setattr("joblib.load", much)
        (tmp_path / "model").write_text("")
        with pytest.raises(MemoryError, match=r"No memory is left to read the model '.*model'"):
            load_hasher(tmp_path / "model", trust_pickle=True)

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError("Unable to allocate 9. GiB"),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
            RuntimeError("CUDA out of memory. Tried to allocate"),
            RuntimeError("can't start new thread"),
        ],
    )
    def test_commands_say_so(self, error, monkeypatch):
        def fail(*args):
            raise error

        monkeypatch.setattr("sklearn_dsh.gallery.check_replaceable", fail)
        result = CliRunner().invoke(commands, ["index", "a", "-o", "b"])
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: The memory is used up ({error}): take smaller ")

    def test_other_errors_of_the_library_are_not_hidden(self, monkeypatch):
        def fail(*args):
            raise RuntimeError("a bug")

        monkeypatch.setattr("sklearn_dsh.gallery.check_replaceable", fail)
        arguments = ["index", "a", "-o", "b"]
        told = CliRunner().invoke(commands, arguments).stderr
        assert told == "Error: a bug (--debug shows where this comes from.)\n"
        result = CliRunner().invoke(commands, [*arguments, "--debug"])
        assert isinstance(result.exception, RuntimeError)

    @pytest.mark.slow
    @pytest.mark.parametrize("options", [(), ("--skip-bad",)])
    def test_of_encode(self, tmp_path, large, options):
        operation = Encode()
        assert in_child(operation.prepare, tmp_path).error is None
        large.rename(tmp_path / "data" / "photo" / "large.png")
        old = in_child(operation.look, tmp_path).value

        def call():
            arguments = ("encode", tmp_path / "model.safetensors", tmp_path / "data" / "photo",
                         "-o", tmp_path / "out", "--quiet", *options)  # fmt: skip
            commands([str(argument) for argument in arguments])

        ended = in_child(call, prepare=short_memory)
        assert str(ended.error) == "exit 1"
        assert "Error: The memory is used up" in ended.told
        assert "Traceback" not in ended.told
        assert same(in_child(operation.look, tmp_path).value, old)


def test_a_full_cache_is_named(tmp_path):
    def fill():
        ByteFile((100, 8, 8), tmp_path)[0:100] = np.zeros((100, 8, 8), np.uint8)

    error = in_child(fill, prepare=short_files).error
    assert isinstance(error, OSError)
    assert str(error).startswith(f"{str(tmp_path / 'temporary file')!r} could not be written: File")


def test_a_checkpoint_that_no_memory_is_left_for(tmp_path, monkeypatch):
    def much(*args):
        raise MemoryError

    monkeypatch.setattr("torch.save", much)
    (tmp_path / "out").mkdir()
    with pytest.warns(
        RuntimeWarning, match=rf"{FILE_NAME}' could not .*MemoryError\. The training"
    ):
        FitArrays().call(tmp_path)


def test_a_gallery_that_no_memory_is_left_for(tmp_path, monkeypatch):
    operation = GallerySave()
    operation.prepare(tmp_path)
    before = sorted(os.listdir(tmp_path / "out")), operation.look(tmp_path)

    def much(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("json.dumps", much)
    with pytest.raises(MemoryError):
        operation.call(tmp_path)
    monkeypatch.undo()
    assert same((sorted(os.listdir(tmp_path / "out")), operation.look(tmp_path)), before)
