"""From rows of a view to tensors: decoding, resizing, scaling, and which rows make a batch."""

import numpy as np
import torch

from ..preprocessing import load_image, resize_images

_MODES = {"sketch": "L", "image": "RGB"}


class ImageSource:
    """Rows of images or of image paths as uint8 batches of one size, a batch at a time.

    Parameters
    ----------
    X : uint8 array (n, H, W[, 3]), memmap or row subset of one, or array of n paths
    view : {"sketch", "image"}
    size : int
        Side in pixels of what comes out.
    """

    def __init__(self, X, view, size):
        self.X, self.view, self.size, self.mode = X, view, size, _MODES[view]

    def __len__(self):
        return len(self.X)

    def at_size(self):
        """This source with every image decoded and resized once, as uint8.

        Files are read before any training, so that a damaged one is found at once, and not again
        in every epoch. Images that have the size stay where they are, in a memory map, say.
        """
        if self.X.ndim > 1 and self.X.shape[1:3] == (self.size, self.size):
            return self
        channels = () if self.mode == "L" else (3,)
        images = np.empty((len(self), self.size, self.size, *channels), dtype=np.uint8)
        for rows in blocks(len(self), 256):
            images[rows] = self[rows]
        return ImageSource(images, self.view, self.size)

    def __getitem__(self, rows):
        picked = self.X[rows]
        if picked.ndim == 1:
            return np.stack([load_image(path, self.size, self.mode) for path in picked])
        if picked.shape[1:3] == (self.size, self.size):
            return np.asarray(picked)
        return resize_images(np.asarray(picked), self.size)


class FeatureSource:
    """Rows of feature vectors as they are, float32 or float64."""

    def __init__(self, X):
        self.X = X

    def at_size(self):
        return self

    def __len__(self):
        return len(self.X)

    def __getitem__(self, rows):
        return np.asarray(self.X[rows])


def kind_of(X):
    """ "features" for two dimensions, else "images" (pixels or paths)."""
    return "features" if X.ndim == 2 else "images"


def make_source(X, view, size):
    return FeatureSource(X) if kind_of(X) == "features" else ImageSource(X, view, size)


def make_tokens(sketch_tokens, photos, size):
    """Token maps of a batch: uint8 (n, H, W, 3) -> uint8 (n, size, size), checked.

    ``sketch_tokens`` is a callable or has ``transform``, and keeps the size of the photos.
    """
    transform = getattr(sketch_tokens, "transform", sketch_tokens)
    tokens = np.asarray(transform(photos))
    if tokens.shape != photos.shape[:3] or tokens.dtype != np.uint8:
        raise ValueError(
            f"sketch_tokens must turn photos of shape {photos.shape} into uint8 maps of shape "
            f"{photos.shape[:3]} (dark strokes on white), but gave {tokens.dtype} {tokens.shape}."
        )
    return resize_images(tokens, size)


def all_tokens(sketch_tokens, source, size, *, block=256):
    """The token maps of every photo of ``source``, kept as bytes: uint8 (n, size, size)."""
    tokens = np.empty((len(source), size, size), dtype=np.uint8)
    for rows in blocks(len(source), block):
        tokens[rows] = make_tokens(sketch_tokens, source[rows], size)
    return tokens


def blocks(n, size):
    """Consecutive slices that cover ``range(n)``."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def as_tensor(batch, device):
    """A batch as the networks read it.

    Sketches and tokens become (n, 1, H, W) in [0, 1] with strokes 1, photos (n, 3, H, W) in
    [-1, 1], features stay (n, d).
    """
    if batch.ndim == 2:
        return torch.tensor(batch, device=device)
    tensor = torch.tensor(batch, device=device).float()  # copies: a memmap is read-only
    if batch.ndim == 3:
        return (1 - tensor / 255)[:, None]
    # Permuting a (n, H, W, 3) array gives the channels-last layout that convolutions like.
    return (tensor / 127.5 - 1).permute(0, 3, 1, 2)


class BatchSampler:
    """Rows of one view for a training step: every category equally often, or in shuffled turns.

    Parameters
    ----------
    labels : int array (n,)
    batch_size : int
    random_state : numpy.random.RandomState
    balanced : bool
    """

    def __init__(self, labels, batch_size, random_state, *, balanced=True):
        self.batch_size, self.random_state = batch_size, random_state
        groups = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        self.groups = groups if balanced else [np.arange(len(labels))]
        self.queues = [np.empty(0, dtype=np.intp) for _ in self.groups]
        self.turns = np.empty(0, dtype=np.intp)

    def _take(self, queue, n, refill):
        while len(queue) < n:
            queue = np.concatenate([queue, self.random_state.permutation(refill)])
        return queue[:n], queue[n:]

    def draw(self):
        """Row numbers (batch_size,): every row of a group comes once before any comes again."""
        turns, self.turns = self._take(self.turns, self.batch_size, len(self.groups))
        rows = []
        for group, n in zip(*np.unique(turns, return_counts=True), strict=True):
            taken, self.queues[group] = self._take(self.queues[group], n, self.groups[group])
            rows.append(taken)
        return np.concatenate(rows)
