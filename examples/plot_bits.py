"""
What the bits learn
===================

A code is a row of bits, so a set of codes can be looked at as it is. Here are the codes of sketches
and photos that were not trained on, sorted by category, and how many bits lie between two
categories: within each view, and across the views, where the search happens.
"""

# %%
# Learn codes
# -----------
# On feature vectors, so that this takes seconds. The sketches and photos of the test fold are new
# to the hasher.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dsh import (
    DeepSketchHasher,
    HOGFeatures,
    PerView,
    StratifiedViewKFold,
    make_sketch_photo,
    stack_views,
)
from sklearn_dsh.codes import hamming_distances, unpack_bits

N_BITS = 32
data = make_sketch_photo(
    n_categories=6, n_sketches=480, n_photos=480, difficulty=0.6, random_state=0
)
X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
hog = HOGFeatures(pixels_per_cell=16)
X = PerView(sketch=hog, image=hog).fit_transform(X)
train, test = next(StratifiedViewKFold(4, shuffle=True, random_state=0).split(X, y))

hasher = DeepSketchHasher(N_BITS, max_iter=2, steps_per_iter=150, random_state=0)
hasher.fit(X[train], y[train])
codes, y_test, is_sketch = hasher.transform(X[test]), y[test], X[test].is_sketch
views = {
    "sketches": (codes[is_sketch], y_test[is_sketch]),
    "photos": (codes[~is_sketch], y_test[~is_sketch]),
}
names = np.unique(y)

# %%
# The codes themselves
# --------------------
# One row is one sketch or one photo, one column is one bit: dark is 1.

fig, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained", sharex=True)
for ax, (view, (view_codes, labels)) in zip(axes, views.items(), strict=True):
    order = np.argsort(labels, kind="stable")
    ax.imshow(
        unpack_bits(view_codes[order], N_BITS), cmap="Greys", aspect="auto", interpolation="none"
    )
    ends = np.searchsorted(labels[order], names, side="right")
    starts = np.r_[0, ends[:-1]]
    ax.set_yticks((starts + ends - 1) / 2, names)
    ax.hlines(starts[1:] - 0.5, -0.5, N_BITS - 0.5, color="#D55E00", lw=1.5)
    ax.set(xlabel="bit", title=f"codes of new {view}")
    ax.tick_params(left=False)
plt.show()

# %%
# Where the method has learned something, a category's rows look alike, and alike in both panels:
# that makes sketches find photos. Rows that break the pattern are items that were mistaken.

# %%
# The code of a category
# ----------------------
# The majority of each bit over the items of a category, in both views. Bits on which the views
# disagree are marked.

majority = {}
for view, (view_codes, labels) in views.items():
    bits = unpack_bits(view_codes, N_BITS)
    majority[view] = np.array([bits[labels == name].mean(axis=0) >= 0.5 for name in names])
differs = majority["sketches"] != majority["photos"]
print(f"the views agree on {(~differs).sum()} of {differs.size} bits")

fig, axes = plt.subplots(2, 1, figsize=(9, 4), layout="constrained", sharex=True)
for ax, (view, bits) in zip(axes, majority.items(), strict=True):
    ax.imshow(bits, cmap="Greys", aspect="auto", interpolation="none")
    rows, columns = np.nonzero(differs)
    ax.scatter(columns, rows, s=40, marker="x", color="#D55E00")
    ax.set_yticks(range(len(names)), names)
    ax.set_title(f"majority code of each category, new {view}")
axes[1].set_xlabel("bit")
plt.show()

# %%
# Crosses mark the bits in which a category's sketches and its photos would vote differently. Each
# of them costs one bit of distance between this category's typical sketch and its typical photo.

# %%
# Distances between categories
# ----------------------------
# The mean number of bits between the items of two categories.


def mean_distances(first, second):
    """Mean Hamming distance between the categories of two sets of codes, in bits."""
    distances = hamming_distances(first[0], second[0])
    return np.array(
        [[distances[first[1] == a][:, second[1] == b].mean() for b in names] for a in names]
    )


pairs = [("sketches", "sketches"), ("photos", "photos"), ("sketches", "photos")]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.9), layout="constrained", sharey=True)
for ax, (rows, columns) in zip(axes, pairs, strict=True):
    means = mean_distances(views[rows], views[columns])
    image = ax.imshow(means, cmap="viridis", vmin=0, vmax=0.6 * N_BITS)
    for (i, j), value in np.ndenumerate(means):
        shade = "white" if value < 0.3 * N_BITS else "black"
        ax.text(j, i, f"{value:.0f}", ha="center", va="center", color=shade, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_title(f"{rows} to {columns}")
    own, others = np.diag(means).mean(), means[~np.eye(len(names), dtype=bool)].mean()
    print(f"{rows} to {columns}: {own:.1f} bits within a category, {others:.1f} between two")
fig.colorbar(image, ax=axes, label="mean distance (bits)", shrink=0.8, ticks=range(0, 20, 4))
plt.show()

# %%
# The search uses the right panel: a sketch finds its photos where the diagonal is smaller than the
# rest of its row. The other two show how close a category's items lie within one view. Half of the
# bits, here 16, is the distance of two codes that have nothing to do with each other.
