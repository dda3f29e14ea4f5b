"""From the rows that a deep hasher reads to the values of its bits, in torch alone."""

import torch
from torch import nn

from ._pixels import to_network


class Encoder(nn.Module):
    """Preprocessing and network of a view, for runtimes that know torch's operators alone.

    It reads sketches uint8 (n, H, W), photos uint8 (n, H, W, 3), both of the networks' size, or
    features float64 (n, n_features), and gives what ``project`` does.

    Parameters
    ----------
    network : TripleNetwork
    view : {"sketch", "image"}
    pixels : dict or None
        See `to_network`.
    polarity : {"dark", "bright", "auto"}
        Of sketches.
    """

    def __init__(self, network, view, pixels, polarity):
        super().__init__()
        self.network, self.view, self.pixels, self.polarity = network, view, pixels, polarity

    def forward(self, rows):
        if rows.ndim == 2:
            x = rows
        elif self.view == "sketch":
            x = to_network((1 - self._with_dark_strokes(rows.float()) / 255)[:, None], self.pixels)
        else:
            x = to_network((rows.float() / 127.5 - 1).permute(0, 3, 1, 2), self.pixels)
        read = self.network.sketch if self.view == "sketch" else self.network.image
        return read(x).float()

    def _with_dark_strokes(self, sketches):
        """As `_polarity.with_dark_strokes`."""
        if self.polarity == "dark":
            return sketches
        if self.polarity == "bright":
            return 255 - sketches
        dark = (sketches < 128).flatten(1)
        n_dark, n_pixels = 2 * dark.to(torch.int32).sum(dim=1), dark.shape[1]
        turned = (n_dark > n_pixels) | ((n_dark == n_pixels) & dark[:, 0])
        return torch.where(turned[:, None, None], 255 - sketches, sketches)
