"""Files about the project: they name what is there, agree with each other and invent no address."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import sklearn_dsh

ROOT = Path(__file__).parents[1]
SOURCES = {".py", ".js", ".css", ".html"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXTS = [
    *(ROOT / name for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", "RELEASING.md")),
    *sorted(path for path in (ROOT / ".github").rglob("*") if path.is_file()),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def steps(path):
    """All steps of a workflow."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_long_files_say_why():
    files = [path for path in (ROOT / "sklearn_dsh").rglob("*.*") if path.suffix in SOURCES]
    texts = {path.name: path.read_text(encoding="utf-8").splitlines() for path in files}
    long = {name for name, lines in texts.items() if len(lines) > 400}
    assert "_kernels.py" in long
    assert [name for name in long if "(Long: " not in " ".join(texts[name][:15])] == []


def test_there_is_what_others_look_for():
    assert {path.stem for path in WORKFLOWS} == {"tests", "lint", "docs", "package", "weekly"}
    for name in ("ISSUE_TEMPLATE/bug.yml", "ISSUE_TEMPLATE/config.yml", "PULL_REQUEST_TEMPLATE.md"):
        assert (ROOT / ".github" / name).is_file()
    assert all(path.is_file() for path in TEXTS)


def test_tested_versions_are_those_that_the_project_claims():
    matrix = yaml.safe_load(read(".github/workflows/tests.yml"))["jobs"]["tests"]["strategy"][
        "matrix"
    ]
    claimed = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert matrix["python"] == claimed
    assert PROJECT["requires-python"] == f">={claimed[0]}"
    assert {name.split("-")[0] for name in matrix["system"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read_and_name_what_exists(path):
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    targets = re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([\w-]+)", re.sub("#.*", "", text))) <= set(targets)
    for names in re.findall(r'"\.\[([\w,]+)\]"', text):
        assert set(names.split(",")) <= set(PROJECT["optional-dependencies"])
    for step in steps(path):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]), "pinned by major version"
            if "checkout" in step["uses"]:
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_address_is_invented(path):
    text = path.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s)\"'`>]+", text))
    assert addresses <= {"https://download.pytorch.org/whl/cpu"}
    assert not re.search(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", text), "a mail address"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_they_name_exist(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:docs|tests|sklearn_dsh|\.github)/[\w/.-]*\w)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`([A-Z]+\.(?:md|cff))`", text):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`make ([\w-]+)`", text):
        assert re.search(rf"^{name}:", read("Makefile"), re.MULTILINE), name


def test_one_version():
    assert yaml.safe_load(read("CITATION.cff"))["version"] == sklearn_dsh.__version__
