"""The web application: the page, its pictures, and the search behind it."""

import os
import secrets
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from string import hexdigits
from typing import Any

import numpy as np
from anyio import CapacityLimiter
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..confidence import Confidence
from ..preprocessing import load_image
from ..preprocessing._bit_depth import told_once
from ._door import HEADERS, LOOPBACK, Door
from ._images import UploadError, has_many_pixels, png_bytes, thumbnail_bytes
from ._pages import MAX_PHOTOS, Pages
from ._search import DrawingSearch
from ._turns import in_turn
from ._uploads import MAX_BYTES, Uploads

_KEPT_THUMBNAILS = 2048  # about 20 kB each
_KEPT_PHOTOS = 64  # about 200 kB each
_OPENED_SIDE = 1280  # pixels along a side of a photo that is opened
TITLE = "Find photos by drawing them"
_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"
}  # fmt: skip


def create_app(
    hasher: Any,
    gallery: Any,
    *,
    n_results: int = 24,
    samples: NDArray[np.uint8] | Sequence[str | os.PathLike[str]] | None = None,
    confidence: Confidence | None = None,
    title: str = TITLE,
    allowed_hosts: Sequence[str] = LOOPBACK,
    max_bytes: int = MAX_BYTES,
) -> Starlette:
    """Make a web application that finds the photos of a gallery by drawing them.

    The page is at ``/``. ``POST /search`` takes the bytes of a picture and gives the nearest
    photos as JSON, ``GET /nearest`` further ones, or those like a photo; errors are JSON,
    ``{"error": "..."}``. Nothing is stored, and nothing comes from other hosts.

    Parameters
    ----------
    hasher : fitted hasher, or Pipeline that ends in one
        It must have been fitted on both views, or on sketches.
    gallery : Gallery
        Photos with their codes, encoded by this hasher.
    n_results : int, default=24
        Photos on a page of an answer. Rows are full if it is a multiple of 12.
    samples : uint8 array (n, height, width) or list of image paths, default=None
        Sketches to start from, shown below the canvas; a dozen looks best.
    confidence : Confidence, default=None
        From :meth:`Confidence.calibrate <sklearn_dsh.confidence.Confidence.calibrate>` on this
        gallery: then answers say whether they are sure. Without it they say nothing of it.
    title : str, default="Find photos by drawing them"
        What the page is called.
    allowed_hosts : sequence of str, default=("127.0.0.1", "localhost", "[::1]")
        Names by which the server may be called; ``"*.example.org"`` are all that end so,
        ``"<address>"`` is every IP address, and ``"*"`` is anything. A page on another site can
        give its own name this machine's address, and what it asks for then is refused.
    max_bytes : int, default=4_000_000
        The largest upload that is taken.

    Returns
    -------
    app : starlette.applications.Starlette
        For any ASGI server; :func:`run` serves it with uvicorn. Limits of time, of connections
        and of heads are the server's: :func:`run` sets them.

    Raises
    ------
    ValueError
        If hasher and gallery do not go together, a sample cannot be read, or a confidence is given
        for a gallery without labels, or `max_bytes` is less than 1.
    """
    if max_bytes < 1:
        raise ValueError(f"max_bytes={max_bytes}: give at least 1.")
    if confidence is not None and gallery.labels is None:
        raise ValueError(
            "A confidence was given, but the gallery has no labels to judge by: leave confidence "
            "out, or make a Gallery with labels."
        )
    pages = Pages(gallery, n_results)
    search = DrawingSearch(hasher, pages, confidence)
    sketches = [png_bytes(sketch) for sketch in _read_samples(samples)]
    thumbnail = lru_cache(_KEPT_THUMBNAILS)(thumbnail_bytes)
    opened = lru_cache(_KEPT_PHOTOS)(partial(thumbnail_bytes, side=_OPENED_SIDE))
    # Held, so that no address names a place in the file system.
    files = {path.name: path.read_bytes() for path in _PAGE.iterdir()}
    uploads = Uploads(max_bytes)
    # One drawing is decoded while another is searched; more would only take memory. Large pictures
    # and photos wait in lines of their own, so that drawings need not wait for them.
    opening, searching, searching_large, reading = map(CapacityLimiter, (2, 2, 1, 4))
    # Browsers keep pictures; those of another gallery at the same address must not be shown.
    version = secrets.token_hex(4)

    async def page(request):
        return of_page("index.html")

    async def static(request):
        return of_page(request.path_params["name"])

    def of_page(name):
        if name not in files:
            raise HTTPException(404, "The page has no such file.")
        headers = {"Cache-Control": "no-cache"}
        return Response(files[name], media_type=_TYPES[Path(name).suffix], headers=headers)

    async def health(request):
        return JSONResponse(
            {
                "status": "ok",
                "n_photos": len(gallery),
                "n_bits": int(gallery.n_bits),
                "max_bytes": max_bytes,
                "title": title,
            }
        )

    async def find(request):
        async with uploads.body(request) as body:
            is_large = await in_turn(request, partial(has_many_pixels, body), opening)
            line = searching_large if is_large else searching
            return found(await in_turn(request, partial(search, body), line))

    async def nearest(request):
        query = _query(request, ("code", "photo"))
        start = _start(request, min(len(gallery), MAX_PHOTOS))
        if "code" in query:
            code, like = _code(query["code"], gallery), None
        else:
            like = _row(query["photo"], len(gallery), "photo")
            code = gallery.codes[like]
        find_page = partial(search.nearest, code, start, like=like)
        return found(await in_turn(request, find_page, searching))

    async def all_over(request):
        return found(pages.all_over(_start(request, len(gallery))))

    def found(answer):
        for result in answer["results"]:
            result["url"] = f"/photo/{result['index']}?v={version}"
            result["large_url"] = f"/photo/{result['index']}/large?v={version}"
        return JSONResponse(answer)

    async def photo(request, read=thumbnail):
        index = _row(request.path_params["index"], len(gallery), "photo")
        read = partial(read, str(gallery.paths[index]))
        try:
            content = await in_turn(request, read, reading)
        except ValueError as error:  # moved or damaged since the gallery was made
            raise HTTPException(404, f"The file of photo {index} cannot be read.") from error
        return _picture(content, "image/jpeg")

    async def large_photo(request):
        return await photo(request, opened)

    async def list_samples(request):
        return JSONResponse([f"/sample/{i}?v={version}" for i in range(len(sketches))])

    async def sample(request):
        index = _row(request.path_params["index"], len(sketches), "sample")
        return _picture(sketches[index], "image/png")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/health", health),
            Route("/search", find, methods=["POST"]),
            Route("/nearest", nearest),
            Route("/gallery", all_over),
            Route("/photo/{index}", photo),
            Route("/photo/{index}/large", large_photo),
            Route("/samples", list_samples),
            Route("/sample/{index}", sample),
            Route("/static/{name}", static),
        ],
        middleware=[Middleware(Door, allowed_hosts=allowed_hosts)],
        exception_handlers={
            HTTPException: _http_error,
            UploadError: _upload_error,
            ClientDisconnect: _client_left,
            Exception: _server_error,
        },
    )


