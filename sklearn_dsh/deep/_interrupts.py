"""Ctrl-C in the midst of a training: the step is finished and kept first."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def held_back(active=True):
    """Note Ctrl-C inside, once, and tell when asked; a second one raises at once.

    Yields
    ------
    interrupted : callable
        Whether there was one. Without ``active``, outside the main thread, and where somebody else
        listens to the signal, nothing is held back.
    """
    listens = threading.current_thread() is threading.main_thread()
    if not (active and listens and signal.getsignal(signal.SIGINT) is signal.default_int_handler):
        yield lambda: False
        return
    heard = []

    def note(number, frame):
        if heard:
            raise KeyboardInterrupt
        heard.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(heard)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def until_interrupted(batches, interrupted):
    """Batches of an iterator; none after Ctrl-C, of which the processes that read hear, too."""
    while not interrupted():
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError:  # they have gone
            if interrupted():
                return
            raise
        yield batch
