"""Killed at any moment: the old or the new, whole; what is left is cleared by the next call."""

import os
import secrets
import subprocess
import sys
import textwrap

import pytest

from killing.children import in_child, kill_at_event, moments
from killing.operations import OPERATIONS, GallerySave, NewGallery
from killing.run import kill
from sklearn_dsh._outputs import replaced
from sklearn_dsh.deep._checkpoint import Checkpoint, kept_until_saved

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")


@pytest.mark.parametrize("operation", [GallerySave(), NewGallery()])
def test_a_few_moments(operation):
    assert kill(operation, 2, seed=0) == ([], 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_twenty_moments(name):
    # By itself: torch's threads do not survive a fork.
    command = [sys.executable, "-m", "killing", name]
    here = os.path.dirname(os.path.dirname(__file__))
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed 20 times" in done.stdout


class TestTheHarness:
    def test_moments_are_of_the_seed(self):
        assert moments(6, 2.0, 9, 0) == moments(6, 2.0, 9, 0) != moments(6, 2.0, 9, 1)
        assert all(1 <= event <= 9 for _, event in moments(6, 2.0, 9, 0)[:3])

    def test_what_is_not_whole_is_found(self):
        class Careless(NewGallery):
            def call(self, root):
                (root / "out").mkdir(exist_ok=True)
                for _ in range(3):
                    (root / "out" / secrets.token_hex(8)).write_text("a")

            def look(self, root):
                return len(self.names(root))

        faults, n_killed = kill(Careless(), 1, seed=0)
        assert n_killed == 1
        assert any("neither the old nor the new" in fault for fault in faults)
        assert any("left" in fault for fault in faults)


class TestReplaced:
    """What a killed process left beside a file is known: nobody holds it."""

    def write(self, path):
        with replaced(path) as file:
            file.write(b"new")

    @pytest.mark.parametrize("event", [1, 2, 3, 4, 5])
    def test_what_was_left_goes_with_the_next(self, event, tmp_path):
        path = tmp_path / "a [1].txt"  # no pattern
        path.write_bytes(b"old")
        prepare = kill_at_event(event, tmp_path)
        killed = in_child(self.write, path, prepare=prepare).killed
        assert killed == (event < 5)  # it is opened, brought to the disk, moved, and is not there
        assert path.read_bytes() == (b"old" if event < 4 else b"new")
        left = sorted(each.name for each in tmp_path.iterdir())
        assert len(left) == (2 if event in (2, 3) else 1)
        self.write(path)
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        assert path.read_bytes() == b"new"

    def test_what_is_being_written_stays(self, tmp_path):
        path = tmp_path / "file"
        with replaced(path) as first:
            first.write(b"first")
            ended = in_child(self.write, path)  # by another process
            assert ended.error is None
            assert path.read_bytes() == b"new"
        assert path.read_bytes() == b"first"

    def test_other_files_stay(self, tmp_path):
        names = [".file.0123456789.part", ".file.part", ".files.01234567.part"]
        names.append(".file.0123456z.part")
        for name in names:
            (tmp_path / name).write_text("mine")
        (tmp_path / ".file.01234567.part").write_text("left")
        self.write(tmp_path / "file")
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*names, "file"])

    def test_one_that_was_taken_for_abandoned_is_made_anew(self, tmp_path, monkeypatch):
        from sklearn_dsh import _outputs

        lock, locked = _outputs._lock, []

        def removed_before(file):
            locked.append(file.name)
            if len(locked) == 1:
                os.unlink(file.name)
            return lock(file)

        monkeypatch.setattr(_outputs, "_lock", removed_before)
        self.write(tmp_path / "file")
        assert len(locked) == 2
        assert [each.name for each in tmp_path.iterdir()] == ["file"]


class TestKeptUntilSaved:
    """A training that is done stays on the disk until its model is there."""

    def finished(self, folder):
        checkpoint = Checkpoint(folder, {}, 0)
        checkpoint.path.write_bytes(b"a training")
        checkpoint.finish()
        return checkpoint.path

    def test_it_is_removed_at_once_elsewhere(self, tmp_path):
        assert not self.finished(tmp_path).exists()

    def test_it_is_removed_at_the_end(self, tmp_path):
        with kept_until_saved():
            path = self.finished(tmp_path)
            assert path.exists()
        assert not path.exists()
        assert not self.finished(tmp_path).exists()

    def test_it_stays_where_saving_fails(self, tmp_path):
        def fail():
            with kept_until_saved():
                self.finished(tmp_path)
                raise OSError("full")

        with pytest.raises(OSError, match="full"):
            fail()
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.slow
    def test_of_the_command(self, tmp_path, monkeypatch):
        """Killed while the model is written, the same command trains no more."""
        code = """
            import os, sys
            from pathlib import Path
            sys.path[:0] = [sys.argv[2]]
            from killing.operations import FitCommand
            from sklearn_dsh import model_files
            from sklearn_dsh.deep._training import NetworkTrainer

            root, steps = Path(sys.argv[1]), []
            take_step = NetworkTrainer._take_step
            def counted(self, *args):
                steps.append(args)
                return take_step(self, *args)
            NetworkTrainer._take_step = counted
            if not (root / "out").exists():
                FitCommand().prepare(root)
                model_files.save_model = lambda *args: os._exit(9)
            FitCommand().call(root)
            assert not steps, steps
        """
        here = os.path.dirname(os.path.dirname(__file__))
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), here]
        assert subprocess.run(command).returncode == 9
        assert [p.name for p in (tmp_path / "out" / "checkpoints").iterdir()] == ["deep_hasher.pt"]
        assert subprocess.run(command).returncode == 0
        assert list((tmp_path / "out" / "checkpoints").iterdir()) == []
