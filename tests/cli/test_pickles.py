"""Pickles: refused by every command that reads a model, unless it is told to take them."""

import pickle
import re
from pathlib import Path

import joblib
import pytest

import sklearn_dsh
from sklearn_dsh import load_model, serve
from sklearn_dsh._hasher_files import load_hasher
from sklearn_dsh.cli._main import commands
from sklearn_dsh.serve import _run

READERS = [
    name for name, command in commands.commands.items() for parameter in command.params
    if parameter.name in ("model", "path") and name != "fit"
]  # fmt: skip


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def arguments(shared, images_of, tmp_path):
    """Of each command, behind the model."""
    photos = shared / "data" / "photo"
    return {
        "evaluate": [shared / "data"],
        "encode": [photos, "-o", tmp_path / "out"],
        "search": [tmp_path / "gallery", images_of(shared / "data/sketch")[0]],
        "serve": [tmp_path / "gallery", "--no-open", "--port", 0],
        "info": [],
        "export-onnx": [tmp_path / "out.onnx"],
    }


@pytest.fixture
def pickled(shared, run, tmp_path):
    """The model of ``shared`` as a pickle, and a gallery that it encoded."""
    path = tmp_path / "cca.joblib"
    joblib.dump(load_model(shared / "cca.model"), path)
    photos = shared / "data" / "photo"
    run("encode", path, photos, "-o", tmp_path / "gallery", "--labels", "--trust-pickle")
    return path


@pytest.fixture
def trap(tmp_path):
    """A file, and what is there once it was unpickled."""
    path, mark = tmp_path / "trap.joblib", tmp_path / "run"
    path.write_bytes(pickle.dumps(Trap(mark)))
    return path, mark


def test_every_command_is_looked_at(arguments):
    assert sorted(READERS) == sorted(arguments)


@pytest.mark.parametrize("name", READERS)
def test_nothing_of_a_pickle_runs(name, arguments, pickled, trap, run):
    path, mark = trap
    result = run(name, path, *arguments[name], code=1)
    assert "nothing of it was read. Say --trust-pickle (in Python, trust_pickle" in result.stderr
    assert not mark.exists()


@pytest.mark.parametrize("name", READERS)
def test_a_trap_is_one(name, arguments, pickled, trap, run):
    path, mark = trap
    run(name, path, *arguments[name], "--trust-pickle", code=1)
    assert mark.exists()


@pytest.mark.parametrize("name", READERS)
def test_pickles_that_are_trusted_are_read(name, arguments, pickled, run, monkeypatch):
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    is_pipeline = name == "export-onnx"  # which has no ONNX form
    result = run(name, pickled, *arguments[name], "--trust-pickle", code=int(is_pipeline))
    assert ("is a Pipeline" in result.stderr) == is_pipeline


def test_nothing_else_in_the_package_loads_one():
    package = Path(sklearn_dsh.__file__).parent
    loads = re.compile(r"(pickle|joblib)\.loads?\(|allow_pickle=True|weights_only=False")
    found = [
        path.name
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if loads.search(line) and "``" not in line  # not in a docstring
    ]
    assert sorted(set(found)) == ["_hasher_files.py", "estimator_checks.py"]


def test_the_page_takes_no_pickle(trap, pickled, tmp_path):
    path, mark = trap
    with pytest.raises(ValueError, match=r"trust_pickle=True"):
        serve.run(path, tmp_path / "gallery", port=0, open_browser=False)
    assert not mark.exists()
    assert _run._load(pickled, tmp_path / "gallery", None, None, trust_pickle=True)["hasher"]


def test_a_model_file_that_is_called_as_a_pickle_is_read_as_what_it_is(shared, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes((shared / "cca.model").read_bytes())
    assert load_hasher(path)[-1].n_bits == 20
