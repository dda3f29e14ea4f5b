"""The value of the objective that the discrete steps lower, from sums by category."""

import numpy as np

from ._code_updates import category_sums, gram


def objective(problem, codes, outputs, basis):
    """||m W - B_I' B_S||^2 + lambda * semantic term + gamma * quantisation term.

    The arguments are those of `_code_updates.update_codes`; W is not formed:
    ||m W||^2 and <W, B_I' B_S> need counts and sums by category, and
    ||B_I' B_S||^2 = <B_I B_I', B_S B_S'>.

    Returns
    -------
    value : float
    """
    a, b = problem.similarity
    n_bits = len(codes["sketch"])
    n_image, n_sketch = problem.counts["image"], problem.counts["sketch"]
    same = float(n_image @ n_sketch)
    different = float(n_image.sum() * n_sketch.sum()) - same
    sums = {v: category_sums(codes[v], y, problem.n_categories) for v, y in problem.labels.items()}
    grams = {v: gram(codes[v]) for v in codes}
    agreement = a * np.sum(sums["image"] * sums["sketch"])
    agreement += b * (sums["image"].sum(axis=1) @ sums["sketch"].sum(axis=1))
    value = n_bits**2 * ((a + b) ** 2 * same + b**2 * different)
    value += np.sum(grams["image"] * grams["sketch"]) - 2 * n_bits * agreement
    phi = problem.class_vectors
    for view in codes:
        semantic = problem.counts[view] @ np.sum(phi**2, axis=0)
        semantic -= 2 * np.sum((basis.T @ phi) * sums[view])
        semantic += np.sum((basis.T @ basis) * grams[view])
        value += problem.lambda_ * semantic
        if outputs is not None:
            value += problem.gamma * np.sum((outputs[view] - codes[view]) ** 2, dtype=np.float64)
    return float(value)
