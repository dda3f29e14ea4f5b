"""Who may ask: names of the server, pages of other sites, and what answers forbid."""

import io

import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the page needs Starlette and uvicorn")
TestClient = pytest.importorskip("starlette.testclient", reason="needs httpx").TestClient

from sklearn_dsh.gallery import Gallery  # noqa: E402
from sklearn_dsh.serve import create_app  # noqa: E402
from sklearn_dsh.serve._door import ADDRESSES  # noqa: E402

ROUTES = [
    ("GET", "/"),
    ("GET", "/health"),
    ("POST", "/search"),
    ("GET", "/nearest?photo=0"),
    ("GET", "/gallery"),
    ("GET", "/photo/0"),
    ("GET", "/photo/0/large"),
    ("GET", "/samples"),
    ("GET", "/sample/0"),
    ("GET", "/static/page.js"),
]
HERE = {"Host": "localhost:8000"}


@pytest.fixture(scope="module")
def client(fitted_hasher, gallery, sketches):
    app = create_app(fitted_hasher, gallery, n_results=3, samples=sketches[:1])
    # Entered, it has one event loop for all requests.
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture(scope="module")
def drawing(sketches):
    file = io.BytesIO()
    Image.fromarray(sketches[0]).save(file, "PNG")
    return file.getvalue()


def ask(client, route, drawing, headers):
    method, path = route
    if method == "POST":
        headers = {"Content-Type": "image/png", **headers}
        return client.post(path, content=drawing, headers=headers)
    return client.get(path, headers=headers)


def assert_kept_out(response, status, text):
    assert response.status_code == status
    assert text in response.json()["error"]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "localhost@evil.example",
     "192.168.0.7", "localhost:8000:8000", "local host", "", "[::1", "LOCALHOST.", "x" * 9000],
)  # fmt: skip
def test_foreign_names(host, client, drawing):
    """A page of another site whose name was given this machine's address (DNS rebinding)."""
    for route in ROUTES:
        assert_kept_out(ask(client, route, drawing, {"Host": host}), 400, "is not called")


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8000", "127.0.0.1:1", "[::1]:8000"])
def test_own_names(host, client):
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("allowed", "right", "wrong"),
    [
        (["Photos.example"], ["photos.EXAMPLE:80"], ["localhost", "x.photos.example", "10.0.0.1"]),
        (["*.photos.example"], ["x.photos.example"], ["photos.example", "xphotos.example"]),
        ([ADDRESSES], ["10.0.0.1:80", "[fe80::1]:80"], ["localhost", "10.0.0.1.x", "[evil]", "1"]),
        (["*"], ["anything.example", "10.0.0.1", ""], []),
    ],
)
def test_further_names(allowed, right, wrong, fitted_hasher, gallery):
    app = create_app(fitted_hasher, gallery, allowed_hosts=allowed)
    client = TestClient(app, base_url="http://localhost")
    for host in right:
        assert client.get("/health", headers={"Host": host}).status_code == 200, host
    for host in wrong:
        assert client.get("/health", headers={"Host": host}).status_code == 400, host


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost"},  # another port is another site
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:8000.evil.example"},
        {"Origin": "evil://x://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_pages_of_other_sites(foreign, client, drawing):
    for route in ROUTES:
        assert_kept_out(ask(client, route, drawing, HERE | foreign), 403, "Pages of other sites")


@pytest.mark.parametrize(
    "own",
    [{"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
     {"Origin": "https://LOCALHOST:8000"}, {"Sec-Fetch-Site": "none"}, {}],
    ids=str,
)  # fmt: skip
def test_the_page_itself(own, client, drawing):
    for route in ROUTES:
        assert ask(client, route, drawing, HERE | own).status_code == 200, route


def test_a_link_from_another_site(client, drawing):
    link = HERE | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=link).status_code == 200
    assert_kept_out(ask(client, ("POST", "/search"), drawing, link), 403, "Pages of other")


def assert_keeps_foreign_content_out(headers):
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        *[(path, {}, 200) for method, path in ROUTES if method == "GET"],
        ("/nothing", {}, 404),
        ("/static/nothing", {}, 404),
        ("/search", {}, 405),
        ("/", {"Host": "evil.example"}, 400),
        ("/", {"Origin": "null"}, 403),
    ],
)
def test_every_answer_keeps_foreign_content_out(path, headers, status, client):
    response = client.get(path, headers=HERE | headers)
    assert response.status_code == status
    assert_keeps_foreign_content_out(response.headers)


def test_so_does_a_failure(fitted_hasher, gallery, drawing, monkeypatch):
    app = create_app(fitted_hasher, gallery)
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    monkeypatch.setattr(Gallery, "search", lambda *args: 1 / 0)
    response = ask(client, ("POST", "/search"), drawing, {})
    assert response.status_code == 500
    assert_keeps_foreign_content_out(response.headers)


@pytest.mark.parametrize("size", ["9" * 5000, "-1", "+5", "5_0", "0x5", " ", "\u0665", "1e3", ""])
def test_lengths_that_are_no_numbers(size, client, drawing):
    headers = HERE | {"Content-Length": size.encode()}
    status = 413 if size.startswith("9") else 200
    assert ask(client, ("POST", "/search"), drawing, headers).status_code == status


def test_uploads_have_a_limit(fitted_hasher, gallery, drawing):
    app = create_app(fitted_hasher, gallery, max_bytes=len(drawing))
    client = TestClient(app, base_url="http://localhost:8000")
    assert client.get("/health").json()["max_bytes"] == len(drawing)
    assert ask(client, ("POST", "/search"), drawing, {}).status_code == 200
    assert_kept_out(ask(client, ("POST", "/search"), drawing + b"\0", {}), 413, "is larger than")
    with pytest.raises(ValueError, match="max_bytes=0: give at least 1"):
        create_app(fitted_hasher, gallery, max_bytes=0)


def test_what_is_said_of_a_type_is_short(client):
    answer = client.post("/search", content=b"x", headers={"Content-Type": "t" * 9000})
    assert answer.status_code == 415
    assert len(answer.text) < 300
    assert answer.headers["content-type"] == "application/json"
