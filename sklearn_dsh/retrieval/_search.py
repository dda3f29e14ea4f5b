"""A search through a structure where there is one, and by a scan for all that it leaves."""

from itertools import pairwise
from numbers import Real

import numpy as np

from sklearn_dsh._arrays import plain_array
from sklearn_dsh.retrieval import _kernels
from sklearn_dsh.retrieval._choice import is_worthwhile
from sklearn_dsh.retrieval._linear_scan import search_nearest, search_some, search_within

# Where a smaller share of the gallery may be found, by many queries, its codes are put side by side
# first, if they do not take more memory than this.
_SHARE_TO_GATHER = 1 / 8
_QUERIES_TO_GATHER = 16
_BYTES_TO_GATHER = 1 << 24


def find_nearest(gallery, structure, queries, k, *, own_rows, allowed, n_jobs):
    """As `search_nearest`, with what was done.

    Parameters
    ----------
    gallery, queries, k, own_rows, n_jobs
        As in `search_nearest`.
    allowed : RowMask or None
    structure : DistinctCodes, TorchScan or None
        Of the first rows of the gallery.

    Returns
    -------
    distances, rows
        As `search_nearest` gives them.
    stats : dict
        As `HammingRetriever.search_stats` gives it.
    """
    held = structure
    # Where a part may be found, as many as `k` lie as far as more of the whole.
    share = 1 if allowed is None else max(1, allowed.count) / len(allowed)
    if not is_worthwhile(structure, gallery, k / share, len(queries), n_jobs):
        structure = None
    few = _few_rows(gallery, structure, queries, allowed)
    if few is not None:
        own = None if own_rows is None else _places(few, own_rows)
        distances, rows = search_nearest(gallery[few], queries, k, own_rows=own, n_jobs=n_jobs)
        return distances, few[rows], _describe(None, queries, len(few), held=held)
    if structure is None:
        answer = search_nearest(
            gallery, queries, k, own_rows=own_rows, allowed=allowed, n_jobs=n_jobs
        )
        return *answer, _describe(None, queries, len(gallery), held=held)
    n = structure.n_rows
    own, masks = _split(n, own_rows, allowed)
    distances, rows, counts, done = structure.nearest(
        queries, min(k, n), own_rows=own[0], allowed=masks[0], n_jobs=n_jobs
    )
    left = np.flatnonzero(counts < 0)
    if len(left):
        own_left = None if own_rows is None else own[0][left]
        distances[left], rows[left], counts[left] = search_some(
            gallery[:n],
            queries[left],
            min(k, n),
            own_rows=own_left,
            allowed=masks[0],
            n_jobs=n_jobs,
        )
    stats = _describe(structure, queries, len(gallery) - n, done, len(left))
    if n == len(gallery):
        return distances, rows, stats
    more_distances, more_rows, more_counts = search_some(
        gallery[n:],
        queries,
        min(k, len(gallery) - n),
        own_rows=own[1],
        allowed=masks[1],
        n_jobs=n_jobs,
    )
    return *merge_nearest(
        (distances, more_distances), (rows, more_rows + n), (counts, more_counts), k,
        8 * gallery.shape[1],
    ), stats  # fmt: skip


def find_within(gallery, structure, queries, radius, *, own_rows, allowed, n_jobs):
    """As `search_within`, with what was done; see `find_nearest`."""
    few = _few_rows(gallery, structure, queries, allowed)
    if few is not None:
        own = None if own_rows is None else _places(few, own_rows)
        distances, rows, offsets = search_within(
            gallery[few], queries, radius, own_rows=own, n_jobs=n_jobs
        )
        return distances, few[rows], offsets, _describe(None, queries, len(few))
    if structure is None:
        answer = search_within(
            gallery, queries, radius, own_rows=own_rows, allowed=allowed, n_jobs=n_jobs
        )
        return *answer, _describe(None, queries, len(gallery))
    n = structure.n_rows
    own, masks = _split(n, own_rows, allowed)
    answer, given_up, done = structure.within(
        queries, radius, own_rows=own[0], allowed=masks[0], n_jobs=n_jobs
    )
    if given_up.any():
        scanned = search_within(
            gallery[:n],
            queries[given_up],
            radius,
            own_rows=None if own_rows is None else own[0][given_up],
            allowed=masks[0],
            n_jobs=n_jobs,
        )
        answer = _fill_in(answer, given_up, scanned)
    stats = _describe(structure, queries, len(gallery) - n, done, np.count_nonzero(given_up))
    if n == len(gallery):
        return *answer, stats
    more = search_within(
        gallery[n:], queries, radius, own_rows=own[1], allowed=masks[1], n_jobs=n_jobs
    )
    return *join_within([answer, (more[0], more[1] + n, more[2])]), stats


def check_mask(mask, n):
    """The rows that may be found, None or one bool for each of n codes.

    ValueError unless they are given as that, or as row numbers.
    """
    if mask is None:
        return None
    given = np.asarray(plain_array(mask, "mask"))
    if given.dtype == bool and given.shape == (n,):
        return given
    allowed = np.zeros(n, dtype=bool)
    allowed[check_rows(given, n, "mask")] = True
    return allowed


