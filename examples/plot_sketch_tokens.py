"""
Sketch tokens, step by step
===========================

Deep Sketch Hashing reads beside each photo a drawing of it, its *sketch tokens*.
:class:`~sklearn_dsh.EdgeTokens` draws all edges; nothing is learned.
:class:`~sklearn_dsh.preprocessing.SketchTokenizer` learns from contours that people drew which
edges are worth a stroke. Here both draw photos of striped shapes, whose stripes nobody would draw.
"""

# %%
# Photos with known contours
# --------------------------
# Shapes with stripes on a noisy ground. The shape's outline stands for what people drew. For real
# photos BSDS500 has such contours, by several people a photo.

# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import binary_dilation
from skimage.draw import ellipse, polygon, rectangle
from skimage.segmentation import find_boundaries

from sklearn_dsh import EdgeTokens
from sklearn_dsh.preprocessing import SketchTokenizer

SIZE = 80


def make_shape_photo(rng):
    """A photo, uint8 (SIZE, SIZE, 3), and the outline of what it shows, bool (SIZE, SIZE)."""
    inside = np.zeros((SIZE, SIZE), dtype=bool)
    row, column = rng.uniform(30, SIZE - 30, size=2)
    height, width = rng.uniform(15, 26, size=2)
    kind = rng.integers(3)
    if kind == 0:
        places = ellipse(row, column, height, width, shape=inside.shape)
    elif kind == 1:
        corner = int(row - height), int(column - width)
        places = rectangle(corner, extent=(int(2 * height), int(2 * width)), shape=inside.shape)
    else:
        places = polygon(
            row + height * np.array([-1, 1, 1]), column + width * np.array([0, -1, 1]), inside.shape
        )
    inside[tuple(places)] = True
    ground, body = rng.uniform(40, 215, size=(2, 3))
    while np.abs(ground - body).max() < 60:
        body = rng.uniform(40, 215, size=3)
    y, x = np.mgrid[:SIZE, :SIZE]
    angle = rng.uniform(0, np.pi)
    stripes = np.sign(np.sin(0.8 * (np.cos(angle) * x + np.sin(angle) * y)))
    photo = np.where(inside[..., None], body + 35 * stripes[..., None], ground)
    photo = np.clip(photo + rng.normal(0, 8, size=photo.shape), 0, 255).astype(np.uint8)
    return photo, find_boundaries(inside, mode="inner")


rng = np.random.default_rng(0)
photos, contours = map(np.stack, zip(*(make_shape_photo(rng) for _ in range(28)), strict=True))
new_photos, new_contours = photos[24:], contours[24:]

# %%
# Learn
# -----
# Far fewer tokens, patches and trees than the defaults, so that this page builds in seconds.

tokenizer = SketchTokenizer(
    n_tokens=12,
    patch_size=21,
    n_patches=6000,
    n_features=800,
    n_estimators=12,
    random_state=0,
)
tokenizer.fit(photos[:24], contours[:24])

fig, axes = plt.subplots(1, 12, figsize=(10, 1.3), layout="constrained")
for ax, token in zip(axes, tokenizer.tokens_, strict=True):
    ax.imshow(token, cmap="Greys", vmin=0)
    ax.set(xticks=[], yticks=[])
fig.suptitle("sketch tokens: mean contour of each cluster of patches", fontsize=10)
plt.show()

# %%
# These are the clusters of the contours: pieces of lines in several directions, and what corners
# and curves there are.

# %%
# Draw
# ----
# From left to right: a photo that was not trained on, what both are asked to draw, all edges, how
# likely the forest holds a contour at each pixel, the ridges of that, and the drawing.

edges = EdgeTokens().fit_transform(new_photos)
probability = tokenizer.contour_probability(new_photos)
thinned = tokenizer.contour_probability(new_photos, thinned=True)
tokens = tokenizer.transform(new_photos)

columns = {
    "photo": (new_photos, {}),
    "contour": (~new_contours, {"cmap": "gray"}),
    "EdgeTokens": (edges, {"cmap": "gray", "vmin": 0, "vmax": 255}),
    "probability": (probability, {"cmap": "viridis", "vmin": 0, "vmax": 1}),
    "thinned": (thinned, {"cmap": "viridis", "vmin": 0, "vmax": 1}),
    "SketchTokenizer": (tokens, {"cmap": "gray", "vmin": 0, "vmax": 255}),
}
fig, axes = plt.subplots(
    len(new_photos), len(columns), figsize=(9, 1.55 * len(new_photos)), layout="constrained"
)
for column, (title, (images, options)) in zip(axes.T, columns.items(), strict=True):
    column[0].set_title(title, fontsize=10)
    for ax, image in zip(column, images, strict=True):
        shown = ax.imshow(image, **options)
        ax.set(xticks=[], yticks=[])
    if title == "thinned":
        fig.colorbar(
            shown, ax=axes[:, 3:5], location="bottom", label="probability of a contour", shrink=0.8
        )
plt.show()

# %%
# How much of the ink lies where the contour is, give or take two pixels? Over the new photos:

near = np.stack([binary_dilation(contour, iterations=2) for contour in new_contours])
for name, drawn in (("EdgeTokens", edges), ("SketchTokenizer", tokens)):
    ink = 255.0 - drawn
    print(f"{name:16s} {ink[near].sum() / ink.sum():.0%} of the ink on the contour")

# %%
# The stripes' edges are strong, too, so ``EdgeTokens`` draws them with the outline. The tokenizer
# was shown that stripes are not drawn, and puts a larger part of its ink on the outline; where it
# is unsure, faint lines are left. What it learned holds for photos like these; for other photos it
# needs their contours. A fitted one is given to the hasher as
# ``DeepSketchHasher(sketch_tokens=tokenizer)``.
