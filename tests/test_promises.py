"""Every test that the page of promises names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/guide/promises.rst"
NAMED = sorted(set(re.findall(r"``(tests/[\w/]+\.py(?:::\w+)?)``", PAGE.read_text())))


@pytest.mark.parametrize("name", NAMED)
def test_it_is_there(name):
    path, _, what = name.partition("::")
    defined = {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert any(test.startswith("test_") for test in defined)
    assert not what or what in defined


def test_each_promise_has_one():
    promises = re.split(r"^\* ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert len(promises) > 10
    assert all("\n  | ``tests/" in promise for promise in promises)
