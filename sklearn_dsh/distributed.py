"""Galleries on a Dask cluster: codes and searches spread over its workers (extra ``distributed``).

(Long: one class with the methods of `HammingRetriever`, two fifths of it documentation.)

Everything here uses the current :class:`dask.distributed.Client`, as Dask's own collections do:
make one for the processes of this machine, or for a cluster, by its address.
"""

from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_dsh._documentation import DocumentationLink
from sklearn_dsh._pipelines import last_step
from sklearn_dsh._shards import (
    Origin,
    count_removed,
    file_state,
    nearest_of_shard,
    shape_of,
    shard_of_array,
    submit,
    within_of_shard,
    without,
)
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


class ShardedHammingRetriever(DocumentationLink, BaseEstimator):
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

    A cluster that is restarted, or replaced by another, forgets all shards. Those of a file are
    made again at the next call, as long as the file is what it was; for the others the error says
    to call :meth:`fit` again.

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
        shards, origins, shapes = self._make_shards(X)
        self.n_features_in_ = _width(shapes)
        self._shards, self._starts, self.n_removed_ = [], np.zeros(1, dtype=np.intp), 0
        self._origins, self._gone = [], []
        return self._append(shards, origins, shapes)

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
        shards, origins, shapes = self._make_shards(X)
        width = _width(shapes)
        if width != self.n_features_in_:
            raise ValueError(
                f"X has codes of {width} bytes, but the gallery has codes of "
                f"{self.n_features_in_} bytes."
            )
        return self._append(shards, origins, shapes)

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
        NotFittedError
            If the cluster was restarted and shards cannot be made again.
        """
        check_is_fitted(self)
        rows = np.sort(check_rows(indices, self.n_samples_fit_))
        ends = np.searchsorted(rows, self._starts)
        gone = [rows[a:b] - self._starts[s] for s, (a, b) in enumerate(pairwise(ends))]
        shards = []

        def take_out(client):
            shards[:] = [
                submit(client, without, shard, own) if len(own) else shard
                for shard, own in zip(self._shards, gone, strict=True)
            ]
            return [client.submit(count_removed, shard) for shard in shards]

        self.n_removed_ = sum(self._gather(take_out))
        self._shards = shards
        self._gone = [np.union1d(*both) for both in zip(self._gone, gone, strict=True)]
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
        NotFittedError
            If the cluster was restarted and shards cannot be made again.
        """
        queries, mask = self._check_arguments(X, mask)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        available = self.n_samples_fit_ - self.n_removed_
        if mask is not None:
            available = min(available, int(np.count_nonzero(mask)))
        _check_k(k, available)
        found = self._on_shards(nearest_of_shard, self._arguments(queries, int(k), mask))
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
        NotFittedError
            If the cluster was restarted and shards cannot be made again.
        """
        queries, mask = self._check_arguments(X, mask)
        radius = self.radius if radius is None else radius
        check_radius(radius)
        found = self._on_shards(within_of_shard, self._arguments(queries, float(radius), mask))
        distances, rows, offsets = join_within(
            [
                (distances, rows + start, offsets)
                for (distances, rows, offsets), start in zip(found, self._starts[:-1], strict=True)
            ]
        )
        distances, rows = split_answers(distances, rows, offsets)
        return (distances, rows) if return_distance else rows

    def _make_shards(self, X):
        """Shards, on their workers, what they can be made of again, and their shapes."""
        import dask

        client = _client()
        settings = {"algorithm": self.algorithm, "n_jobs": self.n_jobs}
        if hasattr(X, "to_delayed"):
            if X.ndim != 2:
                raise ValueError(f"X has {X.ndim} dimensions: codes have two.")
            shard = dask.delayed(shard_of_array, pure=False)
            blocks = X.rechunk({1: -1}).to_delayed().ravel()
            shards = client.compute([shard(block, settings) for block in blocks])
            origins = [None] * len(shards)
        elif isinstance(X, (str, Path)):
            path = str(Path(X).resolve())
            state = file_state(path)
            ends = self._ends(client, len(check_codes(np.load(path, mmap_mode="r"), name="X")))
            origins = [Origin(path, state, (a, b, settings)) for a, b in pairwise(ends)]
            shards = [origin.make(client) for origin in origins]
        else:
            codes = check_codes(X, name="X")
            shards = [
                submit(client, shard_of_array, codes[a:b], settings)
                for a, b in pairwise(self._ends(client, len(codes)))
            ]
            origins = [None] * len(shards)
        return shards, origins, client.gather([client.submit(shape_of, shard) for shard in shards])

    def _append(self, shards, origins, shapes):
        sizes = [n for n, _ in shapes]
        self._starts = np.concatenate([self._starts, self._starts[-1] + np.cumsum(sizes)])
        self._shards, self._origins = self._shards + shards, self._origins + origins
        self._gone = self._gone + [np.empty(0, dtype=np.intp)] * len(shards)
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
        return self._gather(
            lambda client: [
                submit(client, function, shard, *values)
                for shard, values in zip(self._shards, arguments, strict=True)
            ]
        )

    def _gather(self, ask):
        """Results of the futures that ``ask(client)`` gives, of the shards as they are then.

        Once more, if the cluster is restarted in the midst of it.
        """
        from dask.distributed import CancelledError

        client = _client()
        self._restore(client)
        try:
            return client.gather(ask(client))
        except CancelledError:
            self._restore(client)
            return client.gather(ask(client))

    def _restore(self, client):
        """Make the shards again that a restart of the cluster, or its end, took away."""
        shards = list(self._shards)
        for s, (shard, origin) in enumerate(zip(shards, self._origins, strict=True)):
            if shard.client is client and not shard.cancelled():
                continue
            if origin is None:
                raise NotFittedError(
                    "The cluster was restarted, or is another one than at fit, and no longer has "
                    "the gallery: call fit again. A gallery that is given as a .npy file is read "
                    "anew."
                )
            shards[s] = origin.make(client)
            if len(self._gone[s]):
                shards[s] = submit(client, without, shards[s], self._gone[s])
        self._shards = shards


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
