"""Starting the server, and the example that it makes when nothing is given."""

import socket

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")
TestClient = pytest.importorskip("starlette.testclient", reason="needs httpx").TestClient

from sklearn_dsh import SketchImageArray, save_model  # noqa: E402
from sklearn_dsh.confidence import Confidence  # noqa: E402
from sklearn_dsh.gallery import Gallery  # noqa: E402
from sklearn_dsh.serve import _connections, _example, _run, run  # noqa: E402
from sklearn_dsh.serve._door import ADDRESSES  # noqa: E402
from sklearn_dsh.serve._images import to_sketch  # noqa: E402


class ServedOnce:
    """Stands in for uvicorn's server: asks for one page instead of serving."""

    answers = []

    def __init__(self, config):
        self.app = config.app

    def run(self, sockets):
        host, port = sockets[0].getsockname()[:2]
        client = TestClient(self.app, base_url=f"http://{host}:{port}")
        self.answers.append((client.get("/health").json(), client.get("/samples").json()))


@pytest.fixture
def served(monkeypatch):
    """What a server of `run` answers, and the addresses shown in the browser."""
    shown = []
    monkeypatch.setattr(ServedOnce, "answers", [])
    monkeypatch.setattr(_connections.uvicorn, "Server", ServedOnce)
    monkeypatch.setattr(_run.webbrowser, "open", shown.append)
    return ServedOnce.answers, shown


def test_run_of_model_and_gallery(served, fitted_hasher, gallery, tmp_path, capsys):
    answers, shown = served
    save_model(fitted_hasher, tmp_path / "model.safetensors")
    gallery.save(tmp_path / "gallery")
    run(tmp_path / "model.safetensors", tmp_path / "gallery", port=0)
    ((health, samples),) = answers
    assert health["n_photos"] == 40
    assert samples == []
    (address,) = shown
    assert address.startswith("http://127.0.0.1:")
    assert f"Draw at {address}" in capsys.readouterr().err
    run(tmp_path / "model.safetensors", tmp_path / "gallery", port=0, open_browser=False)
    assert len(shown) == 1
    gallery = Gallery(gallery.codes, gallery.n_bits, gallery.paths, model_id="sha256:0")
    gallery.save(tmp_path / "gallery")
    with pytest.raises(ValueError, match="encoded with another model file than"):
        run(tmp_path / "model.safetensors", tmp_path / "gallery", port=0)


@pytest.fixture
def files(fitted_hasher, gallery, tmp_path):
    """A model, a gallery, and a folder of 30 sketches in folders named by what they show."""
    save_model(fitted_hasher, tmp_path / "model.safetensors")
    gallery.save(tmp_path / "gallery")
    return tmp_path


@pytest.fixture
def held_out(files, labels, draw_sign):
    rng = np.random.default_rng(7)
    for i, label in enumerate(labels[:30]):
        folder = files / "held out" / label
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_sign(label, rng)).save(folder / f"{i}.png")
    return files / "held out"


def test_calibrated_page(files, held_out, fitted_hasher, gallery):
    loaded = _run._load(files / "model.safetensors", files / "gallery", held_out, None)
    # Half of a dozen of each category, in turn.
    assert [path.parent.name for path in loaded["samples"]] == ["circle", "cross"] * 6
    found = sorted(held_out.glob("*/*.png"))
    read = [to_sketch(np.asarray(Image.open(path).convert("L")), (256, 256)) for path in found]
    hog = fitted_hasher[0].transform(SketchImageArray(np.concatenate(read), None))
    values, categories = fitted_hasher[1].project(hog), [path.parent.name for path in found]
    assert loaded["confidence"] == Confidence.calibrate(gallery, values, categories)
    assert loaded["confidence"].measure(gallery, values, categories)[0] >= 0.7


def test_a_page_that_is_never_sure_is_warned_of(files, held_out, capsys):
    aside = held_out.with_name("aside")
    (held_out / "circle").rename(aside)  # each in the other's folder
    (held_out / "cross").rename(held_out / "circle")
    aside.rename(held_out / "cross")
    loaded = _run._load(files / "model.safetensors", files / "gallery", held_out, None)
    assert loaded["confidence"].min_agreement == float("inf")
    assert "the page is never sure" in capsys.readouterr().err


