"""Draw what the code updates make of random codes: ``python docs/figures/collapse.py``.

Codes only, no networks: the discrete steps of the alternation from random codes, with the paper's
similarity (+1 / -1) and with the centred one. The table that it prints is quoted in the guide.
"""
# ruff: noqa: T201

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _style import BLUE, GREY, ORANGE, save

from sklearn_dsh.deep._alternation import Alternation
from sklearn_dsh.deep._category_codes import code_distances

CASES = ((7, 64), (57, 64), (250, 128))  # categories, bits
SIMILARITIES = {"signed": "+1 / -1, the paper's", "centred": "centred, the default"}
N_SKETCHES, N_PHOTOS, N_ROUNDS = 20, 30, 3  # of a category


def category_codes(n_categories, n_bits, similarity):
    """Codes of the categories after the updates, (n_categories, n_bits) a view."""
    alternation = Alternation(
        {
            "sketch": np.repeat(np.arange(n_categories), N_SKETCHES),
            "image": np.repeat(np.arange(n_categories), N_PHOTOS),
        },
        n_categories,
        n_bits,
        np.eye(n_categories),
        np.random.RandomState(0),
        init_codes="random",
        min_distance=None,
        similarity=similarity,
        quantization_weight=1e-5,
    )
    for _ in range(N_ROUNDS):
        alternation.update()
    return alternation.category_codes()


def main():
    figure, axes = plt.subplots(1, len(CASES), figsize=(9, 3.0), layout="constrained")
    print("categories bits similarity  distinct photo codes  smallest  mean  sketch to photo")
    for ax, (n_categories, n_bits) in zip(axes, CASES, strict=True):
        for (similarity, label), colour in zip(SIMILARITIES.items(), (ORANGE, BLUE), strict=True):
            codes = category_codes(n_categories, n_bits, similarity)
            photos = codes["image"]
            between = code_distances(photos)[np.triu_indices(n_categories, 1)]
            to_photo = (codes["sketch"] != photos).sum(axis=1)
            print(
                f"{n_categories:10} {n_bits:4} {similarity:10}  "
                f"{len(np.unique(photos, axis=0)):20}  {between.min():8}  {between.mean():4.1f}  "
                f"{to_photo.mean():15.1f}"
            )
            edges = np.arange(-2, n_bits + 5, 4)
            share = np.histogram(between, edges)[0] / len(between)
            ax.stairs(share, edges, fill=True, alpha=0.75, color=colour, label=label)
        ax.axvline(n_bits / 2, color=GREY, lw=1, ls=":")
        ax.set_title(f"{n_categories} categories, {n_bits} bits", fontsize=10)
        ax.set(xlabel="bits between two categories", xlim=(-2, n_bits), yticks=[])
        ax.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_ylabel("pairs of categories")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=2, fontsize=9, frameon=False, loc="outside upper center")
    save(figure, Path(__file__).with_suffix(".svg"))


if __name__ == "__main__":
    main()
