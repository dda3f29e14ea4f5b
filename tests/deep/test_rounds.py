"""Validation, early stopping, going on, and checkpoints, through the estimator."""

import errno
import math
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import PredefinedSplit

from sklearn_dsh import (
    Compact,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    SketchKFold,
    StratifiedViewKFold,
    stack_views,
)
from sklearn_dsh.codes import hamming_distances, pack_bits
from sklearn_dsh.deep import _checkpoint, _fit, _rounds
from sklearn_dsh.deep._checkpoint import FILE_NAME, Checkpoint
from sklearn_dsh.deep._sampling import StepPlanner
from sklearn_dsh.deep._training import NetworkTrainer

QUICK = {"max_iter": 3, "steps_per_iter": 5, "batch_size": 8, "random_state": 0}


def blobs(n_sk=60, n_img=90, c=3, seed=0):
    rng = np.random.default_rng(seed)
    y_sk, y_img = np.arange(n_sk) % c, np.arange(n_img) % c
    X_sk = 2.5 * rng.standard_normal((c, 6))[y_sk] + rng.standard_normal((n_sk, 6))
    X_img = 2.5 * rng.standard_normal((c, 9))[y_img] + rng.standard_normal((n_img, 9))
    return X_sk, X_img, (y_sk, y_img)


DATA = blobs()


def same(a, b):
    for name, value in a.weights_.items():
        np.testing.assert_array_equal(value, b.weights_[name], err_msg=name)
    for view, codes in getattr(a, "category_codes_", {}).items():
        np.testing.assert_array_equal(codes, b.category_codes_[view])
    assert a.loss_curve_ == b.loss_curve_
    assert getattr(a, "objective_curve_", None) == getattr(b, "objective_curve_", None)
    assert a.validation_scores_ == b.validation_scores_


def images(n=24, size=36):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    rows, columns = np.mgrid[:size, :size] - size / 2
    shapes = np.stack([np.hypot(rows, columns) < 9, abs(rows) < 4, abs(rows + columns) < 4])[y]
    photos = rng.integers(0, 90, (n, size, size, 3)) + 120 * shapes[..., None]
    return np.where(shapes, 0, 255).astype(np.uint8), photos.astype(np.uint8), (y, y)


IMAGES = images()


