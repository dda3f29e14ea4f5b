"""The authors' released models as this library's weights: which layer is which."""

import os
import warnings

import numpy as np
import torch

from ._caffe_file import load_caffemodel
from .architectures import _paper as paper

_C2_NAMES = ("1", "2_1", "2_2", "3_1", "3_2")
_C1_NAMES = tuple(f"conv{i}" for i in range(1, 6))
# The hash layer: start of its name, the end that tells TU-Berlin's models, and how many layers
# of the second hidden width it reads.
_HASH_LAYERS = {"sketch": ("fc_p-S_", "final", 1), "image": ("fc_fuse_", "TU_final", 2)}
_HEADS = {
    "sketch": {"fc_a-S": "fc_a.0", "fc_b-S": "fc_b.0"},
    "image": {
        "fc_a-S_new": "fc_a_s.0",
        "fc6_new_new": "fc_a_i.0",
        "fc_b-S_new": "fc_b_s.0",
        "fc7_new_new": "fc_b_i.0",
    },
}
_HASH_NAMES = {"sketch": "fc_p", "image": "fc_fuse"}
_KINDS = {"conv": "Convolution", "fc": "InnerProduct", "BN": "BatchNorm", "SC": "Scale"}


class ModelFile:
    """One .caffemodel file; every error names the file and the layer.

    Parameters
    ----------
    path : str or path-like
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self.layers = load_caffemodel(path)

    def _layer(self, name):
        if name not in self.layers:
            raise ValueError(
                f"{self.path!r} has no layer {name!r}; it has {', '.join(self.layers)}."
            )
        layer = self.layers[name]
        expected = next(kind for start, kind in _KINDS.items() if name.startswith(start))
        # Numbers stand for the types that the legacy format has no word for.
        if layer.type and not layer.type.isdigit() and layer.type != expected:
            raise ValueError(
                f"{self.path!r}: layer {name!r} is a {layer.type} layer, expected {expected}."
            )
        return layer

    def _blob(self, name, index, shape):
        blobs = self._layer(name).blobs
        if index >= len(blobs):
            raise ValueError(
                f"{self.path!r}: layer {name!r} has {len(blobs)} blobs, expected more than {index}."
            )
        # The legacy format fills shapes up with ones on the left.
        blob = blobs[index]
        if _without_ones(blob.shape) != _without_ones(shape):
            raise ValueError(
                f"{self.path!r}: blob {index} of layer {name!r} has shape {blob.shape}, expected "
                f"{tuple(shape)}."
            )
        return blob.reshape(shape)

    def linear(self, name, weight_shape, target):
        """Weight and bias of a convolution or fully connected layer, as ``target.weight``, ..."""
        n_out = weight_shape[0]
        bias = np.zeros(n_out, dtype=np.float32)  # a layer may have been declared without
        if len(self._layer(name).blobs) > 1:
            bias = self._blob(name, 1, (n_out,))
        weight = self._blob(name, 0, weight_shape)
        return {f"{target}.weight": weight, f"{target}.bias": bias}

    def batch_norm(self, norm, scale, n, target):
        """Caffe's BatchNorm (mean, variance and the factor that divides both) and Scale."""
        mean, variance = (self._blob(norm, i, (n,)) for i in (0, 1))
        factor = float(self._blob(norm, 2, (1,))[0])
        factor = 1 / factor if factor else 0.0
        weights = self.linear(scale, (n,), target)
        return weights | {
            f"{target}.running_mean": mean * np.float32(factor),
            f"{target}.running_var": variance * np.float32(factor),
            f"{target}.num_batches_tracked": np.array(0),
        }

    def c2(self, suffix):
        """C2's convolutions and batch norms: names ending in "-S" or, of the copy, "-S_p"."""
        convolutions, norms = {}, {}
        for i, (number, (n_in, n_out, k, *_)) in enumerate(
            zip(_C2_NAMES, paper.C2_LAYERS, strict=True)
        ):
            convolutions |= self.linear(
                f"conv{number}{suffix}", (n_out, n_in, k, k), f"convolutions.{i}"
            )
            norms |= self.batch_norm(
                f"BN{number}{suffix}", f"SC{number}{suffix}", n_out, f"norms.{i}"
            )
        return convolutions, norms

    def c1(self, shapes):
        """C1's convolutions; ``shapes``, dict of the wanted ``conv1.weight``, ..."""
        weights = {}
        for name in _C1_NAMES:
            weights |= self.linear(name, shapes[f"{name}.weight"], name)
        return weights

    def hash_layer(self, view):
        """Name of the hash layer, number of bits and the data set its name tells."""
        start, tu_berlin, n_read = _HASH_LAYERS[view]
        names = [name for name in self.layers if name.startswith(start)]
        if len(names) != 1:
            raise ValueError(
                f"{self.path!r} has {len(names)} layers whose name begins with {start!r} (the hash "
                f"layer of the {view} network), expected one; it has {', '.join(self.layers)}."
            )
        (name,) = names
        end = name[len(start) :]
        blob = self._layer(name).blobs[0]
        n_bits = blob.size // (n_read * paper.HIDDEN[1])
        if end != tu_berlin and end != str(n_bits):
            raise ValueError(
                f"{self.path!r}: the hash layer {name!r} has a blob of shape {blob.shape}, which "
                f"does not fit its name; expected {start}<number of bits> or {start}{tu_berlin}."
            )
        return name, n_bits, "tu_berlin" if end == tu_berlin else "sketchy"


