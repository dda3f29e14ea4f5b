"""
Choose settings with GridSearchCV
=================================

Sketches and photos in one container go through scikit-learn's own tools: here a
:class:`~sklearn.pipeline.Pipeline` whose code length and regularisation are chosen by
:class:`~sklearn.model_selection.GridSearchCV`.
"""

# %%
# One container for two views
# ---------------------------
# :func:`~sklearn_dsh.stack_views` makes one ``X`` of sketches and photos, in which every row is one
# sketch or one photo, and the row-aligned labels ``y``.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dsh import (
    CCAHasher,
    HOGFeatures,
    PerView,
    StratifiedViewKFold,
    make_sketch_photo,
    retrieval_scorer,
    stack_views,
)

data = make_sketch_photo(n_categories=6, n_sketches=240, n_photos=300, random_state=0)
X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
print(X)

# %%
# Features first
# --------------
# They do not depend on the settings that are searched, so they are computed once, before the
# search. What does depend on the training rows belongs into the pipeline.

hog = HOGFeatures(pixels_per_cell=16)
X = PerView(sketch=hog, image=hog).fit_transform(X)

# %%
# Search
# ------
# :class:`~sklearn_dsh.StratifiedViewKFold` keeps both views and all categories in every fold, and
# tests on sketches and photos that are both new. The score is the precision among the first ten
# photos; without `scoring` it is the mean average precision.

scale = PerView(sketch=StandardScaler(), image=StandardScaler())
pipeline = Pipeline([("scale", scale), ("hasher", CCAHasher(random_state=0))])
grid = {"hasher__n_bits": [4, 8, 16, 32, 64], "hasher__reg": [0.01, 1.0, 100.0]}
search = GridSearchCV(
    pipeline,
    grid,
    scoring=retrieval_scorer("precision_at_k", k=10),
    cv=StratifiedViewKFold(n_splits=3, shuffle=True, random_state=0),
)
search.fit(X, y)
print(search.best_params_)

# %%
# Result
# ------

results = search.cv_results_
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for reg in grid["hasher__reg"]:
    rows = results["param_hasher__reg"] == reg
    bits = results["param_hasher__n_bits"][rows].astype(int)
    ax.errorbar(
        bits,
        results["mean_test_score"][rows],
        yerr=results["std_test_score"][rows],
        marker="o",
        capsize=3,
        label=f"reg={reg:g}",
    )
ax.set(xscale="log", xlabel="bits", ylabel="precision at 10, new photos", ylim=(0, 1))
ax.set_xticks(grid["hasher__n_bits"], grid["hasher__n_bits"])
ax.minorticks_off()
ax.axhline(np.mean([np.mean(y == label) for label in np.unique(y)]), color="grey", ls=":")
ax.text(4, 0.12, "chance", color="grey")
ax.legend()
plt.show()

# %%
# The curves show how many bits pay, and which regularisation serves unseen photos best.