class TestValidation:
    def test_the_score_is_that_of_what_was_held_out(self):
        X_sk, X_img, (y_sk, y_img) = DATA
        X, y = stack_views(X_sk, X_img, (y_sk, y_img))
        split = StratifiedViewKFold(5)
        hasher = DeepSketchHasher(8, validation_fraction=split, **QUICK | {"max_iter": 1})
        hasher.fit(X, y)
        _, held_out = next(split.split(X, y))
        expected = hasher.score(X[held_out], y[held_out])
        assert hasher.validation_scores_ == [pytest.approx(expected, abs=1e-12)]

    def test_held_out_rows_are_not_trained_on(self):
        X_sk, X_img, (y_sk, y_img) = DATA
        X, y = stack_views(X_sk, X_img, (y_sk, y_img))
        train, held_out = next(StratifiedViewKFold(5).split(X, y))
        fold = np.full(len(y), -1)
        fold[held_out] = 0
        hasher = DeepSketchHasher(8, validation_fraction=PredefinedSplit(fold), **QUICK)
        alone = DeepSketchHasher(8, **QUICK).fit(X[train], y[train])
        hasher.fit(X, y)
        assert hasher.loss_curve_ == alone.loss_curve_

    def test_a_part_of_every_category_of_both_views(self, monkeypatch):
        seen = []

        def score(outputs, labels):
            seen.append({view: np.bincount(y).tolist() for view, y in labels.items()})
            return 0.5

        monkeypatch.setattr(_rounds, "score_outputs", score)
        DeepSketchHasher(8, validation_fraction=0.2, **QUICK).fit(*DATA)
        assert seen == [{"sketch": [4, 4, 4], "image": [6, 6, 6]}] * 3

    def test_photos_may_be_trained_on_as_in_the_papers_protocol(self):
        hasher = DeepSketchHasher(8, validation_fraction=SketchKFold(5), **QUICK).fit(*DATA)
        assert len(hasher.validation_scores_) == 3

    def test_one_view(self):
        X, _, (y, _) = DATA
        hasher = DeepSketchHasher(8, validation_fraction=0.2, **QUICK).fit(X, y)
        assert len(hasher.validation_scores_) == 3
        assert all(0 <= score <= 1 for score in hasher.validation_scores_)

    @pytest.mark.parametrize("scores", [[0.5, 0.9, 0.7], [0.5, np.nan, 0.3], [0.1, 0.2, 0.2]])
    def test_the_best_round_is_kept(self, monkeypatch, scores):
        given = iter(scores)
        monkeypatch.setattr(_rounds, "score_outputs", lambda *_: next(given))
        kept = DeepSketchHasher(8, validation_fraction=0.2, **QUICK).fit(*DATA)
        best = 1 + int(np.nanargmax(scores))
        assert kept.validation_scores_ == pytest.approx(scores, nan_ok=True)
        assert kept.n_iter_ == 3

        given = iter(scores)
        real = _rounds.alternate
        monkeypatch.setattr(  # with the same schedule
            "sklearn_dsh.deep._fit.alternate",
            lambda *a, steps, **k: real(*a, steps=steps[:best], **k),
        )
        stopped = DeepSketchHasher(8, validation_fraction=0.2, **QUICK).fit(*DATA)
        assert stopped.n_iter_ == best
        for name, value in stopped.weights_.items():
            # Rounded to half precision before the means are taken in the last round alone.
            tolerance = 2e-3 if "readout.mean" in name else 0
            np.testing.assert_allclose(value, kept.weights_[name], tolerance, tolerance / 100)

    def test_early_stopping(self, monkeypatch):
        scores = iter([0.5, 0.6, 0.55, 0.6, 0.9])
        monkeypatch.setattr(_rounds, "score_outputs", lambda *_: next(scores))
        settings = QUICK | {"max_iter": 5}
        hasher = DeepSketchHasher(8, validation_fraction=0.2, n_iter_no_change=2, **settings)
        hasher.fit(*DATA)
        assert hasher.n_iter_ == 4
        assert len(hasher.loss_curve_) == 20

    @pytest.mark.parametrize("value", ["0.2", 1.0, 0])
    def test_what_is_no_fraction_is_refused(self, value):
        with pytest.raises(ValueError, match="validation_fraction"):
            DeepSketchHasher(8, validation_fraction=value).fit(*DATA)

    def test_patience_without_validation(self):
        with pytest.raises(ValueError, match="set validation_fraction"):
            DeepSketchHasher(8, n_iter_no_change=2).fit(*DATA)

    def test_a_category_too_small_to_split(self):
        X_sk, X_img, (y_sk, y_img) = DATA
        y_sk = np.r_[3, y_sk[1:]]
        with pytest.raises(ValueError, match=r"validation_fraction=0\.2 .* sketch view"):
            DeepSketchHasher(8, validation_fraction=0.2).fit(X_sk, X_img, (y_sk, y_img))

    def test_held_out_queries_that_nothing_can_answer_are_refused(self):
        X, y = DATA[0][:30], DATA[2][0][:30]
        with pytest.raises(ValueError, match="None of the 3 held-out queries"):
            DeepSketchHasher(8, validation_fraction=0.1, **QUICK).fit(X, y)
        container, rows = stack_views(*DATA)
        split = PredefinedSplit(np.where((rows == 0) == container.is_sketch, 0, -1))
        with pytest.raises(ValueError, match="None of the 20 held-out queries"):
            DeepSketchHasher(8, validation_fraction=split, **QUICK).fit(container, rows)

    def test_a_split_without_a_view(self):
        X, y = stack_views(*DATA)
        only_photos = PredefinedSplit(np.where(X.is_sketch, -1, 0))
        with pytest.raises(ValueError, match="image view in the train part"):
            DeepSketchHasher(8, validation_fraction=only_photos).fit(X, y)


