"""Fit one method, encode, search, and measure."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches

from ..metrics import (
    default_ks,
    mean_average_precision,
    precision_at_k,
    precision_at_k_curve,
    precision_recall_curve,
)
from ..retrieval import HammingRetriever
from ..views import SketchImageArray
from ._displays import choose_queries, find_nearest
from ._problem import Problem

_QUERIES_AT_ONCE = 100  # whose distances to the whole gallery are held
_TIMES = 3  # that a call is timed
_SHOWN_QUERIES, _SHOWN_PHOTOS = 6, 10  # in pictures of what was found


@dataclass
class Result:
    """What a method gave on a problem, and the codes behind it.

    Attributes
    ----------
    mean_average_precision, precision : float
        Over the whole gallery, and among the k nearest.
    encode_microseconds, search_microseconds : float
        A query: the hash function, and a search for the k nearest, in blocks of queries; the
        shortest of three times.
    bytes_per_photo : int
        Of the gallery.
    fit_seconds : float
        This and the time to encode are None of plain features.
    query_codes, gallery_codes : ndarrays of uint8; of float for plain features
    """

    mean_average_precision: float
    precision: float
    encode_microseconds: float | None
    search_microseconds: float
    bytes_per_photo: int
    fit_seconds: float | None
    query_codes: np.ndarray
    gallery_codes: np.ndarray


def evaluate(hasher: Any, problem: Problem, *, k: int = 200) -> Result:
    """Fit a hasher and measure what it retrieves.

    Parameters
    ----------
    hasher : estimator
        A hasher, or a Pipeline that ends in one; fitted in place.
    problem : Problem
    k : int, default=200
        Depth of the precision and of the timed search; cut at the gallery's size.

    Returns
    -------
    result : Result
    """
    _, fit_seconds = timed(hasher.fit, problem.train, problem.y_train, times=1)
    fit_seconds = getattr(hasher, "fit_seconds", fit_seconds)  # of one that was fitted before
    gallery_codes = np.asarray(hasher.transform(SketchImageArray(None, problem.gallery)))
    queries = SketchImageArray(problem.queries, None)
    hasher.transform(queries[:1])  # what is built once, at the first call, is no query's time
    query_codes, encode_seconds = timed(hasher.transform, queries)
    query_codes = np.asarray(query_codes)  # of scikit-learn's transform_output="pandas", too

    retriever = HammingRetriever(n_neighbors=min(k, len(gallery_codes))).fit(gallery_codes)
    retriever.kneighbors(query_codes[:1])
    _, search_seconds = timed(retriever.kneighbors, query_codes)

    codes_and_labels = query_codes, gallery_codes, problem.y_query, problem.y_gallery
    per_query = 1e6 / len(query_codes)
    return Result(
        mean_average_precision=mean_average_precision(*codes_and_labels),
        precision=precision_at_k(*codes_and_labels, k=k),
        encode_microseconds=encode_seconds * per_query,
        search_microseconds=search_seconds * per_query,
        bytes_per_photo=gallery_codes.shape[1],
        fit_seconds=fit_seconds,
        query_codes=query_codes,
        gallery_codes=gallery_codes,
    )


def evaluate_features(problem: Problem, *, k: int = 200) -> Result:
    """Rank the gallery by the Euclidean distance of feature vectors, without any hashing.

    Parameters
    ----------
    problem : Problem
        Of feature vectors.
    k : int, default=200

    Returns
    -------
    result : Result
        ``query_codes`` and ``gallery_codes`` are the vectors.

    Raises
    ------
    ValueError
        If queries and gallery are vectors of different width.
    """
    queries, gallery = np.asarray(problem.queries), np.asarray(problem.gallery)
    if queries.shape[1:] != gallery.shape[1:]:
        raise ValueError(
            f"The rows of the queries have shape {queries.shape[1:]} and those of the gallery "
            f"{gallery.shape[1:]}: distances of features need one feature for both views."
        )
    bytes_per_photo = gallery.dtype.itemsize * gallery.shape[1]
    queries, gallery = (  # bytes would be taken for codes
        X if X.dtype.kind == "f" else X.astype(float) for X in (queries, gallery)
    )
    k = min(k, len(gallery))
    search_seconds = sum(
        timed(find_nearest, queries[rows], gallery, k)[1] for rows in _blocks(len(queries))
    )
    mean_average_precision, precision = _quality(
        queries, gallery, problem.y_query, problem.y_gallery, k=k
    )
    return Result(
        mean_average_precision=mean_average_precision,
        precision=precision,
        encode_microseconds=None,
        search_microseconds=1e6 * search_seconds / len(queries),
        bytes_per_photo=bytes_per_photo,
        fit_seconds=None,
        query_codes=queries,
        gallery_codes=gallery,
    )


def evaluate_projections(hasher: Any, problem: Problem, *, k: int = 200) -> Result:
    """Fit a hasher and rank the gallery by the Euclidean distance of what it projects to.

    Parameters
    ----------
    hasher : estimator
        With ``project``, such as :class:`~sklearn_dsh.DeepMetricHasher`, or a Pipeline that ends
        in one; fitted in place.
    problem : Problem
    k : int, default=200

    Returns
    -------
    result : Result
        ``query_codes`` and ``gallery_codes`` are the projections.
    """
    _, fit_seconds = timed(hasher.fit, problem.train, problem.y_train, times=1)
    gallery = _project(hasher, SketchImageArray(None, problem.gallery))
    queries = SketchImageArray(problem.queries, None)
    _project(hasher, queries[:1])
    projected, encode_seconds = timed(_project, hasher, queries)
    result = evaluate_features(replace(problem, queries=projected, gallery=gallery), k=k)
    encode_microseconds = 1e6 * encode_seconds / len(projected)
    return replace(result, fit_seconds=fit_seconds, encode_microseconds=encode_microseconds)


def _project(hasher, X):
    if isinstance(hasher, Pipeline):
        return hasher[-1].project(hasher[:-1].transform(X) if len(hasher) > 1 else X)
    return hasher.project(X)


def projection_score(hasher, X, y):
    """Mean average precision of a fitted hasher by `project`, as a scorer of scikit-learn's."""
    y, of_sketches = np.asarray(y), X.is_sketch
    queries, gallery = (_project(hasher, X[of_view]) for of_view in (of_sketches, ~of_sketches))
    return _quality(queries, gallery, y[of_sketches], y[~of_sketches], k=1)[0]


