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
    rows = PAGE.read_text().split("    * - ")[1:]
    promises = [row for row in rows if not row.startswith("promise")]
    assert len(promises) > 10
    assert all("``tests/" in row for row in promises)
