"""Bars and lines of progress."""

import io
import re
import sys
import time

import pytest

from sklearn_dsh import _progress
from sklearn_dsh._progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def make_log(monkeypatch):
    """In the test itself: between a fixture and its test, pytest changes stderr."""
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    return log


def wait_for(found, seconds=20):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_a_log_has_a_line_at_the_start_in_between_and_at_the_end(monkeypatch):
    log = make_log(monkeypatch)
    monkeypatch.setattr(_progress, "SECONDS", 0.05)
    with Progress(4, desc="Fit") as progress:
        assert log.getvalue() == "Fit: 0 of 4 steps, 00:00 gone, ? left\n"
        progress.update(3)
        progress.set_postfix(loss="0.5", refresh=False)
        # Nothing is counted, and it goes on.
        wait_for(lambda: log.getvalue().count("Fit: 3 of 4 steps") >= 3)
        assert re.search(
            r"\nFit: 3 of 4 steps, 00:\d\d gone, 00:\d\d left, loss=0.5\n", log.getvalue()
        )
        progress.update()
    assert log.getvalue().splitlines()[-1].startswith("Fit: 4 of 4 steps")
    assert "\r" not in log.getvalue()
    assert "" not in log.getvalue().splitlines()


def test_what_is_not_counted_shows_the_time(monkeypatch):
    log = make_log(monkeypatch)
    monkeypatch.setattr(_progress, "SECONDS", 0.05)
    monkeypatch.setattr(_progress, "DELAY", 0.02)
    with Progress(desc="Loading"):
        wait_for(lambda: log.getvalue().count("\n") >= 3)
    assert set(log.getvalue().splitlines()) <= {f"Loading: 00:{i:02d} gone" for i in range(30)}


def test_what_is_not_counted_and_soon_done_shows_nothing(monkeypatch):
    for log in (make_log(monkeypatch), Terminal()):
        monkeypatch.setattr(sys, "stderr", log)
        with Progress(desc="Loading"):
            pass
        assert log.getvalue() == ""


def test_in_a_terminal_it_is_cleared(monkeypatch):
    monkeypatch.setattr(_progress, "DELAY", 0.02)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(desc="Loading"):
        wait_for(lambda: "Loading: 00:00 gone" in terminal.getvalue())
    assert terminal.getvalue().split("\r")[-2].strip() == ""


def test_a_line_is_not_written_for_each_step(monkeypatch):
    log = make_log(monkeypatch)
    with Progress(1000, desc="Fit") as progress:
        for _ in range(1000):
            progress.update()
    assert len(log.getvalue().splitlines()) == 2


def test_a_terminal_has_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(2, desc="Encoding", unit="photos") as progress:
        progress.update(2)
    assert re.search(r"\rEncoding: 100%.*2/2 \[.*photos/s\]", terminal.getvalue())


def test_nothing_is_written_where_it_is_disabled(monkeypatch):
    log = make_log(monkeypatch)
    with Progress(2, desc="Fit", disable=True) as progress:
        progress.update()
        progress.set_postfix(loss="1", refresh=False)
        progress.set_description_str("Fit, reading", refresh=False)
        progress.unpause()
    assert log.getvalue() == ""


def test_in_a_log_the_innermost_alone_goes_on(monkeypatch):
    log = make_log(monkeypatch)
    monkeypatch.setattr(_progress, "SECONDS", 0.05)
    with Progress(2, desc="Comparing", unit="cells") as outer:
        with Progress(3, desc="Fit"):
            wait_for(lambda: log.getvalue().count("Fit:") >= 4)
        assert log.getvalue().count("Comparing: 0 of 2 cells") <= 2
        outer.update()
        wait_for(lambda: log.getvalue().count("Comparing: 1 of 2 cells") >= 2)


class Bare:
    """What somebody puts in the place of stderr: it writes, and that is all."""

    def __init__(self):
        self.written = ""

    def write(self, text):
        self.written += text


class Gone(io.StringIO):
    """A log that nobody reads any more, or on a full disk."""

    def write(self, text):
        raise BrokenPipeError


def closed():
    file = io.StringIO()
    file.close()
    return file


@pytest.mark.parametrize("disable", [True, False])
@pytest.mark.parametrize("make", [lambda: None, closed, Bare, Gone])
def test_whatever_stderr_is_the_work_goes_on(monkeypatch, make, disable):
    monkeypatch.setattr(_progress, "SECONDS", 0.02)
    stderr = make()
    monkeypatch.setattr(sys, "stderr", stderr)
    with Progress(3, desc="Fit", disable=disable) as progress:
        for _ in range(3):
            progress.update()
            progress.set_postfix(loss="1", refresh=False)
        time.sleep(0.1)
    if isinstance(stderr, Bare):
        assert ("Fit: 3 of 3 steps" in stderr.written) != disable


def test_what_was_done_before_tells_nothing_of_what_is_left(monkeypatch):
    log = make_log(monkeypatch)
    with Progress(1000, desc="Fit") as progress:
        progress.go_on_from(900)
        progress.start_t -= 10  # ten seconds ago
        progress.update(2)
        progress.refresh()
    line = log.getvalue().splitlines()[1]
    assert line.startswith("Fit: 902 of 1000 steps")
    assert "08:10 left" in line  # 98 more at 2 in 10 s
