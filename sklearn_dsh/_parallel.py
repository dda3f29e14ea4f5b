"""Calls shared by processes, as joblib does it."""

from concurrent.futures.process import BrokenProcessPool

from joblib import Parallel

from ._forks import is_forked


def in_parallel(calls, n_jobs):
    """Results of joblib's delayed calls, in their order.

    Parameters
    ----------
    calls : iterable of delayed calls
    n_jobs : int or None
        As joblib counts them. A forked child makes the calls one by one: it would wait for the
        processes of its parent.

    Raises
    ------
    RuntimeError
        If one of the processes was killed.
    """
    try:
        return Parallel(n_jobs=1 if is_forked() else n_jobs)(calls)
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"A process of n_jobs={n_jobs} was killed while it made features, most likely for want "
            "of memory: lower n_jobs, or take fewer or smaller images at a time."
        ) from error
