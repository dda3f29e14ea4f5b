"""What is written: looked at before any work, and whole or absent afterwards."""

import glob
import os
import re
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
MEGABYTE = 1 << 20


def check_output_file(path, purpose="the result"):
    """The file (Path) that `path` leads to, behind links.

    Raises
    ------
    ValueError
        If that is no regular file, or the folder it would be in is not there or cannot be written
        to. Nothing has been written.
    """
    kind = _kind(path)
    if kind is None and (not os.fspath(path) or os.fspath(path).endswith(os.sep)):
        raise ValueError(
            f"{os.fspath(path)!r} is no name of a file: expected that of a file for {purpose}."
        )
    if kind not in (None, stat.S_IFREG):
        raise ValueError(
            f"{os.fspath(path)!r} is {_KINDS[kind]}: expected the name of a file for {purpose}."
        )
    real = Path(os.path.realpath(path))
    if not real.parent.is_dir():
        raise ValueError(f"There is no folder {str(real.parent)!r} to write {purpose} to: make it.")
    _check_writable(real.parent)
    return real


def check_output_folder(path, purpose="the results"):
    """The folder (Path) that `path` leads to, behind links; it need not be there.

    Raises
    ------
    ValueError
        If it is something else, or cannot be written to or made. Nothing has been written.
    """
    kind = _kind(path)
    if kind not in (None, stat.S_IFDIR):
        what = "a file" if kind == stat.S_IFREG else _KINDS[kind]
        raise ValueError(f"{os.fspath(path)!r} is {what}: expected a folder for {purpose}.")
    real = Path(os.path.realpath(path))
    there = _existing(real)
    if not there.is_dir():
        raise ValueError(f"{str(there)!r} is no folder: {os.fspath(path)!r} cannot be made in it.")
    _check_writable(there)
    return real


def check_space(path, n_bytes):
    """OSError if about so many bytes do not fit where `path` is, or would be."""
    free = shutil.disk_usage(_existing(Path(os.path.realpath(path)))).free
    if n_bytes > free:
        raise OSError(
            f"{os.fspath(path)!r} takes about {n_bytes / MEGABYTE:,.1f} MB, and "
            f"{free / MEGABYTE:,.1f} MB are free there: make room, or choose another place."
        )


@contextmanager
def replaced(path):
    """A binary file that takes the place of `path` at the end: whoever looks finds old or new.

    It is written as ``.<name>.<8 digits>.part`` beside it, and locked meanwhile: a process that is
    killed holds no lock, so that what it left is known, and removed by the next that writes here.

    Raises
    ------
    OSError
        If it cannot be written; the file is named.
    """
    real = Path(os.path.realpath(path))
    _remove_abandoned(real)
    beside = None
    try:
        with named_errors(path):
            beside, file = _open_beside(real)
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # while it is locked: nobody takes it for abandoned
                    os.replace(beside, real)
            if fcntl is None:  # Windows moves nothing that is open
                os.replace(beside, real)
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _open_beside(real):
    """A new file beside another, locked: its path and the file."""
    while True:
        beside = real.with_name(f".{real.name}.{secrets.token_hex(4)}.part")
        file = open(beside, "xb")  # noqa: SIM115
        # Or else it was taken for abandoned before it was locked.
        if _lock(file) is not False and beside.exists():
            return beside, file
        file.close()


def _remove_abandoned(real):
    for beside in real.parent.glob(f".{glob.escape(real.name)}.*.part"):
        if not re.fullmatch(rf"\.{re.escape(real.name)}\.[0-9a-f]{{8}}\.part", beside.name):
            continue
        with suppress(OSError):  # Windows removes nothing that is open
            if fcntl is None:
                beside.unlink()
                continue
            with open(beside, "r+b") as file:
                if _lock(file):
                    beside.unlink()


def _lock(file):
    """Lock a file until it is closed: True; False if another has; None on a disk without locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextmanager
def named_errors(path):
    """Let an OSError that names no file, as of a full disk, name this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        reason = error.strerror or str(error)
        raise OSError(f"{os.fspath(path)!r} could not be written: {reason}.") from error


def save_or_keep(save, path):
    """``save(path)``; where that fails, what took hours is kept in another place.

    Raises
    ------
    OSError
        If it could not be written to `path`: the text says where it is instead.
    """
    try:
        save(path)
        return
    except OSError as error:
        name = f"{Path(path).name}.{secrets.token_hex(4)}"
        for folder in dict.fromkeys((os.getcwd(), tempfile.gettempdir(), Path.home())):
            elsewhere = Path(folder, name)
            try:
                save(elsewhere)
            except (OSError, ValueError):
                continue
            raise OSError(
                f"{error} What was made is kept in {str(elsewhere)!r}: move it where it belongs."
            ) from error
        raise


def _kind(path):
    """The type of what is there, behind links, as `stat` has it; None if nothing is."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except FileNotFoundError:
        return None
    except OSError as error:  # a file where a folder is expected, links in a circle, a long name
        raise ValueError(f"{os.fspath(path)!r} cannot be written: {error.strerror}.") from error


def _existing(path):
    return next(place for place in (path, *path.parents) if place.exists())


def _check_writable(folder):
    if not os.access(folder, os.W_OK):
        raise ValueError(f"The folder {str(folder)!r} cannot be written to: choose another place.")
