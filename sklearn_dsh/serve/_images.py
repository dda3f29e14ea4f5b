"""From what a browser sends to a sketch as hashers read it, and from photos to thumbnails."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.ndimage import gaussian_filter, label, maximum_filter

from ..preprocessing import load_image
from ..preprocessing._resize import decode

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_PIXELS = 25_000_000  # what most phones give; 100 MB a copy once decoded
_MANY_PIXELS = 2_000_000  # decoded in about 20 ms
MIN_SIDE = 8
# At which a drawing is cleaned and cropped: more than any hasher here reads of it.
_WORK_SIDE = 512
# Part of the frame that a drawing fills; half of the sketches of `make_sketch_photo` fill 0.53 to
# 0.75 of it, those of Sketchy and TU-Berlin more.
_FILL = 0.75
_SMALLEST_CROP = 0.25  # of the picture: a dot is not blown up to a disc
# Ink is what is darker than the paper by these parts of the darkest stroke, and more.
_FAINT, _FULL = 0.3, 0.7
_NO_STROKE = 0.2  # part of the paper's brightness
_SPECK = 5e-5  # of the picture's area
_CELLS = 64  # along a side: the paper's brightness is estimated so coarsely


class UploadError(ValueError):
    """What was sent cannot be used; ``status`` is the HTTP status to answer with."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def read_upload(body):
    """Decode one uploaded picture, of whose size nothing is believed.

    Parameters
    ----------
    body : bytes
        A PNG, JPEG, WebP or GIF file; the first frame of an animation. Transparent is white.

    Returns
    -------
    grey : ndarray of uint8, shape (height, width)
        At most 512 pixels along a side.

    Raises
    ------
    UploadError
        If it is something else (415), has too many pixels (413), or is cut off, damaged or tiny
        (422).
    """
    if not body:
        raise UploadError(422, "Nothing was sent: send a drawing as a PNG or JPEG file.")
    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as image:
            _check_size(image.size)
            image.draft("L", (_WORK_SIDE, _WORK_SIDE))  # a JPEG shrinks while it is decoded
            image, _ = decode(image, "L")
    except UploadError:
        raise
    except UnidentifiedImageError as error:
        raise UploadError(
            415, "This is not a picture that can be read: send a PNG, JPEG, WebP or GIF file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # Pillow's decoders raise a dozen different types
        raise UploadError(422, "The picture is cut off or damaged: save it anew.") from error
    image.thumbnail((_WORK_SIDE, _WORK_SIDE))
    return np.asarray(image)


def has_many_pixels(body):
    """Whether a picture, of which nothing is believed, would take long to decode."""
    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as image:
            return image.width * image.height > _MANY_PIXELS
    except Exception:  # `read_upload` says what is wrong
        return False


def _check_size(size):
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(size) < MIN_SIDE:
        raise UploadError(
            422,
            f"The picture has {width} x {height} pixels: at least {MIN_SIDE} x {MIN_SIDE} are "
            "needed.",
        )


def _too_many_pixels():
    return UploadError(
        413, f"The picture has more than {MAX_PIXELS // 10**6} million pixels: send a smaller one."
    )


def to_sketch(grey, shape):
    """Clean a drawing, crop it to its strokes and bring it to the shape that a hasher reads.

    Works for a canvas and for a photo of a drawing on paper or on a blackboard: brightness is
    taken relative to the paper around, and the place and size of the drawing do not matter.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
        Dark strokes on bright paper, or bright on dark.
    shape : tuple of int (height, width)
        Of the result.

    Returns
    -------
    sketch : ndarray of uint8, shape (1, height, width)
        Dark strokes on white.

    Raises
    ------
    UploadError
        If there are no strokes (422).
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) < 128:
        grey = 255 - grey
    ink = 1 - grey / np.maximum(_paper(grey), 1)
    darkest = ink.max()
    if darkest < _NO_STROKE:
        raise UploadError(422, "There are no strokes in the picture: draw dark lines on white.")
    ink = np.clip((ink / darkest - _FAINT) / (_FULL - _FAINT), 0, 1)
    top, bottom, left, right = _bounds(ink)
    side = int(max((bottom - top) / _FILL, (right - left) / _FILL, _SMALLEST_CROP * max(ink.shape)))
    drawing = Image.fromarray(np.uint8(255 - np.rint(255 * ink[top:bottom, left:right])))
    square = Image.new("L", (side, side), 255)
    square.paste(drawing, ((side - drawing.width) // 2, (side - drawing.height) // 2))
    height, width = shape
    return np.asarray(square.resize((width, height), Image.Resampling.LANCZOS))[None]


def _paper(grey):
    """Brightness of the paper at each pixel: the brightest around, smoothed."""
    cell = -(-max(grey.shape) // _CELLS)
    padded = np.pad(grey, [(0, -side % cell) for side in grey.shape], mode="edge")
    rows, columns = (side // cell for side in padded.shape)
    coarse = padded.reshape(rows, cell, columns, cell).max(axis=(1, 3))
    coarse = gaussian_filter(maximum_filter(coarse, 9).astype(np.float32), 2)
    smooth = Image.fromarray(coarse).resize(padded.shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(smooth)[: grey.shape[0], : grey.shape[1]]


def _bounds(ink):
    """Top, bottom, left and right of the strokes, specks of dust left out."""
    strokes = ink > 0.5
    patches, _ = label(strokes, np.ones((3, 3)))
    areas = np.bincount(patches.ravel())
    large = strokes & (areas >= _SPECK * ink.size)[patches]
    if not large.any():
        raise UploadError(422, "There are only specks in the picture: draw some lines.")
    rows, columns = (np.flatnonzero(large.any(axis=axis)) for axis in (1, 0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def png_bytes(sketch):
    """A sketch, uint8 (height, width), as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(sketch).save(file, "PNG")
    return file.getvalue()


def thumbnail_bytes(path, side=256):
    """A photo as a JPEG file of at most ``side`` pixels along a side.

    Raises
    ------
    ValueError
        If the file is missing or no image; the path is named.
    """
    photo = Image.fromarray(load_image(path))
    photo.thumbnail((side, side))
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=88)
    return file.getvalue()