class TestGoingOn:
    def test_warm_start_goes_on_from_networks_and_codes(self):
        hasher = DeepSketchHasher(16, warm_start=True, **QUICK).fit(*DATA)
        first, losses = hasher.weights_, list(hasher.loss_curve_)
        hasher.set_params(learning_rate=1e-9).fit(*DATA)
        assert hasher.n_iter_ == 6
        assert hasher.loss_curve_[:15] == losses
        assert len(hasher.loss_curve_) == 30
        for name, value in hasher.weights_.items():
            if not any(word in name for word in ("running", "num_batches", "readout.mean")):
                np.testing.assert_allclose(value, first[name], atol=1e-5)

    def test_without_warm_start_a_fit_starts_anew(self):
        hasher = DeepSketchHasher(16, **QUICK)
        same(DeepSketchHasher(16, **QUICK).fit(*DATA), hasher.fit(*DATA).fit(*DATA))

    def test_partial_fit_is_one_more_round(self):
        hasher = DeepSketchHasher(16, **QUICK)
        assert hasher.partial_fit(*DATA) is hasher
        assert hasher.n_iter_ == 1
        for _ in range(11):
            hasher.partial_fit(*DATA)
        assert hasher.n_iter_ == 12
        assert len(hasher.loss_curve_) == 12 * 5
        assert np.mean(hasher.loss_curve_[-5:]) < 0.5 * np.mean(hasher.loss_curve_[:5])
        assert hasher.score(*DATA) > 0.99

    def test_partial_fit_takes_other_items(self):
        hasher = DeepSketchHasher(16, **QUICK).fit(*DATA)
        hasher.partial_fit(*blobs(n_sk=30, n_img=24, seed=0))
        assert hasher.n_iter_ == 4

    def test_every_partial_fit_sees_other_batches_and_repeats_with_its_seed(self, monkeypatch):
        drawn, original = [], StepPlanner.plan

        def plan(self, *args):
            steps = original(self, *args)
            drawn.append(np.concatenate([step.rows["sketch"] for step in steps]))
            return steps

        monkeypatch.setattr(StepPlanner, "plan", plan)
        hashers = [DeepSketchHasher(16, **QUICK) for _ in range(2)]
        for hasher in hashers:
            for _ in range(3):
                hasher.partial_fit(*DATA)
        same(*hashers)
        assert len({rows.tobytes() for rows in drawn[:3]}) == 3

    @pytest.mark.parametrize("random_state", [None, 0, np.random.RandomState(0)])
    def test_going_on_holds_out_the_same_rows(self, monkeypatch, random_state):
        held, original = [], _fit.split_rows

        def split(*args):
            rows = original(*args)
            held.append(np.concatenate(list(rows["held_out"].values())).tolist())
            return rows

        monkeypatch.setattr(_fit, "split_rows", split)
        changes = {"random_state": random_state, "validation_fraction": 0.3, "warm_start": True}
        hasher = DeepSketchHasher(8, **QUICK | changes).fit(*DATA)
        hasher.fit(*DATA).partial_fit(*DATA)
        assert held[0] == held[1] == held[2]

    def test_the_distance_may_be_set_in_between(self):
        hasher = DeepSketchHasher(16, min_code_distance=None, **QUICK).fit(*DATA)
        hasher.set_params(min_code_distance="auto").partial_fit(*DATA)
        at_start = hasher._min_code_distance
        assert at_start > 0
        hasher.set_params(min_code_distance=1).partial_fit(*DATA)
        assert hasher.set_params(min_code_distance="auto")._min_code_distance == at_start

    def test_the_distance_of_the_codes_stays_what_it_was_at_the_start(self):
        data = blobs(c=10, n_sk=100, n_img=100)
        hasher = DeepSketchHasher(64, similarity="signed", **QUICK).fit(*data)
        at_start = hasher._min_code_distance
        for _ in range(4):
            hasher.partial_fit(*data)
        assert hasher._min_code_distance == at_start > 20
        for codes in hasher.category_codes_.values():
            distances = hamming_distances(pack_bits(codes), pack_bits(codes))
            assert distances[~np.eye(10, dtype=bool)].min() >= at_start

    def test_another_thread_finds_the_old_model_until_the_new_one_is_done(self, monkeypatch):
        hasher = DeepSketchHasher(8, **QUICK).fit(*DATA)
        before, seen, original = hasher.transform(DATA[0]), [], NetworkTrainer.run

        def run(self, *args, **kwargs):
            losses = original(self, *args, **kwargs)
            seen.append(hasher.transform(DATA[0]))
            return losses

        monkeypatch.setattr(NetworkTrainer, "run", run)
        hasher.fit(DATA[0][::-1], DATA[1], (DATA[2][0], DATA[2][1]))
        assert len(seen) == 3
        for codes in seen:
            np.testing.assert_array_equal(codes, before)
        assert (hasher.transform(DATA[0]) != before).any()

    def test_partial_fit_keeps_what_is_known_of_the_rows(self):
        X_sk, X_img, y = DATA
        named = pd.DataFrame(X_sk, columns=list("abcdef"))
        hasher = DeepSketchHasher(16, **QUICK).fit(named, X_img, y)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            hasher.partial_fit(X_sk, X_img, y)
        assert hasher.feature_names_in_.tolist() == list("abcdef")

    def test_other_categories_are_refused_and_change_nothing(self):
        hasher = DeepSketchHasher(16, **QUICK).fit(*DATA)
        before = dict(vars(hasher))
        with pytest.raises(ValueError, match=r"categories are \[0, 1, 2, 3\]"):
            hasher.partial_fit(*blobs(c=4))
        assert vars(hasher) == before

    def test_other_networks_are_refused(self):
        hasher = DeepSketchHasher(16, warm_start=True, **QUICK).fit(*DATA)
        with pytest.raises(ValueError, match="n_bits was 16, now 24"):
            hasher.set_params(n_bits=24).fit(*DATA)

        with pytest.raises(ValueError, match=r"was Compact\(\), now Compact\(size=32\)"):
            hasher.set_params(n_bits=16, architecture=Compact(32)).fit(*DATA)

    def test_the_other_view_is_refused(self):
        hasher = DeepSketchHasher(16, **QUICK).fit(*DATA)
        with pytest.raises(ValueError, match="going on needs the same"):
            hasher.partial_fit(DATA[0], DATA[2][0])


