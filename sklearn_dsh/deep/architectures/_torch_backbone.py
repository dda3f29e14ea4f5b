"""Any torch module as a backbone."""

import copy
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import nn

from .._weights import hash_arrays, to_arrays
from ._backbone import Backbone, Trained


class TorchBackbone(Backbone):
    """Any network that knows images: of timm, torchvision, open_clip, transformers, or your own.

    The network is copied, never changed; it is in eval mode and without gradients wherever it is
    not trained, and reads batches.

    Parameters
    ----------
    module : nn.Module, or callable without arguments that gives one
        With its weights. Of a batch of shape (n, 3, size, size) it gives features (n, n_features),
        or (n, n_features, H, W), which are averaged over all places. A function is called when a
        fit begins, and again when a fitted hasher is read from a file: one that can be imported,
        so that the hasher can be pickled.
    size : int, default=224
        Side in pixels at which images are read.
    mean, scale : float or sequence of three float
        Pixels from 0 to 255 are read as ``(pixels - mean) * scale``, channel by channel. Many
        packages state them for pixels from 0 to 1: ``mean=[255 * m for m in mean]`` and
        ``scale=[1 / (255 * s) for s in std]``. Default: from -1 to 1.
    order : {"rgb", "bgr"}, default="rgb"
        Of the channels.
    strokes : {"dark", "bright"}, default="dark"
        How sketches come to the network: dark on white, or bright on black.
    output : str or callable, default=None
        What of the module's output are the features: the name of an attribute or key
        ("pooler_output", say), or a function of the output. None: the output itself.
    last : sequence of str, default=None
        Names of the submodules that are trained with ``trained="last"``, such as ``("layer4",)``.
        None: the last quarter of the parameters.

    See Also
    --------
    EfficientNetLite0 : A network that comes as a package.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dsh import DeepSketchHasher, Pretrained, TorchBackbone
    >>> def make():
    ...     return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, 4), torch.nn.ReLU())
    >>> architecture = Pretrained(TorchBackbone(make, size=64))
    >>> hasher = DeepSketchHasher(64, architecture=architecture)
    """

    def __init__(
        self,
        module: nn.Module | Callable[[], nn.Module],
        *,
        size: int = 224,
        mean: float | Sequence[float] = 127.5,
        scale: float | Sequence[float] = 1 / 127.5,
        order: Literal["rgb", "bgr"] = "rgb",
        strokes: Literal["dark", "bright"] = "dark",
        output: str | Callable | None = None,
        last: Sequence[str] | None = None,
    ) -> None:
        self.module = module
        self.size = size
        self.mean = mean
        self.scale = scale
        self.order = order
        self.strokes = strokes
        self.output = output
        self.last = last

    def __eq__(self, other):
        if type(self) is not type(other):
            return False
        mine, theirs = self.get_params(), other.get_params()
        modules = mine.pop("module"), theirs.pop("module")
        return mine == theirs and _same(*modules)

    __hash__ = None

    def __getstate__(self):
        state = super().__getstate__()
        if isinstance(self.module, nn.Module):  # what was made on a GPU is read without one
            state = state | {"module": copy.deepcopy(self.module).cpu()}
        return state

    def _file_state(self):
        """What a model file keeps, which has no code: the name of the network, to be told alone."""
        module, is_module = self.module, isinstance(self.module, nn.Module)
        named = type(module) if is_module else module
        network = {
            "name": f"{named.__module__}.{getattr(named, '__qualname__', type(named).__name__)}",
            "weights": hash_arrays(to_arrays(module)) if is_module else None,
            "output_is_code": callable(self.output),
        }
        output = None if callable(self.output) else self.output
        return super().__getstate__() | {"module": None, "output": output, "_network": network}

    def _take_backbone(self, given):
        """Put the caller's network in the place that a model file leaves."""
        if isinstance(given, TorchBackbone):
            given, output = given.module, given.output
        else:
            output = None
        if given is None:
            raise ValueError(
                f"its network is {self._network['name']}, and a file holds no code: hand it over, "
                "load_model(path, backbone=...)"
            )
        if not callable(given):
            raise TypeError(f"backbone must be a torch.nn.Module or give one, got {given!r}")
        if self._network["output_is_code"]:
            if not callable(output):
                raise ValueError(
                    "its output= is a function: hand over the TorchBackbone with it, "
                    "load_model(path, backbone=TorchBackbone(..., output=...))"
                )
            self.output = output
        self.module = given

    def _has_weights_of_file(self):
        """Whether the network's weights are those that it had when it was saved, if that is known.

        Those of a function are not: it is not called for this.
        """
        known = vars(self).get("_network", {}).get("weights")
        is_known = known is not None and isinstance(self.module, nn.Module)
        return not is_known or hash_arrays(to_arrays(self.module)) == known

    def has_frozen(self, trained: Trained) -> bool:
        return trained == "none"  # where a module can be cut in two, nobody knows

    def make_parts(self, trained: Trained) -> tuple[nn.Module | None, nn.Module | None]:
        with torch.device("cpu"):  # what makes it may load weights
            is_module = isinstance(self.module, nn.Module)
            module = copy.deepcopy(self.module) if is_module else self.module()
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"TorchBackbone: module must be a torch.nn.Module or give one, got {module!r}."
            )
        part = _Features(module, self.output)
        if trained == "none":
            return part, None
        if trained == "last":
            part.requires_grad_(False)
            for parameter in self._last_parameters(module):
                parameter.requires_grad_(True)
        return None, part

    def _last_parameters(self, module):
        if self.last is None:
            parameters = list(module.parameters())
            return parameters[-max(1, len(parameters) // 4) :]
        return [p for name in self.last for p in module.get_submodule(name).parameters()]


class _Features(nn.Module):
    """A module whose output is brought to (n, n_features)."""

    def __init__(self, module, output):
        super().__init__()
        self.module, self.output = module, output

    def forward(self, x):
        found = self.module(x)
        if callable(self.output):
            found = self.output(found)
        elif self.output is not None:
            found = (
                getattr(found, self.output) if hasattr(found, self.output) else found[self.output]
            )
        is_tensor = isinstance(found, torch.Tensor)
        # (len() would fix the number of images in an export.)
        if not is_tensor or found.ndim not in (2, 4) or found.shape[0] != x.shape[0]:
            shape = tuple(found.shape) if is_tensor else type(found).__name__
            raise ValueError(
                f"TorchBackbone: of a batch {tuple(x.shape)} the module must give a tensor (n, "
                f"n_features) or (n, n_features, H, W), got {shape}. Choose it by output=."
            )
        return found.mean(dim=(2, 3)) if found.ndim == 4 else found


def _same(a, b):
    """Whether two modules have the same weights, or two functions are one."""
    if not (isinstance(a, nn.Module) and isinstance(b, nn.Module)):
        return a is b or a == b
    mine, theirs = to_arrays(a), to_arrays(b)
    return (
        type(a) is type(b)
        and mine.keys() == theirs.keys()
        and all(
            mine[name].shape == theirs[name].shape and (mine[name] == theirs[name]).all()
            for name in mine
        )
    )
