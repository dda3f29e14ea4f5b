"""How commands are found, how they end, and what they import."""

import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner

import sklearn_dsh
from sklearn_dsh.cli import main
from sklearn_dsh.cli._command import count
from sklearn_dsh.cli._main import commands

LOADS_A_MODEL = {"encode", "evaluate", "export-onnx", "info", "search", "serve"}


def test_importing_loads_nothing_heavy():
    code = "import sys, sklearn_dsh.cli._main; print(*(n for n in sys.modules if '.' not in n))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert not {"torch", "numba", "sklearn", "scipy", "joblib", "matplotlib"} & set(
        done.stdout.split()
    )


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_dsh", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == f"sklearn-dsh, version {sklearn_dsh.__version__}\n"


def test_commands_are_listed_in_the_order_of_their_use(run):
    listed = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [
        "fit", "evaluate", "encode", "index", "export", "search", "serve", "info", "compare",
        "export-onnx",
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(commands.commands))
def test_help(name, run):
    text = run(name, "--help").stdout
    assert f"\n    sklearn-dsh {name} " in text or f"\n    sklearn-dsh {name}\n" in text
    assert ("--trust-pickle" in text) is (name in LOADS_A_MODEL)
    assert run(name, "-h").stdout == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["find"], "Error: No such command 'find'."),
        (["fit", "data"], "Error: Missing argument 'MODEL'."),
        (["search", "m", "g", "s", "--top", "0"], "0 is not in the range x>=1."),
        (["encode", "m", "photos"], "Error: Missing option '--output' / '-o'."),
        (["evaluate", "m", "data", "--protocol", "all"], "'all' is not one of 'paper', 'unseen'."),
    ],
)
def test_a_wrong_command_ends_with_2(arguments, message, run):
    result = run(*arguments, code=2)
    assert message in result.stderr
    assert result.stdout == ""


def test_wrong_data_end_with_1_and_a_message(run, tmp_path):
    result = run("fit", tmp_path / "none", tmp_path / "m.model", code=1)
    assert result.stderr == (
        f"Error: There is no folder {str(tmp_path / 'none')!r}: expected one that holds "
        "sketch/<category>/* and photo/<category>/*.\n"
    )
    assert result.stdout == ""


def test_debug_shows_the_traceback(tmp_path):
    arguments = ["fit", str(tmp_path / "none"), str(tmp_path / "m.model"), "--debug"]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 1
    assert type(result.exception) is ValueError  # Python prints it


# The arguments with which a command starts to work.
STARTS = {
    "fit": ["data", "m.model"],
    "evaluate": ["m.model", "data"],
    "encode": ["m.model", ".", "-o", "g"],
    "index": ["g", "-o", "all"],
    "export": ["g", "--to", "parquet", "-o", "g.parquet"],
    "search": ["m.model", "g", "."],
    "serve": [],
    "info": ["m.model"],
    "compare": ["data"],
    "export-onnx": ["m.model", "m.onnx"],
}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("a worker died"), "a worker died (--debug shows where this comes from.)"),
        (NotImplementedError(), "NotImplementedError (--debug shows where this comes from.)"),
        (
            MemoryError("Unable to allocate 9 GiB"),
            "The memory is used up (Unable to allocate 9 GiB): take",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            "The memory is used up (CUDA out of memory): take",
        ),
    ],
)
@pytest.mark.parametrize("name", commands.commands)
def test_what_fails_below_ends_with_1_and_a_message(name, error, message, tmp_path, monkeypatch):
    def fail(quiet=False):
        raise error

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    monkeypatch.setattr(sys.modules[f"sklearn_dsh.cli._{name.replace('-', '_')}"], "loading", fail)
    result = CliRunner().invoke(commands, [name, *STARTS[name]])
    assert result.exit_code == 1
    assert f"Error: {message}" in result.stderr
    result = CliRunner().invoke(commands, [name, *STARTS[name], "--debug"])
    assert result.exception is error


def test_an_interruption_ends_with_130(run, monkeypatch, tmp_path):
    def interrupt(path, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_dsh.cli._search.load_hasher", interrupt)
    result = run("search", "m.model", tmp_path, "sketch.png", code=130)
    assert result.stderr == "Interrupted.\n"


def test_the_entry_point(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["search"])
    assert stop.value.code == 2
    assert "Usage: sklearn-dsh search" in capsys.readouterr().err


def test_numbers_with_their_nouns():
    assert [count(1, "photo"), count(1200, "photo"), count(2, "sketch")] == [
        "1 photo", "1,200 photos", "2 sketches"
    ]  # fmt: skip


@pytest.mark.parametrize("name", commands.commands)
def test_every_command_can_be_quiet(name):
    options = [option for parameter in commands.commands[name].params for option in parameter.opts]
    assert {"--quiet", "-q"} <= set(options)
