"""A view of a hasher as an ONNX file: rows in, packed codes out."""

import json
import os
import warnings
from typing import Literal

import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

import sklearn_dsh

from .._outputs import check_output_file, replaced
from ..base import BaseCrossModalHasher
from ..deep._base import BaseDeepHasher
from ._modules import make_module

OPSET = 18  # of 2022: runtimes of that year and later read it
_KINDS = {1: "features", 2: "sketches", 3: "photos"}
INSTALL = 'pip install "sklearn-dsh[onnx]"'


def to_onnx(
    hasher: BaseCrossModalHasher,
    path: str | os.PathLike[str],
    *,
    view: Literal["sketch", "image"],
) -> None:
    """Write what encodes one view as an ONNX file, for runtimes without torch and this library.

    The graph has one input and one output, ``codes``: uint8 of shape (n, ceil(n_bits / 8)), the
    most significant bit first, as :meth:`transform` gives them. Preprocessing and packing are in
    it, and n is free. The input is called ``sketches`` (uint8, (n, side, side), of the polarity
    that the hasher expects), ``photos`` (uint8, (n, side, side, 3)) or ``features`` (float64,
    (n, n_features)). Images come at the networks' own size, which the file states and which
    :func:`~sklearn_dsh.preprocessing.resize_images` brings them to.

    Parameters
    ----------
    hasher : fitted hasher
        Of a Pipeline the last step, ``pipeline[-1]``: what comes before it is not in the file.
    path : str or path-like
        By convention it ends in ``.onnx``.
    view : {"sketch", "image"}

    Raises
    ------
    NotFittedError
        If the hasher is not fitted.
    ValueError
        If it has no such view, the view is of photos that are encoded with sketch tokens, a
        network of a :class:`~sklearn_dsh.TorchBackbone` is for a fixed number of images, or
        `path` is no place for a file.
    TypeError
        If it is no hasher of this library.
    ImportError
        If onnx or onnxscript is not installed.
    OSError
        If the file cannot be written.

    Notes
    -----
    The file's metadata hold ``sklearn_dsh``: JSON with the view, the number of bits, and versions.
    A bit whose value (:meth:`project`) is zero but for rounding may come out otherwise than by
    `transform`: another runtime adds in another order. :doc:`/guide/onnx` says how many do.
    """
    check_output_file(path, "an ONNX model")
    if isinstance(hasher, Pipeline):
        raise TypeError(
            "to_onnx takes a hasher, got a Pipeline: give its last step, pipeline[-1], and feed "
            "the file with what the steps before it make."
        )
    if not isinstance(hasher, BaseCrossModalHasher):
        raise TypeError(f"to_onnx takes a hasher of sklearn_dsh, got {hasher!r}.")
    check_is_fitted(hasher)
    if view not in hasher.views_:
        raise ValueError(
            f"This {type(hasher).__name__} encodes the views {hasher.views_}, got view={view!r}."
        )
    if isinstance(hasher, BaseDeepHasher):
        module, shape = hasher._encoder(view)
    else:
        module, shape = make_module(hasher, view), hasher.view_shapes_[view]
        if module is None:
            raise TypeError(f"to_onnx does not know what a {type(hasher).__name__} computes.")
    kind = _KINDS[len(shape)]
    program = _export(Packed(module, int(hasher.n_bits)), kind, shape)
    if isinstance(program.model.graph.inputs[0].shape[0], int):
        raise ValueError(
            f"The networks of this {type(hasher).__name__} fix the number of rows when they are "
            "exported (by len() of a tensor, say): take .shape[0] there."
        )
    facts = {
        "hasher": type(hasher).__name__,
        "view": view,
        "n_bits": int(hasher.n_bits),
        "input": [kind, *shape],
        "versions": {"sklearn-dsh": sklearn_dsh.__version__, "torch": torch.__version__},
    }
    program.model.metadata_props["sklearn_dsh"] = json.dumps(facts)
    with replaced(path) as file:
        file.write(program.model_proto.SerializeToString())


def _export(module, kind, shape):
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(f"Writing ONNX wants onnx and onnxscript: {INSTALL}") from error
    dtype = torch.float64 if kind == "features" else torch.uint8
    example = torch.zeros((2, *shape), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own deprecations
        return torch.onnx.export(
            module.eval(),
            (example,),
            input_names=[kind],
            output_names=["codes"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


class Packed(nn.Module):
    """The signs of a module's values (n, n_bits), packed as `pack_bits` does."""

    def __init__(self, module, n_bits):
        super().__init__()
        self.module, self.n_padding = module, -n_bits % 8
        self.register_buffer("places", 2 ** torch.arange(7, -1, -1, dtype=torch.int32))

    def forward(self, rows):
        bits = (self.module(rows) >= 0).to(torch.int32)
        bits = nn.functional.pad(bits, (0, self.n_padding))
        places = bits.reshape(bits.shape[0], bits.shape[1] // 8, 8) * self.places
        return places.sum(dim=2).to(torch.uint8)
