"""How well contours of photos agree with people's: learned sketch tokens against gradients.

    python benchmarks/contours.py --data bsds

`--data` is a folder ``{train,test}/{image,contour}/<name>`` of photos and of contour maps, the
mean over some annotators. The ground truth is where at least 0.4 of them drew a contour, thinned.

A pixel of a method's thinned contours is right if it is matched, one to one, with a pixel of the
ground truth at most 0.0075 of the photo's diagonal away; as many as possible are matched. F is the
harmonic mean of precision and recall over all photos together.

* ODS: F at the one threshold that is best on the test photos, the same for all of them;
* OIS: F when each test photo has its own best threshold;
* AP: mean precision over recalls from 0 to 1;
* F at the threshold that is best on a quarter of the training photos, which is what can be known
  before the test photos are seen. There, the tokenizer is one that learned from the other three.

The smoothing of EdgeTokens, Sobel and Canny, and the ratio of Canny's thresholds, are also chosen
on that quarter. Nothing is chosen on the test photos but the (high) threshold for ODS and OIS.
"""

import argparse
import platform
import time
from itertools import product
from pathlib import Path

import numpy as np
import scipy
import skimage
import sklearn
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import KDTree
from skimage.color import rgb2gray
from skimage.feature import canny
from skimage.filters import sobel
from skimage.morphology import skeletonize

from sklearn_dsh.preprocessing import EdgeTokens, SketchTokenizer
from sklearn_dsh.preprocessing._thinning import line_ridges

LEVEL = 102  # of 255: 0.4 of the annotators
TOLERANCE = 0.0075
SHARES = np.linspace(0.04, 0.96, 24)  # of a strength between 0 and 1
SIGMAS = (1, 1.5, 2, 3)
SOBEL_THRESHOLDS = np.geomspace(0.004, 0.3, 24)
CANNY_LOW = (0.2, 0.4, 0.7)  # of the high threshold
CANNY_HIGH = np.geomspace(0.03, 0.6, 16)


def count_matches(found, truth, distance):
    """Most pixels of two maps that can be paired one to one, at most `distance` apart.

    Parameters
    ----------
    found, truth : ndarray of bool, shape (height, width)
    distance : float
        In pixels.

    Returns
    -------
    n_pairs : int
    """
    found, truth = np.argwhere(found), np.argwhere(truth)
    if not len(found) or not len(truth):
        return 0
    near = KDTree(found).sparse_distance_matrix(
        KDTree(truth), distance + 1e-9, output_type="coo_matrix"
    )
    # Pixels in the same place are 0 apart, which a sparse matrix would not hold.
    graph = csr_array(
        (np.ones(near.nnz, dtype=bool), (near.row, near.col)), shape=(len(found), len(truth))
    )
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())


def strokes(strength, thresholds):
    """Thinned maps of bool, (n_thresholds, height, width), from soft bands."""
    ridges = strength * line_ridges(strength)
    return ridges >= thresholds[:, None, None]


def draw_canny(sigma, low):
    return lambda photo: np.stack(
        [canny(rgb2gray(photo), sigma, low * high, high) for high in CANNY_HIGH]
    )


def draw_sobel(sigma):
    return lambda photo: strokes(sobel(gaussian_filter(rgb2gray(photo), sigma)), SOBEL_THRESHOLDS)


def draw_edges(sigma):
    edges = EdgeTokens(sigma=sigma, thinning=0)
    return lambda photo: strokes(1 - edges.transform(photo[None])[0] / np.float32(255), SHARES)


def draw_tokens(tokenizer):
    return lambda photo: (
        tokenizer.contour_probability(photo[None], thinned=True) >= SHARES[:, None, None]
    )


def count(draw, photos, truths):
    """Pixels paired, found and in the truth: (n_photos, n_thresholds, 3)."""
    counts = []
    for photo, truth in zip(photos, truths, strict=True):
        distance = TOLERANCE * np.hypot(*truth.shape)
        counts.append(
            [
                (count_matches(found, truth, distance), found.sum(), truth.sum())
                for found in draw(photo)
            ]
        )
    return np.array(counts)


def f_measure(counts):
    """F, with precision and recall, of counts of shape (..., 3)."""
    paired, found, truth = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    precision = paired / np.maximum(found, 1)
    recall = paired / np.maximum(truth, 1)
    return 2 * paired / np.maximum(found + truth, 1), precision, recall


def summary(counts):
    """ODS, OIS and AP of counts of shape (n_photos, n_thresholds, 3)."""
    f, precision, recall = f_measure(counts.sum(axis=0))
    best = f_measure(counts)[0].argmax(axis=1)
    ois = f_measure(counts[np.arange(len(counts)), best].sum(axis=0))[0]
    order = np.argsort(recall)
    levels = np.linspace(0, 1, 101)
    ap = np.interp(levels, recall[order], precision[order], right=0).mean()
    return {"ODS": f.max(), "OIS": float(ois), "AP": ap}


def load(folder):
    """Photos and contour maps of ``folder/{image,contour}``, and the truth, thinned."""
    contours = sorted((folder / "contour").glob("*.png"))
    if not contours:
        raise SystemExit(f"Found no contour maps under {folder / 'contour'}.")
    photos = [next((folder / "image").glob(f"{path.stem}.*")) for path in contours]
    photos, contours = ([np.asarray(Image.open(p)) for p in paths] for paths in (photos, contours))
    return photos, contours, [skeletonize(contour >= LEVEL) for contour in contours]


