"""Answers page by page: of a drawing, of a photo, and of the whole gallery."""

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the page needs Starlette and uvicorn")
TestClient = pytest.importorskip("starlette.testclient", reason="needs httpx").TestClient

from sklearn_dsh.confidence import Confidence  # noqa: E402
from sklearn_dsh.gallery import Gallery  # noqa: E402
from sklearn_dsh.serve import _app, _pages, create_app  # noqa: E402

PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def client(fitted_hasher, gallery):
    app = create_app(fitted_hasher, gallery, n_results=7)
    return TestClient(app, base_url="http://localhost")


def png(sketch):
    file = io.BytesIO()
    Image.fromarray(sketch).save(file, "PNG")
    return file.getvalue()


def all_pages(client, address, n):
    """Rows and distances of all pages of an address, which must hold n photos together."""
    rows, distances = [], []
    while len(rows) < n:
        page = client.get(f"{address}start={len(rows)}").json()
        assert (page["start"], page["n_photos"], page["n_bits"]) == (len(rows), n, 32)
        assert len(page["results"]) == min(7, n - len(rows))
        rows += [result["index"] for result in page["results"]]
        distances += [result["distance"] for result in page["results"]]
    return rows, distances


def in_order(code, gallery):
    """All rows of the gallery by brute force, nearest first, and their distances."""
    distances = np.unpackbits(code ^ gallery.codes, axis=1).sum(axis=1)
    order = np.lexsort((np.arange(len(distances)), distances))
    return order.tolist(), distances[order].tolist()


def test_pages_of_a_drawing(client, gallery, sketches):
    answer = client.post("/search", content=png(sketches[0]), headers=PNG).json()
    assert (answer["start"], answer["n_photos"]) == (0, 40)
    code = np.frombuffer(bytes.fromhex(answer["code"]), np.uint8)
    assert all_pages(client, f"/nearest?code={answer['code']}&", 40) == in_order(code, gallery)


def test_pages_of_a_photo_leave_it_out(client, gallery):
    rows, distances = in_order(gallery.codes[9], gallery)
    place = rows.index(9)
    expected = rows[:place] + rows[place + 1 :], distances[:place] + distances[place + 1 :]
    assert all_pages(client, "/nearest?photo=9&", 39) == expected


def test_pages_of_the_gallery_show_each_photo_once_and_all_kinds_first(client):
    rows, distances = all_pages(client, "/gallery?", 40)
    assert sorted(rows) == list(range(40))
    assert set(distances) == {None}
    first = np.sort(rows[:7])
    assert np.diff(first).max() <= 10  # from all over: in order they would be 1 apart, then 33


@pytest.mark.parametrize("n", [1, 2, 3, 24, 25, 1040, 204_489])
def test_the_step_through_a_gallery_meets_every_photo(n):
    step = _pages._coprime_step(n)
    assert len(np.unique(np.arange(n) * step % n)) == n


def test_pages_end_at_a_limit(fitted_hasher, gallery, sketches, monkeypatch):
    monkeypatch.setattr(_pages, "MAX_PHOTOS", 10)
    monkeypatch.setattr(_app, "MAX_PHOTOS", 10)
    app = create_app(fitted_hasher, gallery, n_results=7)
    client = TestClient(app, base_url="http://localhost")
    page = client.get("/nearest?photo=0&start=7").json()
    assert (page["n_photos"], len(page["results"])) == (10, 3)
    response = client.get("/nearest?photo=0&start=10")
    assert response.status_code == 404
    assert "the places are 0 to 9" in response.json()["error"]
    assert client.get("/gallery?start=10").json()["n_photos"] == 40  # nothing is searched for it


@pytest.mark.parametrize(
    ("address", "status", "text"),
    [
        ("/nearest", 400, "Give one of code and photo"),
        ("/nearest?code=00000000&photo=1", 400, "Give one of code and photo"),
        ("/nearest?code=00", 400, "must be 8 hexadecimal digits"),
        ("/nearest?code=0000000g", 400, "must be 8 hexadecimal digits"),
        ("/nearest?code=+1234567", 400, "must be 8 hexadecimal digits"),
        ("/nearest?photo=40", 404, "no photo 40: there are 40"),
        ("/nearest?photo=-1", 404, "no photo -1"),
        ("/nearest?photo=1&start=40", 404, "no place 40: the places are 0 to 39"),
        ("/nearest?photo=1&start=1e1", 404, "no place 1e1"),
        ("/gallery?start=40", 404, "no place 40"),
        (f"/gallery?start={'9' * 5000}", 404, "no place 99999"),
        ("/photo/40/large", 404, "no photo 40"),
    ],
)
def test_pages_that_are_not_there(address, status, text, client):
    response = client.get(address)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert text in response.json()["error"]
    assert client.get("/gallery").status_code == 200  # it still serves


def test_confidence_for_a_gallery_without_labels(fitted_hasher, gallery):
    unlabelled = Gallery(gallery.codes, 32, gallery.paths)
    with pytest.raises(ValueError, match="gallery has no labels to judge by"):
        create_app(fitted_hasher, unlabelled, confidence=Confidence(0.0, 0.5))


def test_answers_say_whether_they_are_sure(fitted_hasher, gallery, sketches):
    for confidence, expected in (
        (None, {"category": None, "sure": None, "reason": None}),
        (Confidence(-np.inf, 0.5), {"category": "circle", "sure": True, "reason": None}),
        (Confidence(np.inf, 0.5), {"category": "circle", "sure": False, "reason": "far"}),
    ):
        app = create_app(fitted_hasher, gallery, n_results=3, confidence=confidence)
        client = TestClient(app, base_url="http://localhost")
        answer = client.post("/search", content=png(sketches[0]), headers=PNG).json()
        assert {key: answer[key] for key in expected} == expected
        assert len(answer["results"]) == 3  # however many were judged
