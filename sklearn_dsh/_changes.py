"""Objects that one thread at a time may change."""

import weakref
from contextlib import contextmanager

from ._forks import ForkSafeLock, in_forked_children

_CHANGED = weakref.WeakSet()
_LOCK = ForkSafeLock()  # held for no longer than a look takes
in_forked_children(_CHANGED.clear)  # the threads that were about it are the parent's


@contextmanager
def changed_alone(changed):
    """Change an object, which no other thread may change meanwhile.

    Raises
    ------
    RuntimeError
        If another is about it.
    """
    with _LOCK.held():
        if changed in _CHANGED:
            raise RuntimeError(
                f"Another thread is changing this {type(changed).__name__}: let one thread change "
                "it, or hold a lock of your own around each change."
            )
        _CHANGED.add(changed)
    try:
        yield
    finally:
        with _LOCK.held():
            _CHANGED.discard(changed)
