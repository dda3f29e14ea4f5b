"""Reading ahead: files are decoded by worker processes while the networks are busy."""

import multiprocessing
import os
import sys
import tempfile
import weakref
from contextlib import contextmanager

import numpy as np
import torch
from joblib import effective_n_jobs
from torch.utils.data import DataLoader, Dataset

from .._outputs import named_errors
from ..preprocessing._bit_depth import gathered, tell

AHEAD = 2  # batches that a worker prepares in advance
# A fork needs no importable main module and copies no array; elsewhere it is not safe.
CAN_FORK = sys.platform == "linux"
_ERRORS = (ValueError, OSError, RuntimeError, MemoryError)


class _Requests(Dataset):
    def __init__(self, sources, requests):
        self.sources, self.requests = sources, requests

    def __len__(self):
        return len(self.requests)

    def __getitem__(self, i):
        """A batch, or an error, and what is to be told of files, which a worker tells nobody."""
        with gathered() as found:
            try:
                batch = {view: self.sources[view][rows] for view, rows in self.requests[i].items()}
            except _ERRORS as error:  # a worker would wrap its message in a traceback
                return error, found
        return batch, found


def _as_it_is(batch):
    return batch


@contextmanager
def told_of_readers():
    """Say what it means that a process of `read_ahead` died; torch tells whatever is running then.

    Raises
    ------
    RuntimeError
        If one did.
    """
    try:
        yield
    except _Died:
        raise
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise _Died(error) from error


class _Died(RuntimeError):
    def __init__(self, error, where=""):
        reason = str(error).strip().partition(". ")[0].rstrip(".")
        super().__init__(
            f"A process that decodes image files died{where} ({reason}). Most likely memory ran "
            "out: lower n_jobs or batch_size, or give more memory. A damaged file may crash it, "
            "too."
        )


def read_ahead(sources, requests, n_jobs=None):
    """Rows of several views, a batch at a time.

    Parameters
    ----------
    sources : dict view -> ImageSource or FeatureSource
    requests : list of dict view -> rows (int array or slice)
    n_jobs : int or None
        Worker processes, if there are files to decode and more than one batch; as in joblib,
        None is 1 and -1 every core.

    Yields
    ------
    batch : dict view -> array
        One a request, in their order.

    Raises
    ------
    ValueError
        If a file cannot be read (the path is named).
    RuntimeError
        If a worker process was killed, or crashed.

    Warns
    -----
    BitDepthWarning
        Once, at the end, for all files that use fewer than their 16 bits.
    """
    decodes = any(source.reads_files for source in sources.values())
    # A daemon, as some pools' workers are, may not have children.
    has_workers = CAN_FORK and not multiprocessing.current_process().daemon
    wanted = _Requests(sources, requests)
    if not decodes or len(requests) < 2 or not has_workers:
        batches = (wanted[i] for i in range(len(requests)))
    else:
        batches = DataLoader(
            wanted,
            batch_size=None,
            num_workers=effective_n_jobs(n_jobs),
            prefetch_factor=AHEAD,
            collate_fn=_as_it_is,
            multiprocessing_context="fork",
            generator=torch.Generator(),  # the default one decides the training
        )
    found, batches = {}, iter(batches)
    for request in requests:
        try:
            batch, found_in_batch = next(batches)
        except RuntimeError as error:
            raise _Died(error, f" near {_first_file(sources, request)!r}") from error
        if isinstance(batch, _ERRORS):
            raise batch
        found |= found_in_batch
        yield batch
    tell(found)


def _first_file(sources, request):
    reading = next(view for view in request if sources[view].reads_files)
    return str(sources[reading].X[request[reading]][0])


class ByteFile:
    """Rows of bytes in a temporary file, read row by row: no memory, whatever their number.

    Parameters
    ----------
    shape : tuple of int
        (n_rows, ...)
    folder : str or path-like, default=None
        Where the file is; None: where the system keeps temporary files.
    """

    def __init__(self, shape, folder=None):
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype(np.uint8)
        self._row = int(np.prod(shape[1:]))
        self._folder = tempfile.gettempdir() if folder is None else folder
        self._file = tempfile.TemporaryFile(prefix="sklearn_dsh_", dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        with self._named_errors():
            self._file.truncate(shape[0] * self._row)

    def __len__(self):
        return self.shape[0]

    def __setitem__(self, rows, values):
        with self._named_errors():
            self._file.seek(rows.indices(len(self))[0] * self._row)
            self._file.write(np.ascontiguousarray(values, dtype=np.uint8))
            self._file.flush()

    def _named_errors(self):
        """Its file has no name: a full disk is told of with the folder."""
        return named_errors(os.path.join(self._folder, "temporary file"))

    def __getitem__(self, rows):
        numbers = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        out = np.empty((len(numbers), *self.shape[1:]), dtype=np.uint8)
        for row, number in zip(out.reshape(len(numbers), self._row), numbers, strict=True):
            self._file.seek(int(number) * self._row)
            if self._file.readinto(row) != self._row:
                raise OSError(f"The temporary file of {self.shape} bytes was cut off.")
        return out
