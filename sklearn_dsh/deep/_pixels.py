"""From unit tensors to the pixels that a network reads.

Augmentation works on *unit* tensors: sketches and tokens (n, 1, H, W) in [0, 1] with strokes 1,
photos (n, 3, H, W) in [-1, 1]. The compact networks read these; others read what they were, or
are to be, trained with.
"""

import torch

_CHOICES = {"order": ("bgr", "rgb"), "strokes": ("dark", "bright")}


def describe_pixels(order, mean, scale, strokes="dark"):
    """A description of pixels, checked.

    Parameters
    ----------
    order : {"bgr", "rgb"}
        Of three channels from 0 to 255.
    mean, scale : float, or sequence of three float in that order
        Subtracted first; multiplied then.
    strokes : {"dark", "bright"}
        Dark strokes on white, or bright ones on black.

    Returns
    -------
    pixels : dict
        ``mean`` and ``scale`` as lists of three.

    Raises
    ------
    ValueError
        If a value is none of these.
    """
    pixels = {"order": order, "strokes": strokes}
    for name, choices in _CHOICES.items():
        if not isinstance(pixels[name], str) or pixels[name] not in choices:
            raise ValueError(f"{name} must be one of {choices}, got {pixels[name]!r}.")
    for name, value in (("mean", mean), ("scale", scale)):
        try:
            values = [float(v) for v in value] if hasattr(value, "__len__") else [float(value)] * 3
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be one number or three, got {value!r}.") from error
        if len(values) != 3:
            raise ValueError(f"{name} must be one number or three, got {value!r}.")
        pixels[name] = values
    if not all(factor > 0 for factor in pixels["scale"]):
        raise ValueError(f"scale must be positive, got {scale!r}.")
    return pixels


def to_network(unit, pixels):
    """A unit tensor as a network reads it: itself, or the (n, 3, H, W) that ``pixels`` says."""
    if pixels is None or unit.ndim == 2:
        return unit
    if unit.shape[1] == 1:
        values = 255 * (1 - unit if pixels["strokes"] == "dark" else unit).expand(-1, 3, -1, -1)
    else:
        values = 127.5 * (unit + 1)
        values = values.flip(1) if pixels["order"] == "bgr" else values
    mean, scale = (
        torch.tensor(pixels[name], device=unit.device)[:, None, None] for name in ("mean", "scale")
    )
    return (values - mean) * scale
