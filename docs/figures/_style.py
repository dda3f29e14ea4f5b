"""Colours and file settings that the figures share."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

BLUE, ORANGE, GREEN, RED, GREY = "#2b6cb0", "#dd6b20", "#2f855a", "#c53030", "#718096"
PALE_BLUE, PALE_ORANGE, PALE_GREEN, PALE_GREY = "#ebf4fb", "#fdf0e4", "#e8f5ee", "#f1f4f8"
INK = "#1a202c"

plt.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "svg.fonttype": "path",  # the same everywhere
        "svg.hashsalt": "sklearn-dsh",  # no new file where nothing changed
    }
)


def save(figure, path):
    """Write a figure without a date, so that drawing it again changes nothing."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, dpi=120, facecolor="white", metadata=metadata)


def save_and_show(figure, script):
    """Write the figure of a script beside it, and where the script's argument says, to look at."""
    save(figure, Path(script).with_suffix(".svg"))
    if len(sys.argv) > 1:
        figure.savefig(sys.argv[1], dpi=100, facecolor="white")
