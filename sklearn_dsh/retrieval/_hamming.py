"""The estimator around the search kernels.

(Long: one class, nearly half of it documentation.)
"""

from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dsh._changes import changed_alone
from sklearn_dsh._documentation import DocumentationLink
from sklearn_dsh.codes import check_codes
from sklearn_dsh.retrieval._balls import Balls
from sklearn_dsh.retrieval._choice import choose_structure
from sklearn_dsh.retrieval._linear_scan import RowMask
from sklearn_dsh.retrieval._multi_index import MultiIndex
from sklearn_dsh.retrieval._search import (
    check_mask,
    check_radius,
    check_rows,
    find_nearest,
    find_within,
    split_answers,
)

# A full gallery grows by this factor, and so does what a structure holds of it, so that appending
# costs O(1) a code.
_GROWTH = 1.5


class HammingRetriever(DocumentationLink, BaseEstimator):
    """Exact nearest neighbours of packed binary codes in Hamming space.

    Answers are ordered by (distance, gallery index), ties included, whatever the algorithm, the
    number of threads or the number of queries at once.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that :meth:`kneighbors` returns by default.
    radius : float, default=2
        Largest distance that :meth:`radius_neighbors` returns by default; inclusive.
    algorithm : {"auto", "linear_scan", "multi_index", "balls"}, default="auto"
        How to search; every algorithm is exact.

        * "linear_scan" looks at every code, and needs no memory of its own.
        * "multi_index" looks codes up by parts of their bits [1]_: for near duplicates, and short
          codes in big galleries. A query that would take longer than a scan is scanned.
        * "balls" keeps distinct codes around some centres and reads, by the triangle inequality,
          those that can be near enough: for the codes of categories. A query that would read too
          many is scanned.
        * "auto" looks at the gallery and takes what compares least. Small galleries and those in
          a memory map are scanned, and so are searches for so many neighbours, or with a mask
          that leaves so few, that the structure it built would take longer.
    n_jobs : int, default=None
        Threads of a search. None means 1 unless in a :obj:`joblib.parallel_backend` context, -1
        all processors. Small searches stay in the calling thread.
    device : str, default="cpu"
        Where to scan: "cpu", or the name of a torch device, "cuda" say, which then holds the
        gallery; `algorithm` is then "auto" or "linear_scan". What was fitted on a device that is
        missing where it is loaded searches on the CPU, with a warning.

    Attributes
    ----------
    n_samples_fit_ : int
        Codes in the gallery, removed ones included: the next code gets this index.
    n_removed_ : int
        Codes that were removed.
    n_features_in_ : int
        Bytes of a code.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of the gallery, if it was a DataFrame with string names.

    See Also
    --------
    sklearn.neighbors.NearestNeighbors : The same interface, for vectors.
    sklearn_dsh.codes.pack_bits : Makes codes from bits.

    Notes
    -----
    * ``fit`` keeps uint8 arrays as they are, without a copy; a memory-mapped gallery is searched
      in place. Do not change the array afterwards. ``joblib.dump`` and
      ``joblib.load(..., mmap_mode="r")`` give a retriever whose gallery stays on disk.
    * Searches may run in many threads at once, also while one thread changes the gallery
      (:meth:`fit`, :meth:`partial_fit`, :meth:`remove`), and after a fork. They answer from the
      gallery before or after the change. A second thread that would change it gets a RuntimeError.
    * :meth:`search_stats` tells what the last search did, and what its structure takes.
    * The first search compiles the kernels, which takes some seconds; they are cached on disk
      for later processes (see numba's ``NUMBA_CACHE_DIR``).

    References
    ----------
    .. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space with Multi-Index
       Hashing", CVPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import HammingRetriever
    >>> gallery = np.array([[0b11110000], [0b11111111], [0b00000000]], dtype=np.uint8)
    >>> retriever = HammingRetriever(n_neighbors=2).fit(gallery)
    >>> retriever.kneighbors([[0b11110001]])
    (array([[1, 3]], dtype=int32), array([[0, 1]]))
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Real, 0, None, closed="left")],
        "algorithm": [StrOptions({"auto", "linear_scan", "multi_index", "balls"})],
        "n_jobs": [Integral, None],
        "device": [str],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        radius: float = 2,
        algorithm: Literal["auto", "linear_scan", "multi_index", "balls"] = "auto",
        n_jobs: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.n_jobs = n_jobs
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Take the gallery.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bytes), dtype uint8
            Packed codes. A C-contiguous uint8 array or memory map is kept without a copy.
        y : Ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : HammingRetriever

        Raises
        ------
        ValueError
            If `X` is not packed codes, see :func:`~sklearn_dsh.codes.check_codes`, or the device
            is not there or searches by no such algorithm.
        """
        if self.device != "cpu" and self.algorithm not in ("auto", "linear_scan"):
            raise ValueError(
                f"device={self.device!r} searches by a linear scan: algorithm={self.algorithm!r} "
                "is for device='cpu'."
            )
        if self.device != "cpu":
            from sklearn_dsh._devices import find_device

            find_device(self.device)  # refused before an earlier gallery is lost
        with changed_alone(self):
            # Beside what searches in other threads read: they find all of the old or of the new.
            fitted = object.__new__(type(self))
            vars(fitted).update(vars(self))
            fitted._take(X)
            self.__dict__ = vars(fitted)
        return self

    def _take(self, X):
        self._buffer = self._check_codes(X, reset=True)
        self._structure, self._kept, self._held_mask, self._last_stats = None, None, None, None
        self.n_removed_ = 0
        self.n_samples_fit_ = len(self._buffer)
        self._build_structure()

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Append codes to the gallery; they get the next indices.

        The cost is amortised: O(1) a code. The first append to a fitted array copies it. A
        structure is built anew when the gallery has grown by half; until then what is new is
        scanned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bytes), dtype uint8
            Packed codes of the gallery's width.
        y : Ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : HammingRetriever

        Raises
        ------
        ValueError
            If `X` is not packed codes, or of another width than the gallery.
        """
        if not hasattr(self, "n_samples_fit_"):
            return self.fit(X)
        X = self._check_codes(X, reset=False)
        with changed_alone(self):
            self._append(X)
        return self

    def _append(self, X):
        n_old, n_new = self.n_samples_fit_, self.n_samples_fit_ + len(X)
        if n_new > len(self._buffer):
            # The array given to fit is always full, so it is never written to.
            capacity = max(n_new, int(_GROWTH * n_old))
            buffer = np.empty((capacity, X.shape[1]), dtype=np.uint8)
            buffer[:n_old] = self._buffer[:n_old]
            self._buffer = buffer
        self._buffer[n_old:n_new] = X
        if self._kept is not None and len(self._kept) < n_new:
            kept = np.ones(len(self._buffer), dtype=bool)
            kept[: len(self._kept)] = self._kept
            self._kept = kept
        self.n_samples_fit_ = n_new
        if n_new >= _GROWTH * self._n_considered:
            self._build_structure()

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
        self : HammingRetriever

        Raises
        ------
        ValueError
            If they are neither numbers of rows nor one bool a row, or there is no such row.
        """
        check_is_fitted(self)
        n = self.n_samples_fit_
        rows = check_rows(indices, n)
        if not len(rows):
            return self
        with changed_alone(self):
            # A new array: searches in other threads keep the one they have.
            kept = np.ones(n, dtype=bool) if self._kept is None else self._kept.copy()
            kept[rows] = False
            self._kept = kept
            self.n_removed_ = int(len(kept) - np.count_nonzero(kept))
        return self

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        mask: ArrayLike | None = None,
    ) -> Any:
        """Find the nearest codes of every query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bytes), dtype uint8, default=None
            The queries. None: every gallery code that was not removed queries the others.
        n_neighbors : int, default=None
            How many; None takes the constructor's.
        return_distance : bool, default=True
            Whether to return the distances.
        mask : array-like of bool, or of int, default=None
            The rows that may be found: one bool for each of `n_samples_fit_` codes, or the
            numbers of the rows, in any order and also twice; None: all that were not removed.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype int32
            Only if `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors), dtype intp
            Rows of the gallery, ascending by (distance, index).

        Raises
        ------
        ValueError
            If `n_neighbors` is more than the gallery (without the own row, what was removed and
            what `mask` leaves out) holds, the queries are not codes of the gallery's width, or
            `mask` is neither one bool a row nor numbers of rows.
        """
        check_is_fitted(self)
        structure, gallery, queries, options = self._search_arguments(X, mask)
        if n_neighbors is None:
            n_neighbors = self.n_neighbors
        if not isinstance(n_neighbors, Integral):
            raise TypeError(f"n_neighbors must be an integer, got {type(n_neighbors).__name__}.")
        own_rows, allowed = options["own_rows"], options["allowed"]
        n_allowed = len(gallery) if allowed is None else allowed.count
        available = max(0, n_allowed - (own_rows is not None))
        if not 1 <= n_neighbors <= available:
            left_out = " (a code is no neighbour of itself)" if own_rows is not None else ""
            if allowed is not None:
                left_out += f" (of {len(gallery)} codes, {n_allowed} may be found)"
            raise ValueError(
                f"Expected 1 <= n_neighbors <= {available}{left_out}, but n_neighbors = "
                f"{n_neighbors}, n_samples_fit_ = {len(gallery)}, n_samples = {len(queries)}."
            )
        distances, indices, self._last_stats = find_nearest(
            gallery, structure, queries, int(n_neighbors), **options
        )
        return (distances, indices) if return_distance else indices

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        return_distance: bool = True,
        *,
        mask: ArrayLike | None = None,
    ) -> Any:
        """Find all codes within a radius of every query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bytes), dtype uint8, default=None
            The queries. None: every gallery code that was not removed queries the others.
        radius : float, default=None
            Largest distance, inclusive; None takes the constructor's.
        return_distance : bool, default=True
            Whether to return the distances.
        mask : array-like of bool, or of int, default=None
            The rows that may be found: one bool for each of `n_samples_fit_` codes, or the
            numbers of the rows, in any order and also twice; None: all that were not removed.

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
        distances, indices = split_answers(*self._search_within(X, radius, mask))
        return (distances, indices) if return_distance else indices

    def kneighbors_graph(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        mode: Literal["connectivity", "distance"] = "connectivity",
        *,
        mask: ArrayLike | None = None,
    ) -> csr_matrix:
        """Graph of the nearest codes of every query.

        Parameters
        ----------
        X, n_neighbors, mask
            As in :meth:`kneighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether the entries are ones or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, `n_samples_fit_`), dtype float64
            Entries of a row in the order of :meth:`kneighbors`; zero distances are stored.
        """
        _check_mode(mode)
        distances, indices = self.kneighbors(X, n_neighbors, mask=mask)
        offsets = np.arange(0, indices.size + 1, indices.shape[1])
        return self._graph(distances.ravel(), indices.ravel(), offsets, mode)

    def radius_neighbors_graph(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        mode: Literal["connectivity", "distance"] = "connectivity",
        *,
        mask: ArrayLike | None = None,
    ) -> csr_matrix:
        """Graph of the codes within a radius of every query.

        Parameters
        ----------
        X, radius, mask
            As in :meth:`radius_neighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether the entries are ones or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, `n_samples_fit_`), dtype float64
            Entries of a row in the order of :meth:`radius_neighbors`; zero distances are stored.
        """
        _check_mode(mode)
        distances, indices, offsets = self._search_within(X, radius, mask)
        return self._graph(distances, indices, offsets, mode)

    def search_stats(self) -> dict[str, Any] | None:
        """What the last search did, whichever thread ran it.

        Returns
        -------
        stats : dict or None
            None before the first search. Else ``"algorithm"`` (that was taken), ``"n_queries"``,
            ``"n_codes_compared"`` (over all queries), ``"n_keys_looked_up"``,
            ``"n_queries_scanned"`` (by which the whole gallery was scanned), and of the structure
            ``"n_distinct_codes"`` (None without one) and ``"n_bytes_of_structure"``.
        """
        check_is_fitted(self)
        return self._last_stats

    def _build_structure(self):
        gallery = self._buffer[: self.n_samples_fit_]
        self._n_considered = len(gallery)
        if self.device != "cpu":
            self._structure = self._put_on_device(gallery)
        elif self.algorithm == "auto":
            self._structure = choose_structure(gallery, n_jobs=self.n_jobs)
        elif self.algorithm == "balls":
            self._structure = Balls(gallery, n_jobs=self.n_jobs)
        elif self.algorithm == "multi_index":
            self._structure = MultiIndex(gallery)

    def _put_on_device(self, gallery):
        """A `TorchScan`; None where what was fitted elsewhere finds no such device."""
        from sklearn_dsh._devices import find_device_or_warn
        from sklearn_dsh.retrieval._torch_scan import TorchScan

        device = find_device_or_warn(self.device, "Searching")
        return None if device is None else TorchScan(gallery, device)

    def _search_within(self, X, radius, mask):
        check_is_fitted(self)
        structure, gallery, queries, options = self._search_arguments(X, mask)
        if radius is None:
            radius = self.radius
        check_radius(radius)
        radius = int(min(radius, 8 * gallery.shape[1]))
        *found, self._last_stats = find_within(gallery, structure, queries, radius, **options)
        return found

    def _search_arguments(self, X, mask):
        """Structure, gallery, queries, and the other arguments of a search."""
        if self._structure is None and self.device != "cpu":  # loaded from a file
            self._build_structure()
        # Of one state, which another thread's fit would replace whole; and in this order, as what
        # another thread appends lies behind what is read here.
        state = vars(self)
        structure, n_samples = state["_structure"], state["n_samples_fit_"]
        kept, gallery = _kept_rows(state, n_samples), state["_buffer"][:n_samples]
        allowed = _combined(check_mask(mask, n_samples), kept)
        options = {"allowed": allowed, "own_rows": None, "n_jobs": self.n_jobs}
        if X is None:
            own = np.arange(n_samples) if kept is None else np.flatnonzero(kept.mask)
            options["own_rows"] = own
            queries = gallery if kept is None else gallery[own]
        else:
            queries = self._check_codes(X, reset=False)
        return structure, gallery, queries, options

    def _count_available(self, mask):
        """How many codes may be found with a mask, or None."""
        state = vars(self)
        n = state["n_samples_fit_"]
        allowed = _combined(check_mask(mask, n), _kept_rows(state, n))
        return n if allowed is None else allowed.count

    def _graph(self, distances, indices, offsets, mode):
        data = distances.astype(float) if mode == "distance" else np.ones(len(indices))
        shape = (len(offsets) - 1, self.n_samples_fit_)
        return csr_matrix((data, indices, offsets), shape=shape)

    def _check_codes(self, X, *, reset):
        codes = check_codes(X, name="X")
        validate_data(self, X, reset=reset, skip_check_array=True)
        return codes

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_buffer" in state:  # leave out the room for growth
            buffer = state["_buffer"][: self.n_samples_fit_]
            kept = None if state["_kept"] is None else state["_kept"][: self.n_samples_fit_]
            state |= {"_buffer": buffer, "_kept": kept, "_held_mask": None, "_last_stats": None}
            if self.device != "cpu":  # what is on a device is put there again
                state["_structure"] = None
        return state

    def _file_state(self):
        """What a model file keeps: the structure is built of the codes again."""
        return self.__getstate__() | ({"_structure": None} if hasattr(self, "_buffer") else {})

    def _check_loaded(self):
        if hasattr(self, "_buffer"):
            kept = self._kept
            self.fit(self._buffer)
            if kept is not None:
                self.remove(~np.asarray(kept))

    def __sizeof__(self):
        """Bytes, of the gallery and its structure too: by this Dask places retrievers."""
        parts = [getattr(self, name, None) for name in ("_buffer", "_kept", "_structure")]
        held = (getattr(part, "nbytes", getattr(part, "n_bytes_taken", 0)) for part in parts)
        return object.__sizeof__(self) + sum(held)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Bytes are symbols: neither signed nor real-valued.
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        return tags


def _combined(mask, kept):
    """RowMask of what a mask and what was not removed (a RowMask) let through; None for all."""
    if mask is None:
        return kept
    return RowMask(mask if kept is None else mask & kept.mask)


def _check_mode(mode):
    if mode not in ("connectivity", "distance"):
        raise ValueError(f'mode must be "connectivity" or "distance", got {mode!r}.')


def _kept_rows(state, n_samples):
    """What was not removed, the same object as long as that stays the same; None for all."""
    kept, held = state["_kept"], state["_held_mask"]
    if kept is None:
        return None
    if held is None or held[0] is not kept or held[1] != n_samples:
        held = state["_held_mask"] = (kept, n_samples, RowMask(kept[:n_samples]))
    return held[2]
