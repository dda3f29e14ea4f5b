"""Parts of a gallery on the workers of a cluster, and what is done with one."""

import copy
import os
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import NotFittedError

from sklearn_dsh.retrieval import HammingRetriever


def submit(client, function, *arguments):
    """A task that has its data in it, so that any worker can do it again."""
    with warnings.catch_warnings():
        # Dask would rather have large arrays scattered; what is scattered dies with its worker.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return client.submit(function, *arguments, pure=False)


def file_state(path):
    """What is another for a file that was written anew."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


class Origin(NamedTuple):
    """Rows of a file: what a shard can be made of, again too."""

    path: str
    state: tuple
    rows_and_settings: tuple

    def make(self, client):
        """The shard, on a worker; NotFittedError if the file is another by now."""
        try:
            is_same = file_state(self.path) == self.state
        except OSError:
            is_same = False
        if not is_same:
            raise NotFittedError(
                f"The cluster was restarted, and the file {self.path!r} is gone or was changed "
                "since fit: call fit again."
            )
        return submit(client, ShardOfFile.make, self.path, *self.rows_and_settings)


def shard_of_array(codes, settings):
    """None for no codes: a block of a filtered Dask array, say."""
    return HammingRetriever(**settings).fit(np.ascontiguousarray(codes)) if len(codes) else None


class ShardOfFile(HammingRetriever):
    """Rows of a file, which travel to another worker as its path, not as their bytes."""

    @classmethod
    def make(cls, path, start, stop, settings):
        shard = cls(**settings).fit(np.load(path, mmap_mode="r")[start:stop])
        shard._origin = (path, start, stop, settings)
        return shard

    def __copy__(self):  # not through the file: its structure is there already
        shard = type(self).__new__(type(self))
        vars(shard).update(vars(self))
        return shard

    def __reduce__(self):
        removed = {"_kept": self._kept, "n_removed_": self.n_removed_}
        return self.make, self._origin, removed


def without(shard, rows):
    """A shard that lacks some rows: the one that there is may be in use."""
    return copy.copy(shard).remove(rows)


def count_removed(shard):
    return 0 if shard is None else shard.n_removed_


def shape_of(shard):
    if shard is None:
        return 0, None
    return shard.n_samples_fit_, shard.n_features_in_


def nearest_of_shard(shard, queries, k, mask):
    available = 0 if shard is None else shard._count_available(mask)
    if not available:
        return np.empty((len(queries), 0), np.int32), np.empty((len(queries), 0), np.intp)
    return shard.kneighbors(queries, min(k, int(available)), mask=mask)


def within_of_shard(shard, queries, radius, mask):
    if shard is None:
        empty = np.empty(0, np.int32), np.empty(0, np.intp)
        return *empty, np.zeros(len(queries) + 1, dtype=np.int64)
    distances, rows = shard.radius_neighbors(queries, radius, mask=mask)
    offsets = np.cumsum([0] + [len(found) for found in rows])
    return np.concatenate(distances), np.concatenate(rows), offsets
