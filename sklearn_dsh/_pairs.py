"""Pairs for the methods that are defined for them, where the views are not paired."""

import numpy as np


def training_pairs(data, n_pairs, random_state):
    """Rows of both views that belong together.

    Paired rows are taken as they are. Otherwise every row of a category meets rows of the same
    category in the other view, drawn in shuffled turns, so that all are used about equally often.
    A single view is paired with itself in the same way.

    Parameters
    ----------
    data : ViewData
        Validated, with labels unless it is paired.
    n_pairs : int or "auto"
        How many pairs to draw; "auto": of each category that both views have, as many as it has
        rows in the larger of its views. Of no effect on paired rows.
    random_state : RandomState

    Returns
    -------
    X, Y : ndarrays of float64, shape (n_pairs, n_features_x) and (n_pairs, n_features_y)
    labels : ndarray of int, shape (n_pairs,), or None without labels
    """
    if data.paired:
        y = data.y_sketch
        return np.asarray(data.sketch, float), np.asarray(data.image, float), y
    views = [(getattr(data, view), getattr(data, f"y_{view}")) for view in data.views]
    (X, x_labels), (Y, y_labels) = views[0], views[-1]
    x_rows, y_rows = draw_pairs(x_labels, y_labels, n_pairs, random_state)
    return np.asarray(X[x_rows], float), np.asarray(Y[y_rows], float), x_labels[x_rows]


def draw_pairs(x_labels, y_labels, n_pairs, random_state):
    """Rows (n_pairs,) of both views, of one category each; see `training_pairs`."""
    parts = []
    wanted, found = (np.inf if n_pairs == "auto" else n_pairs), 0
    while found < wanted:
        turn = _one_turn(x_labels, y_labels, random_state)
        parts.append(turn)
        found += turn.shape[1]
        if n_pairs == "auto":
            wanted = found
    return np.concatenate(parts, axis=1)[:, : int(wanted)]


def _one_turn(x_labels, y_labels, random_state):
    """Every row of the larger side of each category once, in random order."""
    pairs = []
    for category in np.intersect1d(x_labels, y_labels):
        sides = [np.flatnonzero(labels == category) for labels in (x_labels, y_labels)]
        n = max(len(rows) for rows in sides)
        pairs.append([_shuffled_turns(rows, n, random_state) for rows in sides])
    pairs = np.concatenate(pairs, axis=1)
    return pairs[:, random_state.permutation(pairs.shape[1])]


def _shuffled_turns(rows, n, random_state):
    turns = [random_state.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate(turns)[:n]
