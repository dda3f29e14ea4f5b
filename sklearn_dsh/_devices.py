"""Torch's devices: which is meant, and whether it is there."""

import warnings

import torch

from ._forks import in_forked_children, is_forked

# Without values, or what torch once had a name for: their errors speak of torch's insides.
_COMPUTE_NOTHING = ("meta", "lazy")


class NoDevice(ValueError):
    """A device was asked for that is not there."""


def find_device(name):
    """The torch device of a name.

    Raises
    ------
    NoDevice
        If it is not there.
    ValueError
        If torch knows no such device, or it computes nothing.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device={name!r} is no device of torch {torch.__version__}: expected 'cpu', 'cuda' or "
            f"'cuda:0', say ({error})."
        ) from error
    if device.type in _COMPUTE_NOTHING:
        raise ValueError(f"device={name!r} computes nothing: expected 'cpu' or 'cuda', say.")
    try:
        torch.empty(1, device=device)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError, ImportError) as error:
        raise NoDevice(_text(name, device, error)) from error
    return device


def _text(name, device, error):
    reason = str(error).partition("\n")[0].partition(". ")[0].rstrip(".")
    kind = "CUDA" if device.type == "cuda" else device.type
    what = f"no {kind} device" if device.index is None else f"no device {device}"
    hint = "use device='cpu', or install a build of torch that has it"
    if is_forked():
        hint = "use device='cpu', or start this process by 'spawn' or loky: it was forked"
    return (
        f"device={str(name)!r} was asked for, but torch {torch.__version__} sees {what} "
        f"({reason}): {hint}."
    )


def find_device_or_warn(name, doing):
    """As `find_device`, for what was made on a device that may be missing here.

    Parameters
    ----------
    name : str
    doing : str
        What goes on on the CPU then, for the warning: "Encoding", say.

    Returns
    -------
    device : torch.device, or None if it is not there

    Warns
    -----
    RuntimeWarning
        If it is not there.
    """
    try:
        return find_device(name)
    except NoDevice as error:
        warnings.warn(f"{error} {doing} on the CPU.", RuntimeWarning, stacklevel=4)
        return None


def resolve_device(name):
    """As `find_device`, with "auto": CUDA when there is one, else the CPU."""
    return find_device(_chosen(name))


def resolve_encoding_device(name):
    """As `resolve_device`, but what was trained on a device is read on the CPU where it lacks."""
    return find_device_or_warn(_chosen(name), "Encoding") or torch.device("cpu")


def _chosen(name):
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _after_fork():
    # GNU's OpenMP waits in a child for the parent's threads as soon as torch wants more than one.
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


in_forked_children(_after_fork)
