"""The guide's pages for those who come with vectors or codes, from an empty environment."""

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / "guide" / name for name in ("your_vectors.rst", "your_codes.rst")]

# In the environment: the blocks of each page, and where the package came from.
RUN = """
import doctest, sys
import sklearn_dsh
print(sklearn_dsh.__file__)
for page in sys.argv[1:]:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testfile(page, module_relative=False, optionflags=flags)
    print(result.attempted, result.failed)
"""


def run(*command, **kwargs):
    """A command outside the clone, without the paths of these tests; what it printed."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, **kwargs
    )


def pip(python, *arguments, **kwargs):
    common = ("--disable-pip-version-check", "--no-input", "--quiet")
    command = (python, "-m", "pip", *arguments, *common)
    return run(*command, "-c", ROOT / "constraints.txt", **kwargs)


@pytest.mark.slow
def test_every_block_of_both_pages(tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    reached = pip(
        python, "download", "--no-deps", "--timeout", 20, "--retries", 1,
        "-d", tmp_path / "probe", "threadpoolctl", cwd=tmp_path,
    )  # fmt: skip
    if reached.returncode:
        pytest.skip(f"the package index cannot be reached: {reached.stderr.strip()[-200:]}")

    source = tmp_path / "source"  # a build leaves files behind
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sklearn_dsh", source / "sklearn_dsh", ignore=leave)
    built = pip(python, "wheel", "--no-deps", "-w", tmp_path / "wheel", source, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    installed = pip(python, "install", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    result = run(python, "-c", RUN, *PAGES, cwd=folder)
    assert result.returncode == 0, result.stderr
    where, *counts = result.stdout.split("\n")[:3]
    assert Path(where).is_relative_to(environment), result.stdout
    for page, count in zip(PAGES, counts, strict=True):
        examples = page.read_text(encoding="utf-8").count("\n>>> ")
        assert count == f"{examples} 0", result.stdout
