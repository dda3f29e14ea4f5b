"""Draw the way of a sketch and a photo through the rooms: ``python docs/figures/way.py``."""

import matplotlib.pyplot as plt
import numpy as np
from _style import BLUE, GREEN, GREY, INK, ORANGE, PALE_BLUE, PALE_GREY, PALE_ORANGE, save_and_show
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from sklearn_dsh import make_sketch_photo

LEFT, RIGHT, MIDDLE = 1.0, 3.0, 2.0
SIDE = 0.62


def step(ax, x, y, width, text, rooms, edge=GREY, face=PALE_GREY):
    """What happens, and in which rooms."""
    height = 0.36 + 0.2 * text.count("\n")
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height + 0.02,
            boxstyle="round,pad=0.02,rounding_size=0.06", fc=face, ec=edge, lw=1.2, zorder=2,
        )
    )  # fmt: skip
    ax.text(x, y + 0.1, text, ha="center", va="center", fontsize=9.5, color=INK, zorder=3,
            linespacing=1.15)  # fmt: skip
    named = ax.text(x, y - height / 2 + 0.07, "  ".join(rooms), ha="center", va="center",
                    fontsize=9.5, color=GREEN, weight="bold", zorder=3)  # fmt: skip
    named.set_gid("rooms " + " ".join(rooms))  # for the test


def arrow(ax, start, end, colour):
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=colour, lw=1.6,
                        shrinkA=0, shrinkB=0, zorder=1)
    )  # fmt: skip


def picture(ax, image, x, y, label, colour):
    extent = (x - SIDE / 2, x + SIDE / 2, y - SIDE / 2, y + SIDE / 2)
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, zorder=2, interpolation="none")
    ax.add_patch(Rectangle(extent[::2], SIDE, SIDE, fill=False, ec=colour, lw=1.6, zorder=3))
    ax.text(x, extent[3] + 0.06, label, ha="center", va="bottom", fontsize=10, color=colour)


def code(ax, x, y, bits, colour):
    side = 0.085
    for i, bit in enumerate(bits):
        at = (x + (i - len(bits) / 2) * side, y - side / 2)
        ax.add_patch(Rectangle(at, side, side, fc=colour if bit else "white", ec=colour, lw=0.8,
                               zorder=3))  # fmt: skip


def call(ax, y, text):
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # arrows pass under it
    ax.text(
        0.02, y, text, ha="left", va="center", fontsize=10, weight="bold", zorder=2, bbox=behind
    )
    ax.plot([0, 4], [y - 0.14, y - 0.14], color=GREY, lw=0.8, zorder=0)


def main():
    data = make_sketch_photo(
        n_categories=3, n_sketches=6, n_photos=12, size=128, difficulty=0.5, random_state=3
    )
    figure, ax = plt.subplots(figsize=(5.6, 9.9), layout="constrained")
    picture(ax, data.sketches[data.y_sketch == "cup"][0], LEFT, 6.0, "sketches", BLUE)
    picture(ax, data.images[data.y_image == "cup"][0], RIGHT, 6.0, "photos", ORANGE)

    call(ax, 5.4, "fit(X_sk, X_img, (y_sk, y_img))")
    for x, colour in ((LEFT, BLUE), (RIGHT, ORANGE)):
        arrow(ax, (x, 5.69), (x, 5.17), colour)
    step(ax, MIDDLE, 4.93, 3.9, "which form of the call; is every row sound?",
         ["_validation", "views", "_labels"])  # fmt: skip
    arrow(ax, (MIDDLE, 4.72), (MIDDLE, 4.49), GREY)
    step(ax, MIDDLE, 4.25, 3.9, "a stand-in learns: a failed fit changes nothing", ["base"])
    for x in (LEFT, RIGHT):
        arrow(ax, (x, 4.04), (x, 3.82), GREY)
        arrow(ax, (x, 3.14), (x, 2.92), GREY)
    step(ax, LEFT, 3.48, 1.8, "features: matrices,\nin numpy", ["baselines"])
    step(ax, RIGHT, 3.48, 1.8, "images: decoded,\nnetworks, in torch", ["preprocessing", "deep"])
    ax.text(MIDDLE, 3.48, "or", ha="center", va="center", fontsize=10)
    step(ax, MIDDLE, 2.68, 3.9, "learned: arrays, in names that end in _", ["model_files"])

    call(ax, 2.08, "transform(X, view)")
    for x, colour in ((LEFT, BLUE), (RIGHT, ORANGE)):
        arrow(ax, (x, 2.47), (x, 1.85), colour)
    step(ax, LEFT, 1.61, 1.88, "a value a bit", ["baselines", "deep"], BLUE, PALE_BLUE)
    step(ax, RIGHT, 1.61, 1.88, "a value a bit", ["baselines", "deep"], ORANGE, PALE_ORANGE)
    for x, colour in ((LEFT, BLUE), (RIGHT, ORANGE)):
        arrow(ax, (x, 1.40), (x, 1.17), colour)
    step(ax, MIDDLE, 0.93, 3.9, "bit = value >= 0; eight bits a byte", ["codes"])
    bits = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0])
    near = bits.copy()
    near[[3, 10]] ^= 1
    for x, colour, shown in ((LEFT, BLUE, bits), (RIGHT, ORANGE, near)):
        code(ax, x, 0.53, shown, colour)

    call(ax, 0.20, "HammingRetriever: fit, kneighbors")
    for x, colour in ((LEFT, BLUE), (RIGHT, ORANGE)):
        arrow(ax, (x, 0.46), (x, -0.04), colour)
    step(ax, LEFT, -0.28, 1.6, "a query", ["retrieval"], BLUE, PALE_BLUE)
    step(ax, RIGHT, -0.28, 1.6, "codes of all photos", ["retrieval", "gallery"],
         ORANGE, PALE_ORANGE)  # fmt: skip
    arrow(ax, (1.84, -0.28), (2.16, -0.28), GREY)
    arrow(ax, (RIGHT, -0.49), (RIGHT, -0.73), GREY)
    step(ax, MIDDLE, -0.97, 3.9, "distances and rows, ties by row; how good, how sure",
         ["metrics", "confidence"])  # fmt: skip
    ax.set(xlim=(-0.02, 4.02), ylim=(-1.24, 6.56), aspect="equal")
    ax.set_axis_off()
    save_and_show(figure, __file__)


if __name__ == "__main__":
    main()
