"""
Compare hashers on the same features
====================================

All hashers share one interface, so that a comparison is a loop. Here they all get the same feature
vectors: histograms of oriented gradients of the synthetic sketches and photos.
"""

# %%
# Data, and a split that knows two views
# --------------------------------------
# Both the query sketches and the searched photos are new to the hashers.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dsh import (
    CCAHasher,
    DeepSketchHasher,
    HOGFeatures,
    ITQHasher,
    PerView,
    RandomProjectionHasher,
    StratifiedViewKFold,
    make_sketch_photo,
    stack_views,
)
from sklearn_dsh.metrics import mean_average_precision, precision_recall_curve

data = make_sketch_photo(
    n_categories=6, n_sketches=480, n_photos=480, difficulty=0.6, random_state=0
)
X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
hog = HOGFeatures(pixels_per_cell=16)
X = PerView(sketch=hog, image=hog).fit_transform(X)
train, test = next(StratifiedViewKFold(4, shuffle=True, random_state=0).split(X, y))
is_query = X[test].is_sketch

# %%
# Fit, encode, measure
# --------------------
# On feature vectors a small fully connected network takes the place of
# :class:`~sklearn_dsh.DeepSketchHasher`'s convolutions.

hashers = {
    "DSH": DeepSketchHasher(64, random_state=0),
    "CCA": CCAHasher(64, random_state=0),
    "ITQ": ITQHasher(64, random_state=0),
    "random": RandomProjectionHasher(64, random_state=0),
}
curves, mean_precision = {}, {}
for name, hasher in hashers.items():
    codes = hasher.fit(X[train], y[train]).transform(X[test])
    split = codes[is_query], codes[~is_query], y[test][is_query], y[test][~is_query]
    mean_precision[name] = mean_average_precision(*split)
    curves[name] = precision_recall_curve(*split)
    print(f"{name:8s} mAP {mean_precision[name]:.3f}")

# %%
# Result
# ------

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
colours = dict(zip(hashers, ["#D55E00", "#0072B2", "#009E73", "#666666"], strict=True))
markers = dict(zip(hashers, "soD^", strict=True))
for name, (precision, recall, _) in curves.items():
    left.plot(recall, precision, color=colours[name], marker=markers[name], ms=4, label=name)
left.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
left.set_title("precision and recall by Hamming radius")
left.legend()
bars = right.bar(mean_precision.keys(), mean_precision.values(), color=colours.values())
right.bar_label(bars, fmt="%.2f")
right.axhline(1 / len(np.unique(y)), color="grey", ls=":", label="chance")
right.set(ylabel="mean average precision", ylim=(0, 1))
right.legend()
plt.show()

# %%
# The labels pay: the methods that learn from them (DSH, CCA) stand above those that do not (ITQ,
# random projections), on sketches and photos that none of them has seen.
