"""
How many bits?
==============

More bits tell photos better apart and take more memory. How much of each, for three methods on the
same features, beside the feature vectors themselves.
"""

# %%
# Features and a split
# --------------------
# Queries and gallery are both new to the hashers: "unseen", where the papers' protocol would train
# on the gallery.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dsh import (
    CCAHasher,
    HOGFeatures,
    RandomProjectionHasher,
    SDHHasher,
    make_sketch_photo,
)
from sklearn_dsh.comparison import evaluate, evaluate_features, make_problem

data = make_sketch_photo(
    n_categories=8, n_sketches=480, n_photos=800, difficulty=0.6, random_state=0
)
hog = HOGFeatures(pixels_per_cell=16)
data.sketches, data.images = hog.fit_transform(data.sketches), hog.fit_transform(data.images)
problem = make_problem(data, "unseen", random_state=0)
print(problem.description)

# %%
# Fit at every length
# -------------------
# Three seeds each. The features are ranked by Euclidean distance.

lengths = [4, 8, 16, 32, 64, 128, 256]
methods = {"SDH": SDHHasher, "CCA": CCAHasher, "random projections": RandomProjectionHasher}
scores = {
    name: np.array(
        [
            [
                evaluate(method(n_bits, random_state=seed), problem).mean_average_precision
                for seed in range(3)
            ]
            for n_bits in lengths
        ]
    )
    for name, method in methods.items()
}
features = evaluate_features(problem)
for name, values in scores.items():
    print(f"{name:20s}", *(f"{value:.3f}" for value in values.mean(axis=1)))
print(f"features, {features.bytes_per_photo} bytes a photo: {features.mean_average_precision:.3f}")

# %%
# Result
# ------
# A million photos take one megabyte for every eight bits.

fig, ax = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
styles = {"SDH": ("#D55E00", "s"), "CCA": ("#0072B2", "o"), "random projections": ("#666666", "^")}
for name, (colour, marker) in styles.items():
    mean, low, high = scores[name].mean(axis=1), scores[name].min(axis=1), scores[name].max(axis=1)
    ax.plot(lengths, mean, color=colour, marker=marker, label=name)
    ax.fill_between(lengths, low, high, color=colour, alpha=0.2, lw=0)
n_bits = 8 * features.bytes_per_photo
ax.plot(n_bits, features.mean_average_precision, "k*", ms=13, label="the features, as float32")
ax.axhline(1 / len(data.target_names), color="grey", ls=":", label="chance")
ax.set(
    xscale="log", xlabel="bits a photo", ylabel="mean average precision, new photos", ylim=(0, 1)
)
ax.set_xticks([*lengths, n_bits], [*lengths, f"{n_bits:,}"])
ax.minorticks_off()
memory = ax.secondary_xaxis("top", functions=(lambda bits: bits / 8, lambda size: 8 * size))
memory.set(xlabel="memory of a million photos (MB)")
memory.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
ax.legend()
plt.show()

# %%
# Curves are means, bands the range over three seeds. The first bits pay most; from some length on,
# more of them cost memory and bring little, or even harm. Where a curve of learned codes lies above
# the star, a few bytes that know the categories are worth more than all the features that do not.
