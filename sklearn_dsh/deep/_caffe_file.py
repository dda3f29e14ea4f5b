"""Caffe's binary weight files (.caffemodel) as arrays, read with protobuf and without Caffe.

The messages below are the part of ``caffe.proto`` that holds weights; other fields are skipped.
"""

import os
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

# name, field number, type, repeated; as in caffe.proto. Enums are read as numbers.
_MESSAGES = {
    "BlobShape": (("dim", 1, "INT64", True),),
    "BlobProto": (
        ("num", 1, "INT32", False),
        ("channels", 2, "INT32", False),
        ("height", 3, "INT32", False),
        ("width", 4, "INT32", False),
        ("data", 5, "FLOAT", True),
        ("shape", 7, "BlobShape", False),
        ("double_data", 8, "DOUBLE", True),
    ),
    "LayerParameter": (
        ("name", 1, "STRING", False),
        ("type", 2, "STRING", False),
        ("blobs", 7, "BlobProto", True),
    ),
    "V1LayerParameter": (
        ("layer", 1, "BYTES", False),  # a layer of the version before
        ("name", 4, "STRING", False),
        ("type", 5, "INT32", False),
        ("blobs", 6, "BlobProto", True),
    ),
    "NetParameter": (
        ("layers", 2, "V1LayerParameter", True),
        ("layer", 100, "LayerParameter", True),
    ),
}
# The V1 types that have weights; batch norm came later.
_V1_TYPES = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}
_MOST_AXES = 32  # as in Caffe
_LEGACY_SHAPE = ("num", "channels", "height", "width")


class CaffeLayer(NamedTuple):
    """Type and weights of one layer."""

    type: str
    blobs: list


@cache
def _net_parameter():
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise ImportError(
            "Reading .caffemodel files needs protobuf: pip install protobuf"
        ) from error
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="sklearn_dsh_caffe.proto", package="sklearn_dsh_caffe", syntax="proto2"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            label = "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
            field = described.field.add(name=name, number=number, label=getattr(field_type, label))
            if kind in _MESSAGES:
                field.type = field_type.TYPE_MESSAGE
                field.type_name = f".sklearn_dsh_caffe.{kind}"
            else:
                field.type = getattr(field_type, f"TYPE_{kind}")
    # A pool of its own: Caffe's own messages may be loaded in the same process.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("sklearn_dsh_caffe.NetParameter")
    )


def load_caffemodel(path: str | os.PathLike[str]) -> dict[str, CaffeLayer]:
    """Read the weights of a .caffemodel file.

    Both layouts are read, ``layer`` and the older ``layers`` with numeric types, blobs with a
    ``shape`` or with num, channels, height and width, and single or double precision.

    Parameters
    ----------
    path : str or path-like
        A binary ``NetParameter``, as Caffe saves it.

    Returns
    -------
    layers : dict name -> CaffeLayer
        Layers with weights, in the order of the file: ``type``, such as "Convolution", and
        ``blobs``, a list of float32 arrays.

    Raises
    ------
    ValueError
        If the file is something else, is cut off or damaged, or holds a blob whose size is not that
        of its shape, or values that are not finite; path and layer are named.
    ImportError
        If protobuf is not installed.
    """
    net = _net_parameter()()
    from google.protobuf.message import DecodeError

    with open(path, "rb") as file:
        content = file.read()
    try:
        net.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(
            f"{str(path)!r} is no .caffemodel file, or is cut off: it is no NetParameter message."
        ) from error
    del content
    if any(layer.HasField("layer") for layer in net.layers):
        raise ValueError(
            f"{str(path)!r} has layers of Caffe's oldest format (V0): bring it up to date with "
            "Caffe's upgrade_net_proto_binary."
        )
    layers = {}
    for layer in [*net.layer, *net.layers]:
        if not layer.blobs:
            continue
        name = _text(layer, "name", path)
        if name in layers:
            raise ValueError(f"{str(path)!r} has two layers {name!r}.")
        if isinstance(layer.type, int):
            kind = _V1_TYPES.get(layer.type, str(layer.type))
        else:
            kind = _text(layer, "type", path)
        where = f"{str(path)!r}, layer {name!r}"
        layers[name] = CaffeLayer(kind, [_to_array(blob, where) for blob in layer.blobs])
    if not layers:
        raise ValueError(f"{str(path)!r} holds no layer with weights: is it a .caffemodel file?")
    return layers


def _text(layer, field, path):
    """A name, of which the format does not promise that it is text."""
    try:
        value = getattr(layer, field)
    except UnicodeDecodeError:  # of some versions of protobuf; the others give bytes
        value = None
    if not isinstance(value, str):
        raise ValueError(f"{str(path)!r} is damaged: the {field} of a layer is no text in UTF-8.")
    return value


def _to_array(blob, where):
    values = blob.data if len(blob.data) else blob.double_data
    with np.errstate(over="ignore"):
        array = np.fromiter(values, dtype=np.float32, count=len(values))
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: a blob holds NaN or infinity, or more than float32 does.")
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    elif any(blob.HasField(name) for name in _LEGACY_SHAPE):
        shape = tuple(getattr(blob, name) for name in _LEGACY_SHAPE)
    else:
        shape = (len(array),)
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0:
        raise ValueError(
            f"{where}: a blob of shape {shape}, expected {_MOST_AXES} sides at most, none negative."
        )
    if prod(shape) != len(array):
        raise ValueError(
            f"{where}: a blob of shape {shape} needs {prod(shape)} values, the file has "
            f"{len(array)}."
        )
    return array.reshape(shape)