def test_samples_and_title(served, files, held_out):
    answers, _ = served
    model, gallery = files / "model.safetensors", files / "gallery"
    run(model, gallery, samples=held_out / "cross", title="Signs", port=0)
    ((health, samples),) = answers
    assert health["title"] == "Signs"
    assert len(samples) == 12
    (files / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty' holds no sketches to start from"):
        run(model, gallery, samples=files / "empty", port=0)
    with pytest.raises(ValueError, match=r"There is no folder '.*missing'"):
        run(model, gallery, calibrate=files / "missing", port=0)


def test_a_sketch_without_strokes_is_named(files, held_out):
    Image.new("L", (64, 64), 255).save(held_out / "cross" / "white.png")
    with pytest.raises(ValueError, match=r"white\.png'.*no strokes"):
        run(files / "model.safetensors", files / "gallery", calibrate=held_out, port=0)


@pytest.mark.parametrize("name", ["calibrate", "samples"])
def test_sketches_for_the_example(name):
    with pytest.raises(ValueError, match=f"{name} was given without model and gallery"):
        run(**{name: "folder"})


def test_example_is_made_once(served, monkeypatch, tmp_path, capsys):
    answers, _ = served
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = _example.ensure_example(n_sketches=26, n_photos=39, n_held_out=26, n_steps=2)
    assert made == _example.example_folder()
    assert made.parent == tmp_path / "sklearn-dsh"
    assert [path.name for path in made.parent.iterdir()] == [made.name]  # nothing else is left
    assert "a small one is trained" in capsys.readouterr().err
    held_out = sorted((made / _example.SKETCHES).glob("*/*.png"))
    assert len(held_out) == 26
    assert len(list((made / "photos").glob("*.png"))) == 39
    monkeypatch.setattr(_example, "_make_example", None)  # would fail if it was called again
    run(port=0)
    ((health, samples),) = answers
    assert (health["n_photos"], health["n_bits"]) == (39, 64)
    assert len(samples) == _run.N_SAMPLES
    assert "trained" not in capsys.readouterr().err


def test_interrupted_example_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def interrupted(made, *args):
        (made / "model.safetensors").write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(_example, "_make_example", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _example.ensure_example()
    assert list((tmp_path / "sklearn-dsh").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "text"),
    [({"model": "m"}, "model was given without gallery"), ({"gallery": "g"}, "without model")],
)
def test_model_or_gallery_alone(given, text):
    with pytest.raises(ValueError, match=text):
        run(**given)


def test_a_file_that_is_no_model(gallery, tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    gallery.save(tmp_path / "gallery")
    with pytest.raises(ValueError, match=r"notes\.txt' is cut off, or no model file"):
        run(tmp_path / "notes.txt", tmp_path / "gallery", port=0)


def test_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Cannot listen at 127.0.0.1:{port}: .* another port"):
            run(port=port)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", {"127.0.0.1", "localhost", "[::1]"}),
        ("127.0.0.2", {"127.0.0.1", "localhost", "[::1]", "127.0.0.2"}),
        ("::1", {"127.0.0.1", "localhost", "[::1]"}),
    ],
)
def test_names_that_may_be_called_here(host, allowed):
    assert set(_run._allowed_hosts(host)) == allowed


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "photos"])
def test_names_that_may_be_called_in_a_network(host, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk")
    allowed = {"127.0.0.1", "localhost", "[::1]", ADDRESSES, _run._in_url(host)}
    assert set(_run._allowed_hosts(host)) == {*allowed, "Desk", "Desk.local"}


def test_limits_are_handed_on(files, monkeypatch):
    made = {}
    monkeypatch.setattr(_run, "create_app", lambda **given: made.update(given))
    monkeypatch.setattr(_run, "make_server", lambda app, **given: made.update(given) or ServedNot)
    run(
        files / "model.safetensors", files / "gallery", port=0, open_browser=False, max_bytes=9,
        max_connections=7, timeout=2.5, allowed_hosts=["photos.example"],
    )  # fmt: skip
    assert (made["max_bytes"], made["max_connections"], made["timeout"]) == (9, 7, 2.5)
    assert made["allowed_hosts"] == (
        "127.0.0.1",
        "localhost",
        "[::1]",
        "127.0.0.1",
        "photos.example",
    )


class ServedNot:
    @staticmethod
    def run(sockets):
        pass


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"max_bytes": 0}, "max_bytes=0: give at least 1"),
        ({"max_connections": 0}, "max_connections=0: give at least 1"),
        ({"timeout": 0}, "timeout=0: give a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout=nan: give a number of seconds above 0"),
    ],
)
def test_limits_of_nothing(limit, text):
    with pytest.raises(ValueError, match=text):
        run(**limit)


def test_files_that_may_be_open(monkeypatch):
    resource = pytest.importorskip("resource")
    limits = [(256, 1000)]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, given: limits.append(given))
    _run._allow_open_files(100)
    assert limits == [(256, 1000)]
    _run._allow_open_files(256)
    assert limits == [(256, 1000), (256 + 64, 1000)]
    with pytest.raises(ValueError, match=r"max_connections=937: .* 1000 files: give at most 936"):
        _run._allow_open_files(937)


def test_connections_do_not_wait_to_send():
    with (
        _run._listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
