"""Codes for categories never seen, in closed form: a hasher's own, and a deep hasher's readout."""

import numpy as np
from sklearn.utils import gen_batches

from ._labels import class_sums
from ._rotation import itq_rotation

WITHIN = 0.1  # of the covariance of all items, beside that of the categories
SHRINKAGE = 0.1  # of the features' deviations towards their mean


def learn_zero_shot_codes(
    features, labels, n_bits, random_state, *, ridge=5.0, n_directions=32, n_iter=30
):
    """Features of both views to bits, by a closed form that leaves alone what it cannot judge.

    The features of each view, of unit length, are standardised and mapped by a ridge regression
    onto the mean features of their category, half photos and half sketches. The ridge pulls the map
    towards the identity, not towards zero: what the categories trained on have no say in stays as
    it is. Of these the directions in which categories differ most are rotated so that the signs
    lose little (iterative quantisation).

    Parameters
    ----------
    features : dict view -> float array (n_view, n_features)
        Of one space.
    labels : dict view -> array (n_view,)
    n_bits : int
    random_state : RandomState
    ridge : float
        In units of the mean eigenvalue of a view's features.
    n_directions : int
        At most.
    n_iter : int
        Updates of the rotation.

    Returns
    -------
    arrays : dict name -> dict view -> float array
        "mean" and "scale" (n_features,), "map" (n_features, n_features), "shift" (n_bits,).
    directions : float array (n_features, n_bits)
    """
    found, x = {"mean": {}, "scale": {}, "map": {}, "shift": {}}, {}
    for view, values in features.items():
        x[view] = unit_rows(values)
        mean, deviation = x[view].mean(axis=0, dtype=float), x[view].std(axis=0, dtype=float)
        deviation[deviation <= 1e-6 * np.abs(mean)] = 0  # constant but for rounding
        deviation += SHRINKAGE * deviation.mean()
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        found["mean"][view], found["scale"][view] = mean, scale
        x[view] -= mean.astype(x[view].dtype)
        x[view] *= scale.astype(x[view].dtype)
    categories = np.unique(np.concatenate(list(labels.values())))
    sums = {view: _category_sums(values, labels[view], categories) for view, values in x.items()}
    targets = _mean_of_views(sums)
    centres, spread, n_items = {}, 0.0, sum(map(len, x.values()))
    for view, values in x.items():
        gram = _gram(values)
        weight = ridge * max(np.trace(gram) / len(gram), 1e-12) * np.eye(len(gram))
        of_category, _ = sums[view]
        # The smallest ||x W - mu||^2 + r ||W - I||^2.
        of_view = np.linalg.solve(gram + weight, of_category.T @ targets + weight)
        x[view] = unit_rows(values @ of_view.astype(values.dtype))
        centres[view] = x[view].mean(axis=0, dtype=float)
        x[view] -= centres[view].astype(values.dtype)
        spread = spread + WITHIN * _gram(x[view]) / n_items
        sums[view] = _category_sums(x[view], labels[view], categories)
        found["map"][view] = of_view
    means = _mean_of_views(sums)
    _, vectors = np.linalg.eigh(spread + means.T @ means / len(means))  # in ascending order
    leading = vectors[:, ::-1][:, : min(n_directions, n_bits)]
    everything = np.concatenate([values @ leading for values in x.values()])
    rotation, _ = itq_rotation(everything, n_bits, n_iter=n_iter, random_state=random_state)
    directions = leading @ rotation
    found["shift"] = {view: centre @ directions for view, centre in centres.items()}
    return found, directions


def unit_rows(values):
    """Rows (n, d) of length 1; what is zero stays zero."""
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _gram(values):
    """X'X in double precision, of some rows at a time: X may be large."""
    total = 0.0
    for rows in gen_batches(len(values), 4096):
        block = values[rows].astype(float)
        total = total + block.T @ block
    return total


def _category_sums(values, labels, categories):
    """The sum (n_categories, n_features) and number of the items of each category."""
    codes, n = np.searchsorted(categories, labels), len(categories)
    return class_sums(values, codes, n), np.bincount(codes, minlength=n)


def _mean_of_views(sums):
    """Mean of each category, of the views that have it with equal weight."""
    means = sum(total / np.maximum(n, 1)[:, None] for total, n in sums.values())
    return means / sum(n > 0 for _, n in sums.values())[:, None]
