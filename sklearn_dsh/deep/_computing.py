"""What networks give for all rows of a source, batch by batch."""

import numpy as np
import torch

from ._batches import as_tensor, blocks
from ._pixels import to_network
from ._reading import read_ahead


def compute_outputs(
    network,
    source,
    view,
    device,
    *,
    tokens,
    pixels,
    rows=None,
    batch_size=None,
    n_jobs=None,
    output="bits",
):
    """F of the rows of ``source``, all or a slice: float32 (n, n_bits), or (n, n_features).

    ``tokens(rows, photos)`` gives the token maps of a batch, or None; ``pixels`` says how those of
    each view are prepared, see `_pixels`; ``output`` what is wanted, see `TripleNetwork.sketch`.
    """
    network.eval()
    start, stop, _ = (rows or slice(None)).indices(len(source))
    slices = [
        slice(s.start + start, s.stop + start)
        for s in blocks(stop - start, batch_size or source.block)
    ]
    batches = read_ahead({view: source}, [{view: at} for at in slices], n_jobs)
    parts = []
    with torch.inference_mode():
        for at, batch in zip(slices, batches, strict=True):
            x = to_network(as_tensor(batch[view], device), pixels[view])
            if view == "sketch":
                outputs = network.sketch(x, passed_frozen=source.passed_frozen, output=output)
            else:
                maps = tokens(at, batch[view])
                if maps is not None:
                    maps = to_network(as_tensor(maps, device), pixels["sketch"])
                outputs = network.image(x, maps, passed_frozen=source.passed_frozen, output=output)
            parts.append(outputs.float().cpu().numpy())
    return np.concatenate(parts)
