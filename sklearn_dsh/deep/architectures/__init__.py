"""Architectures: objects that say all about the networks of a deep hasher."""

from ._architecture import Architecture, describe_network
from ._backbone import Backbone
from ._compact import Compact
from ._efficientnet_lite import EfficientNetLite0
from ._paper import Paper
from ._pretrained import Pretrained
from ._torch_backbone import TorchBackbone

__all__ = [
    "Architecture",
    "Backbone",
    "Compact",
    "EfficientNetLite0",
    "Paper",
    "Pretrained",
    "TorchBackbone",
    "describe_network",
    "resolve_architecture",
]

BY_NAME = {"compact": Compact, "paper": Paper, "pretrained": Pretrained}


def resolve_architecture(architecture, size=None):
    """An object for a name, which reads images at ``size`` if that is given; an object as it is.

    Raises
    ------
    ValueError
        If there is no such name, or what it stands for has no choice of the size.
    """
    if not isinstance(architecture, str):
        return architecture
    if architecture not in BY_NAME:
        raise ValueError(
            f"architecture={architecture!r}: expected one of {', '.join(map(repr, BY_NAME))}, or "
            "an object."
        )
    made = BY_NAME[architecture]()
    if size is None:
        return made
    if "size" not in made.get_params(deep=False):
        raise ValueError(
            f"architecture={architecture!r} reads images at sizes of its own, {made.sizes()}: "
            "leave the size out."
        )
    return made.set_params(size=size)
