"""
A first search: find photos by drawing them
===========================================

The whole way in a few lines: learn codes for sketches and photos, encode a gallery of photos,
and search it with sketches that were not seen before.
"""

# %%
# Data
# ----
# Synthetic sketches and photos of a few categories. They are not paired, and there are not as many
# of the one as of the other. Real ones come from
# :func:`~sklearn_dsh.load_sketch_photo_folder`.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dsh import Compact, DeepSketchHasher, HammingRetriever, make_sketch_photo

data = make_sketch_photo(
    n_categories=4, n_sketches=200, n_photos=280, difficulty=0.5, random_state=0
)
is_query = np.arange(len(data.sketches)) % 5 == 0
queries, y_query = data.sketches[is_query], data.y_sketch[is_query]
sketches, y_sketch = data.sketches[~is_query], data.y_sketch[~is_query]
print(f"{len(sketches)} sketches and {len(data.images)} photos to learn from")

# %%
# Learn and encode
# ----------------
# Small images and few training steps, so that this page builds quickly; the defaults train for
# longer. The codes are bytes: 32 bits are 4 bytes a photo.

hasher = DeepSketchHasher(
    n_bits=32,
    architecture=Compact(32),
    batch_size=32,
    max_iter=2,
    steps_per_iter=40,
    random_state=0,
)
hasher.fit(sketches, data.images, (y_sketch, data.y_image))
gallery = hasher.transform(data.images, view="image")
print(f"{gallery.nbytes} bytes hold {len(gallery)} photos")
print(f"mean average precision: {hasher.score(queries, data.images, (y_query, data.y_image)):.2f}")

# %%
# Search
# ------
# Sketches are turned into codes of the same kind, and the photos with the nearest codes are found.

retriever = HammingRetriever(n_neighbors=6).fit(gallery)
_, first_of_each = np.unique(y_query, return_index=True)
distances, found = retriever.kneighbors(hasher.transform(queries[first_of_each], view="sketch"))

fig, axes = plt.subplots(len(found), 7, figsize=(9, 1.4 * len(found)), layout="constrained")
for row, query, photos in zip(axes, first_of_each, found, strict=True):
    row[0].imshow(queries[query], cmap="gray")
    row[0].set_title(f"sketch: {y_query[query]}", fontsize=9)
    for ax, photo in zip(row[1:], photos, strict=True):
        ax.imshow(data.images[photo])
        right = data.y_image[photo] == y_query[query]
        ax.set_title(data.y_image[photo], fontsize=9, color="#0072B2" if right else "#D55E00")
    for ax in row:
        ax.set_axis_off()
plt.show()

# %%
# Each row shows a new sketch and the six photos whose codes are nearest to its own. The photos were
# trained on, as in the papers' protocol, the sketches were not: after a few seconds of learning,
# almost all photos that come up are of the sketch's category (blue titles), where chance gives a
# quarter.
