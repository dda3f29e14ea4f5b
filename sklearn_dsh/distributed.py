"""Galleries on a Dask cluster: codes and searches spread over its workers (extra ``distributed``).

Everything here uses the current :class:`dask.distributed.Client`, as Dask's own collections do:
make one for the processes of this machine, or for a cluster, by its address.
"""

import copy
import warnings
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_dsh._pipelines import last_step
from sklearn_dsh.codes import check_codes
from sklearn_dsh.retrieval import HammingRetriever
from sklearn_dsh.retrieval._search import (
    check_mask,
    check_radius,
    check_rows,
    join_within,
    merge_nearest,
    split_answers,
)

if TYPE_CHECKING:
    from dask.array import Array
    from dask.bag import Bag


class ShardedHammingRetriever(BaseEstimator):
    """Exact Hamming search in a gallery that is spread over the workers of a Dask cluster.

    Every worker searches its shards with :class:`~sklearn_dsh.HammingRetriever`; answers are merged
    and ordered by (distance, gallery index), the same as on one machine.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that :meth:`kneighbors` returns by default.
    radius : float, default=2
        Largest distance that :meth:`radius_neighbors` returns by default; inclusive.
    algorithm : {"auto", "linear_scan", "multi_index", "balls"}, default="auto"
        How a shard is searched.
    n_jobs : int, default=None
        Threads of a search on a worker.
    n_shards : int, default=None
        Parts of an array or file; None: as many as the cluster has workers.

    Attributes
    ----------
    n_samples_fit_ : int
        Codes in the gallery, removed ones included: the next code gets this index.
    n_removed_ : int
        Codes that were removed.
    n_features_in_ : int
        Bytes of a code.

    Notes
    -----
    Every query comes from here: a gallery of this kind is too large to query itself. Searches may
    run in many threads at once, but not while the gallery grows or shrinks.

    A worker that dies takes its shards along. They are made again on another, and the search goes
    on: that costs time, and changes no answer. For this the scheduler keeps an array that was given
    to :meth:`fit`; give a file or a Dask array where it has no room.

    Examples
    --------
    >>> from dask.distributed import Client  # doctest: +SKIP
    >>> client = Client("scheduler:8786")  # or Client() for this machine  # doctest: +SKIP
    >>> retriever = ShardedHammingRetriever().fit("codes.npy")  # doctest: +SKIP
    >>> distances, indices = retriever.kneighbors(queries, 10)  # doctest: +SKIP
    """

    _parameter_constraints = {
        name: HammingRetriever._parameter_constraints[name]
        for name in ("n_neighbors", "radius", "algorithm", "n_jobs")
    } | {
        "n_shards": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        radius: float = 2,
        algorithm: Literal["auto", "linear_scan", "multi_index", "balls"] = "auto",
        n_jobs: int | None = None,
        n_shards: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.n_jobs = n_jobs
        self.n_shards = n_shards

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: "ArrayLike | Array | str | Path", y: Any = None) -> Self:
        """Spread the gallery over the workers.

        Parameters
        ----------
        X : array-like, dask array or path
            Packed codes (n_samples, n_bytes), uint8: an array; a Dask array, whose blocks of rows
            become the shards; or a ``.npy`` file that every worker can read, of which each maps
            its part into memory.
        y : Ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : ShardedHammingRetriever

        Raises
        ------
        ValueError
            If `X` is not packed codes, or there is no Dask client.
        """
        shards, shapes = self._make_shards(X)
        self.n_features_in_ = _width(shapes)
        self._shards, self._starts, self.n_removed_ = [], np.zeros(1, dtype=np.intp), 0
        return self._append(shards, shapes)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: "ArrayLike | Array | str | Path", y: Any = None) -> Self:
        """Append codes to the gallery, as shards of their own; they get the next indices.

        Searching costs some milliseconds a shard beside the work: append many codes at once.

        Parameters
        ----------
        X : array-like, dask array or path
            As in :meth:`fit`, of the gallery's width.
        y : Ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : ShardedHammingRetriever

        Raises
        ------
        ValueError
            If `X` is not packed codes, or of another width than the gallery, or there is no Dask
            client.
        """
        if not hasattr(self, "n_samples_fit_"):
            return self.fit(X)
        shards, shapes = self._make_shards(X)
        width = _width(shapes)
        if width != self.n_features_in_:
            raise ValueError(
                f"X has codes of {width} bytes, but the gallery has codes of "
                f"{self.n_features_in_} bytes."
            )
        return self._append(shards, shapes)

    def remove(self, indices: ArrayLike) -> Self:
        """Take codes out of the gallery; all others keep their indices.

        A code that was removed before stays so. Its memory is kept, too.

        Parameters
        ----------
        indices : int, array-like of int, or array-like of bool
            Rows of the gallery: their numbers, in any order and also twice, or one bool for each
            of `n_samples_fit_` codes.

        Returns
        -------
        self : ShardedHammingRetriever

        Raises
        ------
        ValueError
            If they are neither numbers of rows nor one bool a row, or there is no such row.
        """
        check_is_fitted(self)
        rows = np.sort(check_rows(indices, self.n_samples_fit_))
        client, ends, shards = _client(), np.searchsorted(rows, self._starts), list(self._shards)
        for s, (first, last) in enumerate(pairwise(ends)):
            if last > first:
                gone = rows[first:last] - self._starts[s]
                shards[s] = _submit(client, _without, shards[s], gone)
        self.n_removed_ = sum(client.gather([client.submit(_n_removed, s) for s in shards]))
        self._shards = shards
        return self

    def kneighbors(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        mask: ArrayLike | None = None,
    ) -> Any:
        """Find the nearest codes of every query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bytes), dtype uint8
            The queries.
        n_neighbors : int, default=None
            How many; None takes the constructor's.
        return_distance : bool, default=True
            Whether to return the distances.
        mask : array-like of bool, or of int, default=None
            The rows that may be found: one bool for each of `n_samples_fit_` codes, or the
            numbers of the rows, in any order and also twice; None: all.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype int32
            Only if `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors), dtype intp
            Rows of the gallery, ascending by (distance, index).

        Raises
        ------
        ValueError
            If `n_neighbors` is more than may be found, the queries are not codes of the gallery's
            width, or `mask` is neither one bool a row nor numbers of rows.
        """
        queries, mask = self._check_arguments(X, mask)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        available = self.n_samples_fit_ - self.n_removed_
        if mask is not None:
            available = min(available, int(np.count_nonzero(mask)))
        _check_k(k, available)
        found = self._on_shards(_nearest_of_shard, self._arguments(queries, int(k), mask))
        # The mask may have been of codes that were removed.
        _check_k(k, min(available, sum(rows.shape[1] for _, rows in found)))
        distances, rows = merge_nearest(
            [distances for distances, _ in found],
            [rows + start for (_, rows), start in zip(found, self._starts[:-1], strict=True)],
            [np.full(len(queries), rows.shape[1]) for _, rows in found],
            int(k),
            8 * self.n_features_in_,
        )
        return (distances, rows) if return_distance else rows

    def radius_neighbors(
        self,
        X: ArrayLike,
        radius: float | None = None,
        return_distance: bool = True,
        *,
        mask: ArrayLike | None = None,
    ) -> Any:
        """Find all codes within a radius of every query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bytes), dtype uint8
            The queries.
        radius : float, default=None
            Largest distance, inclusive; None takes the constructor's.
        return_distance : bool, default=True
            Whether to return the distances.
        mask : array-like of bool, or of int, default=None
            The rows that may be found: one bool for each of `n_samples_fit_` codes, or the
            numbers of the rows, in any order and also twice; None: all.

        Returns
        -------
        distances : ndarray of shape (n_queries,), dtype object
            Each an int32 array; only if `return_distance`.
        indices : ndarray of shape (n_queries,), dtype object
            Each an intp array of gallery rows, ascending by (distance, index).

        Raises
        ------
        ValueError
            If `radius` is negative or NaN, the queries are not codes of the gallery's width, or
            `mask` is neither one bool a row nor numbers of rows.
        """
        queries, mask = self._check_arguments(X, mask)
        radius = self.radius if radius is None else radius
        check_radius(radius)
        found = self._on_shards(_within_of_shard, self._arguments(queries, float(radius), mask))
        distances, rows, offsets = join_within(
            [
                (distances, rows + start, offsets)
                for (distances, rows, offsets), start in zip(found, self._starts[:-1], strict=True)
            ]
        )
        distances, rows = split_answers(distances, rows, offsets)
        return (distances, rows) if return_distance else rows

    def _make_shards(self, X):
        """Shards, on their workers, and their shapes."""
        import dask

        client = _client()
        settings = {"algorithm": self.algorithm, "n_jobs": self.n_jobs}
        if hasattr(X, "to_delayed"):
            if X.ndim != 2:
                raise ValueError(f"X has {X.ndim} dimensions: codes have two.")
            shard = dask.delayed(_shard_of_array, pure=False)
            blocks = X.rechunk({1: -1}).to_delayed().ravel()
            shards = client.compute([shard(block, settings) for block in blocks])
        elif isinstance(X, (str, Path)):
            path = str(Path(X).resolve())
            ends = self._ends(client, len(check_codes(np.load(path, mmap_mode="r"), name="X")))
            shards = [
                _submit(client, _ShardOfFile.make, path, a, b, settings) for a, b in pairwise(ends)
            ]
        else:
            codes = check_codes(X, name="X")
            shards = [
                _submit(client, _shard_of_array, codes[a:b], settings)
                for a, b in pairwise(self._ends(client, len(codes)))
            ]
        return shards, client.gather([client.submit(_shape, shard) for shard in shards])

    def _append(self, shards, shapes):
        sizes = [n for n, _ in shapes]
        self._starts = np.concatenate([self._starts, self._starts[-1] + np.cumsum(sizes)])
        self._shards = self._shards + shards
        self.n_samples_fit_ = int(self._starts[-1])
        return self

    def _ends(self, client, n):
        n_shards = self.n_shards or max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        return np.linspace(0, n, min(n_shards, n) + 1).astype(int)

    def _check_arguments(self, X, mask):
        check_is_fitted(self)
        queries = check_codes(X, n_bytes=self.n_features_in_, name="X")
        return queries, check_mask(mask, self.n_samples_fit_)

    def _arguments(self, queries, how_far, mask):
        return [
            (queries, how_far, None if mask is None else mask[a:b])
            for a, b in pairwise(self._starts)
        ]

    def _on_shards(self, function, arguments):
        """``function(shard, *arguments)`` for every shard, where the shard is."""
        client = _client()
        return client.gather(
            [
                _submit(client, function, shard, *values)
                for shard, values in zip(self._shards, arguments, strict=True)
            ]
        )


