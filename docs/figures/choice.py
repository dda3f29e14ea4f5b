"""Draw which method to take: ``python docs/figures/choice.py``."""

import matplotlib.pyplot as plt
from _style import BLUE, GREEN, GREY, INK, PALE_BLUE, PALE_GREEN, save_and_show
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

# A question, the answer that leads to the right and where to, the answer that leads on. What
# begins with "+" is a class, or how it is made.
CHART = [
    ("Are there codes\nalready?", "yes", ["+HammingRetriever", "alone: nothing is learned"], "no"),
    (
        "Does every item\nhave a category?",
        "no",
        ["+CCAHasher", "for pairs of rows", "+ITQHasher", "for vectors of one kind"],
        "yes",
    ),
    (
        "Will you search for\nthese categories?",
        "no,\nothers",
        [
            "+DeepSketchHasher(", '+  architecture="pretrained",', '+  readout="features")',
            "for images", "+ZeroShotHasher", "for vectors",
        ],
        "yes",
    ),
    (
        "Images, or vectors\nof a network?",
        "vectors",
        ["+SDHHasher  CCAHasher", "seconds, on a CPU"],
        "images",
    ),
    (
        "Synthetic data, or\na first look?",
        "yes",
        ["+DeepSketchHasher()", "small networks, no download"],
        "no",
    ),
]  # fmt: skip
LAST = ["+DeepSketchHasher(", '+  architecture="pretrained")', "a package of 17 MB"]
LINE = 0.2
LEFT, RIGHT = 0.77, 3.0


def box(ax, x, y, width, height, edge, face):
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0.03,rounding_size=0.08", fc=face, ec=edge, lw=1.3,
        )
    )  # fmt: skip


def answer(ax, x, y, lines, width):
    """A box of lines, classes in bold."""
    height = LINE * len(lines) + 0.1
    box(ax, x, y, width, height, GREEN, PALE_GREEN)
    for i, line in enumerate(lines):
        bold = line[0] == "+"
        text = ax.text(
            x - width / 2 + 0.05, y + LINE * ((len(lines) - 1) / 2 - i), line.removeprefix("+"),
            ha="left", va="center", fontsize=9 if bold else 9.5, color=GREEN if bold else INK,
            weight="bold" if bold else "normal",
            family="DejaVu Sans Mono" if bold else "DejaVu Sans",
        )  # fmt: skip
        if bold:
            text.set_gid(f"call {line.removeprefix('+').strip()}")  # for the test
    return height


def arrow(ax, start, end):
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=GREY, lw=1.5,
                        shrinkA=0, shrinkB=0)
    )  # fmt: skip


def main():
    figure, ax = plt.subplots(figsize=(5.6, 8.2), layout="constrained")
    y, above = 0.0, None
    for question, aside, lines, on in CHART:
        high = max(LINE * (question.count("\n") + 1) + 0.2, LINE * len(lines) + 0.1)
        y -= high / 2
        own = LINE * (question.count("\n") + 1) + 0.2
        if above is not None:
            arrow(ax, (LEFT, above[0]), (LEFT, y + own / 2 + 0.04))
            ax.text(LEFT + 0.08, (above[0] + y + own / 2) / 2, above[1], fontsize=9.5, va="center")
        box(ax, LEFT, y, 1.46, own, BLUE, PALE_BLUE)
        ax.text(LEFT, y, question, ha="center", va="center", fontsize=10, linespacing=1.2)
        answer(ax, RIGHT, y, lines, 1.96)
        arrow(ax, (LEFT + 0.77, y), (RIGHT - 1.02, y))
        ax.text(1.76, y + 0.06, aside, ha="center", va="bottom", fontsize=9.5, linespacing=1.0)
        above = (y - own / 2 - 0.04, on)
        y -= high / 2 + 0.36
    height = LINE * len(LAST) + 0.1
    y -= height / 2
    arrow(ax, (LEFT, above[0]), (LEFT, y + height / 2 + 0.04))
    ax.text(LEFT + 0.08, (above[0] + y + height / 2) / 2, above[1], fontsize=9.5, va="center")
    answer(ax, 1.03, y, LAST, 1.98)
    ax.set(xlim=(0, 4.02), ylim=(y - height / 2 - 0.08, 0.08), aspect="equal")
    ax.set_axis_off()
    save_and_show(figure, __file__)


if __name__ == "__main__":
    main()