def _blocks(n_queries):
    return gen_batches(n_queries, _QUERIES_AT_ONCE)


def _quality(queries, gallery, y_query, y_gallery, *, k):
    """Mean average precision and precision at k by the Euclidean distance of vectors."""
    precisions, averages = [], []
    for relevant, hits in _ranked(queries, gallery, y_query, y_gallery):
        precisions.append(hits[:, k - 1] / k)
        at_rank = hits / np.arange(1, relevant.shape[1] + 1)
        averages.append((at_rank * relevant).sum(axis=1) / hits[:, -1])
    return float(np.concatenate(averages).mean()), float(np.concatenate(precisions).mean())


def _ranked(queries, gallery, y_query, y_gallery):
    """Yield, for queries with a relevant photo, which of the ranked photos are, and how many."""
    n_gallery = len(gallery)
    labels = np.concatenate([y_gallery, y_query])
    numbers = np.unique(labels, return_inverse=True)[1]  # to gather long names takes much memory
    for rows in _blocks(len(queries)):
        distances = euclidean_distances(queries[rows], gallery)
        order = np.argsort(distances, axis=1, kind="stable")
        relevant = numbers[:n_gallery][order] == numbers[n_gallery:][rows, None]
        relevant = relevant[relevant.any(axis=1)]
        yield relevant, np.cumsum(relevant, axis=1)


def curves(result: Result, problem: Problem) -> dict[str, list[list[float]]]:
    """The points of both curves, as lists: precision over recall and over k.

    Of codes the former is by Hamming radius, of feature vectors by rank.
    """
    codes_and_labels = (
        result.query_codes, result.gallery_codes, problem.y_query, problem.y_gallery
    )  # fmt: skip
    if result.query_codes.dtype == np.uint8:
        precision, recall, _ = precision_recall_curve(*codes_and_labels)
        found = ~np.isnan(precision)
        precision, recall = precision[found], recall[found]
        precision_k, ks = precision_at_k_curve(*codes_and_labels)
    else:
        ks = default_ks(len(problem.gallery))
        found, n_relevant, n_queries = np.zeros(len(ks)), 0, 0
        for _, hits in _ranked(*codes_and_labels):
            found += hits[:, ks - 1].sum(axis=0)
            n_relevant += hits[:, -1].sum()
            n_queries += len(hits)
        precision_k = precision = found / (n_queries * ks)
        recall = found / n_relevant
    return {
        "precision_recall": [recall.tolist(), precision.tolist()],
        "precision_at_k": [ks.tolist(), precision_k.tolist()],
    }


def retrieved(result: Result, problem: Problem) -> dict[str, list[Any]]:
    """Some queries, the photos that are nearest to each, and their distances, as lists."""
    queries = choose_queries(problem.y_query, _SHOWN_QUERIES, 0)
    n_found = min(_SHOWN_PHOTOS, len(problem.gallery))
    distances, found = find_nearest(result.query_codes[queries], result.gallery_codes, n_found)
    return {
        "queries": queries.tolist(), "found": found.tolist(), "distances": distances.tolist()
    }  # fmt: skip


def with_features(problem, per_view):
    """The problem with feature vectors in place of images.

    Parameters
    ----------
    problem : Problem
    per_view : PerView
        Unfitted; fitted on the rows to train on.

    Returns
    -------
    problem : Problem
    """
    train = per_view.fit_transform(problem.train, problem.y_train)
    queries = per_view.transform(SketchImageArray(problem.queries, None))
    gallery = per_view.transform(SketchImageArray(None, problem.gallery))
    return replace(
        problem,
        train=train,
        queries=queries.take_view("sketch")[:],
        gallery=gallery.take_view("image")[:],
    )


def timed(function, *args, times=_TIMES):
    """What a call gives, and the seconds of the fastest of several."""
    seconds = np.inf
    for _ in range(times):
        start = time.perf_counter()
        value = function(*args)
        seconds = min(seconds, time.perf_counter() - start)
    return value, seconds