def transform_dask(
    hasher: Any, X: "Array | Bag", *, view: Literal["sketch", "image"] = "sketch"
) -> "Array":
    """Codes of a collection that is larger than memory, made by the workers of a Dask cluster.

    Parameters
    ----------
    hasher : fitted hasher
        Anything with ``transform(X, view=...)`` that gives packed codes of ``n_bits`` bits; a
        Pipeline that ends in one, where metadata routing hands it the view.
    X : dask array or dask bag
        Items along the first axis of an array: images, features or paths of files; or a bag of
        paths, which the workers can read.
    view : {"sketch", "image"}, default="sketch"
        What the items are.

    Returns
    -------
    codes : dask array of shape (n_items, n_bytes), dtype uint8
        Computed block by block when it is asked for; a gallery of
        :class:`ShardedHammingRetriever`. The number of items in a bag is unknown until then.
    """
    import dask
    import dask.array as da

    width = -(-last_step(hasher).n_bits // 8)
    how = {"view": view, "width": width, "config": get_config()}
    hasher = dask.delayed(hasher, pure=True)  # sent once, not with every block
    if hasattr(X, "to_delayed") and not hasattr(X, "chunks"):
        codes = [dask.delayed(_transform_paths)(hasher, part, **how) for part in X.to_delayed()]
        blocks = [da.from_delayed(c, shape=(np.nan, width), dtype=np.uint8) for c in codes]
        return da.concatenate(blocks, allow_unknown_chunksizes=True)
    X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    blocks = [
        da.from_delayed(
            dask.delayed(_transform)(hasher, block, **how), shape=(n, width), dtype=np.uint8
        )
        for block, n in zip(X.to_delayed().ravel(), X.chunks[0], strict=True)
    ]
    return da.concatenate(blocks)


def _transform(hasher, X, view, width, config):
    if not len(X):  # a partition of a filtered collection
        return np.empty((0, width), dtype=np.uint8)
    with config_context(**config):  # whether metadata is routed
        return np.asarray(hasher.transform(X, view=view))


def _transform_paths(hasher, paths, **how):
    return _transform(hasher, np.array(list(paths)), **how)


def _client():
    from dask.distributed import get_client

    try:
        return get_client()
    except ValueError as error:
        raise ValueError(
            "There is no Dask client: make one first, dask.distributed.Client() for this machine "
            "or Client('address:port') for a cluster."
        ) from error


def _submit(client, function, *arguments):
    """A task that has its data in it, so that any worker can do it again."""
    with warnings.catch_warnings():
        # Dask would rather have large arrays scattered; what is scattered dies with its worker.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return client.submit(function, *arguments, pure=False)


def _shard_of_array(codes, settings):
    """None for no codes: a block of a filtered Dask array, say."""
    return HammingRetriever(**settings).fit(np.ascontiguousarray(codes)) if len(codes) else None


class _ShardOfFile(HammingRetriever):
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


def _without(shard, rows):
    """A shard that lacks some rows: the one that there is may be in use."""
    return copy.copy(shard).remove(rows)


def _n_removed(shard):
    return 0 if shard is None else shard.n_removed_


def _width(shapes):
    """Bytes of the codes of all shards."""
    widths = sorted({width for _, width in shapes if width is not None})
    if not widths:
        raise ValueError("X has no codes.")
    if len(widths) > 1:
        raise ValueError(f"The blocks of X have codes of {widths} bytes: they must be alike.")
    return widths[0]


def _check_k(k, available):
    if not isinstance(k, Integral) or not 1 <= k <= available:
        raise ValueError(f"Expected an integer 1 <= n_neighbors <= {available}, got {k!r}.")


def _shape(shard):
    if shard is None:
        return 0, None
    return shard.n_samples_fit_, shard.n_features_in_


def _nearest_of_shard(shard, queries, k, mask):
    available = 0 if shard is None else shard._count_available(mask)
    if not available:
        return np.empty((len(queries), 0), np.int32), np.empty((len(queries), 0), np.intp)
    return shard.kneighbors(queries, min(k, int(available)), mask=mask)


def _within_of_shard(shard, queries, radius, mask):
    if shard is None:
        empty = np.empty(0, np.int32), np.empty(0, np.intp)
        return *empty, np.zeros(len(queries) + 1, dtype=np.int64)
    distances, rows = shard.radius_neighbors(queries, radius, mask=mask)
    offsets = np.cumsum([0] + [len(found) for found in rows])
    return np.concatenate(distances), np.concatenate(rows), offsets