SCRIPT = """
import sys
sys.path[:0] = [sys.argv[2]]
import numpy as np
from test_rounds import DATA, KILLED, counted_rounds
from sklearn_dsh import DeepSketchHasher
from sklearn_dsh.deep._training import NetworkTrainer
take_step = NetworkTrainer._take_step
def told(self, *args):
    print(self.step, flush=True)
    return take_step(self, *args)
NetworkTrainer._take_step = told
folder = sys.argv[1] if sys.argv[1] != "none" else None
with counted_rounds() as rounds:
    hasher = DeepSketchHasher(checkpoint_dir=folder, **KILLED).fit(*DATA)
sketch, image = hasher.transform(DATA[0]), hasher.transform(DATA[1], view="image")
np.savez(sys.argv[3], sketch=sketch, image=image, n_rounds=len(rounds),
         loss=hasher.loss_curve_, project=hasher.project(DATA[0]))
"""
INTERRUPTED = """
import signal
import sys
sys.path[:0] = [sys.argv[2]]
import time
from test_rounds import DATA, KILLED
from sklearn_dsh import DeepSketchHasher
from sklearn_dsh.deep._checkpoint import Checkpoint
from sklearn_dsh.deep._training import NetworkTrainer

def wait_in(kind, name):
    original, n = getattr(kind, name), 0
    def call(self, *args):
        nonlocal n
        n += 1
        if f"{name} {n}" == sys.argv[3]:
            listens, heard = signal.getsignal(signal.SIGINT), []
            signal.signal(signal.SIGINT, lambda *to: (heard.append(1), listens(*to)))
            print(name, n, flush=True)
            while not heard:  # until somebody presses Ctrl-C
                time.sleep(0.01)
            signal.signal(signal.SIGINT, listens)
        return original(self, *args)
    setattr(kind, name, call)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
wait_in(NetworkTrainer, "_take_step")
wait_in(Checkpoint, "_write")  # the first tries whether the folder can be written to
hasher = DeepSketchHasher(checkpoint_dir=sys.argv[1], **KILLED).fit(*DATA)
"""
KILLED = QUICK | {"n_bits": 16, "max_iter": 12, "steps_per_iter": 40, "validation_fraction": 0.2}


