"""The server: right answers, and no upload that stops it."""

import inspect
import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from bad_uploads import BAD_UPLOADS, DRAWING, to_bytes
from PIL import Image

from sklearn_dsh import Compact, DeepSketchHasher, ITQHasher, SketchImageArray
from sklearn_dsh.gallery import Gallery

pytest.importorskip("starlette", reason="the page needs Starlette and uvicorn")
TestClient = pytest.importorskip("starlette.testclient", reason="needs httpx").TestClient

from sklearn_dsh.serve import create_app  # noqa: E402
from sklearn_dsh.serve._images import to_sketch  # noqa: E402
from sklearn_dsh.serve._uploads import MAX_BYTES  # noqa: E402

BASE = "http://127.0.0.1:8000"
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def app(fitted_hasher, gallery, sketches):
    return create_app(fitted_hasher, gallery, n_results=7, samples=sketches[:2])


@pytest.fixture
def client(app):
    return TestClient(app, base_url=BASE)


def search(client, body, content_type="image/png"):
    return client.post("/search", content=body, headers={"Content-Type": content_type})


def assert_still_serves(client, sketches):
    assert search(client, to_bytes(sketches[0])).status_code == 200


def assert_refused(response, status, text):
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert text in response.json()["error"]


# What is found


@pytest.mark.parametrize("i", [0, 1, 6])
def test_search_is_hasher_and_gallery(i, client, fitted_hasher, gallery, sketches):
    answer = search(client, to_bytes(sketches[i])).json()
    drawn = SketchImageArray(to_sketch(sketches[i], (256, 256)), None)
    codes = fitted_hasher.transform(drawn)
    # By brute force, with the promised order: distance, then place in the gallery.
    differing = np.unpackbits(codes ^ gallery.codes, axis=1).sum(axis=1)
    nearest = np.lexsort((np.arange(len(differing)), differing))[:7]
    assert [r["index"] for r in answer["results"]] == nearest.tolist()
    assert [r["distance"] for r in answer["results"]] == differing[nearest].tolist()
    assert [r["label"] for r in answer["results"]] == [gallery.labels[i] for i in nearest]
    assert answer["n_bits"] == 32
    assert {"read_ms", "encode_ms", "search_ms"} < set(answer)


def test_the_drawn_category_is_found(client, sketches, labels):
    for sketch, label in zip(sketches[:6], labels, strict=False):
        found = [r["label"] for r in search(client, to_bytes(sketch)).json()["results"]]
        assert found.count(label) >= 6


def test_urls_of_results_are_their_photos(client, sketches, photos):
    result = search(client, to_bytes(sketches[0])).json()["results"][0]
    response = client.get(result["url"])
    assert response.headers["content-type"] == "image/jpeg"
    assert "max-age" in response.headers["cache-control"]
    thumbnail = np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB"), dtype=int)
    difference = np.abs(thumbnail - photos[result["index"]].astype(int)).mean()
    others = [np.abs(thumbnail - photo.astype(int)).mean() for photo in photos]
    assert difference == min(others)


def test_large_photos_become_thumbnails(fitted_hasher, gallery, tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (1000, 500), "red").save(path)
    large = Gallery(gallery.codes[:1], 32, [str(path)])
    client = TestClient(create_app(fitted_hasher, large), base_url="http://localhost")
    with Image.open(io.BytesIO(client.get("/photo/0").content)) as thumbnail:
        assert thumbnail.size == (256, 128)


def test_gallery_without_labels_and_smaller_than_n_results(fitted_hasher, gallery, sketches):
    app = create_app(fitted_hasher, Gallery(gallery.codes[:3], 32, gallery.paths[:3]))
    client = TestClient(app, base_url="http://localhost")
    results = search(client, to_bytes(sketches[0])).json()["results"]
    assert len(results) == 3
    assert {r["label"] for r in results} == {None}


def test_large_photos(fitted_hasher, gallery, tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (3000, 1500), "red").save(path)
    large = Gallery(gallery.codes[:1], 32, [str(path)])
    client = TestClient(create_app(fitted_hasher, large), base_url="http://localhost")
    result = client.get("/gallery").json()["results"][0]
    assert (result["name"], result["distance"]) == ("large.png", None)
    with Image.open(io.BytesIO(client.get(result["large_url"]).content)) as photo:
        assert photo.size == (1280, 640)


@pytest.mark.parametrize(
    "address",
    ["/photo/40", "/photo/-1", "/photo/abc", "/photo/../conftest.py", f"/photo/{'9' * 5000}"],
)
def test_photos_only_by_index(address, client):
    assert_refused(client.get(address), 404, "")


