"""
Save a hasher, its codes and a gallery
======================================

Three things are kept: the hasher, to encode queries; the codes, to search them; and which photo is
which row. Here they are saved, loaded and searched, and weighed.
"""

# %%
# A hasher and codes
# ------------------

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dsh import (
    CCAHasher,
    HammingRetriever,
    HOGFeatures,
    load_model,
    make_sketch_photo,
    read_model_facts,
    save_model,
)
from sklearn_dsh.gallery import Gallery

data = make_sketch_photo(
    n_categories=4, n_sketches=200, n_photos=400, difficulty=0.7, random_state=0
)
is_query = np.arange(len(data.sketches)) % 5 == 0
hog = HOGFeatures(pixels_per_cell=16)
X_sketch, X_photo = hog.fit_transform(data.sketches), hog.fit_transform(data.images)
hasher = CCAHasher(64, random_state=0)
hasher.fit(X_sketch[~is_query], X_photo, (data.y_sketch[~is_query], data.y_image))
codes = hasher.transform(X_photo, view="image")
names = [f"photo/{label}/{i:04d}.png" for i, label in enumerate(data.y_image)]

# %%
# The hasher
# ----------
# A model file holds arrays and settings, and what it is can be read before it is loaded. It runs no
# code, which a pickle does: whoever wrote a pickle decides what. Codes of another hasher cannot be
# compared with its own, not even of the same settings and another seed: keep both together.

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
save_model(hasher, folder / "hasher.safetensors")
facts = read_model_facts(folder / "hasher.safetensors")
print({name: facts[name] for name in ("steps", "n_bits", "view_shapes", "categories", "versions")})
loaded = load_model(folder / "hasher.safetensors")
queries = loaded.transform(X_sketch[is_query], view="sketch")
print(
    "the same codes:", np.array_equal(queries, hasher.transform(X_sketch[is_query], view="sketch"))
)

# %%
# The codes
# ---------
# A plain uint8 array. Opened as a memory map it is searched where it lies, and the processes of a
# server share it.

np.save(folder / "codes.npy", codes)
on_disk = np.load(folder / "codes.npy", mmap_mode="r")
distances, found = HammingRetriever(n_neighbors=6).fit(on_disk).kneighbors(queries)
print(type(on_disk).__name__, on_disk.shape, on_disk.dtype)

# %%
# A gallery
# ---------
# :class:`~sklearn_dsh.gallery.Gallery` keeps the names of the photos beside their codes, in one
# folder. Saving replaces the one that is there as a whole, and loading opens the codes as a memory
# map. It runs no code either.

Gallery(codes, 64, names, labels=data.y_image.tolist()).save(folder / "gallery")
gallery = Gallery.load(folder / "gallery")
again, rows = gallery.search(queries, n_neighbors=6)
print(gallery)
print("the same photos:", np.array_equal(rows, found) and np.array_equal(again, distances))
print("first found:", gallery.paths[rows[0, 0]])

# %%
# What was found
# --------------
# By the hasher and the gallery that were loaded.

query_rows = np.flatnonzero(is_query)
_, first_of_each = np.unique(data.y_sketch[query_rows], return_index=True)
fig, axes = plt.subplots(4, 7, figsize=(9, 6), layout="constrained")
for line, query in zip(axes, first_of_each, strict=True):
    line[0].imshow(data.sketches[query_rows[query]], cmap="gray", vmin=0, vmax=255)
    line[0].set_title(f"sketch: {data.y_sketch[query_rows[query]]}", fontsize=9, fontweight="bold")
    for ax, row, distance in zip(line[1:], rows[query], again[query], strict=True):
        ax.imshow(data.images[row])
        ax.set_title(f"{gallery.labels[row]} ({distance})", fontsize=9)
    for ax in line:
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Each row is a new sketch and the six photos nearest to it, with their labels as the gallery has
# them and their distances in bits. The sketches are new to the hasher, the photos are those that it
# was trained on.

# %%
# What it takes
# -------------

sizes = {
    "photos, as pixels": data.images.nbytes,
    "their features": X_photo.nbytes,
    "their codes": (folder / "codes.npy").stat().st_size,
    "the gallery": sum(path.stat().st_size for path in (folder / "gallery").iterdir()),
    "the hasher": (folder / "hasher.safetensors").stat().st_size,
}
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
kilobytes = [size / 1000 for size in sizes.values()]
bars = ax.barh(list(sizes), kilobytes, color=["#999999"] * 2 + ["#D55E00"] * 3)
ax.bar_label(bars, labels=[f"{size:,.0f} kB" for size in kilobytes], padding=4)
ax.set(xscale="log", xlabel="size (kB)", title=f"{len(data.images)} photos, codes of 64 bits")
ax.set_xlim(1, 6 * max(kilobytes))
ax.invert_yaxis()
plt.show()

temporary.cleanup()

# %%
# The axis is logarithmic. The codes are the smallest of all; a gallery's names and labels weigh
# more than its codes. The hasher's size depends on the features and bits, not on how many photos
# there are.
