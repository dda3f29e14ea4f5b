"""A small model and gallery of synthetic drawings, for a page that works without any data."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import joblib
from PIL import Image

from .. import __version__
from ..datasets import make_sketch_photo
from ..deep import DeepSketchHasher
from ..gallery import Gallery

N_SAMPLES = 12  # sketches shown below the canvas, of which none was trained on
N_STEPS = 200  # in each of three rounds


def example_folder():
    """Where the example is kept: ``$XDG_CACHE_HOME/sklearn-dsh`` or ``~/.cache/sklearn-dsh``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sklearn-dsh" / f"example-{__version__}"


def ensure_example(*, n_sketches=1040, n_photos=1040, n_steps=N_STEPS):
    """Train on synthetic drawings, unless that was done before.

    Parameters
    ----------
    n_sketches, n_photos : int
        To train on; the photos are the gallery, too.
    n_steps : int
        Gradient steps of each of three rounds.

    Returns
    -------
    folder : Path
        With ``model.joblib``, ``gallery/``, ``photos/`` and ``samples/``.
    """
    folder = example_folder()
    if folder.exists():
        return folder
    sys.stderr.write(
        "No model was given: a small one is trained on synthetic drawings of 13 things, such as "
        f"boats, cups and trees.\nThis takes a minute or two, once; it is kept in {folder}.\n"
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and moved, so that what was interrupted is never taken for complete.
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        _make_example(made, folder, n_sketches, n_photos, n_steps)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _make_example(made, final, n_sketches, n_photos, n_steps):
    data = make_sketch_photo(
        n_categories=13,
        n_sketches=n_sketches + N_SAMPLES,
        n_photos=n_photos,
        size=128,
        random_state=0,
    )
    hasher = DeepSketchHasher(64, max_iter=3, steps_per_iter=n_steps, verbose=1, random_state=0)
    hasher.fit(data.sketches[:n_sketches], data.images, (data.y_sketch[:n_sketches], data.y_image))
    joblib.dump(hasher, made / "model.joblib")
    for name, pictures in (("photos", data.images), ("samples", data.sketches[n_sketches:])):
        (made / name).mkdir()
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(made / name / f"{i:04d}.png")
    paths = [str(final / "photos" / f"{i:04d}.png") for i in range(n_photos)]
    codes = hasher.transform(data.images, view="image")
    Gallery(codes, hasher.n_bits, paths, labels=data.y_image).save(made / "gallery")
