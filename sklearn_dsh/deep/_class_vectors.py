"""Semantic vectors of the categories (the paper's phi), matched to ``classes_``."""

from collections.abc import Mapping

import numpy as np

from .._arrays import plain_array
from .._labels import one_form


def match_class_vectors(class_vectors, classes):
    """One column a category.

    Parameters
    ----------
    class_vectors : None, mapping of label -> vector (d,), or array (n_classes, d)
        None stands for one-hot vectors. An array has the order of ``classes``; see `_from_table`
        for a DataFrame.
    classes : array (n_classes,)

    Returns
    -------
    phi : float64 array (d, n_classes)

    Raises
    ------
    ValueError
        If a category has no vector, lengths differ, or a value is not finite.
    """
    if class_vectors is None:
        return np.eye(len(classes))
    if hasattr(class_vectors, "iloc"):
        class_vectors = _from_table(class_vectors, classes)
    if isinstance(class_vectors, Mapping):
        # Labels come in one Unicode form; a mapping may be large, and is not read through.
        keys = {one_form(label): label for label in class_vectors}
        missing = [str(c) for c in classes if c not in keys]
        if missing:
            raise ValueError(
                f"class_vectors has no vector for {len(missing)} of {len(classes)} categories: "
                f"{', '.join(missing[:10])}. Give one for every label in y."
            )
        vectors = [np.ravel(plain_array(class_vectors[keys[c]], "class_vectors")) for c in classes]
        if len({len(v) for v in vectors}) > 1:
            raise ValueError("class_vectors must all have one length.")
        class_vectors = np.stack(vectors)
    phi = np.asarray(plain_array(class_vectors, "class_vectors"), dtype=np.float64)
    if phi.ndim != 2 or len(phi) != len(classes):
        raise ValueError(
            f"class_vectors must have shape (n_classes, d) = ({len(classes)}, d), got {phi.shape}."
        )
    if not np.isfinite(phi).all():
        raise ValueError("class_vectors contains NaN or infinity.")
    return np.ascontiguousarray(phi.T)


def _from_table(table, classes):
    """A DataFrame by the labels in its index, or an array if that only numbers the rows."""
    labels = table.index.tolist()
    if labels == list(range(len(labels))) and not set(classes.tolist()) <= set(labels):
        return table.to_numpy()
    if len(set(labels)) < len(labels):
        raise ValueError("The index of class_vectors holds a label twice: give one row a category.")
    return dict(zip(labels, table.to_numpy(), strict=True))
