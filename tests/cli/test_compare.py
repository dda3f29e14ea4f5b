"""``compare``, and the script in benchmarks that calls it."""

import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image

from sklearn_dsh import DeepSketchHasher
from sklearn_dsh.cli import _compare, _evaluate
from sklearn_dsh.comparison import Method, _problem, _report, default_methods

METHODS = default_methods()
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare.py"


def test_choices_are_those_of_the_library():
    assert _evaluate.PROTOCOLS == _problem.PROTOCOLS
    assert set(_compare.PUBLISHED) == set(_report.PUBLISHED)


@pytest.mark.parametrize("draws", [True, False])
def test_tables_and_plots(draws, shared, run, tmp_path, monkeypatch):
    if not draws:
        monkeypatch.setattr(_compare, "find_spec", lambda name: None)
    arguments = ["--methods", "LSH", "--methods", "HOG, not hashed", "--bits", 8, "--bits", 16]
    arguments += ["--protocol", "paper", "--size", 32, "-k", 5, "-o", tmp_path, "--quiet"]
    result = run("compare", shared / "data", *arguments, "--published", "sketchy")
    assert "| LSH " in result.stdout
    assert "MAP, 8 bits" in result.stdout
    assert "published MAP, from memory of the paper" in result.stdout
    assert (tmp_path / "tables.md").read_text() == result.stdout.removesuffix("\n")
    assert (tmp_path / "curves.png").exists() is draws
    assert ("matplotlib is not installed" in result.stderr) is not draws
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(row["method"], row["bits"]) for row in rows] == [
        ("LSH", 8), ("LSH", 16), ("HOG, not hashed", None)
    ]  # fmt: skip
    again = run("compare", shared / "data", *arguments, "--published", "sketchy")
    assert again.stdout == result.stdout  # nothing is run twice


@pytest.mark.parametrize(
    ("protocols", "quick", "bits", "expected"),
    [
        ((), False, (32, 64), ("paper", "unseen")),
        ((), True, (64,), ("paper",)),
        (("unseen",), True, (64,), ("unseen",)),
    ],
)
def test_quick_runs_a_part_of_the_full_plan(protocols, quick, bits, expected):
    def make(quick):
        return _compare._make_plan(METHODS, (), (32, 64), protocols, 3, 64, 50, quick)

    plan = make(quick)
    assert (plan.bits, plan.protocols) == (bits, expected)
    assert set(plan.cells(METHODS)) <= set(make(False).cells(METHODS))


def test_a_picture_of_what_is_found(shared, run, tmp_path, monkeypatch):
    def make(n_bits, seed):
        return DeepSketchHasher(
            n_bits, image_size=32, max_iter=1, steps_per_iter=2, sketch_tokens=None,
            random_state=seed,
        )  # fmt: skip

    methods = default_methods() | {"DSH": Method(make, reads="images")}
    monkeypatch.setattr("sklearn_dsh.comparison.default_methods", lambda *_: methods)
    run("compare", shared / "data", "--methods", "LSH", "--quick", "--protocol", "paper",
        "--size", 32, "-o", tmp_path, "--retrieved")  # fmt: skip
    with Image.open(tmp_path / "retrieved.png") as picture:
        assert picture.width > picture.height > 100


def test_wrong_methods_are_told(shared, run, tmp_path):
    result = run("compare", shared / "data", "--methods", "ABC", "-o", tmp_path / "c", code=1)
    assert "Error: There are no methods ['ABC']: expected some of ['DSH', " in result.stderr
    arguments = ["--features", "fc", "--methods", "ABC", "-o", tmp_path / "c"]
    result = run("compare", shared / "data", *arguments, code=1)
    assert "expected some of ['SDH, fc', " in result.stderr


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("compare_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("--data d --bits 32 64 --quick", "d --bits 32 --bits 64 --quick"),
        ("--methods A B -k 5 --data=d", "--methods A --methods B -k 5 d"),
        (
            "--quick --data d --protocol paper unseen",
            "--quick d --protocol paper --protocol unseen",
        ),
        ("--help", "--help"),
    ],
)
def test_the_script_takes_lists(given, taken, script):
    assert script.to_command(given.split()) == taken.split()
