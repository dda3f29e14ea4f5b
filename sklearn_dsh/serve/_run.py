"""Serve the page on this machine."""

import os
import socket
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

from .._hasher_files import load_hasher
from .._pipelines import compute_on
from .._progress import Progress
from ..datasets._files import existing_folder
from ..datasets._finding import PassedOver, images_below, images_by_category
from ..gallery import Gallery
from ._app import TITLE, create_app
from ._calibration import calibrate_page
from ._connections import MAX_CONNECTIONS, TIMEOUT, make_server
from ._door import ADDRESSES, LOOPBACK
from ._example import MODEL, SKETCHES, ensure_example
from ._uploads import MAX_BYTES

N_SAMPLES = 12  # two rows below the canvas
_OTHER_FILES = 64  # that are open beside connections


def run(
    model: str | os.PathLike[str] | None = None,
    gallery: str | os.PathLike[str] | None = None,
    *,
    calibrate: str | os.PathLike[str] | None = None,
    samples: str | os.PathLike[str] | None = None,
    title: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    allowed_hosts: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
    max_connections: int = MAX_CONNECTIONS,
    timeout: float = TIMEOUT,
    open_browser: bool = True,
    device: str | None = None,
    trust_pickle: bool = False,
    quiet: bool = False,
) -> None:
    """Serve the page until Ctrl+C is pressed.

    Parameters
    ----------
    model : str or path-like, default=None
        File of a fitted hasher, which :func:`~sklearn_dsh.save_model` wrote. Without model and
        gallery, a small example is trained on synthetic drawings, once, and kept in the user's
        cache folder.
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
    allowed_hosts : sequence of str, default=()
        Further names by which the server may be called, as in :func:`create_app`. At a loopback
        address it is called by those of this machine to itself, at others by any IP address and
        by this machine's name, too.
    max_bytes : int, default=4_000_000
        The largest upload that is taken.
    max_connections : int, default=256
        Connections at once. With one more, that whose client has kept the server waiting longest
        is closed.
    timeout : float, default=30
        Seconds that a client has for each step: sending a request's head, sending a picture, and
        taking the answer. The time that a search waits for its turn does not count.
    open_browser : bool, default=True
        Show the page in the browser.
    device : str, default=None
        Where networks compute: "auto", or the name of a torch device; None: as the model says.
    trust_pickle : bool, default=False
        Whether the model may be a pickle, which ``joblib.dump`` writes. Loading one runs whatever
        code was put into it: take only files from people you trust.
    quiet : bool, default=False
        Whether to show no progress.

    Raises
    ------
    ValueError
        If only one of model and gallery is given, they do not go together, the gallery has no
        labels and is to be calibrated, a folder holds no sketches, a limit is less than 1 (a
        timeout: 0 or less), or `device` is no device or the model has no networks.
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
    _check_limits(max_bytes=max_bytes, max_connections=max_connections, timeout=timeout)
    # First, so that a port that is taken is known before anything is trained.
    listener = _listen(host, port)
    with listener:
        loaded = _load(
            model,
            gallery,
            calibrate,
            samples,
            device=device,
            trust_pickle=trust_pickle,
            quiet=quiet,
        )
        app = create_app(
            **loaded,
            title=title or TITLE,
            allowed_hosts=(*_allowed_hosts(host), *allowed_hosts),
            max_bytes=max_bytes,
        )
        url = f"http://{_in_url(host)}:{listener.getsockname()[1]}/"
        sys.stderr.write(f"Draw at {url} (Ctrl+C ends it)\n")
        if open_browser:  # the socket listens already: the browser waits until it is served
            webbrowser.open(url)
        with suppress(KeyboardInterrupt):
            server = make_server(app, max_connections=max_connections, timeout=timeout)
            server.run(sockets=[listener])


def _check_limits(*, max_bytes, max_connections, timeout):
    for name, value in {"max_bytes": max_bytes, "max_connections": max_connections}.items():
        if value < 1:
            raise ValueError(f"{name}={value}: give at least 1.")
    if not timeout > 0:
        raise ValueError(f"timeout={timeout}: give a number of seconds above 0.")
    _allow_open_files(max_connections)


def _allow_open_files(max_connections):
    """Let the process open as many files as it may have connections, and some more."""
    try:
        import resource
    except ImportError:  # there is no such limit on Windows
        return
    needed = max_connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ValueError(
            f"max_connections={max_connections}: this system lets a process open {hard} files: "
            f"give at most {hard - _OTHER_FILES}."
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _load(model, gallery, calibrate, samples, *, device=None, trust_pickle=False, quiet=False):
    if model is None:
        folder = ensure_example(device=device, quiet=quiet)
        model, gallery, calibrate = (folder / name for name in (MODEL, "gallery", SKETCHES))
    # Folders first, of which a wrong one is found at once.
    labelled = None if calibrate is None else images_by_category(existing_folder(calibrate))
    chosen = _choose_samples(samples, labelled)
    with Progress(desc="Loading", disable=quiet):
        held = Gallery.load(gallery)
        hasher = load_hasher(model, trust_pickle=trust_pickle)
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
        found, passed_over = {}, PassedOver()
        images, passed_over.files = images_below(existing_folder(folder))
        for path in sorted(map(Path, images)):
            found.setdefault(path.parent, []).append(path)
        if not found:
            told = f"The folder {str(folder)!r} holds no sketches to start from. {passed_over}"
            raise ValueError(told.rstrip())
        passed_over.tell()
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
    """Names in a Host header that are right."""
    if host in ("localhost", "::1") or host.startswith("127."):
        return (*LOOPBACK, _in_url(host))
    # No other site can take an address for its name.
    name = socket.gethostname()
    return (*LOOPBACK, ADDRESSES, _in_url(host), name, f"{name}.local")


def _in_url(host):
    return f"[{host}]" if ":" in host else host
