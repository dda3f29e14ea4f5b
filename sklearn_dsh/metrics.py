"""Retrieval metrics that do not depend on how ties are ordered.

(Long: five metrics that count alike, two fifths of it documentation.)

Hamming distances tie massively. Every metric here is the exact expectation over a uniformly random
order inside each distance [1]_, computed from the numbers of all and of relevant gallery codes at
each distance; nothing is sorted, and memory is bounded by blocks of queries.

A gallery item is relevant when its label is the query's. A query without any relevant item is left
out of the mean; if none is left, the result is nan.

References
----------
.. [1] F. McSherry, M. Najork, "Computing Information Retrieval Performance Measures Efficiently in
   the Presence of Tied Scores", ECIR 2008.
"""

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma
from sklearn.utils import column_or_1d

from sklearn_dsh._arrays import plain_array
from sklearn_dsh._labels import category_labels, concatenate_labels, label_kind
from sklearn_dsh.codes import check_codes
from sklearn_dsh.retrieval._linear_scan import count_by_distance

__all__ = [
    "mean_average_precision",
    "precision_at_k",
    "precision_at_k_curve",
    "precision_recall_curve",
    "recall_at_k",
    "retrieval_scorer",
    "score_codes",
]

# Bytes of counts that are held at once.
_COUNT_BYTES = 1 << 26


def mean_average_precision(
    query_codes: ArrayLike,
    gallery_codes: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    k: int | None = None,
) -> float:
    """Mean average precision of the ranked gallery, averaged over ties.

    Parameters
    ----------
    query_codes : array-like of shape (n_queries, n_bytes), dtype uint8
    gallery_codes : array-like of shape (n_gallery, n_bytes), dtype uint8
    query_labels : array-like of shape (n_queries,)
    gallery_labels : array-like of shape (n_gallery,)
    k : int, default=None
        Rank at which the gallery is cut; None ranks all of it. A larger k than the gallery means
        all of it.

    Returns
    -------
    score : float
        In [0, 1]. The precisions at the ranks of relevant items are summed and divided by the
        number of relevant items in the gallery, with `k` by the smaller of it and k.

    Raises
    ------
    ValueError
        If codes are invalid or differ in width, labels do not match codes in number or kind, or k
        is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh.metrics import mean_average_precision
    >>> gallery = np.array([[0], [0], [255]], dtype=np.uint8)
    >>> float(mean_average_precision([[0]], gallery, ["cat"], ["cat", "dog", "dog"]))  # 1 or 1/2
    0.75
    """
    codes = _check(query_codes, gallery_codes, query_labels, gallery_labels)
    return _mean_over_queries(_average_precision, *codes, k)


def precision_at_k(
    query_codes: ArrayLike,
    gallery_codes: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    k: int = 200,
) -> float:
    """Share of relevant items among the k nearest, averaged over ties and queries.

    Parameters
    ----------
    query_codes, gallery_codes, query_labels, gallery_labels
        As in :func:`mean_average_precision`.
    k : int, default=200
        Cut at the gallery's size.

    Returns
    -------
    score : float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`mean_average_precision`.
    """
    codes = _check(query_codes, gallery_codes, query_labels, gallery_labels)
    return _mean_over_queries(_precision, *codes, k)


def recall_at_k(
    query_codes: ArrayLike,
    gallery_codes: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    k: int = 200,
) -> float:
    """Share of the gallery's relevant items that are among the k nearest, averaged over ties.

    Parameters
    ----------
    query_codes, gallery_codes, query_labels, gallery_labels
        As in :func:`mean_average_precision`.
    k : int, default=200
        Cut at the gallery's size.

    Returns
    -------
    score : float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`mean_average_precision`.
    """
    codes = _check(query_codes, gallery_codes, query_labels, gallery_labels)
    return _mean_over_queries(_recall, *codes, k)


