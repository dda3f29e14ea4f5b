"""Serve the page on this machine."""

import os
import socket
import sys
import webbrowser
from contextlib import suppress

import uvicorn

from .._model_files import load_model
from ..gallery import Gallery
from ._app import LOOPBACK, create_app
from ._example import ensure_example


def run(
    model: str | os.PathLike[str] | None = None,
    gallery: str | os.PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    open_browser: bool = True,
) -> None:
    """Serve the page until Ctrl+C is pressed.

    Parameters
    ----------
    model : str or path-like, default=None
        File of a fitted hasher, written by ``joblib.dump``. Loading such a file can run any code:
        take only files that you trust. Without model and gallery, a small example is trained
        on synthetic drawings, once, and kept in the user's cache folder.
    gallery : str or path-like, default=None
        Folder of a gallery, encoded by this model.
    host : str, default="127.0.0.1"
        Address to listen at. The page asks for no password: at any other than a loopback address,
        everybody in the network sees the photos.
    port : int, default=8000
        Port to listen at; 0 takes a free one.
    open_browser : bool, default=True
        Show the page in the browser.

    Raises
    ------
    ValueError
        If only one of model and gallery is given, or they do not go together.
    OSError
        If the port is taken, or a file is missing.
    """
    if (model is None) != (gallery is None):
        given, missing = ("gallery", "model") if model is None else ("model", "gallery")
        raise ValueError(f"{given} was given without {missing}: give both, or neither.")
    # First, so that a port that is taken is known before anything is trained.
    listener = _listen(host, port)
    with listener:
        app = create_app(**_load(model, gallery), allowed_hosts=_allowed_hosts(host))
        url = f"http://{_in_url(host)}:{listener.getsockname()[1]}/"
        sys.stderr.write(f"Draw at {url} (Ctrl+C ends it)\n")
        if open_browser:  # the socket listens already: the browser waits until it is served
            webbrowser.open(url)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _load(model, gallery):
    samples = None
    if model is None:
        folder = ensure_example()
        model, gallery = folder / "model.joblib", folder / "gallery"
        samples = sorted((folder / "samples").glob("*.png"))
    opened = Gallery.load(gallery)
    opened.check_model(model)
    return {"hasher": load_model(model), "gallery": opened, "samples": samples}


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise OSError(
            error.errno, f"Cannot listen at {host}:{port}: {error.strerror}. Choose another port."
        ) from error
    # Head and body of an answer are sent apart: without this the body waits for the receiver to
    # acknowledge the head, 40 ms. Connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _allowed_hosts(host):
    """Names in a Host header that are right; at other than loopback addresses all are."""
    is_loopback = host in ("localhost", "::1") or host.startswith("127.")
    return (*LOOPBACK, _in_url(host)) if is_loopback else ("*",)


def _in_url(host):
    return f"[{host}]" if ":" in host else host
