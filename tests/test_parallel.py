"""Calls in other processes: their results, and what is said if one is killed."""

import ast
import os
from pathlib import Path

import pytest
from joblib import delayed

import sklearn_dsh
from sklearn_dsh._parallel import in_parallel

PACKAGE = Path(sklearn_dsh.__file__).parent


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_results_are_in_order(n_jobs):
    assert in_parallel((delayed(abs)(-i) for i in range(5)), n_jobs) == [0, 1, 2, 3, 4]


def test_a_process_that_dies():
    with pytest.raises(RuntimeError, match=r"A process of n_jobs=2 was killed .*: lower n_jobs"):
        in_parallel((delayed(os._exit)(9) for _ in range(2)), 2)


def test_processes_are_asked_here_alone():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Parallel":
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == {"_parallel.py", "preprocessing/_edges.py"}  # the latter in threads