@told_once()
def _read_samples(samples):
    """Sketches as a list of uint8 arrays (height, width)."""
    if samples is None:
        return []
    if getattr(samples, "ndim", 1) == 1:
        return [load_image(path, mode="L") for path in samples]
    if samples.ndim != 3 or samples.dtype != np.uint8:
        raise ValueError(
            f"samples of shape {samples.shape} and dtype {samples.dtype}: expected uint8 sketches "
            "of shape (n, height, width), or a list of image paths."
        )
    return list(samples)


def _row(index, n, name):
    """The row that an address names; HTTPException 404 if there is none."""
    if not _is_number(index, n) or int(index) >= n:
        raise HTTPException(404, f"There is no {name} {index[:20]}: there are {n}.")
    return int(index)


def _is_number(text, largest):
    return text.isascii() and text.isdecimal() and len(text) <= len(str(largest))


def _query(request, names):
    """The parameters after the question mark; HTTPException 400 unless one of `names` is there."""
    given = [name for name in names if name in request.query_params]
    if len(given) != 1:
        raise HTTPException(400, f"Give one of {' and '.join(names)} after the question mark.")
    return {given[0]: request.query_params[given[0]]}


def _start(request, n):
    """The place of the first photo that is asked for; HTTPException 404 beyond the last of n."""
    start = request.query_params.get("start", "0")
    if not _is_number(start, n) or int(start) >= n:
        raise HTTPException(404, f"There is no place {start[:20]}: the places are 0 to {n - 1}.")
    return int(start)


def _code(text, gallery):
    """A code given in hexadecimal; HTTPException 400 if it is none of this gallery's length."""
    n_bytes = gallery.codes.shape[1]
    if len(text) != 2 * n_bytes or not set(text) <= set(hexdigits):
        raise HTTPException(
            400, f"The code must be {2 * n_bytes} hexadecimal digits: take it from an answer."
        )
    return np.frombuffer(bytes.fromhex(text), np.uint8)


def _picture(content, media_type):
    keep = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(content, media_type=media_type, headers=keep)


# Not plain functions: those would each be called in a thread.


async def _http_error(request, error):
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _upload_error(request, error):
    return JSONResponse({"error": str(error)}, error.status)


async def _client_left(request, error):
    return Response(status_code=400)  # nobody reads it


async def _server_error(request, error):
    # Made outside of all middleware.
    text = "The search failed; the server's log says why."
    return JSONResponse({"error": text}, 500, headers=HEADERS)