def best_setting(draws, photos, truths):
    """The setting whose best F is highest, its drawing function, that F and its threshold."""
    results = []
    for setting, draw in draws.items():
        f = f_measure(count(draw, photos, truths).sum(axis=0))[0]
        results.append((f.max(), setting, int(f.argmax())))
    f, setting, threshold = max(results)
    return setting, draws[setting], f, threshold


def milliseconds_per_photo(tokenizer, photos):
    """Drawing a photo of 128 x 128 on one thread: median over photos of the best of 5 calls.

    Seconds are the processor's, so that what else runs on the machine counts less.
    """
    tokenizer.set_params(n_jobs=1)
    best = []
    for photo in photos:
        crop = np.ascontiguousarray(photo[None, :128, :128])
        seconds = []
        for _ in range(5):
            started = time.thread_time()
            tokenizer.transform(crop)
            seconds.append(time.thread_time() - started)
        best.append(min(seconds))
    return 1000 * np.median(best)


def show(path, photos, contours, drawings):
    """Write a picture of photos, of what people drew, and of each method's drawing."""
    from matplotlib.figure import Figure

    columns = {"photo": photos, "people": [255 - contour for contour in contours], **drawings}
    figure = Figure(figsize=(2.6 * len(columns), 1.8 * len(photos)), layout="constrained")
    axes = figure.subplots(len(photos), len(columns), squeeze=False)
    for (title, images), column in zip(columns.items(), axes.T, strict=True):
        column[0].set_title(title)
        for image, axis in zip(images, column, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.axis("off")
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=None, help="threads")
    parser.add_argument("--picture", type=Path, default=Path("contours.png"))
    options = parser.parse_args()

    photos, contours, truths = load(options.data / "train")
    order = np.random.RandomState(options.seed).permutation(len(photos))
    kept, learned = np.split(order, [len(photos) // 4])
    kept_photos, kept_truths = [photos[i] for i in kept], [truths[i] for i in kept]
    test_photos, test_contours, test_truths = load(options.data / "test")
    print(
        f"{len(photos)} training photos, {len(kept)} of them to choose settings on, "
        f"{len(test_photos)} test photos; seed {options.seed}; Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-image {skimage.__version__}, "
        f"scikit-learn {sklearn.__version__}",
        flush=True,
    )

    def learn(rows):
        tokenizer = SketchTokenizer(random_state=options.seed, n_jobs=options.jobs)
        started = time.perf_counter()
        tokenizer.fit([photos[i] for i in rows], [contours[i] for i in rows])
        seconds = time.perf_counter() - started
        nodes = len(tokenizer.forest_["values"])
        print(f"{len(rows)} photos learned in {seconds:.0f} s: {nodes:,} nodes", flush=True)
        return tokenizer

    draws = {
        "SketchTokenizer": {"default": draw_tokens(learn(learned))},
        "EdgeTokens": {f"sigma {sigma}": draw_edges(sigma) for sigma in SIGMAS},
        "Sobel": {f"sigma {sigma}": draw_sobel(sigma) for sigma in SIGMAS},
        "Canny": {
            f"sigma {sigma}, low {low} high": draw_canny(sigma, low)
            for sigma, low in product(SIGMAS, CANNY_LOW)
        },
    }
    chosen = {name: best_setting(d, kept_photos, kept_truths) for name, d in draws.items()}
    tokenizer = learn(range(len(photos)))

    print(
        f"\n{'':16} {'setting':22} {'F, choosing':>11}   "
        f"{'ODS':>5} {'(P':>5} {'R)':>5} {'OIS':>5} {'AP':>5}   {'F':>5} {'(P':>5} {'R)':>5}"
    )
    for name, (setting, draw, f_choosing, threshold) in chosen.items():
        if name == "SketchTokenizer":
            draw = draw_tokens(tokenizer)
        counts = count(draw, test_photos, test_truths)
        f, precision, recall = f_measure(counts.sum(axis=0))
        ods = summary(counts)
        cells = [ods["ODS"], precision[f.argmax()], recall[f.argmax()], ods["OIS"], ods["AP"]]
        cells += [f[threshold], precision[threshold], recall[threshold]]
        numbers = " ".join(f"{value:5.3f}" for value in cells[:5])
        numbers += "   " + " ".join(f"{value:5.3f}" for value in cells[5:])
        print(f"{name:16} {setting:22} {f_choosing:11.3f}   {numbers}", flush=True)
    print("The last three columns: at the threshold that was best where settings were chosen.\n")
    print(f"128 x 128 photo: {milliseconds_per_photo(tokenizer, test_photos):.1f} ms of one core")

    some = test_photos[:: len(test_photos) // 5][:5]
    drawings = {
        "SketchTokenizer": [tokenizer.transform(photo[None])[0] for photo in some],
        "EdgeTokens": [EdgeTokens().transform(photo[None])[0] for photo in some],
    }
    for name in ("Sobel", "Canny"):
        _, draw, _, threshold = chosen[name]
        drawings[f"{name}, best threshold"] = [255 * ~draw(photo)[threshold] for photo in some]
    show(options.picture, some, test_contours[:: len(test_photos) // 5][:5], drawings)


if __name__ == "__main__":
    main()
