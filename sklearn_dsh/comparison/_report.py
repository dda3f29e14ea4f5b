"""The results of a comparison as Markdown tables and plots."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._validation import view_kind
from ._displays import RetrievalCurveDisplay, draw_found
from ._problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Liu et al. (CVPR 2017), table 2; quoted from memory of the paper: MAP at 32, 64 and 128 bits.
PUBLISHED = {
    "tu_berlin": {
        "DSH": (0.358, 0.521, 0.570),
        "DCMH": (0.274, 0.382, 0.425),
        "SePH": (0.198, 0.270, 0.282),
        "SCM-Orth": (0.217, 0.301, 0.263),
        "SCM-Seq": (0.211, 0.276, 0.332),
        "CVH": (0.214, 0.294, 0.318),
        "CMFH": (0.149, 0.202, 0.180),
        "CMSSH": (0.121, 0.183, 0.175),
    },
    "sketchy": {
        "DSH": (0.653, 0.711, 0.783),
        "DCMH": (0.560, 0.622, 0.656),
        "SePH": (0.534, 0.607, 0.640),
        "SCM-Orth": (0.346, 0.536, 0.616),
        "SCM-Seq": (0.306, 0.417, 0.671),
        "CVH": (0.325, 0.525, 0.624),
        "CMFH": (0.320, 0.490, 0.190),
        "CMSSH": (0.206, 0.211, 0.211),
    },
}
PUBLISHED_BITS = (32, 64, 128)
_MESSAGE = (200, 200)  # characters of a failure's that are shown, of its beginning and its end


def markdown_report(
    rows: Sequence[Mapping[str, Any]], *, published: Literal["tu_berlin", "sketchy"] | None = None
) -> str:
    """Tables of a comparison.

    Parameters
    ----------
    rows : list of dict
        As `compare` gives them.
    published : {"tu_berlin", "sketchy"}, default=None
        The data set whose published figures are shown, in a table of their own.

    Returns
    -------
    text : str

    Raises
    ------
    ValueError
        If there are no published figures of that name.
    """
    if published is not None and published not in PUBLISHED:
        raise ValueError(f"published must be one of {list(PUBLISHED)} or None, got {published!r}.")
    parts = []
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        part = [row for row in rows if row["protocol"] == protocol]
        n_sketches, n_photos, n_queries, n_gallery = part[0]["sizes"]
        parts.append(
            f"Protocol *{protocol}*: {n_sketches} sketches and {n_photos} photos to train on, "
            f"{n_queries} queries, gallery of {n_gallery}."
        )
        k = min(part[0]["k"], n_gallery)
        parts.append(_table(part, {"MAP": "map", f"precision@{k}": "precision"}))
        parts.append(
            _table(
                [
                    row
                    if _has_failed(row)
                    else row | {"gallery_kilobytes": row["bytes_per_photo"] * n_gallery / 1000}
                    for row in part
                ],
                {
                    "us/query encode": "encode_microseconds",
                    "us/query search": "search_microseconds",
                    "gallery kB": "gallery_kilobytes",
                    "fit s": "fit_seconds",
                },
            )
        )
        if any(map(_has_failed, part)):
            parts.append(_failures(part))
        chosen = {row["method"]: row["settings"] for row in part if row.get("settings")}
        if chosen:
            listed = (
                f"{method} {', '.join(f'{name}={value}' for name, value in settings.items())}"
                for method, settings in chosen.items()
            )
            parts.append(f"Chosen on the training data: {'; '.join(listed)}.")
    parts.append(
        "Encoding begins with what a method reads, pixels or features: to extract those is in no "
        "time, nor is the choice of settings in that of fit. The gallery is its codes (of methods "
        "that are not hashed, floats)."
    )
    drawn = dict.fromkeys(row["method"] for row in rows if row.get("draws_pairs"))
    if drawn:
        parts.append(
            f"Pairs drawn within categories (n_pairs by default where none is chosen): "
            f"{', '.join(drawn)}."
        )
    if published is not None:
        heads = ["published MAP, from memory of the paper", *(f"{m} bits" for m in PUBLISHED_BITS)]
        body = [
            [name, *(f"{value:.3f}" for value in values)]
            for name, values in PUBLISHED[published].items()
        ]
        parts.append(format_table([heads, *body]))
    return "\n\n".join(parts) + "\n"


def _table(rows, columns):
    """Methods by figures and lengths; several seeds as mean +- standard deviation.

    Where a method failed there is a dash; of seeds, those that did not fail are the mean.
    """
    lengths = sorted({row["bits"] for row in rows if row["bits"] is not None}) or [None]
    cells = [["method", *(h if m is None else f"{h}, {m} bits" for h in columns for m in lengths)]]
    for method in dict.fromkeys(row["method"] for row in rows):
        line = [method.replace("|", r"\|")]
        for name in columns.values():
            for m in lengths:
                cell = [row for row in rows if row["method"] == method and row["bits"] in (m, None)]
                values = [row[name] for row in cell if not _has_failed(row)]
                line.append("-" if cell and not values else _figure(values, name))
        cells.append(line)
    return format_table(cells)


def _figure(values, name):
    if not values or None in values:
        return ""
    digits = 3 if name in ("map", "precision") else 1
    text = f"{np.mean(values):.{digits}f}"
    if len(values) > 1 and digits == 3:
        text += f" +- {np.std(values, ddof=1):.3f}"
    return text


def _has_failed(row):
    return "error" in row


def _failures(rows):
    """What failed, a line a method and reason, and where."""
    where = {}
    for row in filter(_has_failed, rows):
        cell = [] if row["bits"] is None else [f"{row['bits']} bits"]
        cell += [f"seed {row['seed']}"] if row["seed"] else []
        where.setdefault((row["method"], row["error"]), []).append(" ".join(cell))
    lines = [
        f"* {method}{f' ({cells})' if (cells := ', '.join(filter(None, found))) else ''}: "
        f"{_shortened(error)}"
        for (method, error), found in where.items()
    ]
    return "\n".join(["Failed (-); the next run tries it again:", "", *lines])


def _shortened(text):
    """Beginning and end of a long message: scikit-learn's name the cause last."""
    begin, end = _MESSAGE
    return text if len(text) <= begin + end else f"{text[:begin]} ... {text[-end:]}"


