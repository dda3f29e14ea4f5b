"""Write the files that later versions must read: models, galleries and checkpoints of this one.

    python tests/data/make_files.py tests/data/0.1

A folder that is there is never written again: what it holds stands for the version that wrote it.
``tests/test_files_of_before.py`` reads all of them.
"""

import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_dsh import (
    CCAHasher,
    CMFHHasher,
    CMSSHHasher,
    CVHHasher,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    HammingRetriever,
    HOGFeatures,
    ITQHasher,
    PerView,
    Pretrained,
    RandomProjectionHasher,
    SCMHasher,
    SDHHasher,
    SePHHasher,
    TorchBackbone,
    ZeroShotHasher,
    make_sketch_photo,
    save_model,
    stack_views,
)
from sklearn_dsh._pipelines import project
from sklearn_dsh.codes import pack_bits
from sklearn_dsh.deep._training import NetworkTrainer
from sklearn_dsh.gallery import Gallery
from sklearn_dsh.views import SketchImageArray

SHORT = {"max_iter": 2, "steps_per_iter": 3, "batch_size": 8, "random_state": 0}


class SmallBackbone(nn.Module):
    """A stranger's network: what a model file does not hold."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 6, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    def forward(self, x):
        return self.layers(x)


def make_small_backbone():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallBackbone()


def backbone():
    return TorchBackbone(make_small_backbone, size=32)


def vectors(n=24):
    """Sketches' and photos' vectors and their categories."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    centres = rng.normal(size=(3, 8))
    return centres[y] + 0.3 * rng.normal(size=(n, 8)), centres[y] + 0.3 * rng.normal(size=(n, 8)), y


def images():
    return make_sketch_photo(n_categories=3, n_sketches=12, n_photos=12, size=32, random_state=0)


def of_view(view, rows):
    """The rows of one view, for a hasher or a Pipeline."""
    return SketchImageArray(*(rows[v] if v == view else None for v in ("sketch", "image")))


def models():
    """Of each kind: a name, and a fitted estimator with the rows of its views."""
    X_sk, X_img, y = vectors()
    rows = {"sketch": X_sk, "image": X_img}
    for hasher in (
        ITQHasher(12, random_state=0), RandomProjectionHasher(12, random_state=0),
        CCAHasher(12, random_state=0), CVHHasher(12), CMFHHasher(12, random_state=0),
        CMSSHHasher(12, random_state=0), SCMHasher(12, random_state=0),
        SDHHasher(12, random_state=0), SePHHasher(12, random_state=0),
        ZeroShotHasher(12, random_state=0), DeepSketchHasher(12, **SHORT),
        DCMHHasher(12, **SHORT), DeepMetricHasher(12, **SHORT),
    ):  # fmt: skip
        yield f"{type(hasher).__name__}", hasher.fit(X_sk, X_img, y), rows
    pipeline = make_pipeline(
        PerView(sketch=StandardScaler(), image=StandardScaler()), CCAHasher(12, random_state=0)
    )
    yield "scaled", pipeline.fit(*stack_views(X_sk, X_img, (y, y))), rows

    data = images()
    rows, labels = {"sketch": data.sketches, "image": data.images}, (data.y_sketch, data.y_image)
    hog = HOGFeatures(image_size=32)
    pipeline = make_pipeline(PerView(sketch=hog, image=hog), CCAHasher(12, random_state=0))
    yield "hog", pipeline.fit(*stack_views(data.sketches, data.images, labels)), rows
    hasher = DeepSketchHasher(12, architecture=Pretrained(backbone(), trained="none"), **SHORT)
    yield "backbone", hasher.fit(data.sketches, data.images, labels), rows


def trained_on(folder):
    """What the checkpoint is of, and its rows: `fit(*rows)` goes on with it."""
    X_sk, X_img, y = vectors()
    return DeepSketchHasher(12, checkpoint_dir=folder, **SHORT), (X_sk, X_img, (y, y))


def leave_checkpoint(folder):
    """Of a fit that is interrupted before its second round; the losses of the first."""
    hasher, rows = trained_on(folder)
    run, calls = NetworkTrainer.run, []

    def run_once(self, *args, **kwargs):
        if calls:
            raise KeyboardInterrupt
        calls.append(run(self, *args, **kwargs))
        return calls[0]

    with mock.patch.object(NetworkTrainer, "run", run_once):
        try:
            hasher.fit(*rows)
        except KeyboardInterrupt:
            return calls[0]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for name, estimator, rows in models():
        save_model(estimator, folder / f"{name}.safetensors")
        values = {f"values_{view}": project(estimator, of_view(view, rows)) for view in rows}
        np.savez_compressed(folder / f"{name}.npz", **rows, **values)
    rng = np.random.default_rng(1)
    codes = pack_bits(rng.integers(0, 2, (20, 12)))
    save_model(HammingRetriever().fit(codes), folder / "retriever.safetensors")
    paths = [f"photo/{i}.jpg" for i in range(20)]
    Gallery(codes, 12, paths, labels=["a", "b"] * 10, model_id="sha256:00").save(folder / "gallery")
    np.save(folder / "codes.npy", codes)
    losses = leave_checkpoint(folder / "checkpoint")
    hasher, rows = trained_on(None)
    codes = hasher.fit(*rows).transform(rows[0], view="sketch")
    np.savez(folder / "checkpoint.npz", losses=losses, codes=codes)


if __name__ == "__main__":
    main()
