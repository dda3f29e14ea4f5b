"""A small model and gallery of synthetic drawings, for a page that works without any data."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from .. import __version__
from .._progress import Progress
from ..datasets import make_sketch_photo
from ..deep import DeepSketchHasher
from ..gallery import Gallery
from ..model_files import save_model

MODEL = "model.safetensors"
SKETCHES = "sketches"  # folder of those that are not trained on
_FORMAT = 3  # another one for other files: an older example is not taken for a new one
N_STEPS = 200  # in each of three rounds


def example_folder():
    """Where the example is kept: ``$XDG_CACHE_HOME/sklearn-dsh`` or ``~/.cache/sklearn-dsh``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sklearn-dsh" / f"example-{_FORMAT}-{__version__}"


def ensure_example(
    *, n_sketches=1040, n_photos=1040, n_held_out=260, n_steps=N_STEPS, device=None, quiet=False
):
    """Train on synthetic drawings, unless that was done before.

    Parameters
    ----------
    n_sketches, n_photos : int
        To train on; the photos are the gallery, too.
    n_held_out : int
        Further sketches, to start from and to calibrate on.
    n_steps : int
        Gradient steps of each of three rounds.
    device : str or None
        Where to train; None: "auto".
    quiet : bool
        Whether to show no progress.

    Returns
    -------
    folder : Path
        With ``model.safetensors``, ``gallery/``, ``photos/`` and ``sketches/<category>/``.
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
        _make_example(made, folder, n_sketches, n_photos, n_held_out, n_steps, device, quiet)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _make_example(made, final, n_sketches, n_photos, n_held_out, n_steps, device, quiet):
    with Progress(desc="Making drawings", disable=quiet):
        data = make_sketch_photo(
            n_categories=13,
            n_sketches=n_sketches + n_held_out,
            n_photos=n_photos,
            size=128,
            random_state=0,
        )
    hasher = DeepSketchHasher(
        64, max_iter=3, steps_per_iter=n_steps, device=device or "auto", verbose=not quiet,
        random_state=0,
    )  # fmt: skip
    hasher.fit(data.sketches[:n_sketches], data.images, (data.y_sketch[:n_sketches], data.y_image))
    save_model(hasher.set_params(device="auto"), made / MODEL)
    (made / "photos").mkdir()
    # Photos have names as in anybody's folder: of what they show, and counted.
    names = [f"{label}_{i:04d}.png" for i, label in enumerate(data.y_image)]
    for name, photo in zip(names, data.images, strict=True):
        Image.fromarray(photo).save(made / "photos" / name)
    for i in range(n_sketches, n_sketches + n_held_out):
        category = made / SKETCHES / data.y_sketch[i]
        category.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.sketches[i]).save(category / f"{i:04d}.png")
    paths = [str(final / "photos" / name) for name in names]
    with Progress(desc="Encoding photos", disable=quiet):
        codes = hasher.transform(data.images, view="image")
    Gallery(codes, hasher.n_bits, paths, labels=data.y_image).save(made / "gallery")
