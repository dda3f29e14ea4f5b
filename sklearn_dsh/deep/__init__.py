"""Deep Sketch Hashing and the deep methods it is compared with.

The only part of the library that imports torch, the search on a GPU aside.
"""

from ._backbone_features import BackboneFeatures
from ._caffe_file import load_caffemodel
from ._dcmh import DCMHHasher
from ._hasher import DeepSketchHasher
from ._metric_hasher import DeepMetricHasher
from .architectures import (
    Architecture,
    Backbone,
    Compact,
    EfficientNetLite0,
    Paper,
    Pretrained,
    TorchBackbone,
)

__all__ = [
    "Architecture",
    "Backbone",
    "BackboneFeatures",
    "Compact",
    "DCMHHasher",
    "DeepMetricHasher",
    "DeepSketchHasher",
    "EfficientNetLite0",
    "Paper",
    "Pretrained",
    "TorchBackbone",
    "load_caffemodel",
]
