"""Calls in a process of their own, forked from one that has imported everything."""

import contextlib
import io
import os
import pickle
import random
import select
import signal
import struct
import sys
import time
import traceback
import warnings
from typing import NamedTuple


class Ended(NamedTuple):
    """How a call ended: what it gave, or the error (None: killed), and what it told on stderr."""

    value: object = None
    error: Exception | None = None
    told: str = ""
    killed: bool = False


def in_child(function, *args, prepare=None, kill_after=None):
    """``function(*args)`` in a child; how it `Ended`.

    Parameters
    ----------
    prepare : callable or None
        Called in the child before.
    kill_after : float or None
        Seconds until ``kill -9``.
    """
    output, to_parent = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(output)
        os.setpgid(0, 0)
        _work(function, args, prepare, to_parent)
    os.close(to_parent)
    with os.fdopen(output, "rb") as file:
        data, status = _read(file, process, kill_after)
    if len(data) < 8 or len(data) != 8 + struct.unpack("<q", data[:8])[0]:
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise RuntimeError(f"The child ended with {os.waitstatus_to_exitcode(status)}.")
        return Ended(killed=True)
    return pickle.loads(data[8:])


def _read(file, process, kill_after):
    """What a process wrote until it ended or was killed, and its status."""
    os.set_blocking(file.fileno(), False)
    data, start = [], time.monotonic()
    while True:
        left = 0.2
        if kill_after is not None:
            left = min(left, max(0, start + kill_after - time.monotonic()))
        select.select([file], [], [], left)
        data.append(file.read() or b"")
        if kill_after is not None and time.monotonic() - start >= kill_after:
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            break
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            break
    _end_group(process)
    data.append(file.read() or b"")
    return b"".join(data), status


def _end_group(process):
    """End what a killed process had started itself: processes that read."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _work(function, args, prepare, to_parent):
    told = io.StringIO()
    sys.stdout = sys.stderr = told
    warnings.showwarning = lambda message, *where: told.write(f"{message}\n")  # not pytest's
    try:
        try:
            if prepare is not None:
                prepare()
            ended = Ended(function(*args))
        except SystemExit as error:  # of a command
            ended = Ended(error=OSError(f"exit {error.code}"))
        except Exception as error:
            told.write(traceback.format_exc())
            ended = Ended(error=error)
        data = pickle.dumps(ended._replace(told=told.getvalue()))
        with os.fdopen(to_parent, "wb") as file:
            file.write(struct.pack("<q", len(data)) + data)
        os._exit(0)
    finally:
        os._exit(1)


def kill_at_event(number, root):
    """What makes a process kill itself before its event of this number in a folder.

    Events are the calls that open a file to be written, bring it to the disk, name it, remove it
    or make a folder. Without a number they are counted: the function gives how many there were.
    """
    counted = [0]

    def happened():
        counted[0] += 1
        if counted[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(event, args):
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate"):
            return
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if isinstance(args[0], (str, os.PathLike)) and str(args[0]).startswith(str(root)):
            happened()

    fsync = os.fsync

    def synced(descriptor):
        happened()
        return fsync(descriptor)

    def prepare():
        os.fsync = synced
        sys.addaudithook(heard)

    prepare.counted = counted
    return prepare


def moments(n, seconds, n_events, seed):
    """``n`` moments, by turns (None, number of an event) and (seconds, None)."""
    rng = random.Random(seed)
    by_event = [(None, 1 + rng.randrange(n_events)) for _ in range(n - n // 2)]
    by_time = [(rng.uniform(0, seconds), None) for _ in range(n // 2)]
    return by_event + by_time
