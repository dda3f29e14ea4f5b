"""Serve the page on this machine."""

import os
import socket
import sys
import webbrowser
from contextlib import suppress
from itertools import zip_longest

import uvicorn

from .._model_files import load_model
from .._pipelines import compute_on
from .._progress import Progress
from ..datasets._files import IMAGE_SUFFIXES, existing_folder, images_by_category
from ..gallery import Gallery
from ._app import LOOPBACK, TITLE, create_app
from ._calibration import calibrate_page
from ._example import SKETCHES, ensure_example

N_SAMPLES = 12  # two rows below the canvas


def run(
    model: str | os.PathLike[str] | None = None,
    gallery: str | os.PathLike[str] | None = None,
    *,
    calibrate: str | os.PathLike[str] | None = None,
    samples: str | os.PathLike[str] | None = None,
    title: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    open_browser: bool = True,
    device: str | None = None,
    quiet: bool = False,
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
    calibrate : str or path-like, default=None
        Folder of sketches of the gallery's categories, ``<category>/<sketch>``, on which the model
        was not trained. From them the page learns when to say that it is not sure, see
        :class:`~sklearn_dsh.confidence.Confidence`; without them it says nothing of it.
    samples : str or path-like, default=None
        Folder of sketches to start from, of which a dozen are shown. Without it, they are of those
        in `calibrate`.
    title : str, default=None
        What the page is called.
    host : str, default="127.0.0.1"
        Address to listen at. The page asks for no password: at any other than a loopback address,
        everybody in the network sees the photos.
    port : int, default=8000
        Port to listen at; 0 takes a free one.
    open_browser : bool, default=True
        Show the page in the browser.
    device : str, default=None
        Where networks compute: "auto", or the name of a torch device; None: as the model says.
    quiet : bool, default=False
        Whether to show no progress.

    Raises
    ------
    ValueError
        If only one of model and gallery is given, they do not go together, the gallery has no
        labels and is to be calibrated, a folder holds no sketches, or `device` is no device or
        the model has no networks.
    OSError
        If the port is taken, or a file is missing.

    Warns
    -----
    RuntimeWarning
        If the device is not there: the CPU takes its place.
    """
    if (model is None) != (gallery is None):
        given, missing = ("gallery", "model") if model is None else ("model", "gallery")
        raise ValueError(f"{given} was given without {missing}: give both, or neither.")
    if model is None and not calibrate is samples is None:
        given = "calibrate" if samples is None else "samples"
        raise ValueError(
            f"{given} was given without model and gallery: the example has sketches of its own."
        )
    # First, so that a port that is taken is known before anything is trained.
    listener = _listen(host, port)
    with listener:
        loaded = _load(model, gallery, calibrate, samples, device=device, quiet=quiet)
        app = create_app(**loaded, title=title or TITLE, allowed_hosts=_allowed_hosts(host))
        url = f"http://{_in_url(host)}:{listener.getsockname()[1]}/"
        sys.stderr.write(f"Draw at {url} (Ctrl+C ends it)\n")
        if open_browser:  # the socket listens already: the browser waits until it is served
            webbrowser.open(url)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _load(model, gallery, calibrate, samples, *, device=None, quiet=False):
    if model is None:
        folder = ensure_example(device=device, quiet=quiet)
        model, gallery, calibrate = (
            folder / name for name in ("model.joblib", "gallery", SKETCHES)
        )
    # Folders first, of which a wrong one is found at once.
    labelled = None if calibrate is None else images_by_category(existing_folder(calibrate))
    chosen = _choose_samples(samples, labelled)
    with Progress(desc="Loading", disable=quiet):
        held = Gallery.load(gallery)
        hasher = load_model(model)
        compute_on(hasher, device)
        held.check_model(model)
        confidence = None if labelled is None else calibrate_page(hasher, held, labelled)
    if confidence is not None and confidence.min_agreement == float("inf"):
        sys.stderr.write(
            f"Warning: of the sketches in {calibrate} too few get the right category, so that the "
            "page is never sure.\n"
        )
    return {
        "hasher": hasher,
        "gallery": held,
        "samples": chosen,
        "confidence": confidence,
    }


def _choose_samples(folder, labelled):
    """Paths of a dozen sketches, of as many categories as there are; None if there are no sketches.

    From a folder, of whatever subfolders, or from a dict of category to paths.
    """
    if folder is not None:
        found = {}
        for path in sorted(existing_folder(folder).rglob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != ".":
                found.setdefault(path.parent, []).append(path)
        if not found:
            raise ValueError(f"The folder {str(folder)!r} holds no sketches to start from.")
    elif labelled is not None:
        found = labelled
    else:
        return None
    # The first of every category, then the second ones, and so on.
    in_turn = [path for row in zip_longest(*found.values()) for path in row if path is not None]
    return in_turn[:N_SAMPLES]


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
