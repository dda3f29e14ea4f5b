"""A random forest as flat arrays, and its walk over the patches of a photo."""

import numpy as np
from numba import njit

from ._channels import N_CHANNELS, flat_offsets

# A node as the walk reads it, in one cache line: where the two values of its feature lie, and where
# its right child does (0 at a leaf; the left one is the next node).
_NODE = np.dtype([("first", "i4"), ("second", "i4"), ("right", "i4"), ("value", "f4")])


def flatten_forest(trees):
    """Put the nodes of scikit-learn's trees one after another.

    Parameters
    ----------
    trees : list of DecisionTreeClassifier or ExtraTreeClassifier
        Fitted on float32 features without `max_leaf_nodes`, so that a left child comes right after
        its parent. Class 0 is the background.

    Returns
    -------
    forest : dict of ndarrays
        ``roots`` (n_trees,) int32, and for every node of all trees: ``features`` int32, -1 at a
        leaf; ``values`` float32, the largest value of the feature that goes left, or at a leaf the
        share of class 0 among its patches; ``right`` int32, the right child, 0 at a leaf.
    """
    nodes = [tree.tree_ for tree in trees]
    roots = np.cumsum([0] + [tree.node_count for tree in nodes[:-1]])
    is_leaf = np.concatenate([tree.children_left < 0 for tree in nodes])
    features = np.concatenate([tree.feature for tree in nodes])
    right = np.concatenate(
        [tree.children_right + root for tree, root in zip(nodes, roots, strict=True)]
    )
    shares = np.concatenate([tree.value[:, 0, 0] / tree.value[:, 0].sum(axis=1) for tree in nodes])
    thresholds = np.concatenate([tree.threshold for tree in nodes])
    # Scikit-learn compares in double precision. Rounded down, a threshold parts the same floats.
    rounded = thresholds.astype(np.float32)
    too_large = rounded > thresholds
    rounded[too_large] = np.nextafter(rounded[too_large], np.float32(-np.inf))
    return {
        "roots": roots.astype(np.int32),
        "features": np.where(is_leaf, -1, features).astype(np.int32),
        "values": np.where(is_leaf, shares, rounded).astype(np.float32),
        "right": np.where(is_leaf, 0, right).astype(np.int32),
    }


def check_forest(forest, lookups, patch_size):
    """ValueError for a forest, say of a file, whose walk would leave its nodes or the planes.

    Parameters
    ----------
    forest : dict
        See `flatten_forest`.
    lookups : ndarray
        See `draw_lookups`.
    patch_size : int
    """
    roots, features, right = (forest[name] for name in ("roots", "features", "right"))
    arrays = (roots, features, right, lookups)
    if any(a.dtype.kind != "i" for a in arrays) or lookups.shape != (len(lookups), 2, 3):
        raise ValueError("a forest of other arrays")
    n, at = len(features), np.arange(len(features))
    inner = right != 0  # their left child is the next node
    furthest = [2 * N_CHANNELS, patch_size // 2, patch_size // 2]
    is_sound = (
        {a.shape for a in (features, right, forest["values"])} == {(n,)}
        and roots.ndim == 1
        and _within(roots, 0, n)
        and _within(right[inner], at[inner] + 1, n)
        and _within(features, -1, len(lookups))
        and _within(lookups[..., 0], 0, furthest[0] + 1)
        and (np.abs(lookups.astype(np.int64)) <= furthest).all()
    )
    if not is_sound:
        raise ValueError("a forest whose nodes or features lead nowhere")


def _within(values, low, end):
    return bool(((values >= low) & (values < end)).all())


def place_nodes(forest, lookups, shape):
    """The nodes of a forest for planes of one shape, as `background_probability` reads them.

    Parameters
    ----------
    forest : dict
        See `flatten_forest`.
    lookups : ndarray of int16, shape (n_lookups, 2, 3)
        The features that the forest knows, see `draw_lookups`.
    shape : tuple
        Of the planes: (n_planes, height, width).

    Returns
    -------
    nodes : structured ndarray, shape (n_nodes,)
    """
    nodes = np.empty(len(forest["features"]), dtype=_NODE)
    nodes["first"], nodes["second"] = flat_offsets(lookups, shape)[forest["features"]].T
    nodes["right"], nodes["value"] = forest["right"], forest["values"]
    return nodes


def background_probability(nodes, roots, planes, rows, columns):
    """The forest's mean probability that the patches around some pixels have no contour.

    Parameters
    ----------
    nodes : structured ndarray, shape (n_nodes,)
        See `place_nodes`.
    roots : ndarray of int32, shape (n_trees,)
    planes : ndarray of float32, shape (n_planes, height, width)
        Of the shape that the nodes are for.
    rows : ndarray of int, shape (n_rows,)
    columns : ndarray of int, shape (n_columns,)
        The pixels are where these rows and columns of the planes cross.

    Returns
    -------
    probability : ndarray of float32, shape (n_rows, n_columns)
    """
    centres = np.add.outer(rows * planes.shape[2], columns)
    total = _walk(planes.ravel(), centres.ravel(), nodes, roots)
    return (total / np.float32(len(roots))).reshape(centres.shape)


@njit(nogil=True, cache=True)
def _walk(planes, centres, nodes, roots):
    """Sum over the trees of the background's share in the leaf that each patch comes to."""
    total = np.zeros(len(centres), dtype=np.float32)
    for root in roots:  # a tree stays in the cache while all patches pass through it
        for i in range(len(centres)):
            at = root
            while nodes[at]["right"]:
                first, second = nodes[at]["first"], nodes[at]["second"]
                value = planes[centres[i] + first] - planes[centres[i] + second]
                at = at + 1 if value <= nodes[at]["value"] else nodes[at]["right"]
            total[i] += nodes[at]["value"]
    return total
