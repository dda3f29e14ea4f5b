"""Image files to arrays, and image arrays to a wanted size."""

import os
import stat
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ._bit_depth import as_bytes, tell

# Pillow has EPS drawn by Ghostscript: files of strangers would have a program read them.
_RUN_PROGRAMS = ("EPS", "WMF", "EMF")
_LITTLE_MEMORY = 4 << 30  # bytes: what the largest image that Pillow lets through takes


def load_image(
    path: str | os.PathLike[str], size: int | None = None, mode: Literal["L", "RGB"] = "RGB"
) -> NDArray[np.uint8]:
    """Read one image file into a uint8 array.

    The orientation noted by a camera is applied, transparent parts become white, and the
    whole image is squeezed (not cropped) into a square when a size is given.

    Of 16 bits a channel the upper 8 are kept. Where the largest value of an image is below a
    quarter of full scale, the fewest of 8, 10, 12 and 14 bits that hold it are taken for all there
    are, as cameras and microscopes store them, and a warning says so: a photo of 16 bits that is
    that dark becomes brighter. Of colours Pillow gives the upper 8 bits alone, so that those of 10,
    12 and 14 bits have few levels left.

    Parameters
    ----------
    path : str or path-like
        The file.
    size : int, default=None
        Height and width of the result; None keeps the file's.
    mode : {"L", "RGB"}, default="RGB"
        Grey (what sketches are) or colour (what photos are).

    Returns
    -------
    image : ndarray of uint8, shape (height, width) for "L", (height, width, 3) for "RGB"

    Raises
    ------
    ValueError
        If the file is missing, no regular file, empty, cut off, no image, or one that another
        program would have to draw (EPS, WMF), its pixels are numbers of unknown range, or it has
        more of them than Pillow lets through (``2 * PIL.Image.MAX_IMAGE_PIXELS``, 179 million);
        the path is named.
    MemoryError
        If there is not memory enough, which is up to 20 bytes a pixel; the path is named.

    Warns
    -----
    BitDepthWarning
        If it has 16 bits a channel and uses fewer; the path is named.
    """
    if mode not in ("L", "RGB"):
        raise ValueError(f"mode={mode!r}: expected 'L' (grey) or 'RGB' (colour).")
    path = str(os.fspath(path))  # of numpy, too
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise ValueError("it is no regular file")
        with Image.open(path) as image:
            if image.format in _RUN_PROGRAMS:
                raise ValueError(
                    f"{image.format} files are drawn by another program, which is not started"
                )
            if size is not None:
                # A JPEG decoder can shrink while it decodes, which is many times faster.
                image.draft(None, (2 * size, 2 * size))
            image, bits = decode(image, mode)
        pixels = np.asarray(image if size is None else _resize(image, size))
    except Exception as error:  # Pillow's decoders raise a dozen different types
        if isinstance(error, MemoryError) and _memory_is_short():
            raise MemoryError(f"No memory is left to read the image file {path!r}.") from error
        raise ValueError(
            f"Cannot read the image file {path!r}: {_reason(path, error)}. "
            "Expected a complete image in a format that Pillow reads; repair or remove the file."
        ) from error
    if bits is not None:
        tell({path: bits})
    return pixels


def resize_images(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring a batch of images to a square size, antialiased.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
    size : int
        The wanted height and width.

    Returns
    -------
    resized : ndarray of uint8, shape (n, size, size) or (n, size, size, 3)
        `images` itself where it already has the size.

    Raises
    ------
    ValueError
        If `images` is not uint8 or has another number of dimensions.
    """
    if images.dtype != np.uint8 or not (
        images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
    ):
        raise ValueError(
            f"images of shape {images.shape} and dtype {images.dtype}: expected uint8 of shape "
            "(n, height, width) or (n, height, width, 3)."
        )
    if images.shape[1:3] == (size, size):
        return images
    resized = np.empty((len(images), size, size, *images.shape[3:]), dtype=np.uint8)
    for i, image in enumerate(images):
        resized[i] = _resize(Image.fromarray(np.ascontiguousarray(image)), size)
    return resized


def _resize(image, size):
    # Pillow widens its filter to the scale when it shrinks an image: no aliasing.
    return image.resize((size, size), Image.Resampling.LANCZOS)


def decode(image, mode):
    """An opened image, upright, of 8 bits a channel and in a mode; and what `as_bytes` tells."""
    image, bits = as_bytes(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(mode), bits


def _memory_is_short():
    """Whether there is little memory; if not, a damaged file asked for too much of it."""
    try:
        np.empty(_LITTLE_MEMORY, dtype=np.uint8)  # reserved, not touched
    except MemoryError:
        return True
    return False


def _reason(path, error):
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return "the file does not exist"
    except OSError as failure:
        return failure.strerror or str(failure)
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder"
    if found.st_size == 0 and stat.S_ISREG(found.st_mode):
        return "the file is empty"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return str(error) or type(error).__name__
