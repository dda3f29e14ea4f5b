"""Uploads that the page must refuse, and what it is to say of them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def to_bytes(image, kind="PNG", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width, height):
    """A PNG file that claims a size and holds no pixels."""

    def chunk(kind, data):
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


DRAWING = np.full((64, 64), 255, dtype=np.uint8)
DRAWING[20:40, 30:34] = 0
# Name to body, content type, status and a part of the text of the answer.
BAD_UPLOADS = {
    "empty": (b"", "image/png", 422, "Nothing was sent"),
    "text": (b"<h1>hello</h1>" * 50, "image/png", 415, "send a PNG"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415, "send a PNG"),
    "random bytes": (bytes(range(256)) * 99, "image/jpeg", 415, "send a PNG"),
    "tiff": (to_bytes(DRAWING, "TIFF"), "image/tiff", 415, "send a PNG"),
    "no picture by its type": (to_bytes(DRAWING), "text/plain", 415, "text/plain"),
    "no type": (to_bytes(DRAWING), "", 415, "no type"),
    "half a png": (to_bytes(DRAWING)[:80], "image/png", 422, "cut off or damaged"),
    "half a jpeg": (to_bytes(DRAWING, "JPEG")[:300], "image/jpeg", 422, "cut off or damaged"),
    "png of no pixels": (png_header(300, 300), "image/png", 422, "cut off or damaged"),
    "bomb": (png_header(50_000, 50_000), "image/png", 413, "25 million pixels"),
    "bomb of the size that Pillow warns of": (
        png_header(10_000, 10_000),
        "image/png",
        413,
        "25 million pixels",
    ),
    "tiny": (to_bytes(DRAWING[:4]), "image/png", 422, "64 x 4 pixels"),
    "white": (to_bytes(np.full_like(DRAWING, 255)), "image/png", 422, "no strokes"),
    "dust": (
        to_bytes(np.where(np.arange(512 * 512).reshape(512, 512) == 70_000, 0, 255).astype("u1")),
        "image/png",
        422,
        "only specks",
    ),
    "4 MB and a byte": (bytes(4_000_001), "image/png", 413, "larger than 4 MB"),
}
