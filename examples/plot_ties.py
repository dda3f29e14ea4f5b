"""
Ties, and why they matter to mAP
================================

A Hamming distance is a small whole number, so many photos are equally far from a query. The order
among them is an accident: of the file names, of the sort. It must not decide a score. Here the same
codes are scored with the luckiest, the unluckiest and random orders of ties, and with the library's
:func:`~sklearn_dsh.metrics.mean_average_precision`, which takes the mean over all orders, in closed
form.
"""

# %%
# Codes of several lengths
# ------------------------

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dsh import (
    CCAHasher,
    HOGFeatures,
    PerView,
    StratifiedViewKFold,
    make_sketch_photo,
    stack_views,
)
from sklearn_dsh.codes import hamming_distances
from sklearn_dsh.metrics import mean_average_precision

data = make_sketch_photo(n_categories=6, n_sketches=240, n_photos=480, random_state=0)
X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
hog = HOGFeatures(pixels_per_cell=16)
X = PerView(sketch=hog, image=hog).fit_transform(X)
train, test = next(StratifiedViewKFold(2, shuffle=True, random_state=0).split(X, y))
is_query = X[test].is_sketch
y_query, y_gallery = y[test][is_query], y[test][~is_query]

# %%
# One score for each order of ties
# --------------------------------
# The usual definition, for a ranking in which every photo has a place. What breaks the ties is a
# second key of the sort.


def average_precision(distances, relevant, tie_breaker):
    """Mean average precision when ties are ordered by `tie_breaker`."""
    order = np.lexsort((tie_breaker, distances), axis=1)
    hits = np.take_along_axis(relevant, order, axis=1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.mean((precision * hits).sum(axis=1) / hits.sum(axis=1))


rng = np.random.default_rng(0)
relevant = y_query[:, None] == y_gallery
lengths = [4, 8, 12, 16, 24, 32, 48, 64]
lucky, unlucky, by_chance, averaged, tied = [], [], [], [], []
for n_bits in lengths:
    hasher = CCAHasher(n_bits, random_state=0).fit(X[train], y[train])
    codes = hasher.transform(X[test])
    queries, gallery = codes[is_query], codes[~is_query]
    distances = hamming_distances(queries, gallery)
    lucky.append(average_precision(distances, relevant, ~relevant))
    unlucky.append(average_precision(distances, relevant, relevant))
    by_chance.append(
        [average_precision(distances, relevant, rng.random(relevant.shape)) for _ in range(20)]
    )
    averaged.append(mean_average_precision(queries, gallery, y_query, y_gallery))
    counts = np.array([np.bincount(row, minlength=n_bits + 1) for row in distances])
    tied.append(np.mean(np.sum(counts.astype(float) ** 2, axis=1) / len(gallery)))
    print(
        f"{n_bits:3d} bits: from {unlucky[-1]:.3f} to {lucky[-1]:.3f}, "
        f"20 random orders {np.mean(by_chance[-1]):.4f}, averaged {averaged[-1]:.4f}"
    )

# %%
# Result
# ------

fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
left.fill_between(lengths, unlucky, lucky, color="#56B4E9", alpha=0.35, label="any order of ties")
left.plot(lengths, lucky, "^--", color="#0072B2", label="luckiest order")
left.plot(lengths, unlucky, "v--", color="#0072B2", label="unluckiest order")
left.plot(
    np.repeat(lengths, 20), np.ravel(by_chance), "_", color="black", ms=15, alpha=0.5,
    label="random orders",
)  # fmt: skip
left.plot(lengths, averaged, "o-", color="#D55E00", label="mean over all orders")
left.set(ylabel="mean average precision", ylim=(0, 0.8))
left.legend(fontsize=9)
right.plot(lengths, tied, "o-", color="#D55E00")
right.axhline(len(y_gallery), color="grey", ls=":")
right.text(lengths[-1], len(y_gallery), "gallery ", color="grey", ha="right", va="top")
right.set(ylabel="photos that share a distance (mean)", ylim=(0, None))
for ax in (left, right):
    ax.set(xscale="log", xlabel="bits")
    ax.set_xticks(lengths, lengths)
    ax.minorticks_off()
plt.show()

# %%
# All scores at one length are of the same codes. At few bits the band between the two orders is
# wide: with luck, the shortest codes score higher than the longest. Longer codes tie less, and the
# band narrows. Random orders scatter closely around the library's value, which needs no draw and no
# sort. On the right, how many photos a photo shares its distance with, itself included.
