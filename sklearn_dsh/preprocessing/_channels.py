"""Channels of a photo, and the features of a patch that are looked up in them."""

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.color import rgb2luv

# Widths of the smoothing before gradients are taken; directions are told apart at the first two.
_SIGMAS = (0, 1.5, 5)
_DIRECTIONS = 4
_DIRECTION_SIGMAS = _SIGMAS[:2]
N_CHANNELS = 3 + len(_SIGMAS) + len(_DIRECTION_SIGMAS) * _DIRECTIONS

# Gradients are taken relative to their mean over so many pixels, plus a floor for plain regions.
_CONTRAST_WINDOW = 11
_CONTRAST_FLOOR = 0.02
_FINAL_SIGMA = 1.0

# A patch has so many cells along each side, which are compared with each other.
_CELLS = 5


def channel_planes(photo, patch_size):
    """Colours, gradients and directions of a photo and of its reflected border.

    Parameters
    ----------
    photo : ndarray of uint8, shape (height, width, 3)
    patch_size : int
        Odd. The border is half as wide, so that there is a whole patch around each pixel.

    Returns
    -------
    planes : ndarray of float32, shape (2 * N_CHANNELS + 1, height + border, width + border)
        L, u, v in units of 100; the length of the gradient at each scale; and its length by
        direction at each of two scales. Then the means of the same over the cells of a patch
        around each pixel, and last a plane of zeros. The border counts on both sides:
        patch_size - 1 pixels.
    """
    margin = patch_size // 2
    planes = np.empty(planes_shape(photo.shape[:2], patch_size), dtype=np.float32)
    padded = np.pad(photo, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    luv = np.moveaxis(rgb2luv(padded.astype(np.float32) / 255) / 100, -1, 0)
    planes[:3], planes[-1] = luv, 0
    lengths = planes[3 : 3 + len(_SIGMAS)]
    directions = planes[3 + len(_SIGMAS) : N_CHANNELS].reshape(-1, _DIRECTIONS, *luv.shape[1:])
    for i, sigma in enumerate(_SIGMAS):
        smooth = gaussian_filter(luv, (0, sigma, sigma), truncate=3) if sigma else luv
        lengths[i], angle = _gradient(smooth)
        if sigma in _DIRECTION_SIGMAS:
            _split_by_direction(lengths[i], angle, directions[i])
    for channel, cell in zip(planes[:N_CHANNELS], planes[N_CHANNELS:-1], strict=True):
        channel[:] = gaussian_filter(channel, _FINAL_SIGMA, truncate=3)
        uniform_filter(channel, cell_size(patch_size), output=cell)
    return planes


def planes_shape(shape, patch_size):
    """Shape of the planes of a photo of the shape (height, width)."""
    margin = patch_size // 2
    return 2 * N_CHANNELS + 1, shape[0] + 2 * margin, shape[1] + 2 * margin


def cell_size(patch_size):
    """Height and width in pixels of the cells of a patch."""
    return patch_size // _CELLS


def _gradient(luv):
    """Length, relative to its surroundings, and angle of the gradient, (height, width) each.

    Of the three channels the one where it is longest counts.
    """
    down, right = np.gradient(luv, axis=(1, 2))
    square = down * down + right * right
    strongest = square.argmax(axis=0)[None]
    square, down, right = (np.take_along_axis(a, strongest, 0)[0] for a in (square, down, right))
    length = np.sqrt(square)
    around = uniform_filter(length, _CONTRAST_WINDOW)
    return length / (around + np.float32(_CONTRAST_FLOOR)), np.arctan2(down, right)


def _split_by_direction(length, angle, out):
    """Share each pixel's length between the two nearest directions of 180 degrees, linearly."""
    position = angle * np.float32(_DIRECTIONS / np.pi)
    for i, share in enumerate(out):
        distance = np.abs((position - i + _DIRECTIONS / 2) % _DIRECTIONS - _DIRECTIONS / 2)
        np.multiply(length, np.maximum(0, 1 - distance), out=share)


def draw_lookups(n_lookups, patch_size, rng):
    """Choose features of a patch at random, out of all that it has.

    A feature is the value of a channel at a pixel of the patch, or the difference of a channel
    between two of the patch's 5 x 5 cells, which tells how alike they are.

    Parameters
    ----------
    n_lookups : int
        All if there are fewer.
    patch_size : int
    rng : RandomState

    Returns
    -------
    lookups : ndarray of int16, shape (n_lookups, 2, 3)
        Plane, row and column of the value and of what is subtracted from it, counted from the
        centre of the patch. From a single pixel the plane of zeros is subtracted.
    """
    n_pixels = patch_size**2
    pairs = np.column_stack(np.triu_indices(_CELLS**2, 1))
    n_all = N_CHANNELS * (n_pixels + len(pairs))
    chosen = np.sort(rng.permutation(n_all)[:n_lookups])
    n_values = int(np.searchsorted(chosen, N_CHANNELS * n_pixels))
    lookups = np.zeros((len(chosen), 2, 3), dtype=np.int16)
    plane, pixel = np.divmod(chosen[:n_values], n_pixels)
    lookups[:n_values, 0, 0] = plane
    lookups[:n_values, 0, 1:] = np.column_stack(np.divmod(pixel, patch_size)) - patch_size // 2
    lookups[:n_values, 1, 0] = 2 * N_CHANNELS
    plane, pair = np.divmod(chosen[n_values:] - N_CHANNELS * n_pixels, len(pairs))
    lookups[n_values:, :, 0] = N_CHANNELS + plane[:, None]
    cells = np.stack(np.divmod(pairs[pair], _CELLS), axis=-1) - _CELLS // 2
    lookups[n_values:, :, 1:] = cells * cell_size(patch_size)
    return lookups


def flat_offsets(lookups, shape):
    """Where lookups lie in planes of a shape, from the first plane's value at the patch's centre.

    Parameters
    ----------
    lookups : ndarray of int16, shape (n_lookups, 2, 3)
    shape : tuple
        Of the planes: (n_planes, height, width).

    Returns
    -------
    offsets : ndarray of int64, shape (n_lookups, 2)
        Steps in the flattened planes.
    """
    plane, row, column = np.moveaxis(lookups.astype(np.int64), -1, 0)
    return (plane * shape[1] + row) * shape[2] + column


def look_up(planes, rows, columns, lookups):
    """Features of some patches.

    Parameters
    ----------
    planes : ndarray of float32, shape (n_planes, height, width)
    rows, columns : ndarray of int, shape (n_patches,)
        Centres of the patches in the planes.
    lookups : ndarray of int16, shape (n_lookups, 2, 3)

    Returns
    -------
    features : ndarray of float32, shape (n_patches, n_lookups)
    """
    first, second = flat_offsets(lookups, planes.shape).T
    centres = (rows * planes.shape[2] + columns)[:, None]
    flat = planes.ravel()
    return flat[centres + first] - flat[centres + second]