def format_table(cells):
    """Rows of str, the first of which is the head, as Markdown that reads well in a terminal."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = [":" + "-" * (widths[0] - 1)] + ["-" * (width - 1) + ":" for width in widths[1:]]
    lines = [
        [row[0].ljust(widths[0])]
        + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        for row in cells
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])


def plot_comparison(rows: Sequence[Mapping[str, Any]], *, n_bits: int = 64) -> "Figure":
    """Precision over recall, precision at k, and MAP over the length of the codes.

    Parameters
    ----------
    rows : list of dict
        As `compare` gives them; those that failed are left out.
    n_bits : int, default=64
        Length whose curves are drawn.

    Returns
    -------
    figure : matplotlib Figure
        One row of plots a protocol.
    """
    from matplotlib.figure import Figure  # an optional dependency

    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    figure = Figure(figsize=(15, 4.2 * len(protocols)), layout="constrained")
    grid = figure.subplots(len(protocols), 3, squeeze=False)
    styles = {
        method: {"color": f"C{i % 10}", "linestyle": "-" if i < 10 else "--"}
        for i, method in enumerate(dict.fromkeys(row["method"] for row in rows))
    }
    for axes, protocol in zip(grid, protocols, strict=True):
        part = [row for row in rows if row["protocol"] == protocol and not _has_failed(row)]
        for ax, kind in zip(axes, ("precision_recall", "precision_at_k"), strict=False):
            for row in part:
                if row["bits"] in (n_bits, None) and kind in row:
                    display = RetrievalCurveDisplay(*map(np.array, row[kind]), kind=kind)
                    display.plot(ax, **styles[row["method"]])
            ax.set_title(f"{protocol}: {n_bits} bits")
        for method, style in styles.items():
            _plot_lengths(axes[2], [row for row in part if row["method"] == method], method, style)
        axes[2].set(title=f"{protocol}: all lengths", ylim=(0, 1.02))
        axes[2].set(xlabel="bits", ylabel="mean average precision")
        if axes[2].get_legend_handles_labels()[0]:
            axes[2].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def plot_cell(row: Mapping[str, Any], problem: Problem) -> "Figure":
    """Some queries, and the photos that a method of a comparison retrieved for them.

    Parameters
    ----------
    row : dict
        As `compare` gives them, of seed 0: others have no photos written down.
    problem : Problem
        That of the row, from `make_problem`.

    Returns
    -------
    figure : matplotlib Figure
        As that of `plot_retrieved`: right photos framed green, wrong ones red, with distances.

    Raises
    ------
    ValueError
        If the method failed, or the problem is of vectors, which are no pictures.
    """
    length = "" if row["bits"] is None else f", {row['bits']} bits"
    if _has_failed(row):
        raise ValueError(
            f"{row['method']}{length} ({row['protocol']}) failed and found nothing to draw: "
            f"{row['error']}"
        )
    if view_kind(problem.queries) == "features":
        raise ValueError(
            "The problem is of feature vectors, which are no pictures: plot_retrieved draws the "
            "images or files that they stand for, with codes of your own."
        )
    shown = row["retrieved"]
    queries = shown["queries"]
    return draw_found(
        problem.queries[queries], problem.y_query[queries], problem.gallery, problem.y_gallery,
        shown["found"], shown["distances"], f"{row['method']}{length} ({row['protocol']})",
    )  # fmt: skip


def _plot_lengths(ax, rows, method, style):
    lengths = sorted({row["bits"] for row in rows if row["bits"] is not None})
    means = [np.mean([row["map"] for row in rows if row["bits"] == m]) for m in lengths]
    if lengths:
        marker = "o" if style["linestyle"] == "-" else "s"
        ax.plot(lengths, means, marker=marker, label=method, **style)
        ax.set_xscale("log", base=2)
        ax.set_xticks(lengths, lengths)
    elif rows:
        ax.axhline(rows[0]["map"], label=method, **style)
