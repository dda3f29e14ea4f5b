"""Image files with 16 bits a channel, some of which Pillow cannot write."""

import struct
import zlib

import numpy as np
from PIL import Image

CHANNELS = {"grey": 1, "grey and alpha": 2, "colour": 3, "colour and alpha": 4}
_PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def ramp(bits, kind="grey", side=40):
    """Values from 0 to the largest of so many bits; opaque."""
    values = np.linspace(0, 2**bits - 1, side * side).reshape(side, side, 1).astype(np.uint16)
    n = CHANNELS[kind]
    pixels = np.repeat(values, n, axis=2)
    if n in (2, 4):
        pixels[..., -1] = 65535
    return pixels


def write_png(path, pixels):
    height, width, n = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_TYPES[n], 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + name + data)
            file.write(struct.pack(">I", zlib.crc32(name + data)))


def write_pnm(path, pixels, largest=65535):
    height, width, n = pixels.shape
    with open(path, "wb") as file:
        file.write(b"P%d\n%d %d\n%d\n" % (5 if n == 1 else 6, width, height, largest))
        file.write(pixels.astype(">u2").tobytes())


def write_tiff(path, pixels):
    """Grey ones by Pillow; the others by hand, uncompressed, in one strip."""
    height, width, n = pixels.shape
    if n == 1:
        Image.fromarray(pixels[..., 0]).save(path)
        return
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, n, None), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, 1, None), (277, 3, 1, n), (278, 3, 1, height),
        (279, 4, 1, pixels.nbytes),
    ]  # fmt: skip
    if n == 4:
        entries.append((338, 3, 1, 2))
    bits_at = 8 + 2 + 12 * len(entries) + 4
    with open(path, "wb") as file:
        file.write(b"II*\0" + struct.pack("<IH", 8, len(entries)))
        for tag, kind, count, value in entries:
            value = {258: bits_at, 273: bits_at + 2 * n}.get(tag, value)
            file.write(struct.pack("<HHII", tag, kind, count, value))
        file.write(struct.pack("<I", 0) + struct.pack("<H", 16) * n)
        file.write(pixels.astype("<u2").tobytes())
