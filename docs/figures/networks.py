"""Draw the networks and how they are trained: ``python docs/figures/networks.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
from _style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_GREY,
    PALE_ORANGE,
    save,
)
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from sklearn_dsh import make_sketch_photo
from sklearn_dsh.preprocessing import EdgeTokens


def box(ax, x, y, width, height, text, edge, face, size=10):
    """A box around (x, y) with text."""
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0,rounding_size=0.12", fc=face, ec=edge, lw=1.4,
        )
    )  # fmt: skip
    ax.text(x, y, text, ha="center", va="center", fontsize=size, color=INK, linespacing=1.35)


def arrow(ax, start, end, colour=GREY, bend=0.0, style="-|>", dashed=False):
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle=style, color=colour, mutation_scale=13, lw=1.5,
            connectionstyle=f"arc3,rad={bend}", ls="--" if dashed else "-", shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def picture(ax, image, x, y, side, label):
    """An image around (x, y) with its name above."""
    extent = (x - side / 2, x + side / 2, y - side / 2, y + side / 2)
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, zorder=2,
              interpolation="none")  # fmt: skip
    ax.plot(
        [extent[0], extent[1], extent[1], extent[0], extent[0]],
        [extent[2], extent[2], extent[3], extent[3], extent[2]],
        color=GREY, lw=0.8, zorder=3,
    )  # fmt: skip
    ax.text(x, extent[3] + 0.12, label, ha="center", va="bottom", fontsize=9.5)


def main():
    data = make_sketch_photo(
        n_categories=3, n_sketches=6, n_photos=12, size=128, difficulty=0.5, random_state=3
    )
    sketch = data.sketches[data.y_sketch == "cup"][0]
    photo = data.images[data.y_image == "cup"][:1]
    token = EdgeTokens().fit_transform(photo)[0]

    figure, ax = plt.subplots(figsize=(9.4, 4.9), layout="constrained")
    top, middle, bottom = 5.0, 2.95, 0.9
    picture(ax, sketch, 0.9, top, 1.3, "sketch")
    picture(ax, token, 0.9, middle, 1.3, "sketch token")
    picture(ax, photo[0], 0.9, bottom, 1.3, "photo")
    arrow(ax, (0.15, bottom + 0.3), (0.15, middle - 0.3), GREEN, bend=-0.45)
    ax.text(-0.28, (middle + bottom) / 2, "edges", ha="center", va="center", fontsize=9,
            color=GREEN, rotation=90)  # fmt: skip

    box(ax, 3.1, top, 1.7, 0.95, "C2\nconvolutions", BLUE, PALE_BLUE)
    box(ax, 3.1, middle, 1.7, 0.95, "C2\nconvolutions", BLUE, PALE_BLUE)
    box(ax, 3.1, bottom, 1.7, 0.95, "C1\nconvolutions", ORANGE, PALE_ORANGE)
    arrow(ax, (3.1, top - 0.5), (3.1, middle + 0.5), BLUE, style="<|-|>", dashed=True)
    ax.text(3.22, (top + middle) / 2, "same weights", fontsize=9, color=BLUE, va="center")
    for y in (top, middle, bottom):
        arrow(ax, (1.62, y), (2.2, y))

    fused = (middle + bottom) / 2
    box(ax, 5.85, top, 2.0, 1.0, "sketch head\nfc, fc, m outputs", BLUE, PALE_BLUE)
    box(ax, 5.85, fused, 2.0, 1.5, "fusion head\n2 x fc, 2 x fc,\nm outputs", ORANGE, PALE_ORANGE)
    arrow(ax, (3.98, top), (4.81, top))
    arrow(ax, (3.98, middle), (4.81, fused + 0.3))
    arrow(ax, (3.98, bottom), (4.81, fused - 0.3))

    box(ax, 8.1, top, 1.25, 0.85, "$F_S$\n(m, $n_S$)", GREY, PALE_GREY)
    box(ax, 8.1, fused, 1.25, 0.85, "$F_I$\n(m, $n_I$)", GREY, PALE_GREY)
    arrow(ax, (6.89, top), (7.44, top))
    arrow(ax, (6.89, fused), (7.44, fused))

    codes = (top + fused) / 2
    box(ax, 11.0, top, 1.7, 0.85, "codes $B_S$", GREEN, PALE_GREEN)
    box(ax, 11.0, fused, 1.7, 0.85, "codes $B_I$", GREEN, PALE_GREEN)
    box(ax, 11.0, codes, 1.7, 0.85, "basis D\nlabels, $\\phi$", GREEN, PALE_GREEN)
    arrow(ax, (11.0, top - 0.45), (11.0, codes + 0.45), GREEN, style="<|-|>")
    arrow(ax, (11.0, codes - 0.45), (11.0, fused + 0.45), GREEN, style="<|-|>")
    for y in (top, fused):
        arrow(ax, (8.76, y + 0.16), (10.12, y + 0.16), GREEN)
        arrow(ax, (10.12, y - 0.16), (8.76, y - 0.16), ORANGE)
    ax.text(9.44, top + 0.3, "steps 1, 2", ha="center", fontsize=9, color=GREEN, va="bottom")
    ax.text(9.44, top - 0.3, "step 3", ha="center", fontsize=9, color=ORANGE, va="top")
    ax.text(8.55, codes + 0.1, "1, 2: D and codes follow labels\nand outputs, bit by bit",
            ha="center", va="bottom", fontsize=8.5, color=GREEN)  # fmt: skip
    ax.text(8.55, codes - 0.1, "3: the networks follow the codes,\nby gradient steps",
            ha="center", va="top", fontsize=8.5, color=ORANGE)  # fmt: skip
    ax.text(5.85, 0.1, "three networks", ha="center", fontsize=10, weight="bold", color=INK)
    ax.text(10.2, 0.1, "trained in turn with the codes", ha="center", fontsize=10, weight="bold")
    ax.set(xlim=(-0.5, 12.0), ylim=(-0.15, 6.05), aspect="equal")
    ax.set_axis_off()
    save(figure, Path(__file__).with_suffix(".svg"))


if __name__ == "__main__":
    main()
