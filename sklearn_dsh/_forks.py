"""A forked child lacks all threads of its parent but one: what it must not wait for.

Locks that other threads held are never let go, and pools of threads and of processes (OpenMP's,
loky's) look alive and answer nothing. Here locks are made anew in a child, and pools left alone.
"""

import os
import threading
import weakref
from contextlib import contextmanager, nullcontext

_LOCKS = weakref.WeakSet()
_is_child = False


def is_forked():
    """Whether this process was forked from one that had this module."""
    return _is_child


class ForkSafeLock:
    """A lock of threads that is free at the start of a forked child.

    Parameters
    ----------
    make : callable, default=threading.Lock
    """

    def __init__(self, make=threading.Lock):
        self._make = make
        self.renew()
        _LOCKS.add(self)

    def renew(self):
        self._lock = self._make()

    @contextmanager
    def held(self):
        """Hold the lock inside."""
        lock = self._lock  # that a fork inside lets go of, too
        with lock:
            yield


class cached:
    """As functools.cached_property, which up to Python 3.11 holds a lock while it works."""

    def __init__(self, function):
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.function(instance)
        return value


def openmp_in_child():
    """A context for what runs in OpenMP's threads: in a forked child, in this thread alone.

    GNU's OpenMP waits there for the parent's threads as soon as it wants more than one.
    """
    if not _is_child:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def _after_fork():
    global _is_child
    _is_child = True
    for lock in list(_LOCKS):
        lock.renew()


def in_forked_children(function):
    """Let every child that is forked from now on call ``function`` first."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
        os.register_at_fork(after_in_child=function)


in_forked_children(_after_fork)
