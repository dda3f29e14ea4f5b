"""Pixels of 16 bits as bytes, and one warning for the files that do not use all of these."""

import re
import warnings
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps

from ..exceptions import BitDepthWarning

_DEPTHS = (8, 10, 12, 14, 16)  # of cameras, scanners and microscopes
# Raw modes such as "RGB;16B"; "BGR;16" has 16 bits for all three channels.
_DEEP_CHANNELS = re.compile(r";16[BLN]")
_COLOURS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}  # channels but alpha
_LARGEST = 65535

# Dicts of path to bits that are being filled, in whatever thread: the last one takes it. Without a
# lock, which a forked worker might find held.
_GATHERING = []


def as_bytes(image):
    """An opened image, upright, with 8 bits a channel.

    Of 16 bits the upper 8 are kept, unless the largest value of the image is below a quarter of
    full scale: photos are hardly that dark, while cameras and microscopes store 10, 12 or 14 bits
    in 16. Then the fewest of 8, 10, 12 and 14 bits that hold the largest value are taken for all
    there are. A photo that is that dark becomes brighter, which an image that was black would not
    be.

    Parameters
    ----------
    image : PIL.Image.Image
        Not loaded yet: only then does it tell how its pixels are stored.

    Returns
    -------
    image : PIL.Image.Image
    bits : int or None
        What was taken for all bits, where fewer than 16 are used and the file does not say so.

    Raises
    ------
    ValueError
        If the pixels are numbers of unknown range.
    """
    is_pnm, stated = image.format == "PPM", _stated_bits(image)
    has_deep_channels = _has_deep_channels(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and is_pnm):
        values = np.asarray(image)
        bits = stated or used_bits(int(values.max()))
        # Pillow's own conversion would clip every value above 255 to white.
        grey = Image.fromarray((values >> (bits - 8)).astype(np.uint8))
        return grey, None if stated or bits == 16 or not values.any() else bits
    if image.mode in ("I", "F"):
        raise ValueError(
            f"its pixels are 32-bit numbers (mode {image.mode!r}) of unknown range: save them with "
            "8 or 16 bits"
        )
    return _deep_channels(image, rounded=is_pnm) if has_deep_channels else (image, None)


def used_bits(largest):
    """The fewest bits in use anywhere that hold a value."""
    return next(bits for bits in _DEPTHS if largest < 1 << bits)


def _stated_bits(image):
    """How many of 16 bits the file says that it uses; None if it does not."""
    if image.format == "TIFF":
        n_bits = image.tag_v2.get(258, (16,))[0]
        return n_bits if 8 < n_bits < 16 else None
    if image.format == "PPM" and image.mode == "I":  # brought to 16 bits by Pillow
        return 16 if _of_pnm(image) < _LARGEST else None
    return None


def _of_pnm(image):
    """The largest value that a PGM or PPM file says it may hold."""
    args = image.tile[0].args
    return args[-1] if isinstance(args, tuple) else _LARGEST if ";16" in args else 255


def _has_deep_channels(image):
    """Whether Pillow keeps only the upper 8 of 16 bits of each channel."""
    if image.mode not in _COLOURS or not getattr(image, "tile", None):
        return False
    if image.format == "PPM":
        return _of_pnm(image) == _LARGEST
    args = image.tile[0].args
    args = args if isinstance(args, tuple) else (args,)
    return any(isinstance(arg, str) and _DEEP_CHANNELS.search(arg) for arg in args)


def _deep_channels(image, rounded):
    """What Pillow made of channels of 16 bits, the upper 8 cut off or rounded, as `as_bytes`."""
    n_colours = _COLOURS[image.mode]
    extrema = image.getextrema()
    extrema = [extrema] if image.mode == "L" else extrema[:n_colours]
    largest = max(high for _, high in extrema)
    bits = used_bits(max(257 * largest - 128, 0) if rounded else largest << 8)
    if bits == 16:
        return image, None
    if bits == 8:  # of which nothing is left; or it is black
        return image, 8
    table = [min(value << (16 - bits), 255) for value in range(256)] * n_colours
    table += list(range(256)) * (len(image.getbands()) - n_colours)
    return image.point(table), bits


@contextmanager
def gathered():
    """What `tell` would warn of in here, as a dict of path to bits."""
    found = {}
    _GATHERING.append(found)
    try:
        yield found
    finally:
        _GATHERING[:] = [other for other in _GATHERING if other is not found]


@contextmanager
def told_once():
    """One warning for all files that are read in here."""
    with gathered() as found:
        yield
    tell(found)


def tell(found):
    """One warning for files, a dict of path to bits, unless they are gathered."""
    if not found:
        return
    if _GATHERING:
        _GATHERING[-1].update(found)
        return
    path, bits = next(iter(found.items()))
    what = "1 image file uses" if len(found) == 1 else f"{len(found):,} image files use"
    warnings.warn(
        f"Of 16 bits a channel {what} fewer, {path!r} {bits}. They were brightened, as if those "
        "bits were all (colours of 8 or fewer are read as black). Save them with 8 bits a channel, "
        "or scaled to all 16; photos that are as dark as that, too.",
        BitDepthWarning,
        stacklevel=3,
    )
