"""Forked children, whose parent used the library in several threads."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import forked_children
import pytest

import sklearn_dsh

PACKAGE = Path(sklearn_dsh.__file__).parent
FEW = [  # which need neither numba nor further processes
    "transform",
    forked_children.IN_A_POOL,
    *(name for name in forked_children.HELD if "gallery" not in name),
]

THREADS = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")


def run(names):
    """What became of each, in a process whose OpenMP has two threads."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", forked_children.__file__, *names],
        env=os.environ | THREADS,
        capture_output=True,
        text=True,
        timeout=len(names) * (forked_children.PATIENCE + 60),  # children are killed before
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_children_neither_hang_nor_err():
    assert run(FEW) == dict.fromkeys(FEW, "right")


@pytest.mark.slow
def test_every_entry_works_in_a_child():
    names = [name for name in forked_children.NAMES if name not in FEW]
    assert run(names) == dict.fromkeys(names, "right")


def test_no_lock_that_a_fork_may_catch():
    """All are `ForkSafeLock`, and nothing is worked out under a lock of functools'."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", getattr(node, "id", None))
            if name in ("Lock", "RLock", "Condition", "Semaphore", "cached_property"):
                found.append(f"{path.relative_to(PACKAGE)}: {name}")
    assert set(found) == {
        "_forks.py: Lock",  # what a ForkSafeLock makes anew
        "_progress.py: RLock",  # what the bars of a child get
        "deep/_weights.py: RLock",  # given to a ForkSafeLock
    }
