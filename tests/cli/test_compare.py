"""``compare``, and the script in benchmarks that calls it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sklearn_dsh import Compact, DeepSketchHasher
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
        lengths = {} if quick else {"bits": (32, 64), "seeds": 3, "seeded_bits": None}
        return _compare._make_plan(tuple(METHODS), protocols, 50, quick, **lengths)

    plan = make(quick)
    assert (plan.bits, plan.protocols) == (bits, expected)
    assert set(plan.cells(METHODS)) <= set(make(False).cells(METHODS))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--quick", "--bits", 32, "--seeds", 2], "leave --bits, --seeds out"),
        (["--bits", 32, "--seeds", 2], "--seeded-bits 64, which is none of --bits"),
        (["--part"], "--part is of research data sets"),
        (["--bits", 0], "0 is not in the range"),
        (["-k", 0], "0 is not in the range"),
    ],
)
def test_bad_options_are_told(arguments, error, shared, run, tmp_path):
    result = run("compare", shared / "data", "-o", tmp_path / "c", *arguments, code=2)
    assert error in result.stderr


@pytest.mark.parametrize(("large", "k"), [(10_000, 50), (10, 200)])
def test_the_depth_of_precision_is_that_of_the_papers_for_many_photos(
    large, k, shared, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(_compare, "LARGE", large)
    run("compare", shared / "data", "--methods", "HOG, not hashed", "--protocol", "paper",
        "-o", tmp_path, "--size", 32)  # fmt: skip
    (row,) = (json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines())
    assert row["k"] == k


def test_size_and_device_reach_the_networks(shared, run, tmp_path, monkeypatch):
    given = []
    known = default_methods()

    def make(features, architecture, device):
        given.append((architecture.size, device))
        return known

    monkeypatch.setattr("sklearn_dsh.comparison.default_methods", make)
    arguments = ["compare", shared / "data", "--methods", "LSH", "--quick", "--size", 48]
    run(*arguments, "-o", tmp_path)
    run(*arguments, "-o", tmp_path, "--device", "cpu")
    assert given == [(48, "auto"), (48, "cpu")]


@pytest.mark.parametrize("features", ["HOG", "pretrained", "fc"])
def test_all_networks_of_a_comparison_are_on_one_device(features):
    methods = default_methods(features, device="cuda:1")
    for method in methods.values():
        if method.reads == "images":
            hasher = method.make(8, 0)
            assert getattr(hasher, "hasher", hasher).device == "cuda:1"
        elif features == "pretrained":
            assert method.reads(None).image.device == "cuda:1"
        elif method.reads_code:
            assert method.reads(None, 8, 0).hasher.hasher.device == "cuda:1"


def test_a_part_of_a_research_data_set(run, tmp_path):
    rng = np.random.default_rng(0)
    for view, suffix, n in (("sketch", "-1.png", 52), ("photo", ".jpg", 6)):
        for category in "ab":
            folder = tmp_path / "256x256" / view / "tx_000000000000" / category
            folder.mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}{suffix}")
    arguments = ["compare", tmp_path, "--dataset", "sketchy-original", "--methods", "LSH"]
    arguments += ["--quick", "--size", 32, "-o", tmp_path / "out"]
    assert "expected 125" in run(*arguments, code=1).stderr
    assert "| LSH " in run(*arguments, "--part").stdout
    problem = "6 sketches and 12 photos to train on, 98 queries"
    arguments[-1] = tmp_path / "other"
    arguments += ["--part", "--queries"]
    assert "Choose fewer queries (of the command --queries)" in run(*arguments, 52, code=1).stderr
    assert problem in run(*arguments, 49).stdout
    assert "--queries is of research data" in run("compare", "x", "--queries", 3, code=2).stderr


def test_a_picture_of_what_is_found(shared, run, tmp_path, monkeypatch):
    def make(n_bits, seed):
        return DeepSketchHasher(
            n_bits, architecture=Compact(32), max_iter=1, steps_per_iter=2, sketch_tokens=None,
            random_state=seed,
        )  # fmt: skip

    methods = default_methods() | {"DSH": Method(make, reads="images")}
    monkeypatch.setattr("sklearn_dsh.comparison.default_methods", lambda *_, **__: methods)
    run("compare", shared / "data", "--methods", "DSH", "--methods", "HOG, not hashed",
        "--bits", 8, "--size", 32, "-o", tmp_path)  # fmt: skip
    pictures = sorted((tmp_path / "retrieved").iterdir())
    assert [picture.name for picture in pictures] == [
        "paper-DSH.png", "paper-HOG-not-hashed.png", "unseen-DSH.png", "unseen-HOG-not-hashed.png"
    ]  # fmt: skip
    with Image.open(pictures[0]) as picture:
        assert picture.width > picture.height > 100


def test_a_failing_method_stops_no_other(shared, run, tmp_path, monkeypatch):
    def make(n_bits, seed):
        raise RuntimeError("no network")

    methods = {"broken": Method(make), "LSH": METHODS["LSH"]}
    monkeypatch.setattr("sklearn_dsh.comparison.default_methods", lambda *_, **__: methods)
    arguments = ["compare", shared / "data", "--bits", 8, "--size", 32, "-o", tmp_path, "--quiet"]
    arguments += ["--protocol", "paper"]
    result = run(*arguments, code=1)
    assert result.stderr.count("Warning: broken with 8 bits") == 1
    assert "RuntimeError: no network" in result.stderr
    assert "* broken (8 bits): RuntimeError: no network" in result.stdout
    assert "* broken (8 bits): RuntimeError: no network" in (tmp_path / "tables.md").read_text()
    assert "1 cell of the tables failed" in result.stderr
    assert [path.name for path in (tmp_path / "retrieved").iterdir()] == ["paper-LSH.png"]
    methods["broken"] = METHODS["LSH"]
    monkeypatch.setattr(_compare, "find_spec", lambda name: None)  # pictures take seconds
    assert "failed" not in run(*arguments).stdout.lower()


def test_wrong_methods_are_told(shared, run, tmp_path):
    arguments = ["--methods", "ABC", "-o", tmp_path / "c"]
    result = run("compare", tmp_path / "no folder", *arguments, code=2)  # before images are read
    assert "Invalid value for '--methods': ABC: expected some of ['DSH', " in result.stderr
    result = run("compare", shared / "data", "--features", "fc", *arguments, code=2)
    assert "expected some of ['DSH', 'SDH, fc', " in result.stderr


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
        ("--bits=32 64 --methods=A -k=5 --data d", "--bits 32 --bits 64 --methods A -k=5 d"),
        ("--help", "--help"),
    ],
)
def test_the_script_takes_lists(given, taken, script):
    assert script.to_command(given.split()) == taken.split()
