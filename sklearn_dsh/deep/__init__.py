"""Deep Sketch Hashing. The only part of the library that imports torch, the GPU search aside."""

from ._hasher import DeepSketchHasher

__all__ = ["DeepSketchHasher"]
