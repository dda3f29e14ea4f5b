"""Two processes on the CPU train what one does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_dsh import Compact, DeepSketchHasher
from sklearn_dsh.codes import unpack_bits
from sklearn_dsh.deep._processes import Processes, _SharedDropout

# Run by torchrun: the file is the script.
SETTINGS = {
    "images": {
        "max_iter": 2,
        "steps_per_iter": 80,
        "architecture": Compact(32),
        "precision": "float32",
    },
    "features": {"max_iter": 2, "steps_per_iter": 60, "validation_fraction": 0.2},
    "bfloat16": {"max_iter": 2, "steps_per_iter": 60, "precision": "bfloat16"},
}


def make_data(kind):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3, np.arange(90) % 3
    if kind != "images":
        centres = {d: 2.5 * rng.standard_normal((3, d)) for d in (6, 9)}
        return (
            centres[6][y[0]] + rng.standard_normal((60, 6)),
            centres[9][y[1]] + rng.standard_normal((90, 9)),
            y,
        )
    rows, columns = np.mgrid[:32, :32] - 16
    shapes = np.stack([np.hypot(rows, columns) < 9, abs(rows) < 4, abs(rows + columns) < 4])
    sketches = np.where(shapes[y[0]], 0, 255) - rng.integers(0, 30, (60, 32, 32)) * shapes[y[0]]
    photos = rng.integers(0, 90, (90, 32, 32, 3)) + 120 * shapes[y[1]][..., None]
    return sketches.clip(0, 255).astype(np.uint8), photos.astype(np.uint8), y


def fit_and_save(kind, out, folder=None):
    torch.set_num_threads(1)
    X_sk, X_img, y = make_data(kind)
    hasher = DeepSketchHasher(
        64, batch_size=12, random_state=3, device="cpu", checkpoint_dir=folder, **SETTINGS[kind]
    ).fit(X_sk, X_img, y)
    np.savez(
        f"{out}_{os.environ.get('RANK', 'alone')}.npz",
        sketch=hasher.transform(X_sk),
        image=hasher.transform(X_img, view="image"),
        sketch_values=hasher.project(X_sk),
        loss=hasher.loss_curve_,
        **{f"weight {name}": value for name, value in hasher.weights_.items()},
    )


def run_two(kind, out, *more):
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         __file__, kind, str(out), *map(str, more)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("kind", SETTINGS)
def test_two_processes_give_the_codes_of_one(tmp_path, kind):
    out = tmp_path / "codes"
    result = run_two(kind, out, tmp_path / "checkpoints")
    assert result.returncode == 0, result.stderr[-3000:]
    before = torch.get_num_threads()
    try:
        fit_and_save(kind, out)
    finally:
        torch.set_num_threads(before)
    one, first, second = (np.load(f"{out}_{name}.npz") for name in ("alone", "0", "1"))
    for name in one.files:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    # The same batches, masks and statistics: equal up to rounding, which every step amplifies.
    np.testing.assert_allclose(
        first["loss"][:2], one["loss"][:2], rtol=0.02 if kind == "bfloat16" else 1e-4
    )
    for view in ("sketch", "image"):
        equal = unpack_bits(first[view], 64) == unpack_bits(one[view], 64)
        assert equal.mean() >= 0.999, f"{view}: {equal.mean()}"
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    processes = Processes(torch.device("cpu"))
    np.testing.assert_array_equal(processes.share(6), np.arange(6))
    processes.n, processes.rank = 4, 2
    np.testing.assert_array_equal(processes.share(8), [4, 5])
    with pytest.raises(ValueError, match="batch_size=6 cannot be shared by 4 processes"):
        processes.share(6)


def test_shared_dropout_is_the_dropout_of_the_whole_batch():
    x = torch.rand(12, 50)
    parts = [np.array([0, 1, 2, 6, 7, 8]), np.array([3, 4, 5, 9, 10, 11])]
    torch.manual_seed(5)
    expected = torch.nn.functional.dropout(x, 0.3)
    for rows in parts:
        torch.manual_seed(5)
        dropout = _SharedDropout(0.3, rows, 12)
        torch.testing.assert_close(dropout(x[rows]), expected[rows])
        assert dropout.eval()(x) is x


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    fit_and_save(*sys.argv[1:])
