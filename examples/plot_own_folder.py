"""
Your own folder
===============

Sketches and photos are read from a folder with one subfolder per category. Here the folder is
written first, so that this page runs anywhere; with your own images, start at the second step.
"""

# %%
# A folder
# --------
# ``sketch/<category>/`` and ``photo/<category>/`` hold the files. A ``split.csv`` is optional: it
# says which file is for training and which for testing.

import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.pipeline import make_pipeline

from sklearn_dsh import (
    CCAHasher,
    HOGFeatures,
    PerView,
    SketchImageArray,
    load_sketch_photo_folder,
    make_sketch_photo,
    stack_views,
)
from sklearn_dsh.comparison import plot_retrieved
from sklearn_dsh.metrics import precision_at_k

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "my_folder"
drawn = make_sketch_photo(
    n_categories=4, n_sketches=120, n_photos=280, difficulty=0.55, random_state=0
)
rows = []
for view, images, labels in (
    ("sketch", drawn.sketches, drawn.y_sketch),
    ("photo", drawn.images, drawn.y_image),
):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = Path(view) / label / f"{number:04d}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / path)
        rows.append((path.as_posix(), view, label, "test" if number % 4 == 0 else "train"))
with open(folder / "split.csv", "w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows([("path", "view", "label", "split"), *rows])

print(*(folder / "split.csv").read_text(encoding="utf-8").splitlines()[:4], sep="\n")

# %%
# Read it
# -------
# As arrays, all images brought to one size; or with ``size=None`` as paths, whose files are decoded
# batch by batch when they are needed: for more images than fit into memory.

train = load_sketch_photo_folder(folder, split="train", size=None)
test = load_sketch_photo_folder(folder, split="test", size=64)
print(train.images.shape, train.images.dtype, Path(train.images[0]).name)
print(test.images.shape, test.images.dtype, test.target_names)

# %%
# Learn and encode
# ----------------
# Here on features and with a linear method, which takes a second.
# :class:`~sklearn_dsh.DeepSketchHasher` takes the same arrays or paths without ``PerView``.

hog = HOGFeatures(pixels_per_cell=16)
pipeline = make_pipeline(PerView(sketch=hog, image=hog), CCAHasher(32, random_state=0))
pipeline.fit(*stack_views(train.sketches, train.images, (train.y_sketch, train.y_image)))

queries = pipeline.transform(SketchImageArray(test.sketches, None))
gallery = pipeline.transform(SketchImageArray(None, test.images))
precision = precision_at_k(queries, gallery, test.y_sketch, test.y_image, k=6)
print(f"precision among the first six photos: {precision:.2f}")

# %%
# Paths and arrays give the same codes when the files have the size that the features are taken at.

from_paths = pipeline.transform(SketchImageArray(None, test.image_paths))
print("same codes from paths:", np.array_equal(from_paths, gallery))

# %%
# Search
# ------
# :func:`~sklearn_dsh.comparison.plot_retrieved` searches and draws what was found. Its picture is a
# matplotlib figure of its own, to be saved; here it is saved and shown.

figure = plot_retrieved(
    test.sketches,
    test.images,
    queries,
    gallery,
    test.y_sketch,
    test.y_image,
    n_queries=4,
    n_found=6,
    random_state=0,
)
figure.savefig(folder / "found.png", dpi=100)

plt.figure(figsize=figure.get_size_inches(), layout="constrained")
plt.imshow(plt.imread(folder / "found.png"))
plt.axis("off")
plt.show()

temporary.cleanup()

# %%
# Each row is a new sketch with the new photos whose codes are nearest, and their distances in bits.
# A green frame is a photo of the sketch's category, a red one is not; the names above say the same.