def test_labels_that_are_no_text_in_utf8(fitted_hasher, gallery, sketches):
    app = create_app(fitted_hasher, Gallery(gallery.codes[:1], 32, ["a.png"], ["stra\udcdfe"]))
    answer = search(TestClient(app, base_url="http://localhost"), to_bytes(sketches[0])).json()
    assert [result["label"] for result in answer["results"]] == ["stra?e"]


def test_photo_that_is_gone(fitted_hasher, gallery, tmp_path):
    secret = tmp_path / "gone.png"
    app = create_app(fitted_hasher, Gallery(gallery.codes[:1], 32, [str(secret)]))
    response = TestClient(app, base_url="http://localhost").get("/photo/0")
    assert_refused(response, 404, "photo 0 cannot be read")
    assert str(tmp_path) not in response.text


def test_samples(client, sketches):
    addresses = client.get("/samples").json()
    assert len(addresses) == 2
    for address, sketch in zip(addresses, sketches, strict=False):
        sample = Image.open(io.BytesIO(client.get(address).content))
        np.testing.assert_array_equal(np.asarray(sample), sketch)
    assert_refused(client.get("/sample/2"), 404, "no sample 2")


def test_samples_from_files(fitted_hasher, gallery, tmp_path):
    Image.new("L", (40, 40), 7).save(tmp_path / "sketch.png")
    app = create_app(fitted_hasher, gallery, samples=[tmp_path / "sketch.png"])
    client = TestClient(app, base_url="http://localhost")
    sample = Image.open(io.BytesIO(client.get("/sample/0").content))
    assert (np.asarray(sample) == 7).all()


def test_page_and_health(client):
    page = client.get("/")
    assert "<canvas" in page.text
    for address in ("static/page.js", "static/page.css", "static/icon.svg"):
        assert f'"{address}"' in page.text
        assert client.get(address).status_code == 200
    health = client.get("/health").json()
    assert health == {
        "status": "ok",
        "n_photos": 40,
        "n_bits": 32,
        "max_bytes": MAX_BYTES,
        "title": "Find photos by drawing them",
    }


# What is refused


@pytest.mark.parametrize("name", BAD_UPLOADS)
def test_bad_upload(name, client, sketches):
    body, content_type, status, text = BAD_UPLOADS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(search(client, body, content_type), status, text)
    assert_still_serves(client, sketches)


@pytest.mark.parametrize("n_megabytes", [20, 90])
def test_endless_upload_without_a_length(n_megabytes, client, sketches):
    sent = []

    def pieces():
        for _ in range(n_megabytes):
            sent.append(1_000_000)
            yield bytes(1_000_000)

    response = search(client, pieces())
    assert "content-length" not in response.request.headers
    assert_refused(response, 413, "larger than 4 MB")
    assert_still_serves(client, sketches)


def test_a_length_that_is_too_large_is_refused_unread(client, sketches):
    headers = {**PNG, "Content-Length": str(10**12)}
    assert_refused(client.post("/search", content=b"x", headers=headers), 413, "larger than 4 MB")
    assert_still_serves(client, sketches)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_wrong_method(method, client, sketches):
    assert_refused(client.request(method, "/search"), 405, "Method Not Allowed")
    assert_still_serves(client, sketches)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_other_names_for_this_machine(host, client, sketches):
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert_still_serves(client, sketches)


def test_a_failure_is_told_and_survived(fitted_hasher, gallery, sketches, monkeypatch):
    app = create_app(fitted_hasher, gallery)
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    with monkeypatch.context() as broken:
        broken.setattr(Gallery, "search", lambda *args: 1 / 0)
        response = search(client, to_bytes(sketches[0]))
    assert_refused(response, 500, "server's log")
    assert_still_serves(client, sketches)


def test_refusals_take_no_threads(app):
    """Starlette calls a handler that is a plain function in one of 40 threads."""
    assert all(map(inspect.iscoroutinefunction, app.exception_handlers.values()))


# What is taken


