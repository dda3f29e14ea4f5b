"""Starting the server, and the example that it makes when nothing is given."""

import socket

import joblib
import pytest

pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")
TestClient = pytest.importorskip("starlette.testclient", reason="needs httpx").TestClient

from sklearn_dsh.gallery import Gallery  # noqa: E402
from sklearn_dsh.serve import _example, _run, run  # noqa: E402


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
    monkeypatch.setattr(_run.uvicorn, "Server", ServedOnce)
    monkeypatch.setattr(_run.webbrowser, "open", shown.append)
    return ServedOnce.answers, shown


def test_run_of_model_and_gallery(served, fitted_hasher, gallery, tmp_path, capsys):
    answers, shown = served
    joblib.dump(fitted_hasher, tmp_path / "model.joblib")
    gallery.save(tmp_path / "gallery")
    run(tmp_path / "model.joblib", tmp_path / "gallery", port=0)
    ((health, samples),) = answers
    assert health["n_photos"] == 40
    assert samples == []
    (address,) = shown
    assert address.startswith("http://127.0.0.1:")
    assert f"Draw at {address}" in capsys.readouterr().err
    run(tmp_path / "model.joblib", tmp_path / "gallery", port=0, open_browser=False)
    assert len(shown) == 1
    gallery = Gallery(gallery.codes, gallery.n_bits, gallery.paths, model_id="sha256:0")
    gallery.save(tmp_path / "gallery")
    with pytest.raises(ValueError, match="encoded with another model file than"):
        run(tmp_path / "model.joblib", tmp_path / "gallery", port=0)


def test_example_is_made_once(served, monkeypatch, tmp_path, capsys):
    answers, _ = served
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = _example.ensure_example(n_sketches=26, n_photos=39, n_steps=2)
    assert made == _example.example_folder()
    assert made.parent == tmp_path / "sklearn-dsh"
    assert [path.name for path in made.parent.iterdir()] == [made.name]  # nothing else is left
    assert "a small one is trained" in capsys.readouterr().err
    monkeypatch.setattr(_example, "_make_example", None)  # would fail if it was called again
    run(port=0)
    ((health, samples),) = answers
    assert (health["n_photos"], health["n_bits"]) == (39, 64)
    assert len(samples) == _example.N_SAMPLES
    assert "trained" not in capsys.readouterr().err


def test_interrupted_example_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def interrupted(made, *args):
        (made / "model.joblib").write_bytes(b"half of it")
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
    with pytest.raises(ValueError, match=r"notes\.txt' is cut off, damaged or no model"):
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
        ("0.0.0.0", {"*"}),
        ("192.168.0.7", {"*"}),
    ],
)
def test_names_that_may_be_called(host, allowed):
    assert set(_run._allowed_hosts(host)) == allowed


def test_connections_do_not_wait_to_send():
    with (
        _run._listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
