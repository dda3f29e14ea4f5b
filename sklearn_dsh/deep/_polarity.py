"""Dark strokes on white, or bright ones on black: looked at, and turned round."""

import warnings

import numpy as np

from ..preprocessing import load_image
from ..preprocessing._bit_depth import gathered

POLARITIES = ("dark", "bright", "auto")
LOOKED_AT = 64  # sketches of a set


def with_dark_strokes(sketches, polarity):
    """Sketches uint8 (n, H, W) as dark strokes on white.

    Parameters
    ----------
    polarity : {"dark", "bright", "auto"}
        What their strokes are; "auto" turns those round that are mostly dark.
    """
    if polarity == "dark":
        return sketches
    if polarity == "bright":
        return 255 - sketches
    turned = are_mostly_dark(sketches)
    return np.where(turned[:, None, None], 255 - sketches, sketches)


def are_mostly_dark(sketches):
    """Whether more than half of the pixels of each are dark: bool (n,).

    At just half, the first pixel decides: of a sketch and its inverse always one is.
    """
    dark = (sketches < 128).reshape(len(sketches), -1)
    n_dark = 2 * dark.sum(axis=1)
    return (n_dark > dark.shape[1]) | ((n_dark == dark.shape[1]) & dark[:, 0])


def check_strokes(sketches, architecture):
    """Whether most of some sketches are mostly dark, though dark strokes on white are expected.

    Then a warning says so. Where the polarity is another than "dark", nothing is looked at.

    Parameters
    ----------
    sketches : uint8 array (n, H, W), or array of n paths
    architecture : Architecture
    """
    if architecture.polarity != "dark":
        return False
    rows = np.unique(np.linspace(0, len(sketches) - 1, LOOKED_AT).astype(int))
    looked_at = sketches[rows]
    if looked_at.ndim == 1:
        with gathered():  # and not told: all are read after this look
            dark = np.array(
                [are_mostly_dark(load_image(path, mode="L")[None])[0] for path in looked_at]
            )
    else:
        dark = are_mostly_dark(np.asarray(looked_at))
    if 2 * np.count_nonzero(dark) <= len(rows):
        return False
    name = type(architecture).__name__
    warnings.warn(
        "Most of the sketches are mostly dark, and dark strokes on white are expected. For bright "
        f"strokes on black take architecture={name}(polarity='bright'); with polarity='auto' each "
        "that needs it is turned round. (Command line: --set architecture__polarity=auto.)",
        stacklevel=2,
    )
    return True