def _without_ones(shape):
    return tuple(side for side in shape if side != 1)


def describe_files(files):
    """Number of bits and data set of ``files``, dict view -> ModelFile; both must agree."""
    found = {view: file.hash_layer(view)[1:] for view, file in files.items()}
    if len(set(found.values())) > 1:
        raise ValueError(
            "The two files are not of one model: "
            + "; ".join(
                f"{files[view].path!r} has {n_bits} bits and is of {data}"
                for view, (n_bits, data) in found.items()
            )
            + "."
        )
    return next(iter(found.values()))


def to_weights(files, shapes):
    """All weights of a `TripleNetwork` with the paper's architecture.

    Parameters
    ----------
    files : dict view -> ModelFile
    shapes : dict name -> shape
        Of the network that the weights are for.

    Returns
    -------
    weights : dict name -> array
    shared : bool
        Whether the copy of C2 for tokens has C2's convolutions. Where the files differ it is
        False, with a warning, and the weights hold both.
    """
    weights, shared = {}, True
    convolutions = {}
    if "sketch" in files:
        convolutions, norms = files["sketch"].c2("-S")
        weights |= _under("c2", convolutions | norms)
    if "image" in files:
        own, norms = files["image"].c2("-S_p")
        weights |= _under("token_trunk", norms)
        weights |= _under("c1", files["image"].c1(_part(shapes, "c1")))
        if not convolutions:  # no sketch network: its batch norms are never used
            weights |= _under("c2", own | norms)
        elif any(not np.array_equal(own[name], convolutions[name]) for name in own):
            shared = False
            weights |= _under("token_trunk", own)
            warnings.warn(
                f"The convolutions of C2 in {files['sketch'].path!r} and of its copy for tokens in "
                f"{files['image'].path!r} differ, though the paper shares them: each file's own "
                "are kept.",
                UserWarning,
                stacklevel=3,
            )
    for view, file in files.items():
        prefix = f"{view}_head"
        layers = _HEADS[view] | {file.hash_layer(view)[0]: _HASH_NAMES[view]}
        head = {}
        for name, target in layers.items():
            head |= file.linear(name, shapes[f"{prefix}.{target}.weight"], target)
        weights |= _under(prefix, head)
    return weights, shared


def _under(prefix, weights):
    return {f"{prefix}.{name}": value for name, value in weights.items()}


def _part(weights, prefix):
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}


def caffenet_weights(path):
    """The convolutions of a CaffeNet file, such as the one trained on ImageNet, for C1.

    Raises
    ------
    ValueError
        If the file is no .caffemodel of a CaffeNet; torchvision's AlexNet is refused by name.
    """
    if os.path.splitext(os.fspath(path))[1] in (".pth", ".pt"):
        raise ValueError(
            f"{os.fspath(path)!r} is a file of torch. torchvision's AlexNet (64, 192, 384, 256, "
            "256 filters, no groups) is another network than the paper's C1, CaffeNet (96, 256, "
            "384, 384, 256 filters, two groups): expected CaffeNet's .caffemodel file."
        )
    with torch.device("meta"):
        c1 = paper.PaperPhotoTrunk()
    return ModelFile(path).c1({name: tuple(v.shape) for name, v in c1.state_dict().items()})