def check_rows(indices, n, name="indices"):
    """Rows of a gallery of n codes, as an array of numbers.

    ValueError unless they are given as numbers of rows that are there, or as one bool a row.
    """
    rows = np.atleast_1d(np.asarray(plain_array(indices, name)))
    if rows.dtype == bool and rows.shape == (n,):
        return np.flatnonzero(rows)
    if rows.size == 0 and rows.ndim == 1 and rows.dtype != bool:
        return np.empty(0, dtype=np.intp)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(
            f"{name} must hold one bool for each of the {n} codes, or row numbers (integers in one "
            f"dimension), got {rows.dtype} of shape {rows.shape}."
        )
    wrong = rows[(rows < 0) | (rows >= n)]
    if len(wrong):
        raise ValueError(f"The gallery has rows 0 to {n - 1}: {name} names row {wrong[0]}.")
    if len(rows) == n and rows.max() <= 1 and n > 2:  # rows 0 and 1, again and again: flags
        raise ValueError(
            f"{name} holds a 0 or 1 for each of the {n} codes, and integers are row numbers. For a "
            f"mask make them bool: np.asarray({name}, dtype=bool)."
        )
    return rows.astype(np.intp, copy=False)


def check_radius(radius):
    """ValueError unless it is a number that is 0 or more."""
    if not isinstance(radius, Real) or not radius >= 0:
        raise ValueError(f"radius must be a number that is 0 or more, got {radius!r}.")


def split_answers(distances, rows, offsets):
    """The answers of `search_within` as two object arrays (n_queries,)."""
    split = [np.empty(len(offsets) - 1, dtype=object) for _ in range(2)]
    for q, (start, stop) in enumerate(pairwise(offsets)):
        split[0][q], split[1][q] = distances[start:stop], rows[start:stop]
    return tuple(split)


def _few_rows(gallery, structure, queries, allowed):
    """The rows that may be found, if it pays to gather them."""
    if allowed is None or structure is not None or len(queries) < _QUERIES_TO_GATHER:
        return None
    n = allowed.count
    if n > _SHARE_TO_GATHER * len(allowed) or n * gallery.shape[1] > _BYTES_TO_GATHER or n == 0:
        return None
    return np.flatnonzero(allowed.mask)


def _places(few, rows):
    """Where some ascending rows have each row, -1 where they have not."""
    places = np.minimum(np.searchsorted(few, rows), len(few) - 1)
    return np.where(few[places] == rows, places, -1)


def _split(n, own_rows, allowed):
    """Own rows and masks of the first n rows, and of the rest."""
    own = masks = (None, None)
    if own_rows is not None:
        own = np.where(own_rows < n, own_rows, -1), np.where(own_rows < n, -1, own_rows - n)
    if allowed is not None:
        masks = (allowed, None) if n == len(allowed) else (allowed[:n], allowed[n:])
    return own, masks


def merge_nearest(distances, rows, counts, k, largest):
    """Merge the answers of the gallery's parts, in their order."""
    n_queries, width = len(rows[0]), max(part.shape[1] for part in rows)
    all_distances = np.zeros((len(rows), n_queries, width), dtype=np.int32)
    all_rows = np.zeros((len(rows), n_queries, width), dtype=np.intp)
    for p, (part_distances, part_rows) in enumerate(zip(distances, rows, strict=True)):
        all_distances[p, :, : part_rows.shape[1]] = part_distances
        all_rows[p, :, : part_rows.shape[1]] = part_rows
    out_distances = np.empty((n_queries, k), dtype=np.int32)
    out_rows = np.empty((n_queries, k), dtype=np.intp)
    _kernels.merge_nearest(
        all_distances, all_rows, np.stack(counts), k, largest, out_distances, out_rows
    )
    return out_distances, out_rows


def _fill_in(answer, missing, filling):
    """An answer of `search_within` where the missing queries' comes from another."""
    counts = np.diff(answer[2])
    counts[missing] = np.diff(filling[2])
    is_filled = np.repeat(missing, counts)
    joined = []
    for kept, filled in zip(answer[:2], filling[:2], strict=True):
        values = np.empty(len(is_filled), dtype=kept.dtype)
        values[~is_filled], values[is_filled] = kept, filled
        joined.append(values)
    return *joined, np.concatenate(([0], np.cumsum(counts)))


def join_within(parts):
    """Join answers of `search_within`, the parts of the gallery being in order."""
    query = [np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)) for *_, offsets in parts]
    distances = np.concatenate([part[0] for part in parts])
    order = np.lexsort((distances, np.concatenate(query)))  # stable: parts stay in order
    rows = np.concatenate([part[1] for part in parts])
    return distances[order], rows[order], sum(part[2] for part in parts)


def _describe(structure, queries, n_scanned, done=(0, 0), n_given_up=0, *, held=None):
    """What was done; `held` is the structure that was left aside."""
    held = structure if held is None else held
    stats = {
        "algorithm": "linear_scan" if structure is None else structure.name,
        "n_queries": len(queries),
        "n_codes_compared": int(done[0]) + n_scanned * len(queries),
        "n_keys_looked_up": int(done[1]),
        "n_queries_scanned": n_given_up,
        "n_distinct_codes": None if held is None else held.n_distinct,
        "n_bytes_of_structure": 0 if held is None else held.n_bytes_taken,
    }
    if stats["algorithm"] == "linear_scan":
        stats["n_queries_scanned"] = len(queries)
    else:
        stats["n_codes_compared"] += n_given_up * structure.n_rows
    return stats
