"""From unit tensors to the pixels that the paper's networks read.

Augmentation works on *unit* tensors: sketches and tokens (n, 1, H, W) in [0, 1] with strokes 1,
photos (n, 3, H, W) in [-1, 1]. The compact networks read these; the paper's read Caffe's pixels.
"""

import torch

# CaffeNet's habit: blue, green, red from 0 to 255, less the mean of ImageNet.
CAFFE_PIXELS = {
    "order": "bgr",
    "mean": (104.00699, 116.66877, 122.67892),
    "scale": 1.0,
    "strokes": "dark",
}
_CHOICES = {"order": ("bgr", "rgb"), "strokes": ("dark", "bright")}


def check_pixels(pixels):
    """A complete description of Caffe-like pixels from a partial one.

    Parameters
    ----------
    pixels : dict
        Any of ``order``, "bgr" or "rgb"; ``mean``, one number or three in that order; ``scale``,
        a factor after the mean is subtracted; ``strokes``, "dark" (on white) or "bright".
    """
    unknown = set(pixels) - set(CAFFE_PIXELS)
    if unknown:
        raise ValueError(f"pixels={pixels!r}: unknown {sorted(unknown)}; known {[*CAFFE_PIXELS]}.")
    full = CAFFE_PIXELS | pixels
    for name, choices in _CHOICES.items():
        if full[name] not in choices:
            raise ValueError(f"pixels[{name!r}] must be one of {choices}, got {full[name]!r}.")
    try:
        mean = (
            [float(v) for v in full["mean"]]
            if hasattr(full["mean"], "__len__")
            else [float(full["mean"])] * 3
        )
        scale = float(full["scale"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"pixels={pixels!r}: mean and scale must be numbers.") from error
    if len(mean) != 3:
        raise ValueError(f"pixels['mean'] must be one number or three, got {full['mean']!r}.")
    if not scale > 0:
        raise ValueError(f"pixels['scale'] must be positive, got {full['scale']!r}.")
    return full | {"mean": mean, "scale": scale}


def to_network(unit, pixels):
    """A unit tensor as the networks read it: itself, or the (n, 3, H, W) that ``pixels`` says."""
    if pixels is None or unit.ndim == 2:
        return unit
    if unit.shape[1] == 1:
        values = 255 * (1 - unit if pixels["strokes"] == "dark" else unit).expand(-1, 3, -1, -1)
    else:
        values = 127.5 * (unit + 1)
        values = values.flip(1) if pixels["order"] == "bgr" else values
    mean = torch.tensor(pixels["mean"], device=unit.device)[:, None, None]
    return (values - mean) * pixels["scale"]