@contextmanager
def counted_rounds():
    """The rounds that are really trained inside."""
    rounds, original = [], NetworkTrainer.run

    def run(self, *args, **kwargs):
        rounds.append(self.step)
        return original(self, *args, **kwargs)

    NetworkTrainer.run = run
    try:
        yield rounds
    finally:
        NetworkTrainer.run = original


def start(folder, out):
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), here, str(out)], stdout=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out.npz"
    assert start("none", out).wait() == 0
    return np.load(out)


class TestCheckpoints:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_killed_and_started_again_gives_the_same_codes(self, tmp_path, undisturbed, seed):
        folder, out = tmp_path / "checkpoints", tmp_path / "out.npz"
        process = start(folder, out)
        # A round has 40 steps; after the last of these many are left, however busy the machine is.
        last = np.random.default_rng(seed).integers(41, 300)
        while int(process.stdout.readline() or 10**6) < last:
            assert process.poll() is None, "ended before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists(), "finished before it was killed"
        assert (folder / FILE_NAME).exists()
        assert start(folder, out).wait() == 0
        resumed = np.load(out)
        for name in ("sketch", "image", "loss", "project"):
            np.testing.assert_array_equal(resumed[name], undisturbed[name])
        assert 0 < resumed["n_rounds"] < undisturbed["n_rounds"] == KILLED["max_iter"]
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize(
        ("moment", "kept"), [("_take_step 3", 3), ("_take_step 97", 97), ("_write 2", 40)]
    )
    def test_ctrl_c_keeps_what_was_trained(self, tmp_path, undisturbed, moment, kept):
        """In the first round, in a later one, and while the first checkpoint is written."""
        folder, here = tmp_path / "checkpoints", os.path.dirname(os.path.abspath(__file__))
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, str(folder), here, moment],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while process.stdout.readline().strip() != moment:
            assert process.poll() is None, "finished before it was interrupted"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
        assert process.returncode == -signal.SIGINT
        assert f"KeyboardInterrupt: Interrupted. What was trained is kept in '{folder}" in told
        assert "the same call goes on from there" in told
        assert [path.name for path in folder.iterdir()] == [FILE_NAME]
        state = torch.load(folder / FILE_NAME, weights_only=True)["state"]
        assert state["trainer"]["step"] == kept

        resumed = DeepSketchHasher(checkpoint_dir=folder, **KILLED).fit(*DATA)
        np.testing.assert_array_equal(resumed.loss_curve_, undisturbed["loss"])
        np.testing.assert_array_equal(resumed.project(DATA[0]), undisturbed["project"])
        np.testing.assert_array_equal(
            resumed.transform(DATA[1], view="image"), undisturbed["image"]
        )
        assert list(folder.iterdir()) == []

    def test_ctrl_c_without_a_checkpoint_ends_at_once(self, monkeypatch):
        def press(*_):
            signal.raise_signal(signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)

        monkeypatch.setattr(NetworkTrainer, "_take_step", press)
        try:
            with pytest.raises(KeyboardInterrupt):
                DeepSketchHasher(8, **QUICK).fit(*DATA)
        finally:
            signal.signal(signal.SIGINT, before)

    @pytest.mark.parametrize(
        ("data", "changes", "kind"),
        [
            (DATA, {"class_balanced": False}, DeepSketchHasher),
            pytest.param(
                IMAGES, {"architecture": Compact(32), "ema_decay": 0.9}, DeepSketchHasher,
                marks=pytest.mark.slow,
            ),
            (DATA, {"validation_fraction": 0.2, "code_updates": "relaxed"}, DeepSketchHasher),
            (DATA, {}, DCMHHasher),
            ((DATA[0], DATA[2][0]), {}, DCMHHasher),
            pytest.param(
                IMAGES, {"architecture": Compact(32)}, DCMHHasher, marks=pytest.mark.slow
            ),
            (DATA, {}, DeepMetricHasher),
        ],
        ids=["features", "images", "validated", "DCMH", "DCMH of one view", "DCMH of images",
             "metric"],
    )  # fmt: skip
    def test_a_checkpoint_is_written_by_time(self, tmp_path, monkeypatch, data, changes, kind):
        """As often as is due, within rounds; the fit goes on from the last, as if undisturbed."""
        saved, save = [], Checkpoint.save
        monkeypatch.setattr(_checkpoint, "SECONDS", 0)
        monkeypatch.setattr(_checkpoint, "PART", math.inf)

        def count(self, state):
            save(self, state)
            saved.append(state["trainer"]["step"])
            if saved[-1] == 7:
                raise InterruptedError

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "save", count)
            with pytest.raises(InterruptedError):
                kind(8, checkpoint_dir=tmp_path, **QUICK | changes).fit(*data)
        assert saved == [1, 2, 3, 4, 5, 6, 7]
        resumed = kind(8, checkpoint_dir=tmp_path, **QUICK | changes).fit(*data)
        same(resumed, kind(8, **QUICK | changes).fit(*data))

    @pytest.mark.parametrize(
        "error",
        [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 10560")],
        ids=["system", "torch"],
    )
    def test_a_full_disk_stops_no_training(self, tmp_path, monkeypatch, error):
        def no_space(held, file):
            raise error

        monkeypatch.setattr(torch, "save", no_space)
        with pytest.warns(RuntimeWarning, match=rf"{FILE_NAME}' could not be written") as told:
            hasher = DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(*DATA)
        assert len(told) == 1
        assert str(error.args[-1]) in str(told[0].message)
        same(hasher, DeepSketchHasher(8, **QUICK).fit(*DATA))
        assert list(tmp_path.iterdir()) == []

    def test_too_little_space_is_told_before_anything_is_trained(self, tmp_path, monkeypatch):
        free = shutil.disk_usage(tmp_path)._replace(free=100_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
        monkeypatch.setattr("sklearn_dsh.deep._fit.alternate", None)  # never reached
        with pytest.raises(OSError, match=rf"{FILE_NAME}' takes about .* MB, and 0.1 MB are free"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(*DATA)

    def interrupted(self, folder, monkeypatch, data=DATA, kind=DeepSketchHasher, **changes):
        """A fit that is stopped by an error in its second round."""
        original = NetworkTrainer.run

        def run(self, *args, **kwargs):
            if self.step:
                raise InterruptedError
            return original(self, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(NetworkTrainer, "run", run)
            with pytest.raises(InterruptedError):
                kind(8, checkpoint_dir=folder, **QUICK | changes).fit(*data)
        assert (folder / FILE_NAME).exists()

    @pytest.mark.parametrize(
        ("data", "changes"),
        [
            (DATA, {}),
            (DATA, {"class_balanced": False, "validation_fraction": 0.2}),
            (IMAGES, {"architecture": Compact(32), "ema_decay": 0.9}),
            (
                IMAGES,
                {"architecture": Compact(32), "precision": "bfloat16", "code_updates": "fixed"},
            ),
            (DATA, {"learning_rate": np.logspace(-4, -2, 3)[1], "min_code_distance": np.int64(1)}),
        ],
        ids=["features", "validated", "images", "bfloat16", "numpy scalars"],
    )
    def test_goes_on_after_an_error(self, tmp_path, monkeypatch, data, changes):
        self.interrupted(tmp_path, monkeypatch, data, **changes)
        with counted_rounds() as rounds:
            resumed = DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK | changes).fit(*data)
        assert rounds == [5, 10]
        same(resumed, DeepSketchHasher(8, **QUICK | changes).fit(*data))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("seed", [None, 0])
    def test_drawn_pairs_are_kept(self, tmp_path, monkeypatch, seed):
        self.interrupted(tmp_path, monkeypatch, kind=DCMHHasher, random_state=seed)
        with counted_rounds() as rounds:
            hasher = DCMHHasher(8, checkpoint_dir=tmp_path, **QUICK | {"random_state": seed})
            hasher.fit(*DATA)
        assert rounds == [5, 10]
        if seed is not None:
            whole = DCMHHasher(8, **QUICK).fit(*DATA)
            np.testing.assert_array_equal(hasher.project(DATA[0]), whole.project(DATA[0]))

    def test_a_fit_that_went_on_holds_out_the_same_rows_later(self, tmp_path, monkeypatch):
        changes = {"random_state": None, "validation_fraction": 0.3, "warm_start": True}
        held, original = [], _fit.take_rows

        def take(views, labels, rows):
            held.append({view: at.tolist() for view, at in rows.items()})
            return original(views, labels, rows)

        monkeypatch.setattr(_fit, "take_rows", take)
        self.interrupted(tmp_path, monkeypatch, **changes)
        hasher = DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK | changes).fit(*DATA)
        hasher.fit(*DATA)
        assert len(held) == 6  # train and held out, three times
        assert held[:2] == held[2:4] == held[4:]

    def test_without_a_seed_the_same_rows_stay_held_out(self, tmp_path, monkeypatch):
        seen, original = [], _rounds.alternate

        def alternate(trainer, *args, held_out, **others):
            seen.append([held_out.sources[view][:] for view in ("sketch", "image")])
            return original(trainer, *args, held_out=held_out, **others)

        monkeypatch.setattr("sklearn_dsh.deep._fit.alternate", alternate)
        settings = {"random_state": None, "validation_fraction": 0.2}
        self.interrupted(tmp_path, monkeypatch, **settings)
        DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK | settings).fit(*DATA)
        first, second = seen
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_a_folder_that_cannot_be_written_to_is_found_first(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setattr("sklearn_dsh.deep._fit.alternate", None)  # never reached
        with pytest.raises(ValueError, match="file' is a file: expected a folder for checkpoints"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path / "file", **QUICK).fit(*DATA)

    @pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
    def test_a_truncated_file_is_refused_by_name(self, tmp_path, monkeypatch, part):
        self.interrupted(tmp_path, monkeypatch)
        file = tmp_path / FILE_NAME
        content = file.read_bytes()
        file.write_bytes(content[: int(part * len(content))])
        with pytest.raises(ValueError, match=rf"{FILE_NAME}' is cut off, damaged"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(*DATA)

    def test_a_foreign_file_is_refused_by_name(self, tmp_path):
        torch.save({"state": 1}, tmp_path / FILE_NAME)
        with pytest.raises(ValueError, match=rf"{FILE_NAME}' is no checkpoint of this"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(*DATA)

    @pytest.mark.parametrize("name", ["codes", "majority"])
    def test_codes_of_other_forms_are_refused_by_name(self, name, tmp_path, monkeypatch):
        self.interrupted(tmp_path, monkeypatch)
        held = torch.load(tmp_path / FILE_NAME)
        del held["state"]["method"][name]["sketch"]
        torch.save(held, tmp_path / FILE_NAME)
        with pytest.raises(ValueError, match=rf"{FILE_NAME}' is cut off, damaged"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(*DATA)

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (KeyError("codes"), r"KeyError\('codes'\)\."),
            (ValueError("It diverged."), "It diverged."),
        ],
    )
    def test_a_training_that_went_on_and_fails_names_it(self, error, text, tmp_path, monkeypatch):
        self.interrupted(tmp_path, monkeypatch)

        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(NetworkTrainer, "run", fail)
        hasher = DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK)
        with pytest.raises(ValueError, match=f"{text} This fit went on from the checkpoint '.*pt'"):
            hasher.fit(*DATA)

    def test_another_fits_file_is_refused_with_the_difference(self, tmp_path, monkeypatch):
        self.interrupted(tmp_path, monkeypatch)
        X_sk, X_img, (y_sk, y_img) = DATA
        with pytest.raises(ValueError, match="another fit, with other learning_rate"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK, learning_rate=0.1).fit(*DATA)
        with pytest.raises(ValueError, match="with other sketch rows"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(
                X_sk + 1, X_img, (y_sk, y_img)
            )
        with pytest.raises(ValueError, match="with other image labels"):
            DeepSketchHasher(8, checkpoint_dir=tmp_path, **QUICK).fit(
                X_sk, X_img, (y_sk, y_img[::-1])
            )
