"""Deep Sketch Hashing. The only part of the library that imports torch, the GPU search aside."""

from ._caffe_file import load_caffemodel
from ._hasher import DeepSketchHasher

__all__ = ["DeepSketchHasher", "load_caffemodel"]
