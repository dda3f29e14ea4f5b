"""``--device`` of every command that computes with networks."""

import sys

import pytest
import torch

from sklearn_dsh import DeepSketchHasher, demo, load_model, save_model
from sklearn_dsh.gallery import Gallery
from sklearn_dsh.serve import _connections

NOWHERE = "cuda:97" if torch.cuda.is_available() else "mps" if sys.platform == "linux" else "xpu"
GOES_ON = f"Warning: device='{NOWHERE}' was asked for, but torch {torch.__version__} sees no"


@pytest.fixture(scope="module")
def deep(shared, run, tmp_path_factory):
    """Folder of ``deep.model``, a model of networks, and of a gallery that it encoded."""
    root = tmp_path_factory.mktemp("deep")
    settings = ["--size", "32", "--steps", "2", "--set", "max_iter=1", "--bits", "16"]
    run("fit", shared / "data", root / "deep.model", *settings, "--device", "cpu")
    photos = shared / "data/photo"
    run("encode", root / "deep.model", photos, "-o", root / "encoded", "--labels")
    held = Gallery.load(root / "encoded")  # and without the model's name: one of any file of it
    Gallery(held.codes, held.n_bits, held.paths, held.labels).save(root / "gallery")
    return root


# Name -> the arguments of a command that computes with a fitted model.
COMPUTING = {
    "encode": lambda model, root, data, out: [model, data / "photo", "-o", out],
    "evaluate": lambda model, root, data, out: [model, data],
    "search": lambda model, root, data, out: [model, root / "gallery", data / "sketch", "--top", 2],
    "serve": lambda model, root, data, out: [model, root / "gallery", "--no-open", "--port", 0],
}


@pytest.fixture
def command(request, deep, shared, run, tmp_path, monkeypatch):
    """``command(model, code, *options)`` runs a command; the page ends as soon as it is served."""
    name = request.param
    monkeypatch.setattr(_connections.uvicorn.Server, "run", lambda self, sockets: None)

    def call(model, *options, code=0):
        root = deep if "deep" in model.name else shared
        arguments = COMPUTING[name](model, root, shared / "data", tmp_path / "g")
        return run(name, *arguments, *options, code=code)

    return call


every_command = pytest.mark.parametrize("command", COMPUTING, indirect=True)


@every_command
def test_a_model_from_a_machine_with_the_device(command, deep, tmp_path):
    elsewhere = load_model(deep / "deep.model").set_params(device=NOWHERE)
    save_model(elsewhere, tmp_path / "deep.model")
    result = command(tmp_path / "deep.model")
    assert result.stderr.count(GOES_ON) == 1
    assert "Encoding on the CPU." in result.stderr


@every_command
def test_the_device_that_is_given(command, deep):
    result = command(deep / "deep.model", "--device", NOWHERE)
    assert result.stderr.count(GOES_ON) == 1
    assert "Encoding on the CPU." in result.stderr
    assert "on the CPU" not in command(deep / "deep.model", "--device", "cpu").stderr


@every_command
@pytest.mark.parametrize("name", ["gpu", "meta"])
def test_no_device_of_torch(command, deep, name):
    result = command(deep / "deep.model", "--device", name, code=1)
    assert f"Error: device='{name}' " in result.stderr
    assert "Traceback" not in result.output


@every_command
def test_a_model_without_networks(command, shared):
    result = command(shared / "cca.model", "--device", "cpu", code=1)
    assert "Error: The device 'cpu' was given, but this Pipeline has no networks" in result.stderr


@pytest.mark.parametrize("name", [NOWHERE, "gpu", "meta"])
def test_training(shared, run, tmp_path, name, monkeypatch):
    for arguments in (
        ["fit", shared / "data", tmp_path / "m.model"],
        ["compare", shared / "data", "-o", tmp_path / "out", "--quick"],
    ):
        result = run(*arguments, "--device", name, code=1)
        assert f"Error: device='{name}' " in result.stderr
    assert list(tmp_path.iterdir()) == []
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        demo.main(["--device", name])
    assert end.value.code == 2


def test_a_model_keeps_the_device_it_was_fitted_with(deep):
    hasher = load_model(deep / "deep.model")
    assert isinstance(hasher, DeepSketchHasher)
    assert hasher.device == "cpu"
