"""Draw the picture of the first page: ``python docs/figures/hero.py``.

Sketches that were not trained on, their codes, and the nearest of photos that were not trained on
either: what the library gives on its synthetic data after a short training, nothing drawn by hand.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _style import GREY, INK, PALE_GREY, save
from matplotlib.patches import FancyArrowPatch, Rectangle

from sklearn_dsh import DeepSketchHasher, HammingRetriever, make_sketch_photo
from sklearn_dsh.codes import unpack_bits

N_BITS, N_FOUND, N_COLUMNS = 32, 6, 8
SHOWN = ("boat", "cup", "tree")


def draw_code(ax, bits):
    """Bits as squares, ones dark."""
    for i, bit in enumerate(bits):
        row, column = divmod(i, N_COLUMNS)
        ax.add_patch(Rectangle((column, -row), 0.86, 0.86, fc=INK if bit else PALE_GREY))
    ax.set(xlim=(-0.4, N_COLUMNS + 0.3), ylim=(-len(bits) / N_COLUMNS + 0.5, 1.3), aspect="equal")
    ax.set_axis_off()


def main():
    data = make_sketch_photo(
        n_categories=8, n_sketches=480, n_photos=480, size=96, difficulty=0.7, random_state=3
    )
    is_query = np.arange(len(data.sketches)) % 6 == 0
    is_new = np.arange(len(data.images)) % 3 == 0
    hasher = DeepSketchHasher(N_BITS, max_iter=2, steps_per_iter=150, random_state=0)
    hasher.fit(
        data.sketches[~is_query],
        data.images[~is_new],
        (data.y_sketch[~is_query], data.y_image[~is_new]),
    )
    images = data.images[is_new]
    photos = HammingRetriever(n_neighbors=N_FOUND).fit(hasher.transform(images, view="image"))
    names, first = np.unique(data.y_sketch[is_query], return_index=True)
    rows = np.flatnonzero(is_query)[first[np.isin(names, SHOWN)]]
    codes = hasher.transform(data.sketches[rows])
    distances, found = photos.kneighbors(codes)
    bits = unpack_bits(codes, N_BITS)

    figure, axes = plt.subplots(
        len(rows),
        2 + N_FOUND,
        figsize=(10.5, 4.9),
        width_ratios=(1, 1.5, *[1] * N_FOUND),
        gridspec_kw={"wspace": 0.2, "hspace": 0.42},
    )
    figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.08)
    for line, row in enumerate(rows):
        query, code, *others = axes[line]
        query.imshow(data.sketches[row], cmap="gray", vmin=0, vmax=255)
        query.set(xticks=[], yticks=[])
        draw_code(code, bits[line])
        for ax, photo, distance in zip(others, found[line], distances[line], strict=True):
            ax.imshow(images[photo])
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(
                "1 bit" if distance == 1 else f"{distance} bits", fontsize=9, color=GREY, labelpad=3
            )
        for ax in (query, *others):
            ax.spines[:].set_color("#cbd5e0")
        for left, right in ((query, code), (code, others[0])):
            a, b = left.get_position(), right.get_position()
            y = (a.y0 + a.y1) / 2
            figure.add_artist(
                FancyArrowPatch(
                    (a.x1 + 0.001, y), (b.x0 - 0.001, y), arrowstyle="-|>", color=GREY,
                    mutation_scale=12, lw=1.4,
                )
            )  # fmt: skip
    for ax, text in (
        (axes[0, 0], "a sketch"),
        (axes[0, 1], f"its code: {N_BITS} bits"),
        (axes[0, 2], "the photos with the nearest codes, and how many bits differ"),
    ):
        box = ax.get_position()
        wide = ax is axes[0, 2]
        figure.text(
            box.x0 if wide else (box.x0 + box.x1) / 2, 0.94, text, fontsize=11, weight="bold",
            ha="left" if wide else "center",
        )  # fmt: skip
    save(figure, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
