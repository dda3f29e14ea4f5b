"""Draw what a SketchImageArray is: ``python docs/figures/two_views.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
from _style import BLUE, GREY, ORANGE, save

from sklearn_dsh import make_sketch_photo, stack_views

N_SKETCHES, N_PHOTOS = 4, 6


def draw_item(ax, image, x, y, colour, label=None, size=0.84):
    extent = (x, x + size, y, y + size)
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, zorder=2,
              interpolation="none")  # fmt: skip
    ax.plot(
        [x, x + size, x + size, x, x], [y, y, y + size, y + size, y], color=colour, lw=2, zorder=3
    )
    if label is not None:
        ax.text(x + size / 2, y - 0.08, label, ha="center", va="top", fontsize=9)


def main():
    data = make_sketch_photo(
        n_categories=2, n_sketches=N_SKETCHES, n_photos=N_PHOTOS, difficulty=0.4, random_state=2
    )
    X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image))
    figure, ax = plt.subplots(figsize=(9.6, 3.7), layout="constrained")
    for i, (sketch, label) in enumerate(zip(data.sketches, data.y_sketch, strict=True)):
        draw_item(ax, sketch, i, 2.2, BLUE, label)
    for i, (photo, label) in enumerate(zip(data.images, data.y_image, strict=True)):
        draw_item(ax, photo, 4.5 + i, 2.2, ORANGE, label)
    ax.text(0, 3.14, "X_sk and y_sk: sketches", color=BLUE, fontsize=10, weight="bold")
    ax.text(4.5, 3.14, "X_img and y_img: photos", color=ORANGE, fontsize=10, weight="bold")
    ax.annotate(
        "", (5.2, 1.22), (5.2, 1.8), arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.5}
    )
    ax.text(5.35, 1.52, "stack_views: row numbers are mixed, images stay where they are",
            va="center", fontsize=9.5, color=GREY)  # fmt: skip
    for row in range(len(X)):
        image, colour = X[row], BLUE if X.is_sketch[row] else ORANGE
        draw_item(ax, image, 0.25 + 1.03 * row, 0.15, colour, y[row])
        ax.text(0.67 + 1.03 * row, 1.05, row, ha="center", fontsize=8.5, color=GREY)
    ax.text(0.25, -0.42, "X and y: one row a sample of one view", fontsize=10, weight="bold")
    ax.set(xlim=(-0.1, 10.6), ylim=(-0.5, 3.4), aspect="equal")
    ax.set_axis_off()
    save(figure, Path(__file__).with_suffix(".svg"))


if __name__ == "__main__":
    main()
