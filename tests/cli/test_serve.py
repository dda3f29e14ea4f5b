"""``serve``: what is handed on, and what is told."""

import inspect
import sys
from types import ModuleType

import pytest


@pytest.fixture
def served(monkeypatch):
    """The calls of a stand-in for the page."""
    calls, page = [], ModuleType("sklearn_dsh.serve")
    page.run = lambda *args, **kwargs: calls.append((args, kwargs))
    monkeypatch.setitem(sys.modules, "sklearn_dsh.serve", page)
    return calls


DEFAULTS = {
    "calibrate": None,
    "samples": None,
    "title": None,
    "host": "127.0.0.1",
    "port": 8000,
    "allowed_hosts": (),
    "max_bytes": 4_000_000,
    "max_connections": 256,
    "timeout": 30.0,
    "open_browser": True,
    "device": None,
    "trust_pickle": False,
    "quiet": False,
}


@pytest.mark.parametrize(
    ("arguments", "given", "options"),
    [
        ([], (None, None), {}),
        (["m.model", "g", "--no-open"], ("m.model", "g"), {"open_browser": False}),
        (
            ["m.model", "g", "--calibrate", "a", "--samples", "b", "--title", "Boats"],
            ("m.model", "g"),
            {"calibrate": "a", "samples": "b", "title": "Boats"},
        ),
        (["--quiet"], (None, None), {"quiet": True}),
        (
            ["--allow-host", "a.example", "--allow-host", "b.example", "--timeout", "2.5"],
            (None, None),
            {"allowed_hosts": ("a.example", "b.example"), "timeout": 2.5},
        ),
        (
            ["--max-bytes", "9", "--max-connections", "7"],
            (None, None),
            {"max_bytes": 9, "max_connections": 7},
        ),
        (["m.model", "g", "--device", "mps"], ("m.model", "g"), {"device": "mps"}),
        (["--port", "0", "--host", "localhost"], (None, None), {"port": 0, "host": "localhost"}),
    ],
)
def test_options(arguments, given, options, served, run):
    result = run("serve", *arguments)
    assert served == [(given, DEFAULTS | options)]
    assert result.output == ""


def test_defaults_are_those_of_the_function():
    parameters = inspect.signature(pytest.importorskip("sklearn_dsh.serve").run).parameters
    assert {name: parameters[name].default for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("option", ["--max-bytes", "--max-connections", "--timeout"])
def test_limits_of_nothing(option, served, run):
    assert f"Invalid value for '{option}'" in run("serve", option, "0", code=2).stderr
    assert served == []


def test_other_addresses_are_warned_of(served, run):
    result = run("serve", "--host", "0.0.0.0")
    assert result.stderr == (
        "Warning: at 0.0.0.0 everybody who reaches this machine can search the photos and see "
        "them; there is no password.\n"
    )
    assert served[0][1]["host"] == "0.0.0.0"


def test_a_model_alone(served, run):
    result = run("serve", "m.model", code=2)
    assert "Error: MODEL was given without GALLERY: give both, or neither." in result.stderr
    assert served == []


def test_without_its_packages(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "sklearn_dsh.serve", None)
    result = run("serve", code=1)
    assert result.stderr.startswith("Error: The page needs packages that are not installed (")
    assert result.stderr.endswith(': pip install "sklearn-dsh[demo]"\n')
