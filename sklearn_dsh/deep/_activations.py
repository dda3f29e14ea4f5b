"""What never changes in a training is computed once an item: the outputs of frozen networks."""

import numpy as np
import torch

from ..views import VIEWS
from . import _augmentation as augmentation
from ._batches import as_tensor, blocks, make_tokens
from ._pixels import to_network
from ._reading import read_ahead
from ._training_set import TrainingSet

# Milder than what images are warped with while they are trained on: a network that knows images
# has little to learn from the strongest.
WARP = {"degrees": 8.0, "scale": (0.85, 1.1), "shift": 0.05, "elastic": 0.0}


class Activations:
    """Rows of a view as a frozen network gives them, in several versions.

    Parameters
    ----------
    stored : uint8 array or ByteFile (n_versions * n, n_bytes)
        The rows of the first version, which is the images as they are, then those of the second.
    n : int
        Items.
    shape : tuple of int
        Of one row, of float32.
    """

    reads_files = False
    passed_frozen = True
    block = 256

    def __init__(self, stored, n, shape):
        self.stored, self.n, self.shape = stored, n, shape
        self.n_versions = len(stored) // n

    def __len__(self):
        return self.n

    def __getitem__(self, rows):
        """Rows of the first version; with a tuple (rows, versions), of these versions."""
        if isinstance(rows, tuple):
            rows, versions = rows
            rows = rows + self.n * versions
        elif isinstance(rows, slice):
            rows = slice(*rows.indices(self.n))
        found = np.ascontiguousarray(self.stored[rows])
        return found.view(np.float32).reshape(len(found), *self.shape)

    def put(self, start, version, values):
        """Keep the rows from ``start`` on of one version: float32 (n_rows, ...)."""
        at = start + self.n * version
        rows = np.ascontiguousarray(values).reshape(len(values), -1).view(np.uint8)
        self.stored[at : at + len(rows)] = rows


def make_version(images, maps, version, draws, view):
    """Version number ``version`` of unit tensors: as it is, mirrored, or warped, maps likewise."""
    if version == 0:
        return images, maps
    if version == 1:
        return images.flip(3), None if maps is None else maps.flip(3)
    if view == "sketch":
        images = augmentation.random_strokes(images, draws)
    grid = augmentation.random_warp(draws, images.shape[2:], **WARP)
    if maps is not None:
        maps = augmentation.warp(maps, augmentation.grid_for(grid, maps.shape[2:]))
    return augmentation.warp(images, grid), maps


def compute_activations(
    network,
    data,
    architecture,
    sketch_tokens,
    device,
    processes,
    *,
    n_versions,
    store,
    seed,
    autocast,
    n_jobs,
    progress=None,
):
    """A `TrainingSet` whose images have passed the frozen part of a network.

    Every image is read once and passes once a version, in blocks that the processes share.

    Parameters
    ----------
    network : TripleNetwork
        On ``device``, with a frozen part for each view of ``data``.
    data : TrainingSet
        Of images as they are; its tokens are not read.
    architecture : Architecture
        Read for the tokens' size.
    sketch_tokens : None, callable or transformer
    device : torch.device
    processes : Processes
    n_versions : int
        1: as they are; 2: mirrored, too; more: randomly warped.
    store : callable
        ``store(shape)`` gives what takes rows of bytes: an array or a `ByteFile`.
    seed : int
    autocast : context manager
        The precision in which they pass.
    n_jobs : int or None
    progress : tqdm bar, default=None
        Tells how many images have passed.
    """
    sources, tokens = {}, None
    size = architecture.sizes()["sketch"]
    for view, source in data.sources.items():
        kept = {}

        def keep(name, start, version, values, source=source, kept=kept):
            if name not in kept:
                shape = values.shape[1:]
                stored = store((n_versions * len(source), 4 * int(np.prod(shape))))
                kept[name] = Activations(stored, len(source), shape)
            kept[name].put(start, version, values)

        for part, own, images in _shared_blocks(source, view, processes, n_jobs):
            if progress is not None:
                progress.set_postfix_str(f"{view} {part.start} of {len(source)}", refresh=False)
            draws = _draws(seed, view, part, own, device)
            units = {view: as_tensor(images, device), "token": None}
            if view == "image" and sketch_tokens is not None:
                units["token"] = as_tensor(make_tokens(sketch_tokens, images, size, n_jobs), device)
            for version in range(n_versions):
                changed = make_version(*units.values(), version, draws, view)
                for name, unit in zip(units, changed, strict=True):
                    if unit is None:
                        continue
                    like = "sketch" if name == "token" else view
                    with torch.inference_mode(), autocast:
                        values = network.frozen_part(like)(to_network(unit, data.pixels[like]))
                    values = values.float().cpu().numpy()
                    values = processes.collect(values, part.stop - part.start)
                    keep(name, part.start, version, values)
        sources[view] = kept[view]
        tokens = kept.get("token", tokens)
    return TrainingSet(sources, data.labels, tokens)


def _shared_blocks(source, view, processes, n_jobs):
    """Yield all rows of a source in blocks: (slice, this process's rows in it, these rows)."""
    parts = blocks(len(source), source.block)
    own = [processes.part(part.stop - part.start) for part in parts]
    requests = [
        {view: slice(part.start + rows.start, part.start + rows.stop)}
        for part, rows in zip(parts, own, strict=True)
    ]
    batches = read_ahead({view: source}, requests, n_jobs)
    for part, rows, batch in zip(parts, own, batches, strict=True):
        yield part, rows, batch[view]


def _draws(seed, view, part, own, device):
    """What is random in a block: the same for any number of processes."""
    key = np.random.SeedSequence([seed, VIEWS.index(view), part.start])
    generator = torch.Generator().manual_seed(int(key.generate_state(1)[0]))
    rows = np.arange(own.start, own.stop)
    return augmentation.Draws(generator, part.stop - part.start, rows, device)
