"""Small image files, of every kind of pixels that a format has."""

import io

import numpy as np
from PIL import Image

SIZE = (11, 9)
MODES = ("RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "YCbCr")
# A format's variants beside the default; each is written with every mode.
_OPTIONS = {
    "GIF": ({}, {"transparency": 0}),
    "JPEG": ({}, {"progressive": True}),
    "PNG": ({}, {"interlace": 1}),
    "TGA": ({}, {"compression": "tga_rle"}),
    "TIFF": ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"},
             {"compression": "packbits"}, {"compression": "jpeg"}),
    "WEBP": ({}, {"lossless": True}),
}  # fmt: skip


def images_of(name):
    """Files (bytes) of a format of Pillow's."""
    Image.init()
    files = []
    for mode in MODES:
        image = _picture().convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
        for options in _OPTIONS.get(name, ({},)):
            file = io.BytesIO()
            try:
                image.save(file, name, **options)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # the format has no such pixels
            files.append(file.getvalue())
    if name in ("GIF", "WEBP", "TIFF", "PNG"):
        file = io.BytesIO()
        more = [_picture().rotate(90 * turns) for turns in (1, 2)]
        _picture().save(file, name, save_all=True, append_images=more)
        files.append(file.getvalue())
    if name == "JPEG":
        files.append(_turned())
    if name == "PPM":
        files += [b"P2\n3 2\n255\n0 9 255\n7 8 40\n", b"P3\n2 1\n255\n0 9 255 7 8 40\n",
                  b"P1\n4 2\n1 0 0 1\n0 1 1 0\n"]  # fmt: skip
    return list(dict.fromkeys(files))


def _picture():
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return Image.fromarray(np.stack([20 * rows, 20 * columns, 9 * rows * columns % 256], -1)
                           .astype(np.uint8))  # fmt: skip


def _turned():
    """As a camera on its side writes it."""
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    _picture().save(file, "JPEG", exif=exif)
    return file.getvalue()
