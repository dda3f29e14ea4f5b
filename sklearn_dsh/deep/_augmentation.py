"""Random changes of training images, whole batches at a time, on the training device.

Sketches and tokens are (n, 1, H, W) in [0, 1] with strokes 1; photos are (n, 3, H, W) in [-1, 1].
All random numbers come from the `Draws` given.
"""

import math

import torch
from torch.nn import functional


class Draws:
    """Random numbers for the rows of a batch.

    They are drawn for the whole batch even where only some of its rows are wanted, so that
    processes that share a batch agree on what happens to each row.

    Parameters
    ----------
    generator : torch.Generator
    n : int
        Rows of the whole batch.
    rows : int array, optional
        The rows that are wanted; None for all.
    device : torch.device, optional
        Where they are wanted; they are drawn on the CPU, so that they are the same everywhere.
    """

    def __init__(self, generator, n, rows=None, device=None):
        self.generator, self.n_batch, self.device = generator, n, device
        self.rows = None if rows is None or len(rows) == n else torch.from_numpy(rows)
        self.n = n if rows is None else len(rows)

    def _wanted(self, values):
        values = values if self.rows is None else values[self.rows]
        return values.to(self.device)

    def uniform(self, low, high, *shape):
        """Numbers (n, *shape) from low to high."""
        values = torch.rand((self.n_batch, *shape), generator=self.generator)
        return self._wanted(values) * (high - low) + low

    def normal(self, *shape):
        """Standard normal numbers (n, *shape)."""
        return self._wanted(torch.randn((self.n_batch, *shape), generator=self.generator))


def random_warp(draws, size, *, degrees, scale, shift, elastic):
    """Sampling grids (n, H, W, 2): flip, rotation, scale, aspect, shift and a smooth bend."""
    angle = draws.uniform(-degrees, degrees) * (math.pi / 180)
    zoom = 1 / draws.uniform(*scale)
    aspect = torch.exp(draws.uniform(-0.15, 0.15))
    flip = (draws.uniform(0, 1) < 0.5).float() * 2 - 1
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack(
        [
            torch.stack([cos * aspect * flip, -sin / aspect], dim=1),
            torch.stack([sin * aspect * flip, cos / aspect], dim=1),
        ],
        dim=1,
    )
    move = draws.uniform(-2 * shift, 2 * shift, 2, 1)
    grid = functional.affine_grid(torch.cat([theta, move], dim=2), (draws.n, 1, *size), False)
    if elastic:
        bend = draws.normal(2, 5, 5) * elastic
        bend = functional.interpolate(bend, size, mode="bicubic", align_corners=True)
        grid = grid + bend.permute(0, 2, 3, 1)
    return grid


def grid_for(grid, size):
    """The same warp for images of another size."""
    if grid.shape[1:3] == tuple(size):
        return grid
    grid = functional.interpolate(grid.permute(0, 3, 1, 2), size, mode="bilinear")
    return grid.permute(0, 2, 3, 1)


def warp(images, grid, *, fill=0.0):
    """Sample ``images`` at ``grid``; what lies outside becomes ``fill``."""
    moved = functional.grid_sample(images - fill, grid, padding_mode="zeros", align_corners=False)
    return moved + fill


def random_strokes(sketches, draws):
    """Thicken or thin the strokes of a random two thirds of the sketches."""
    which = draws.uniform(0, 1, 1, 1, 1)
    thick = functional.max_pool2d(sketches, 3, 1, 1)
    thin = -functional.max_pool2d(-sketches, 2, 1, 0)
    thin = functional.pad(thin, (0, 1, 0, 1))
    mixed = torch.where(which < 1 / 3, 0.5 * (thick + sketches), sketches)
    return torch.where(which > 5 / 6, 0.5 * (thin + sketches), mixed)


def random_colours(photos, draws):
    """Brightness, contrast, saturation and a cast per channel; a tenth becomes grey."""

    def draw(low, high, channels=1):
        return draws.uniform(low, high, channels, 1, 1)

    mean = photos.mean(dim=(1, 2, 3), keepdim=True)
    grey = photos.mean(dim=1, keepdim=True)
    saturation = draw(0.4, 1.5) * (draw(0, 1) > 0.1)
    photos = grey + (photos - grey) * saturation
    photos = mean + (photos - mean) * draw(0.6, 1.4)
    return (photos + draw(-0.25, 0.25) + draw(-0.08, 0.08, channels=3)).clamp(-1, 1)


def random_boxes(draws, *, probability=0.3):
    """Boxes (n, 2, 2), centre and sides as parts of the image; of a random part only, others empty.

    A box covers up to a quarter of the area.
    """
    sides = draws.uniform(0.15, 0.5, 2)
    centre = draws.uniform(0, 1, 2)
    hit = draws.uniform(0, 1) < probability
    return torch.stack([centre, sides * hit[:, None]], dim=1)


def erase(images, boxes, *, fill=0.0):
    """Blank one box of each image."""
    inside = []
    for axis, length in enumerate(images.shape[2:]):
        places = (torch.arange(length, device=images.device) + 0.5) / length
        centre, side = boxes[:, 0, axis, None], boxes[:, 1, axis, None]
        inside.append((places - centre).abs() < side / 2)
    inside = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return torch.where(inside, fill, images)
