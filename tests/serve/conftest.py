"""A small model that tells circles from crosses, and a gallery of photo files."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.pipeline import Pipeline

from sklearn_dsh import CCAHasher, HOGFeatures, PerView, SketchImageArray, stack_views
from sklearn_dsh.gallery import Gallery

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
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
def draw_sign():
    return draw


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


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(fitted_hasher, gallery, sketches):
    """Of a page that knows nothing of being sure."""
    from page_in_browser import served

    from sklearn_dsh.serve import create_app

    with served(create_app(fitted_hasher, gallery, n_results=8, samples=sketches[:12])) as address:
        yield address


@pytest.fixture
def open_page(browser, address):
    """Open the page; afterwards, no foreign request and no error must have been."""
    contexts, requests, errors, addresses = [], [], [], [address]

    def open_page(viewport=None, *, at=address, **options):
        context = browser.new_context(
            viewport=viewport or {"width": 1280, "height": 800}, **options
        )
        contexts.append(context)
        addresses.append(at)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(at)
        # The gallery comes last: from here on the page is ready.
        page.locator("#photos li").first.wait_for()
        return page

    open_page.errors = errors
    yield open_page
    for context in contexts:
        context.close()
    assert requests
    assert [url for url in requests if not url.startswith((*addresses, "blob:"))] == []
    assert errors == []
