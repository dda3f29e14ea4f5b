"""Draw the three ways to search: ``python docs/figures/search.py``. The points are made up."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _style import BLUE, GREY, INK, ORANGE, PALE_BLUE, PALE_GREY, save
from matplotlib.patches import Circle, Rectangle

CENTRES = np.array([[0.9, 2.9], [2.9, 3.2], [3.2, 1.1], [1.2, 0.9], [2.05, 2.05]])
RADIUS = 0.52


def make_points():
    """Codes of five categories, as points in the plane: (n, 2), and the centre of each."""
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(len(CENTRES)), 14)
    angle, radius = rng.uniform(0, 2 * np.pi, len(of)), RADIUS * np.sqrt(rng.uniform(size=len(of)))
    offset = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None] * 0.92
    return CENTRES[of] + offset, of


def draw_points(ax, points, compared, query):
    ax.scatter(*points[~compared].T, s=14, color="#cbd5e0", zorder=2)
    ax.scatter(*points[compared].T, s=18, color=BLUE, zorder=3)
    ax.scatter(*query, s=150, marker="*", color=ORANGE, zorder=4)
    ax.set(xlim=(0, 4.1), ylim=(0, 4.1), aspect="equal", xticks=[], yticks=[])


def draw_tables(ax):
    """A code of 16 bits in four parts, each looked up in a table of its own."""
    bits = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0])
    for i, bit in enumerate(bits):
        part = i // 4
        x = 0.25 + i * 0.2 + part * 0.14
        ax.add_patch(Rectangle((x, 3.3), 0.17, 0.3, fc=INK if bit else PALE_GREY, ec=GREY, lw=0.6))
    for part in range(4):
        x = 0.25 + part * 0.94
        ax.annotate(
            "", (x + 0.38, 2.62), (x + 0.38, 3.22),
            arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2},
        )  # fmt: skip
        rows = 6
        hit = (2, 4, 1, 3)[part]
        for row in range(rows):
            looked_up = row == hit
            ax.add_patch(
                Rectangle(
                    (x, 2.25 - 0.32 * row), 0.76, 0.28, fc=PALE_BLUE if looked_up else "white",
                    ec=BLUE if looked_up else "#cbd5e0", lw=1.0,
                )
            )  # fmt: skip
            n = (2, 1, 3, 2)[part] if looked_up else 0
            ax.scatter(x + 0.18 + 0.2 * np.arange(n), np.full(n, 2.39 - 0.32 * row), s=16,
                       color=BLUE)  # fmt: skip
    ax.text(2.05, 3.78, "the query, in parts", ha="center", fontsize=9)
    ax.text(2.05, 0.28, "codes that agree in one part", ha="center", fontsize=9)
    ax.set(xlim=(0, 4.1), ylim=(0, 4.1), aspect="equal", xticks=[], yticks=[])


def main():
    points, of = make_points()
    query = np.array([1.3, 3.25])
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.6), layout="constrained")
    draw_points(axes[0], points, np.ones(len(points), dtype=bool), query)
    reached = np.linalg.norm(CENTRES - query, axis=1) < 1.0
    draw_points(axes[1], points, reached[of], query)
    for centre, near in zip(CENTRES, reached, strict=True):
        axes[1].add_patch(Circle(centre, RADIUS, fill=False, ec=BLUE if near else GREY, lw=1.2))
    axes[1].add_patch(Circle(query, 0.5, fill=False, ec=ORANGE, lw=1.2, ls="--"))
    draw_tables(axes[2])
    for ax, title, below in (
        (axes[0], "linear scan", "every code is compared"),
        (axes[1], "balls", "far balls are left out whole"),
        (axes[2], "multi-index hashing", "tables of parts of the codes"),
    ):
        ax.set_title(title, fontsize=11, weight="bold")
        ax.set_xlabel(below, fontsize=9.5)
        ax.spines[:].set_color("#cbd5e0")
    save(figure, Path(__file__).with_suffix(".svg"))


if __name__ == "__main__":
    main()
