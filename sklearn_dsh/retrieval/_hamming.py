"""The estimator around the search kernels."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dsh.codes import check_codes
from sklearn_dsh.retrieval._linear_scan import search_nearest, search_within

# A full gallery grows by this factor, so that appending costs O(1) a code.
_GROWTH = 1.5


class HammingRetriever(BaseEstimator):
    """Exact nearest neighbours of packed binary codes in Hamming space.

    Answers are ordered by (distance, gallery index), ties included, whatever the algorithm, the
    number of threads or the number of queries at once.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that :meth:`kneighbors` returns by default.
    radius : float, default=2
        Largest distance that :meth:`radius_neighbors` returns by default; inclusive.
    algorithm : {"auto", "linear_scan"}, default="auto"
        How to search; every algorithm is exact. "linear_scan" looks at every code; "auto" chooses
        for you, at present always the linear scan.
    n_jobs : int, default=None
        Threads of a search. None means 1 unless in a :obj:`joblib.parallel_backend` context, -1
        all processors. Small searches stay in the calling thread.

    Attributes
    ----------
    n_samples_fit_ : int
        Codes in the gallery.
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
    * Searches may run in many threads at once, and after a fork.
    * The first search compiles the kernels, which takes some seconds; they are cached on disk
      for later processes (see numba's ``NUMBA_CACHE_DIR``).

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
        "algorithm": [StrOptions({"auto", "linear_scan"})],
        "n_jobs": [Integral, None],
    }

    def __init__(self, n_neighbors=5, *, radius=2, algorithm="auto", n_jobs=None):
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
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
            If `X` is not packed codes, see :func:`~sklearn_dsh.codes.check_codes`.
        """
        self._buffer = self._check_codes(X, reset=True)
        self.n_samples_fit_ = len(self._buffer)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Append codes to the gallery; they get the next indices.

        The cost is amortised: O(1) a code. The first append to a fitted array copies it.

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
        n_old, n_new = self.n_samples_fit_, self.n_samples_fit_ + len(X)
        if n_new > len(self._buffer):
            # The array given to fit is always full, so it is never written to.
            capacity = max(n_new, int(_GROWTH * n_old))
            buffer = np.empty((capacity, X.shape[1]), dtype=np.uint8)
            buffer[:n_old] = self._buffer[:n_old]
            self._buffer = buffer
        self._buffer[n_old:n_new] = X
        self.n_samples_fit_ = n_new
        return self

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
        """Find the nearest codes of every query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bytes), dtype uint8, default=None
            The queries. None: every gallery code queries the others.
        n_neighbors : int, default=None
            How many; None takes the constructor's.
        return_distance : bool, default=True
            Whether to return the distances.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype int32
            Only if `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors), dtype intp
            Rows of the gallery, ascending by (distance, index).

        Raises
        ------
        ValueError
            If `n_neighbors` is more than the gallery (without the own row) holds, or the queries
            are not codes of the gallery's width.
        """
        check_is_fitted(self)
        gallery, queries, own_rows = self._search_arguments(X)
        if n_neighbors is None:
            n_neighbors = self.n_neighbors
        if not isinstance(n_neighbors, Integral):
            raise TypeError(f"n_neighbors must be an integer, got {type(n_neighbors).__name__}.")
        available = len(gallery) - (own_rows is not None)
        if not 1 <= n_neighbors <= available:
            left_out = " (a code is no neighbour of itself)" if own_rows is not None else ""
            raise ValueError(
                f"Expected 1 <= n_neighbors <= {available}{left_out}, but n_neighbors = "
                f"{n_neighbors}, n_samples_fit_ = {len(gallery)}, n_samples = {len(queries)}."
            )
        distances, indices = search_nearest(
            gallery, queries, int(n_neighbors), own_rows=own_rows, n_jobs=self.n_jobs
        )
        return (distances, indices) if return_distance else indices

    def radius_neighbors(self, X=None, radius=None, return_distance=True):
        """Find all codes within a radius of every query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bytes), dtype uint8, default=None
            The queries. None: every gallery code queries the others.
        radius : float, default=None
            Largest distance, inclusive; None takes the constructor's.
        return_distance : bool, default=True
            Whether to return the distances.

        Returns
        -------
        distances : ndarray of shape (n_queries,), dtype object
            Each an int32 array; only if `return_distance`.
        indices : ndarray of shape (n_queries,), dtype object
            Each an intp array of gallery rows, ascending by (distance, index).

        Raises
        ------
        ValueError
            If `radius` is negative or NaN, or the queries are not codes of the gallery's width.
        """
        n_queries, distances, indices, offsets = self._search_within(X, radius)
        split = [np.empty(n_queries, dtype=object) for _ in range(2)]
        for q in range(n_queries):
            split[0][q] = distances[offsets[q] : offsets[q + 1]]
            split[1][q] = indices[offsets[q] : offsets[q + 1]]
        return tuple(split) if return_distance else split[1]

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """Graph of the nearest codes of every query.

        Parameters
        ----------
        X, n_neighbors
            As in :meth:`kneighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether the entries are ones or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit_), dtype float64
            Entries of a row in the order of :meth:`kneighbors`; zero distances are stored.
        """
        _check_mode(mode)
        distances, indices = self.kneighbors(X, n_neighbors)
        offsets = np.arange(0, indices.size + 1, indices.shape[1])
        return self._graph(distances.ravel(), indices.ravel(), offsets, mode)

    def radius_neighbors_graph(self, X=None, radius=None, mode="connectivity"):
        """Graph of the codes within a radius of every query.

        Parameters
        ----------
        X, radius
            As in :meth:`radius_neighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether the entries are ones or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit_), dtype float64
            Entries of a row in the order of :meth:`radius_neighbors`; zero distances are stored.
        """
        _check_mode(mode)
        _, distances, indices, offsets = self._search_within(X, radius)
        return self._graph(distances, indices, offsets, mode)

    def _search_within(self, X, radius):
        check_is_fitted(self)
        gallery, queries, own_rows = self._search_arguments(X)
        if radius is None:
            radius = self.radius
        if not isinstance(radius, Real) or not radius >= 0:
            raise ValueError(f"radius must be a number that is 0 or more, got {radius!r}.")
        radius = int(min(radius, 8 * gallery.shape[1]))
        return len(queries), *search_within(
            gallery, queries, radius, own_rows=own_rows, n_jobs=self.n_jobs
        )

    def _search_arguments(self, X):
        """The gallery, the queries, and the row that each query leaves out (or None)."""
        # The number before the array: rows that another thread appends meanwhile lie behind it.
        n_samples = self.n_samples_fit_
        gallery = self._buffer[:n_samples]
        if X is None:
            return gallery, gallery, np.arange(n_samples)
        return gallery, self._check_codes(X, reset=False), None

    def _graph(self, distances, indices, offsets, mode):
        data = distances.astype(float) if mode == "distance" else np.ones(len(indices))
        shape = (len(offsets) - 1, self.n_samples_fit_)
        return csr_matrix((data, indices, offsets), shape=shape)

    def _check_codes(self, X, *, reset):
        codes = check_codes(X, name="X")
        validate_data(self, X, reset=reset, skip_check_array=True)
        return codes

    def __getstate__(self):
        state = super().__getstate__()
        if "_buffer" in state:  # leave out the room for growth
            state = {**state, "_buffer": state["_buffer"][: self.n_samples_fit_]}
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Bytes are symbols: neither signed nor real-valued.
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        return tags


def _check_mode(mode):
    if mode not in ("connectivity", "distance"):
        raise ValueError(f'mode must be "connectivity" or "distance", got {mode!r}.')