def same_drawing_as(kind):
    """A drawing of dark strokes on white, written in another way."""
    grey = Image.fromarray(DRAWING).resize((256, 256), Image.Resampling.NEAREST)
    alpha = Image.merge("LA", (Image.new("L", grey.size), Image.eval(grey, lambda v: 255 - v)))
    frames = {"save_all": True, "append_images": [Image.new("L", grey.size)]}
    return {
        "jpeg": lambda: to_bytes(grey, "JPEG", quality=95),
        "cmyk": lambda: to_bytes(grey.convert("CMYK"), "JPEG", quality=95),
        "transparent": lambda: to_bytes(alpha, "PNG"),
        "palette": lambda: to_bytes(grey.convert("P"), "PNG"),
        "16 bits": lambda: to_bytes(np.asarray(grey).astype(np.uint16) * 257, "PNG"),
        "webp": lambda: to_bytes(grey, "WEBP", lossless=True),
        "animated gif": lambda: to_bytes(grey, "GIF", **frames),
        "animated png": lambda: to_bytes(grey, "PNG", **frames),
        "white on black": lambda: to_bytes(Image.eval(grey, lambda v: 255 - v), "PNG"),
        "turned by its EXIF": lambda: _turned(grey),
    }[kind]()


def _turned(grey):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return to_bytes(grey.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


@pytest.mark.parametrize(
    "kind",
    [
        "jpeg",
        "cmyk",
        "transparent",
        "palette",
        "16 bits",
        "webp",
        "animated gif",
        "animated png",
        "white on black",
        "turned by its EXIF",
    ],
)
def test_kinds_of_pictures(kind, client):
    plain = Image.fromarray(DRAWING).resize((256, 256), Image.Resampling.NEAREST)
    expected = search(client, to_bytes(plain)).json()["results"]
    response = search(client, same_drawing_as(kind), "image/whatever")
    assert response.status_code == 200
    assert response.json()["results"] == expected


# Hasher and gallery that do not go together


def test_other_code_length(fitted_hasher, gallery):
    other = Gallery(gallery.codes[:, :2], 16, gallery.paths)
    with pytest.raises(ValueError, match=r"codes of 32 bits and the gallery holds codes of 16"):
        create_app(fitted_hasher, other)


def test_empty_gallery(fitted_hasher, gallery):
    class Empty:
        n_bits, labels, paths = 32, None, ()

        def __len__(self):
            return 0

    with pytest.raises(ValueError, match="The gallery is empty"):
        create_app(fitted_hasher, Empty())


@pytest.mark.parametrize("hasher", [ITQHasher(32), {"weights": 1}])
def test_no_fitted_hasher(hasher, gallery):
    with pytest.raises(ValueError, match="is no fitted hasher"):
        create_app(hasher, gallery)


def test_hasher_of_photos_only(gallery):
    features = np.random.default_rng(0).normal(size=(50, 40))
    hasher = ITQHasher(32, random_state=0).fit(SketchImageArray(None, features))
    with pytest.raises(ValueError, match="fitted on photos only"):
        create_app(hasher, gallery)


def test_samples_that_are_no_sketches(fitted_hasher, gallery, photos):
    with pytest.raises(ValueError, match=r"samples of shape \(40, 64, 64, 3\)"):
        create_app(fitted_hasher, gallery, samples=photos)


def test_many_threads_get_the_answers_of_one(app, client, sketches):
    # Entered, the client has one event loop for all threads, as a server has.
    entered = TestClient(app, base_url="http://localhost")
    with entered, ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda s: search(entered, to_bytes(s)).json(), sketches[:24]))
    for answer, sketch in zip(together, sketches, strict=False):
        assert answer["results"] == search(client, to_bytes(sketch)).json()["results"]


def deep_app(polarity, sketches, photos, labels, gallery):
    hasher = DeepSketchHasher(
        32, architecture=Compact(64, polarity=polarity), max_iter=1, steps_per_iter=2,
        random_state=0,
    )  # fmt: skip
    hasher.fit(sketches, photos, (labels, labels))
    return create_app(hasher, gallery, n_results=8)


def test_a_drawing_is_given_as_the_hasher_knows_sketches(sketches, photos, labels, gallery):
    """The page draws dark on white, whatever the strokes were that a hasher learned from."""
    dark = deep_app("dark", sketches, photos, labels, gallery)
    bright = deep_app("bright", 255 - sketches, photos, labels, gallery)
    auto = deep_app("auto", 255 - sketches, photos, labels, gallery)
    codes = [
        search(TestClient(app, base_url=BASE), to_bytes(sketches[0])).json()["code"]
        for app in (dark, bright, auto)
    ]
    assert codes[0] == codes[1] == codes[2]


def test_a_model_of_bright_strokes_that_was_not_told_so_is_warned_of(
    sketches, photos, labels, gallery
):
    with pytest.warns(UserWarning, match="mostly dark") as told:
        deep_app("dark", 255 - sketches, photos, labels, gallery)
    assert sum("The model learned from" in str(warning.message) for warning in told) == 1
