"""Damaged files by the thousand, each read in a process that is watched from outside."""

import contextlib
import os
import pickle
import select
import signal
import struct
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .mutations import mutate

SECONDS = 60  # for one input: more is a hang, on the busiest machine
GIGABYTES = 4  # of resident memory, at which a process is ended: more than any reader is allowed
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass
class Report:
    """What became of the inputs of one reader.

    Attributes
    ----------
    n_read, n_refused : int
        Inputs that were read, and that gave an error as documented.
    faults : list of (number of the input, text)
    seconds, megabytes : float
        For all, and the most that one took.
    """

    n_read: int = 0
    n_refused: int = 0
    faults: list = field(default_factory=list)
    seconds: float = 0.0
    megabytes: float = 0.0

    def __str__(self):
        return (
            f"{self.n_read + self.n_refused + len(self.faults):,} inputs in {self.seconds:.0f} s, "
            f"{self.n_read:,} read, {self.n_refused:,} refused, {len(self.faults)} faults; at most "
            f"{self.megabytes:.0f} MB"
        )


def fuzz(make_reader, numbers):
    """Let a reader read the damaged files of these numbers; a `Report`."""
    report, numbers, start = Report(), list(numbers), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fuzzing_") as folder:
        turn = 0
        while numbers:
            turn += 1
            place = Path(folder, str(turn))
            place.mkdir()
            ended_at = _watch(make_reader, place, numbers, report)
            numbers = [] if ended_at is None else numbers[numbers.index(ended_at) + 1 :]
    report.seconds = time.perf_counter() - start
    return report


def _watch(make_reader, place, numbers, report):
    """The number of the input that a process ended or hung at; None if it read them all."""
    output, to_parent = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(output)
        _work(make_reader, place, numbers, to_parent)
    os.close(to_parent)
    number, reason = None, None
    with os.fdopen(output, "rb", buffering=0) as messages:  # what is buffered, select cannot see
        since = time.monotonic()
        while reason is None:
            ready, _, _ = select.select([messages], [], [], 0.5)
            if not ready:
                if time.monotonic() - since > SECONDS * (1 if number is not None else 10):
                    reason = f"hangs: no end after {SECONDS} s"
                elif _resident(process) > GIGABYTES << 30:
                    reason = f"takes more than {GIGABYTES} GB"
                continue
            message = _receive(messages)
            if message is None:
                break
            since = time.monotonic()
            if isinstance(message, int):
                number = message
            else:
                _add(report, number, *message)
                number = None
    if reason is not None:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if reason is None and status != 0:
        reason = f"the process ended with {os.waitstatus_to_exitcode(status)}"
    if reason is None:
        return None
    if number is None:
        raise RuntimeError(f"{make_reader.__name__}, before any input: {reason}.")
    report.faults.append((number, reason))
    return number


def _receive(messages):
    size = _read(messages, 4)
    return pickle.loads(_read(messages, *struct.unpack("<i", size))) if size else None


def _read(messages, n):
    """``n`` bytes; none of a process that has ended."""
    data = b""
    while len(data) < n:
        part = messages.read(n - len(data))
        if not part:
            return b""
        data += part
    return data


def _add(report, number, outcome, text, megabytes):
    report.megabytes = max(report.megabytes, megabytes)
    if outcome == "read":
        report.n_read += 1
    elif outcome == "refused":
        report.n_refused += 1
    else:
        report.faults.append((number, text))


def _work(make_reader, place, numbers, to_parent):
    def send(message):
        data = pickle.dumps(message)
        os.write(to_parent, struct.pack("<i", len(data)) + data)

    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # libraries in C tell of damage there
        errors = os.dup(2)
        os.dup2(nowhere, 2)
        reader = make_reader(place)
        reader.begin()
        wholes = [reader.read(content) for content in reader.seeds]
        for number in numbers:
            send(number)
            mutation = mutate(reader.seeds, number, reader.words)
            send(outcome(reader, wholes, mutation))
        status = 0
    except BaseException:
        os.write(errors, traceback.format_exc().encode())
    finally:
        os._exit(status)


def outcome(reader, wholes, mutation):
    """(outcome, text, megabytes) of reading one input: "read", "refused" or "fault".

    Parameters
    ----------
    reader : Reader
    wholes : list
        What the reader makes of its seeds.
    mutation : Mutation
    """
    before = _restart_peak()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = reader.read(mutation.content)
            found = "read", ""
        except (ValueError, OSError) as error:
            found = "refused", ""
            if str(reader.place) not in str(error) and str(reader.place) not in str(
                getattr(error, "filename", "")
            ):
                found = "fault", f"no file is named: {_told(error)}"
        except BaseException as error:
            found = "fault", f"not documented: {_told(error)}"
    megabytes = (_peak() - before) / (1 << 20)
    if found[0] == "read" and not _may_be_read(reader, wholes, mutation, value, caught):
        found = "fault", "a cut or damage that nobody is told of"
    if found[0] != "fault" and megabytes > reader.megabytes:
        found = "fault", f"takes {megabytes:.0f} MB, {reader.megabytes:.0f} are allowed"
    return (*found, megabytes)


def _may_be_read(reader, wholes, mutation, value, caught):
    told = any(issubclass(warning.category, UserWarning) for warning in caught)
    if told or (mutation.kept is None and not reader.notices_damage):
        return True
    if any(_same(value, whole) for whole in wholes):
        return True
    return mutation.kept is not None and reader.may_be_shorter(mutation.seed, mutation.kept)


def _same(a, b):
    try:
        np.testing.assert_equal(a, b)
    except (AssertionError, TypeError, ValueError):
        return False
    return True


def _told(error):
    lines = traceback.format_exception(error)
    place = next((line for line in lines[::-1] if line.startswith("  File")), "").split("\n")[0]
    return f"{type(error).__name__}: {str(error)[:300]} {place.strip()}"


# Memory, of Linux


def _restart_peak():
    """Forget the peak so far; the resident memory in bytes."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _resident("self")


def _peak():
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
    except OSError:
        return 0
    return int(line.split()[1]) << 10


def _resident(process):
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0
