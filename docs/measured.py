"""Figures of the page of methods, out of the rows that the benchmarks left."""

import json
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def measured(text, results=RESULTS):
    """The figure that ``what: method`` or ``what: method @ folder`` stands for.

    All are of 64 bits under *unseen*: "fit" and "encode" are the fewest seconds and microseconds
    of the seeds (other work may have run beside the others), "mAP" is their mean. The folder is
    that of ``benchmarks/results`` whose ``results.jsonl`` is read, "pacs" if none is named; or it
    is a file there, ``folder/name.jsonl``.
    """
    what, _, rest = text.partition(": ")
    method, _, folder = rest.partition(" @ ")
    path = results / (folder or "pacs")
    path = path if path.suffix == ".jsonl" else path / "results.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [
        row
        for row in map(json.loads, filter(str.strip, lines))
        if row.get("method") == method
        and row["bits"] == 64
        and row.get("protocol", "unseen") == "unseen"
        and "error" not in row
    ]
    if not found:
        raise LookupError(f"{path} has no row of {method!r} at 64 bits under 'unseen'")
    if what == "fit":
        return _short(min(row["fit_seconds"] for row in found), " s")
    if what == "encode":
        return _short(min(row["encode_microseconds"] for row in found), " \N{MICRO SIGN}s")
    if what == "mAP":
        return f"{sum(row['map'] for row in found) / len(found):.3f}"
    raise LookupError(f"{what!r} is neither 'fit' nor 'encode' nor 'mAP'")


def _short(value, unit):
    if value < 0.05:
        return f"under 0.1{unit}"
    return f"{value:,.1f}{unit}" if value < 10 and unit == " s" else f"{value:,.0f}{unit}"
