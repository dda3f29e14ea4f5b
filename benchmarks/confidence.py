"""How often the page is sure of its answers, and how often it is right then.

    OMP_NUM_THREADS=1 python benchmarks/confidence.py --data FOLDER

FOLDER holds ``sketch/<category>/*``, ``photo/<category>/*`` and a split.csv: PACS, or 68 categories
of Sketchy. Some categories are held out, by `zero_shot_split`; a pretrained `DeepSketchHasher`,
with nothing else set, learns from the training sketches and all photos of the others, and those
photos are the gallery.

`Confidence` is calibrated on one half of the test sketches of these categories and measured on the
other half, then the other way round; the halves are the first and the second one of each category,
in the order of the file names, in which sketches of one photo are beside each other. No sketch of a
category held out is calibrated on; all of them are then asked for in a gallery that has no such
photo.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch

import sklearn_dsh
from sklearn_dsh import DeepSketchHasher, SketchImageArray, load_sketch_photo_folder
from sklearn_dsh.comparison._results import Results
from sklearn_dsh.confidence import Confidence
from sklearn_dsh.datasets import zero_shot_split
from sklearn_dsh.gallery import Gallery

PROTOCOLS = {7: "pacs_5_2", 68: "sketchy68_48_20"}
N_BITS = 64
_KEPT = ("gallery", "y_gallery", "values", "y_queries", "is_known")


def compute(data, draw):
    """Codes of the gallery, values of the test sketches and of those of unknown categories."""
    held_out = zero_shot_split(PROTOCOLS[len(data.target_names)], data, draw=draw)
    known, known_photos = (~np.isin(y, held_out) for y in (data.y_sketch, data.y_image))
    train, test = (known & (data.split_sketch == part) for part in ("train", "test"))
    sketches, photos = data.sketches, data.images[known_photos]
    hasher = DeepSketchHasher(N_BITS, architecture="pretrained", random_state=draw)
    hasher.fit(sketches[train], photos, (data.y_sketch[train], data.y_image[known_photos]))
    rows = np.flatnonzero(test)
    rows = np.append(rows[np.argsort(data.sketch_paths[rows])], np.flatnonzero(~known))
    return {
        "gallery": hasher.transform(SketchImageArray(None, photos)),
        "y_gallery": data.y_image[known_photos],
        "values": hasher.project(SketchImageArray(sketches[rows], None)),
        "y_queries": data.y_sketch[rows],
        "is_known": known[rows],
    }


def compute_once(data, draw, folder):
    """What `compute` gives, kept in a folder: a fit takes long, and trying a rule does not."""
    file = None if folder is None else folder / f"{len(data.target_names)}-{draw}.npz"
    if file is not None and file.exists():
        with np.load(file) as held:
            return {name: held[name] for name in _KEPT}
    computed = compute(data, draw)
    if file is not None:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(file, **computed)
    return computed


def halves(labels, known):
    """Two masks of known sketches: the first and the second half of each category."""
    first = np.zeros(len(labels), dtype=bool)
    for category in np.unique(labels[known]):
        rows = np.flatnonzero(known & (labels == category))
        first[rows[: len(rows) // 2]] = True
    return first, known & ~first


def measure(gallery, y_gallery, values, y_queries, is_known):
    """Shares, of both halves together."""
    paths = [""] * len(gallery)
    held = Gallery(gallery, N_BITS, paths, labels=y_gallery.tolist())
    first, second = halves(y_queries, is_known)
    counts = np.zeros(5)
    for calibrated, measured in ((first, second), (second, first)):
        confidence = Confidence.calibrate(held, values[calibrated], y_queries[calibrated])
        sure, right = confidence.measure(held, values[measured], y_queries[measured])
        unknown_sure, _ = confidence.measure(held, values[~is_known], y_queries[~is_known])
        n, n_unknown = measured.sum(), (~is_known).sum()
        n_right = 0 if np.isnan(right) else n * sure * right
        counts += n, n * sure, n_right, n_unknown, n_unknown * (1 - unknown_sure)
    n, n_sure, n_right, n_unknown, n_unsure = counts
    everything = Confidence(-np.inf, 0)
    _, right = everything.measure(held, values[is_known], y_queries[is_known])
    return {
        "sketches": int(n),
        "sure": n_sure / n,
        "right of the sure": n_right / n_sure if n_sure else None,
        "right of all": right,
        "unknown sketches": int(n_unknown / 2),
        "unknown unsure": n_unsure / n_unknown,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--draws", type=int, nargs="+", default=[0])
    parser.add_argument("--output", type=Path, help="a file to which the rows are added")
    parser.add_argument("--keep", type=Path, help="a folder in which codes and values are kept")
    options = parser.parse_args()
    results = Results(options.output) if options.output else None
    data = load_sketch_photo_folder(options.data, size=None)
    for draw in options.draws:
        row = {
            "data": Path(options.data).resolve().name,
            "draw": draw,
            "held out": zero_shot_split(
                PROTOCOLS[len(data.target_names)], data, draw=draw
            ).tolist(),
            "version": sklearn_dsh.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
        } | measure(**compute_once(data, draw, options.keep))
        print(json.dumps(row), flush=True)
        if results:
            results.add(row)


if __name__ == "__main__":
    main()
