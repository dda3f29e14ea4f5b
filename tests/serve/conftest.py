"""A small model that tells circles from crosses, and a gallery of photo files."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.pipeline import Pipeline

from sklearn_dsh import CCAHasher, HOGFeatures, PerView, SketchImageArray, stack_views
from sklearn_dsh.gallery import Gallery

N_PHOTOS = 40  # photos, of which one half shows circles


def draw(label, rng, *, colours=((255, 255, 255), (0, 0, 0))):
    """A circle or a cross of random place and size: uint8 (64, 64, 3)."""
    ground, ink = colours
    picture = Image.new("RGB", (192, 192), ground)
    painter = ImageDraw.Draw(picture)
    (x, y), r = rng.uniform(86, 106, 2), rng.uniform(55, 80)
    if label == "circle":
        painter.ellipse((x - r, y - r, x + r, y + r), outline=ink, width=8)
    else:
        painter.line((x - r, y - r, x + r, y + r), fill=ink, width=8)
        painter.line((x - r, y + r, x + r, y - r), fill=ink, width=8)
    return np.asarray(picture.resize((64, 64), Image.Resampling.BOX))


@pytest.fixture(scope="session")
def labels():
    return np.array(["circle", "cross"] * (N_PHOTOS // 2))


@pytest.fixture(scope="session")
def sketches(labels):
    rng = np.random.default_rng(0)
    return np.stack([draw(label, rng)[..., 0] for label in labels])


@pytest.fixture(scope="session")
def photos(labels):
    rng = np.random.default_rng(1)
    drawn = []
    for label in labels:
        ground, ink = rng.integers(150, 256, 3), rng.integers(0, 100, 3)
        drawn.append(draw(label, rng, colours=(tuple(ground.tolist()), tuple(ink.tolist()))))
    return np.stack(drawn)


@pytest.fixture(scope="session")
def fitted_hasher(sketches, photos, labels):
    hog = PerView(sketch=HOGFeatures(), image=HOGFeatures())
    pipeline = Pipeline([("hog", hog), ("cca", CCAHasher(32, random_state=0))])
    return pipeline.fit(*stack_views(sketches, photos, (labels, labels)))


@pytest.fixture(scope="session")
def gallery(fitted_hasher, photos, labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    paths = [str(folder / f"{i}.png") for i in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        Image.fromarray(photo).save(path)
    codes = fitted_hasher.transform(SketchImageArray(None, photos))
    return Gallery(codes, 32, paths, labels=labels)
