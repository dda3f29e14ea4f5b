"""Damaged files: documented errors that name the file, bounded memory, no silent cut; no hang."""

import mmap
import os
import signal
import time
from pathlib import Path

import pytest

from fuzzing import run
from fuzzing.found import FOUND
from fuzzing.mutations import Mutation, mutate
from fuzzing.readers import READERS, Reader
from fuzzing.run import fuzz, outcome

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
CASES = [(reader, what) for reader, files in FOUND.items() for what in files]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Readers by name, each made once."""
    readers = {}

    def make(name):
        if name not in readers:
            readers[name] = READERS[name](tmp_path_factory.mktemp("reader"))
        return readers[name]

    return make


@pytest.mark.parametrize(("name", "what"), CASES, ids=[f"{n}: {w}" for n, w in CASES])
def test_what_was_found_is_refused_or_told(name, what, made, monkeypatch):
    reader = made(name)
    monkeypatch.setattr(reader, "notices_damage", True)
    content = FOUND[name][what](reader.seeds)
    assert content not in reader.seeds
    found, text, _ = outcome(reader, [], Mutation(content, 0, None))
    assert found != "fault", text


@needs_fork
@pytest.mark.parametrize("name", [n for n in READERS if not n.startswith(("checkpoint", "images"))])
def test_some_damaged_files_of_each_reader(name):
    report = fuzz(READERS[name], range(40))
    assert report.faults == []
    assert report.n_read + report.n_refused == 40


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_of_each_reader(name):
    assert fuzz(READERS[name], range(1000)).faults == []


def test_a_number_makes_one_file():
    seeds = [bytes(range(200)), b'{"a": [1, 22, 333]}\n{"b": 4}\n' * 9]
    made = [mutate(seeds, number, (b"word",)) for number in range(400)]
    assert made == [mutate(seeds, number, (b"word",)) for number in range(400)]
    assert len({each.content for each in made}) > 300
    cuts = [each for each in made if each.kept is not None]
    assert len(cuts) == 80
    assert all(each.content == seeds[each.seed][: each.kept] for each in cuts)


def reader_that(*deeds):
    """A reader that does one thing after the other, the first with its sound file."""

    class Doing(Reader):
        megabytes = 20
        seeds = [b"sound"]

        def __init__(self, folder):
            super().__init__(folder)
            self.place, self.deeds = Path(folder, "file"), list(deeds)

        def load(self):
            deed = self.deeds.pop(0) if self.deeds else "whole"
            if isinstance(deed, Exception):
                raise deed
            return deed(self) if callable(deed) else deed

    return Doing


def refuse(reader):
    raise ValueError(f"{reader.place} is damaged")


@needs_fork
class TestTheHarness:
    """It finds what it is for."""

    def test_faults_are_told_with_their_number(self):
        report = fuzz(
            reader_that(
                "whole",
                "whole",
                KeyError("a"),
                ValueError("no name"),
                refuse,
                lambda _: mmap.mmap(-1, 40 << 20).write(bytes(40 << 20)) and "whole",
                "a part",  # 5: a cut
                "another",  # 6: no cut, and such damage cannot always be known
            ),
            range(7),
        )
        faults = dict(report.faults)
        assert "not documented: KeyError: 'a'" in faults.pop(1)
        assert "no file is named: ValueError: no name" in faults.pop(2)
        if Path("/proc/self/clear_refs").exists():
            assert "20 are allowed" in faults.pop(4)
            assert report.megabytes > 20
        assert faults == {5: "a cut or damage that nobody is told of"}
        assert (report.n_refused, report.n_read) == (1, 2)

    def test_a_hang_is_ended_and_the_rest_is_read(self, monkeypatch):
        monkeypatch.setattr(run, "SECONDS", 1)
        report = fuzz(reader_that("whole", "whole", lambda _: time.sleep(1000)), range(1, 4))
        assert report.faults == [(2, "hangs: no end after 1 s")]
        assert report.n_read == 2

    def test_a_crash_is_told_and_the_rest_is_read(self):
        report = fuzz(
            reader_that("whole", "whole", lambda _: os.kill(os.getpid(), signal.SIGKILL)),
            range(1, 4),
        )
        assert report.faults == [(2, "the process ended with -9")]
        assert report.n_read == 2
