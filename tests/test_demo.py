"""The demo's table and picture, on tiny data; the examples; the API page."""

import importlib
import pkgutil
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.utils import Bunch

import sklearn_dsh
from sklearn_dsh import Compact, demo
from sklearn_dsh.comparison import evaluate, make_problem
from sklearn_dsh.comparison._displays import GREEN

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.fixture(scope="module")
def data():
    return _make_data()


def _make_data():
    """Two categories that every method tells apart: horizontal and vertical bars."""
    rng = np.random.default_rng(0)
    y_sketch, y_image = np.array(["lying", "standing"] * 10), np.array(["lying", "standing"] * 8)

    def bars(labels):
        drawn = np.full((len(labels), 32, 32), 255, dtype=np.uint8)
        for image, label in zip(drawn, labels, strict=True):
            rows = image if label == "lying" else image.T
            start = rng.integers(0, 4)
            for row in range(start, 32, 8):
                rows[row : row + 3] = 0
        return drawn

    images = np.repeat(bars(y_image)[..., None], 3, axis=3)
    return Bunch(sketches=bars(y_sketch), images=images, y_sketch=y_sketch, y_image=y_image)


@pytest.fixture(scope="module")
def problem(data):
    return make_problem(data)


@pytest.fixture(scope="module")
def results(problem):
    methods = demo.make_methods(n_bits=16)
    methods["DSH"].set_params(max_iter=1, steps_per_iter=2, architecture=Compact(32))
    return {name: evaluate(hasher, problem, k=5) for name, hasher in methods.items()}


def test_every_method_is_measured(results):
    assert list(results) == ["DSH", "CCA", "ITQ", "random"]
    # HOG tells horizontal from vertical bars without any mistake.
    assert results["CCA"].mean_average_precision == pytest.approx(1.0)
    assert results["CCA"].precision == pytest.approx(1.0)


def test_table_has_a_row_for_every_method(results):
    header, rule, *rows = demo.results_table(results, k=5).splitlines()
    names = [cell.strip() for cell in header.strip("|").split("|")]
    assert names[:3] == ["method", "mAP", "P@5"]
    assert len({len(line) for line in [header, rule, *rows]}) == 1
    for row, (name, result) in zip(rows, results.items(), strict=True):
        cells = dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
        assert cells["method"] == name
        assert cells["mAP"] == f"{result.mean_average_precision:.3f}"
        assert cells["bytes/photo"] == "2"


@pytest.mark.parametrize("from_folder", [False, True])
def test_command_line(from_folder, data, tmp_path, monkeypatch, capsys):
    methods = demo.make_methods
    monkeypatch.setattr(
        demo, "make_methods", lambda **kwargs: {"CCA": methods(n_bits=16, **kwargs)["CCA"]}
    )
    monkeypatch.setattr("sklearn_dsh.datasets.make_sketch_photo", lambda random_state: data)
    arguments = ["--output", str(tmp_path / "found.png"), "--seed", "3"]
    if from_folder:
        for folder, images, labels in (
            ("sketch", data.sketches, data.y_sketch),
            ("photo", data.images, data.y_image),
        ):
            for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                path = tmp_path / "data" / folder / label / f"{i:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
        arguments += ["--data", str(tmp_path / "data")]
    demo.main(arguments)
    printed = capsys.readouterr().out
    assert "2 categories. Trained on 16 sketches and all 16 photos" in printed
    assert "| CCA " in printed
    with Image.open(tmp_path / "found.png") as picture:
        assert picture.width > picture.height > 100
        colours = {tuple(c) for c in np.asarray(picture.convert("RGB")).reshape(-1, 3)[::7]}
    green = tuple(int(GREEN[i : i + 2], 16) for i in (1, 3, 5))
    assert green in colours


def test_without_matplotlib_a_clear_message(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(SystemExit) as stop:
        demo.main([])
    assert stop.value.code == 1
    assert "pip install matplotlib" in capsys.readouterr().err


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_sound(path):
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    title, rule = source.removeprefix('"""').strip().splitlines()[:2]
    assert set(rule) == {"="}, "sphinx-gallery needs an underlined title"
    assert len(rule) >= len(title)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_ends_in_a_picture(path, monkeypatch):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.close("all")
    runpy.run_path(str(path))
    assert plt.get_fignums()
    plt.close("all")


def _public_names():
    names = {f"sklearn_dsh.{name}" for name in sklearn_dsh.__all__ if name != "__version__"}
    top_level = {name.split(".")[1] for name in names}
    for module in pkgutil.iter_modules(sklearn_dsh.__path__):
        if not module.name.startswith("_"):
            module = importlib.import_module(f"sklearn_dsh.{module.name}")
            exported = set(getattr(module, "__all__", ())) - top_level
            names |= {f"{module.__name__}.{name}" for name in exported}
    return sorted(names)


def test_every_public_name_is_in_the_api_docs():
    listed = {
        f"sklearn_dsh.{line.strip()}"
        for line in (ROOT / "docs" / "api.rst").read_text(encoding="utf-8").splitlines()
        if line.startswith("    ") and not line.strip().startswith(":")
    }
    assert set(_public_names()) - listed == set()
    for name in listed:  # and nothing is listed that is not there
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
