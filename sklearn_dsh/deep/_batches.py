"""From rows of a view to tensors: decoding, resizing, tokens, scaling."""

import numpy as np
import torch
from sklearn.base import clone

from ..preprocessing import EdgeTokens, load_image, resize_images
from ._polarity import with_dark_strokes
from ._reading import read_ahead

LARGE = 128  # pixels
_MODES = {"sketch": "L", "image": "RGB"}


class ImageSource:
    """Rows of images or of image paths as uint8 batches of one size, a batch at a time.

    Parameters
    ----------
    X : uint8 array (n, H, W[, 3]), memmap or row subset of one, or array of n paths
    view : {"sketch", "image"}
    size : int
        Side in pixels of what comes out.
    polarity : {"dark", "bright", "auto"}, default="dark"
        Of sketches, which come out as dark strokes on white.
    """

    passed_frozen = False  # whether rows are outputs of the networks' frozen part

    def __init__(self, X, view, size, polarity="dark"):
        self.X, self.view, self.size, self.mode = X, view, size, _MODES[view]
        self.polarity = polarity if view == "sketch" else "dark"

    @property
    def block(self):
        """How many images are read or encoded together: fewer large ones."""
        return 256 if self.size <= LARGE else 64

    @property
    def reads_files(self):
        """Whether rows are decoded from files each time."""
        return self.X.ndim == 1

    @property
    def n_bytes_at_size(self):
        """What `at_size` would store."""
        if not self.reads_files and self.X.shape[1:3] == (self.size, self.size):
            return 0
        return len(self) * self.size**2 * (1 if self.mode == "L" else 3)

    def __len__(self):
        return len(self.X)

    def at_size(self, store, n_jobs=None):
        """This source with every image decoded and resized once, as bytes in ``store(shape)``.

        Images that have the size stay where they are, in a memory map, say.
        """
        if not self.n_bytes_at_size:
            return self
        channels = () if self.mode == "L" else (3,)
        images = store((len(self), self.size, self.size, *channels))
        for rows, batch in read_blocks(self, n_jobs):
            images[rows] = batch
        return ImageSource(images, self.view, self.size)

    def __getitem__(self, rows):
        picked = self.X[rows]
        if picked.ndim == 1:
            return np.stack([self._read(path) for path in picked])
        picked = with_dark_strokes(np.asarray(picked), self.polarity)
        return resize_images(picked, self.size)

    def _read(self, path):
        if self.polarity == "dark":
            return load_image(path, self.size, self.mode)
        whole = load_image(path, None, self.mode)[None]  # its size says what is mostly dark
        return resize_images(with_dark_strokes(whole, self.polarity), self.size)[0]


class FeatureSource:
    """Rows of feature vectors as they are, float32 or float64."""

    reads_files = False
    passed_frozen = False
    n_bytes_at_size = 0
    block = 256

    def __init__(self, X):
        self.X = X

    def at_size(self, store, n_jobs=None):
        return self

    def __len__(self):
        return len(self.X)

    def __getitem__(self, rows):
        return np.asarray(self.X[rows])


def kind_of(X):
    """ "features" for two dimensions, else "images" (pixels or paths)."""
    return "features" if X.ndim == 2 else "images"


def make_source(X, view, size, polarity="dark"):
    if kind_of(X) == "features":
        return FeatureSource(X)
    return ImageSource(X, view, size, polarity)


def wants_tokens(sketch_tokens, architecture):
    """Whether photos are to have tokens."""
    if isinstance(sketch_tokens, str):  # "auto"
        return architecture.tokens_pay
    return sketch_tokens is not None


def make_tokens(sketch_tokens, photos, size, n_jobs=None):
    """Token maps of a batch: uint8 (n, H, W, 3) -> uint8 (n, size, size), checked.

    ``sketch_tokens`` is a callable or has ``transform``, and keeps the size of the photos.
    `EdgeTokens` that say nothing of threads draw with ``n_jobs``.
    """
    if isinstance(sketch_tokens, EdgeTokens) and sketch_tokens.n_jobs is None:
        sketch_tokens = clone(sketch_tokens).set_params(n_jobs=n_jobs)
    transform = getattr(sketch_tokens, "transform", sketch_tokens)
    tokens = np.asarray(transform(photos))
    if tokens.shape != photos.shape[:3] or tokens.dtype != np.uint8:
        raise ValueError(
            f"sketch_tokens must turn photos of shape {photos.shape} into uint8 maps of shape "
            f"{photos.shape[:3]} (dark strokes on white), but gave {tokens.dtype} {tokens.shape}."
        )
    return resize_images(tokens, size)


def byte_array(shape):
    """Bytes in memory."""
    return np.empty(shape, dtype=np.uint8)


def all_tokens(sketch_tokens, source, size, *, store=byte_array, n_jobs=None, block=None):
    """The token maps of every photo of ``source``, in ``store((n, size, size))``."""
    tokens = store((len(source), size, size))
    for rows, photos in read_blocks(source, n_jobs, block):
        tokens[rows] = make_tokens(sketch_tokens, photos, size, n_jobs)
    return tokens


def blocks(n, size):
    """Consecutive slices that cover ``range(n)``."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def read_blocks(source, n_jobs=None, size=None):
    """Yield all rows of a source, a block at a time: (slice, rows)."""
    slices = blocks(len(source), source.block if size is None else size)
    batches = read_ahead({"rows": source}, [{"rows": rows} for rows in slices], n_jobs)
    for rows, batch in zip(slices, batches, strict=True):
        yield rows, batch["rows"]


def as_tensor(batch, device):
    """A batch as the networks read it.

    Sketches and tokens become (n, 1, H, W) in [0, 1] with strokes 1, photos (n, 3, H, W) in
    [-1, 1]; features and activations, which are no bytes, stay as they are.
    """
    batch = np.ascontiguousarray(batch)  # torch refuses negative strides: reversed rows, BGR
    if batch.dtype != np.uint8:
        tensor = torch.tensor(batch, device=device)
        # The layout that convolutions like.
        return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
    tensor = torch.tensor(batch, device=device).float()  # copies: a memmap is read-only
    if batch.ndim == 3:
        return (1 - tensor / 255)[:, None]
    # Permuting a (n, H, W, 3) array gives the channels-last layout that convolutions like.
    return (tensor / 127.5 - 1).permute(0, 3, 1, 2)
