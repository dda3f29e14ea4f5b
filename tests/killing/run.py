"""A call that writes, killed again and again."""

import re
import shutil
import tempfile
import time
from pathlib import Path

from .children import in_child, kill_at_event, moments
from .operations import same


def kill(operation, n_moments, seed):
    """Kill a call ``n_moments`` times: faults (list of str), and how often it was killed."""
    faults, n_killed = [], 0
    with tempfile.TemporaryDirectory(prefix="killing_") as folder:
        folder = Path(folder).resolve()
        _sound(in_child(operation.prepare, _made(folder / "before")))
        root = _copy(folder / "before", folder / "root")  # always there: paths are part of codes
        old = _sound(in_child(operation.look, root))
        start = time.perf_counter()
        result = _sound(in_child(operation.call, root))
        seconds = time.perf_counter() - start
        new, names = _sound(in_child(operation.look, root)), operation.names(root)
        root = _copy(folder / "before", folder / "root")
        n_events = _sound(in_child(_count_events, operation, root))
        for moment in moments(n_moments, seconds, n_events, seed):
            root = _copy(folder / "before", folder / "root")
            n_killed += _kill_once(operation, root, *moment)
            text = f"killed at {moment}: "
            looked = in_child(operation.look, root)
            if looked.error is not None:
                faults.append(f"{text}what is there is not whole: {looked.error}")
            elif not operation.is_state(looked.value, old, new):
                faults.append(f"{text}neither the old nor the new: {looked.value}")
            left = set(operation.names(root)) - set(names) - set(operation.names(folder / "before"))
            strange = [n for n in left if not re.fullmatch(operation.temporary, Path(n).name)
                       and (root / n).is_file()]  # fmt: skip
            if strange:
                faults.append(f"{text}left {strange}")
            again = in_child(operation.call, root)
            if again.error is not None:
                faults.append(f"{text}the same call fails: {again.error} {again.told}")
                continue
            looked = in_child(operation.look, root)
            if not (same(again.value, result) and same(looked.value, new)):
                faults.append(f"{text}the same call ends otherwise ({looked.error})")
            if operation.names(root) != names:
                more = sorted(set(operation.names(root)) ^ set(names))
                faults.append(f"{text}after the same call there is, or is not, {more}")
    return faults, n_killed


def _kill_once(operation, root, seconds, event):
    """Whether it was killed before it ended; by time, earlier and earlier until it is."""
    if event is not None:
        prepare = kill_at_event(event, root)
        return in_child(operation.call, root, prepare=prepare).killed
    for _ in range(4):
        before = _copy(root, root.with_name("spare"))
        if in_child(operation.call, root, kill_after=seconds).killed:
            return True
        _copy(before, root)
        seconds /= 2
    return in_child(operation.call, root, kill_after=seconds).killed


def _count_events(operation, root):
    prepare = kill_at_event(None, root)
    prepare()
    operation.call(root)
    return prepare.counted[0]


def _made(folder):
    folder.mkdir()
    return folder


def _copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target))


def _sound(ended):
    if ended.error is not None or ended.killed:
        raise RuntimeError(f"Before anything was killed: {ended.error} {ended.told}")
    return ended.value
