"""Image files to arrays, and image arrays to a wanted size."""

import os
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Pillow has EPS drawn by Ghostscript: files of strangers would have a program read them.
_RUN_PROGRAMS = ("EPS", "WMF", "EMF")
_LITTLE_MEMORY = 4 << 30  # bytes: what the largest image that Pillow lets through takes


def load_image(
    path: str | os.PathLike[str], size: int | None = None, mode: Literal["L", "RGB"] = "RGB"
) -> NDArray[np.uint8]:
    """Read one image file into a uint8 array.

    The orientation noted by a camera is applied, transparent parts become white, and the
    whole image is squeezed (not cropped) into a square when a size is given.

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
        If the file is missing, empty, cut off, no image, or one that another program would have to
        draw (EPS, WMF), or it has more pixels than Pillow lets through (``2 *
        PIL.Image.MAX_IMAGE_PIXELS``, 179 million); the path is named.
    MemoryError
        If there is not memory enough, which is up to 20 bytes a pixel; the path is named.
    """
    if mode not in ("L", "RGB"):
        raise ValueError(f"mode={mode!r}: expected 'L' (grey) or 'RGB' (colour).")
    path = str(os.fspath(path))  # of numpy, too
    try:
        with Image.open(path) as image:
            if image.format in _RUN_PROGRAMS:
                raise ValueError(
                    f"{image.format} files are drawn by another program, which is not started"
                )
            if size is not None:
                # A JPEG decoder can shrink while it decodes, which is many times faster.
                image.draft(None, (2 * size, 2 * size))
            image = ImageOps.exif_transpose(image)
            image = _as_mode(image, mode)
    except Exception as error:  # Pillow's decoders raise a dozen different types
        if isinstance(error, MemoryError) and _memory_is_short():
            raise MemoryError(f"No memory is left to read the image file {path!r}.") from error
        raise ValueError(
            f"Cannot read the image file {path!r}: {_reason(path, error)}. "
            "Expected a complete image in a format that Pillow reads; repair or remove the file."
        ) from error
    if size is not None:
        image = _resize(image, size)
    return np.asarray(image)


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


def _as_mode(image, mode):
    if image.mode.startswith("I;16"):
        # Pillow's own conversion would clip every value above 255 to white.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels are 32-bit numbers (mode {image.mode!r}) of unknown range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(mode)


def _memory_is_short():
    """Whether there is little memory; if not, a damaged file asked for too much of it."""
    try:
        np.empty(_LITTLE_MEMORY, dtype=np.uint8)  # reserved, not touched
    except MemoryError:
        return True
    return False


def _reason(path, error):
    if not os.path.exists(path):
        return "the file does not exist"
    if os.path.isdir(path):
        return "it is a folder"
    if os.path.getsize(path) == 0:
        return "the file is empty"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return str(error) or type(error).__name__
