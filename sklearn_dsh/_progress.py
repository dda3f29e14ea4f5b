"""Progress: a bar where somebody looks, a line every few seconds where it goes to a log."""

import math
import sys
import threading
import time
from contextlib import suppress

from tqdm import tqdm

from ._forks import in_forked_children

SECONDS = 5.0  # between two lines of a log, and at most between two looks of a bar
DELAY = 1.5  # before anything is shown of what is not counted: it is often done by then
_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} gone, {remaining} left{postfix}"
_LINE_WITHOUT_END = "{desc}: {elapsed} gone{postfix}"
_ACTIVE = []  # of a log, of which the last alone writes: it stands for those around it


class Progress(tqdm):
    """tqdm's bar on stderr, which moves on while nothing is counted, too.

    Where stderr is no terminal, as in a log, it is a line at the start, one every `SECONDS` and one
    at the end.

    Parameters
    ----------
    total : int or None
        What is counted; None if there is nothing to count, only time that goes by.
    desc : str
        What is done.
    unit : str, default="steps"
    disable : bool, default=False
    """

    def __init__(self, total=None, *, desc, unit="steps", disable=False):
        file, how, self._lines = sys.stderr, {}, None
        disable = disable or file is None or getattr(file, "closed", False)
        if not disable and not _is_looked_at(file):
            self._lines = file = _Lines(file)
            how["mininterval"] = math.inf  # only `_go_on` looks
        if total is None or self._lines is not None:
            how["bar_format"] = _LINE_WITHOUT_END if total is None else _LINE
        how["leave"] = False if total is None else None  # None: if it is no bar within another
        how["delay"] = DELAY if total is None else 0
        super().__init__(total=total, desc=desc, unit=unit, disable=disable, file=file, **how)
        self._ended = threading.Event()
        if not disable:
            if self._lines is not None:
                _ACTIVE.append(self)
            threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self):
        wait = self.delay or self._seconds()
        while not self._ended.wait(wait):
            if self._lines is None or (_ACTIVE and _ACTIVE[-1] is self):
                self.delay = 0  # what was shown is cleared at the end
                self.refresh()
            wait = self._seconds()

    def _seconds(self):
        return SECONDS if self._lines is None else self._lines.wait()

    def close(self):
        if not self.disable:
            self._ended.set()
            _ACTIVE[:] = [other for other in _ACTIVE if other is not self]
        super().close()

    def go_on_from(self, n):
        """So many are done already: how long the others take does not tell of them."""
        self.n = self.initial = self.last_print_n = n


# The lock of all bars may have been held by the thread of one, which a forked child lacks.
in_forked_children(lambda: Progress.set_lock(threading.RLock()))


def _is_looked_at(file):
    # A notebook's stderr is no terminal, and takes a bar all the same.
    return getattr(file, "isatty", bool)() or type(file).__module__.startswith("ipykernel")


class _Lines:
    """A log, for what expects a terminal: each look of a bar is a line.

    Where nobody reads it any more, or the disk is full, nothing is written, and what it tells of
    goes on.
    """

    encoding = "ascii"

    def __init__(self, file):
        self.file, self.written_at = file, time.monotonic()

    def write(self, text):
        line = text.strip()
        if line:
            with suppress(OSError, ValueError):
                self.file.write(f"{line}\n")
            self.written_at = time.monotonic()

    def flush(self):
        with suppress(OSError, ValueError, AttributeError):
            self.file.flush()

    def wait(self):
        """Seconds until the next line is due."""
        return max(self.written_at + SECONDS - time.monotonic(), 0.1)