def precision_recall_curve(
    query_codes: ArrayLike,
    gallery_codes: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Precision and recall of all items within each Hamming radius.

    The numbers of retrieved and of relevant items are summed over the queries first, as is usual
    for hash codes, so that a query counts by how much it retrieves.

    Parameters
    ----------
    query_codes, gallery_codes, query_labels, gallery_labels
        As in :func:`mean_average_precision`.

    Returns
    -------
    precision : ndarray of shape (8 * n_bytes + 1,)
        Share of relevant items among those within the radius; nan where there are none.
    recall : ndarray of shape (8 * n_bytes + 1,)
        Share of the relevant items that lie within the radius; ascending, ends at 1.
    radii : ndarray of shape (8 * n_bytes + 1,), dtype int
        0, 1, ...: inclusive radii.

    Raises
    ------
    ValueError
        As :func:`mean_average_precision`.
    """
    codes = _check(query_codes, gallery_codes, query_labels, gallery_labels)
    n_radii = 8 * codes[0].shape[1] + 1
    sums = np.zeros((2, n_radii), dtype=np.int64)
    for total, relevant in _counts_in_blocks(*codes, leave_one_out=False):
        used = relevant.sum(axis=1) > 0
        sums += total[used].sum(axis=0), relevant[used].sum(axis=0)
    within, relevant_within = np.cumsum(sums, axis=1)
    precision = _divide(relevant_within, within)
    recall = _divide(relevant_within, np.broadcast_to(relevant_within[-1], n_radii))
    return precision, recall, np.arange(n_radii)


def precision_at_k_curve(
    query_codes: ArrayLike,
    gallery_codes: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    ks: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Precision at several k, from one look at the gallery.

    Parameters
    ----------
    query_codes, gallery_codes, query_labels, gallery_labels
        As in :func:`mean_average_precision`.
    ks : array-like of int, default=None
        Each cut at the gallery's size; None: about fifty, equally spaced on a logarithmic scale,
        from 1 to the gallery's size.

    Returns
    -------
    precision : ndarray of shape (n_ks,)
        As :func:`precision_at_k` gives it for each k.
    ks : ndarray of shape (n_ks,), dtype int

    Raises
    ------
    ValueError
        As :func:`mean_average_precision`.
    """
    codes = _check(query_codes, gallery_codes, query_labels, gallery_labels)
    n_gallery = len(codes[1])
    if ks is None:
        ks = default_ks(n_gallery)
    ks = column_or_1d(np.asarray(ks))
    if ks.dtype.kind not in "iu" or not len(ks) or ks.min() < 1:
        raise ValueError(f"ks must be integers of 1 or more, got {ks}.")
    ks = np.array([min(k, n_gallery) for k in ks.tolist()])  # of small types, too
    sums, n_queries = np.zeros(len(ks)), 0
    for total, relevant in _counts_in_blocks(*codes, leave_one_out=False):
        used = relevant.sum(axis=1) > 0
        n_queries += np.count_nonzero(used)
        sums += [_precision(total[used], relevant[used], k).sum() for k in ks]
    return _divide(sums, n_queries), ks


def default_ks(n_gallery):
    """About fifty ranks, equally spaced on a logarithmic scale, from 1 to the gallery's size."""
    return np.unique(np.geomspace(1, n_gallery, 50).round().astype(int))


def score_codes(
    codes: ArrayLike,
    y: ArrayLike,
    *,
    is_sketch: ArrayLike | None = None,
    metric: Literal[
        "mean_average_precision", "precision_at_k", "recall_at_k"
    ] = "mean_average_precision",
    **kwargs: Any,
) -> float:
    """Score the codes of one collection.

    Parameters
    ----------
    codes : array-like of shape (n_rows, n_bytes), dtype uint8
    y : array-like of shape (n_rows,)
        Labels.
    is_sketch : ndarray of bool of shape (n_rows,), default=None
        Which rows are sketches: they query the photos. If None, or all rows are of one view, every
        row queries all others (leave-one-out).
    metric : {"mean_average_precision", "precision_at_k", "recall_at_k"}, \
            default="mean_average_precision"
    **kwargs
        Of the metric: `k`.

    Returns
    -------
    score : float

    Raises
    ------
    ValueError
        If `metric` is unknown, or as :func:`mean_average_precision`.
    """
    per_query, k = _metric(metric, **kwargs)
    codes, y = _check_labelled(codes, y, "codes", "y")
    if is_sketch is None:
        is_sketch = np.zeros(len(y), dtype=bool)
    is_sketch = np.asarray(plain_array(is_sketch, "is_sketch"))
    if is_sketch.dtype != bool or is_sketch.shape != y.shape:
        raise ValueError(
            f"is_sketch must be a boolean array of shape {y.shape}, one value a code; got "
            f"{is_sketch.dtype} of shape {is_sketch.shape}."
        )
    y = _encode(y)[0]
    if is_sketch.all() or not is_sketch.any():
        return _mean_over_queries(per_query, codes, codes, y, y, k, leave_one_out=True)
    photos = ~is_sketch
    return _mean_over_queries(
        per_query, codes[is_sketch], codes[photos], y[is_sketch], y[photos], k
    )


def retrieval_scorer(
    name: Literal["mean_average_precision", "precision_at_k", "recall_at_k"], **kwargs: Any
) -> Callable[[Any, Any, Any], float]:
    """Make a scorer for GridSearchCV, cross_val_score and friends.

    Parameters
    ----------
    name : {"mean_average_precision", "precision_at_k", "recall_at_k"}
    **kwargs
        Of the metric: `k`.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y) -> float``
        Takes the codes from ``estimator.transform(X)``. The sketches of a
        :class:`~sklearn_dsh.SketchImageArray` query its photos; with only one view every row
        queries all others. Picklable.

    Raises
    ------
    ValueError
        If the name is unknown, or k is no integer of 1 or more.
    TypeError
        If the metric does not take a keyword.

    Examples
    --------
    >>> from sklearn_dsh.metrics import retrieval_scorer
    >>> retrieval_scorer("precision_at_k", k=50)
    retrieval_scorer('precision_at_k', k=50)
    """
    _metric(name, **kwargs)
    return _RetrievalScorer(name, kwargs)


class _RetrievalScorer:
    def __init__(self, name, kwargs):
        self.name = name
        self.kwargs = kwargs

    def __call__(self, estimator, X, y):
        if hasattr(X, "check_views"):  # a fold that lost a view is no one-view problem
            X.check_views()
        codes = estimator.transform(X)
        is_sketch = getattr(X, "is_sketch", None)
        return score_codes(codes, y, is_sketch=is_sketch, metric=self.name, **self.kwargs)

    def __repr__(self):
        keywords = "".join(f", {key}={value!r}" for key, value in self.kwargs.items())
        return f"retrieval_scorer({self.name!r}{keywords})"


def _average_precision(total, relevant, k):
    """Expected average precision of each query, shape (n_queries,); McSherry and Najork, sec. 3.

    Take n items at one distance, r of them relevant, behind N items of which R are relevant. At
    its i-th place stands a relevant item with probability r / n, and then the expected precision
    is (R + 1 + (i - 1) a) / (N + i) with a = (r - 1) / (n - 1). The sum over i is a harmonic one.
    """
    before = np.cumsum(total, axis=1) - total
    relevant_before = np.cumsum(relevant, axis=1) - relevant
    places = np.clip(k - before, 0, total)
    slope = np.where(total > 1, (relevant - 1) / np.maximum(total - 1, 1), 0.0)
    # One item's slope is free: 1 keeps the precision at exactly 1 where only relevant ones are.
    slope[(relevant == total) & (relevant_before == before)] = 1.0
    harmonic = digamma(before + places + 1) - digamma(before + 1)
    precisions = slope * places + (relevant_before + 1 - slope * (before + 1)) * harmonic
    expected = _expected_relevant(total, relevant) * precisions
    return _divide(expected.sum(axis=1), np.minimum(relevant.sum(axis=1), k))


def _precision(total, relevant, k):
    return np.where(relevant.sum(axis=1) > 0, _relevant_within(total, relevant, k) / k, np.nan)


def _recall(total, relevant, k):
    return _divide(_relevant_within(total, relevant, k), relevant.sum(axis=1))


def _relevant_within(total, relevant, k):
    """Expected number of relevant items among the k nearest, shape (n_queries,)."""
    before = np.cumsum(total, axis=1) - total
    places = np.clip(k - before, 0, total)
    return (_expected_relevant(total, relevant) * places).sum(axis=1)


def _expected_relevant(total, relevant):
    """Probability that an item at a distance is relevant; 0 where there is none."""
    return relevant / np.maximum(total, 1)


def _divide(a, b):
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=np.asarray(b) > 0)


