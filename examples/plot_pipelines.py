"""
Pipelines per view
==================

Sketches and photos need not be described the same way. :class:`~sklearn_dsh.PerView` gives each
view a transformer of its own, inside a :class:`~sklearn.pipeline.Pipeline` that scikit-learn's
:func:`~sklearn.model_selection.cross_val_score` takes as any other.
"""

# %%
# Data
# ----

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dsh import (
    CCAHasher,
    EdgeTokens,
    HOGFeatures,
    PerView,
    StratifiedViewKFold,
    make_sketch_photo,
    retrieval_scorer,
    stack_views,
)

data = make_sketch_photo(
    n_categories=6, n_sketches=240, n_photos=300, difficulty=0.6, random_state=0
)
X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
print(X)

# %%
# Four ways to describe a photo
# -----------------------------
# The hasher is the same and the sketches are always described by histograms of gradients; the
# photos differ. :class:`~sklearn_dsh.CCAHasher` takes views of different widths.

hog = HOGFeatures(pixels_per_cell=16)
describe = {
    "HOG": PerView(sketch=hog, image=hog),
    "HOG, scaled": PerView(
        sketch=make_pipeline(hog, StandardScaler()), image=make_pipeline(hog, StandardScaler())
    ),
    "HOG; photos by PCA": PerView(
        sketch=hog, image=make_pipeline(hog, PCA(n_components=40, random_state=0))
    ),
    "HOG; photos as edges": PerView(sketch=hog, image=make_pipeline(EdgeTokens(), hog)),
}

# %%
# Cross-validation
# ----------------
# What is learned, such as means and components, is learned from the training rows of each fold
# alone. :class:`~sklearn_dsh.StratifiedViewKFold` keeps both views and all categories in every
# fold, and the scorer has the fold's sketches query the fold's photos, all of them new.

cv = StratifiedViewKFold(n_splits=4, shuffle=True, random_state=0)
scorer = retrieval_scorer("precision_at_k", k=10)
scores = {
    name: cross_val_score(
        make_pipeline(per_view, CCAHasher(32, random_state=0)), X, y, cv=cv, scoring=scorer
    )
    for name, per_view in describe.items()
}
for name, values in scores.items():
    print(f"{name:22s} {values.mean():.3f} +- {values.std():.3f}")

# %%
# Parameters are reached as usual, by the names of the steps on the way.

pipeline = make_pipeline(describe["HOG; photos by PCA"], CCAHasher(32, random_state=0))
pipeline.set_params(perview__image__pca__n_components=20, ccahasher__n_bits=16)
print(f"{cross_val_score(pipeline, X, y, cv=cv, scoring=scorer).mean():.3f} with 20 components")

# %%
# Result
# ------

fig, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for fold, marker in enumerate("osD^"):
    ax.plot(
        [values[fold] for values in scores.values()],
        np.arange(len(scores)),
        marker + "-",
        color="#56B4E9",
        lw=1,
        label=f"fold {fold + 1}",
    )
means = [values.mean() for values in scores.values()]
ax.plot(means, np.arange(len(scores)), "|", color="black", ms=22, mew=2.5, label="mean")
ax.axvline(1 / len(data.target_names), color="grey", ls=":", label="chance")
ax.set_yticks(np.arange(len(scores)), scores)
ax.set(xlabel="precision among the first ten photos", xlim=(0, 1), ylim=(len(scores) - 0.5, -0.5))
ax.legend(ncols=2, fontsize=9, loc="center", bbox_to_anchor=(0.4, 0.5))
plt.show()

# %%
# One mark is one fold, and a line follows it through the four ways. Look at the spread of the folds
# before you look at the means: so few images tell only large differences. All ways share the folds,
# so that a difference that shows in every one of them, lines that go the same way, says more than
# one of the means.
