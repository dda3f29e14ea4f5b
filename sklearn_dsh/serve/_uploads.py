"""Uploads: reading what a client sends, of which only so much is held at any time."""

from contextlib import AsyncExitStack, asynccontextmanager

from anyio import CapacityLimiter, WouldBlock

from ._images import UploadError

MAX_BYTES = 4_000_000
# A drawing of the page has 20 kB or less. What is larger than this is a photo, of which few at a
# time are held: many clients that send large files together must not fill the memory.
_SMALL = 256_000
_LARGE_AT_ONCE = 16
# A browser reads an answer only when it has sent everything, so that an upload that is too large
# is read to its end and dropped; beyond so many times the limit the connection is closed on it.
_DROPPED = 16


class Uploads:
    """Bodies of requests.

    Parameters
    ----------
    max_bytes : int
        What is larger is refused.
    """

    def __init__(self, max_bytes):
        self.max_bytes = max_bytes
        self._large = CapacityLimiter(_LARGE_AT_ONCE)

    @asynccontextmanager
    async def body(self, request):
        """The bytes of a request, until the block ends.

        Raises
        ------
        UploadError
            If it is no picture by its type (415), too large (413), or large when others are (429).
        """
        _check_type(request.headers.get("content-type", ""))
        async with AsyncExitStack() as held:
            yield await self._read(request, held)

    async def _read(self, request, held):
        n_declared = _declared(request)
        n_read, body = 0, bytearray()
        if n_declared <= _DROPPED * self.max_bytes:
            async for chunk in request.stream():
                if n_read <= _SMALL < n_read + len(chunk):
                    await self._take_room(held, n_declared)
                n_read += len(chunk)
                if max(n_declared, n_read) <= self.max_bytes:
                    body += chunk
                elif n_read > _DROPPED * self.max_bytes:
                    break
        if max(n_declared, n_read) > self.max_bytes:
            raise UploadError(
                413, f"The file is larger than {self.max_bytes / 1e6:g} MB: send a smaller picture."
            )
        return bytes(body)

    async def _take_room(self, held, n_declared):
        if n_declared > self.max_bytes:
            return  # nothing of it is held
        try:
            self._large.acquire_on_behalf_of_nowait(held)
        except WouldBlock as error:
            raise UploadError(
                429, "Many large pictures are being sent: try again, or send a smaller one."
            ) from error
        held.callback(self._large.release_on_behalf_of, held)


def _check_type(content_type):
    # Also keeps other sites out: a browser sends such a type across sites only if it was allowed.
    if not content_type.lower().startswith("image/"):
        raise UploadError(
            415,
            f"This is not a picture ({content_type[:100] or 'no type'}): send a PNG or JPEG file.",
        )


def _declared(request):
    length = request.headers.get("content-length", "0")
    # Python reads no numbers of thousands of digits; none is that large in earnest.
    return int(length[:20]) if length.isascii() and length.isdecimal() else 0