_METRICS = {
    "mean_average_precision": (_average_precision, None),
    "precision_at_k": (_precision, 200),
    "recall_at_k": (_recall, 200),
}


def _metric(name, **kwargs):
    """The function of a metric and its k."""
    if name not in _METRICS:
        raise ValueError(f"Unknown metric {name!r}: expected one of {sorted(_METRICS)}.")
    unknown = sorted(set(kwargs) - {"k"})
    if unknown:
        raise TypeError(f"{name} takes the keyword k, got {unknown}.")
    per_query, default_k = _METRICS[name]
    k = kwargs.get("k", default_k)
    _check_k(k)
    return per_query, k


def _check_k(k):
    if k is not None and (not isinstance(k, Integral) or k < 1):
        raise ValueError(f"k must be an integer of 1 or more, or None, got {k!r}.")


def _mean_over_queries(
    per_query, query_codes, gallery_codes, query_labels, gallery_labels, k, leave_one_out=False
):
    n_ranked = len(gallery_codes) - leave_one_out
    _check_k(k)
    k = max(1, n_ranked if k is None else min(int(k), n_ranked))
    blocks = _counts_in_blocks(
        query_codes, gallery_codes, query_labels, gallery_labels, leave_one_out
    )
    values = np.concatenate([per_query(total, relevant, k) for total, relevant in blocks])
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def _counts_in_blocks(query_codes, gallery_codes, query_labels, gallery_labels, leave_one_out):
    """Yield (total, relevant) per query and distance, for one block of queries after another."""
    bytes_per_query = 64 * (8 * query_codes.shape[1] + 1)
    step = max(1, _COUNT_BYTES // bytes_per_query)
    for start in range(0, len(query_codes), step):
        chosen = slice(start, start + step)
        total, relevant = count_by_distance(
            query_codes[chosen], gallery_codes, query_labels[chosen], gallery_labels
        )
        if leave_one_out:  # the own code: at distance 0, and of its own label
            total[:, 0] -= 1
            relevant[:, 0] -= 1
        yield total, relevant


def _check(query_codes, gallery_codes, query_labels, gallery_labels):
    """Validate what every metric takes; labels come back as small integers."""
    query_codes, query_labels = _check_labelled(
        query_codes, query_labels, "query_codes", "query_labels"
    )
    gallery_codes, gallery_labels = _check_labelled(
        gallery_codes,
        gallery_labels,
        "gallery_codes",
        "gallery_labels",
        n_bytes=query_codes.shape[1],
    )
    return query_codes, gallery_codes, *_encode(query_labels, gallery_labels)


def _check_labelled(codes, labels, codes_name, labels_name, n_bytes=None):
    codes = check_codes(codes, n_bytes=n_bytes, name=codes_name)
    if labels is None:
        raise ValueError(f"{labels_name} is None: retrieval metrics need one label for each code.")
    labels = category_labels(labels, labels_name)
    if len(labels) != len(codes):
        raise ValueError(
            f"{codes_name} has {len(codes)} rows, but {labels_name} has {len(labels)}: expected "
            "one label for each code."
        )
    return codes, labels


def _encode(*labels):
    """Turn label arrays to integers that agree across them."""
    if len(set(map(label_kind, labels))) > 1:
        raise ValueError(
            "query_labels and gallery_labels must be of one kind, got "
            f"{' and '.join(str(part.dtype) for part in labels)}."
        )
    _, codes = np.unique(concatenate_labels(labels), return_inverse=True)
    return np.split(codes, np.cumsum([len(part) for part in labels])[:-1])
