"""Between torch modules and what an estimator keeps: arrays, seeds, a cache."""

import hashlib
import threading
import weakref
from contextlib import contextmanager

import numpy as np
import torch

from .._forks import ForkSafeLock

_LARGEST = np.finfo(np.float16).max


def to_arrays(module):
    """A module's parameters and buffers as a dict of numpy arrays (copies, on the CPU)."""
    return {k: v.detach().cpu().numpy().copy() for k, v in module.state_dict().items()}


def hash_arrays(arrays):
    """A text that tells a dict of arrays from others."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype.str}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def in_half(arrays, module):
    """The arrays of a trained ``module``, its matrices in float16: half of what a model takes.

    What is encoded with is what is kept, so that a file gives the same codes. What is not trained,
    vectors, buffers and values that float16 has not stay as they are.
    """
    kept = dict(arrays)
    for name in _matrices(module):
        if np.abs(arrays[name]).max(initial=0) <= _LARGEST:
            kept[name] = arrays[name].astype(np.float16)
    return kept


def round_to_half(module):
    """Bring a module's weights to what `in_half` keeps of them."""
    with torch.no_grad():
        for value in _matrices(module).values():
            if value.numel() and value.abs().max() <= _LARGEST:
                value.copy_(value.half())


def _matrices(module):
    return {
        name: value
        for name, value in module.named_parameters(remove_duplicate=False)
        if value.requires_grad and value.ndim > 1 and value.dtype == torch.float32
    }


def count_bytes(build, *, kept=False):
    """Bytes of the parameters and buffers of the module that ``build()`` makes, without values.

    (A module of a stranger's function may be made with values all the same.) With ``kept``, of
    what `in_half` makes of them.
    """
    with torch.device("meta"):
        module = build()
    halved = _matrices(module) if kept else ()
    return sum(
        value.nbytes // (2 if name in halved else 1) for name, value in module.state_dict().items()
    )


def shapes_of(build):
    """Shapes of the parameters and buffers of the module that ``build()`` makes, by name."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in build().state_dict().items()}


def from_arrays(module, arrays, *, assign=True):
    """Give ``module`` copies of ``arrays``, in its own precision; all names checked.

    With ``assign`` the arrays' copies replace the tensors, which may be on the meta device;
    without, the values are written into them, where an optimiser may hold them.
    """
    kinds = {name: value.dtype for name, value in module.state_dict().items()}
    tensors = {
        name: value.to(kinds.get(name, value.dtype)) for name, value in to_tensors(arrays).items()
    }
    module.load_state_dict(tensors, assign=assign)
    return module


def start_from(module, arrays):
    """Write ``arrays`` into the parameters and buffers of these names, which must be there."""
    found = module.load_state_dict(to_tensors(arrays), strict=False)
    if found.unexpected_keys:
        raise ValueError(f"The networks have no weights {', '.join(found.unexpected_keys)}.")


def to_tensors(arrays):
    """A dict of arrays, or of dicts of these, as the same of torch tensors (copies)."""
    return {
        name: to_tensors(value) if isinstance(value, dict) else torch.from_numpy(np.array(value))
        for name, value in arrays.items()
    }


def from_tensors(tensors):
    """What `to_tensors` was given: arrays, which share the tensors' memory."""
    return {
        name: from_tensors(value) if isinstance(value, dict) else value.numpy()
        for name, value in tensors.items()
    }


# Torch's default generator and its number of threads belong to the process: one training at a
# time, so that an integer seed repeats its result when several threads fit.
_TRAINING = ForkSafeLock(threading.RLock)


@contextmanager
def seeded(seed, device):
    """Torch's default generators seeded inside, and as they were afterwards."""
    devices = [device] if device.type == "cuda" else []
    with _TRAINING.held(), torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed, which seeds every CUDA device there is.
        torch.default_generator.manual_seed(seed)
        for cuda in devices:
            with torch.cuda.device(cuda):
                torch.cuda.manual_seed(seed)
        yield


def numpy_state(random_state):
    """Where numpy's random numbers stand, as a tensor and numbers."""
    name, keys, *rest = random_state.get_state()
    return [name, torch.from_numpy(keys.astype(np.int64)), *rest]


def restore_numpy_state(state, random_state):
    """Put a RandomState back to where `numpy_state` found it."""
    name, keys, *rest = state
    random_state.set_state((name, keys.numpy().astype(np.uint32), *rest))


def random_states(random_state, generator, device):
    """Where all random numbers of a training stand, as tensors and numbers."""
    return {
        "numpy": numpy_state(random_state),
        "generator": generator.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random_states(states, random_state, generator, device):
    """Put all random numbers back to where `random_states` found them."""
    restore_numpy_state(states["numpy"], random_state)
    generator.set_state(states["generator"])
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def thread_limit(limit):
    """At most ``limit`` threads (None: as many as torch has) inside."""
    if limit is None:
        yield
        return
    with _TRAINING.held():
        before = torch.get_num_threads()
        torch.set_num_threads(min(limit, before))
        try:
            yield
        finally:
            torch.set_num_threads(before)


# Modules built from an estimator's arrays, kept between calls but never in its __dict__, so
# that transform adds nothing to the estimator and pickles hold no torch object.
_NETWORKS = weakref.WeakKeyDictionary()


def cached_network(estimator, weights, device, build):
    """``build()`` once an estimator, weights and device."""
    held = _NETWORKS.get(estimator)
    if held is None or held[0] is not weights or held[1] != device:
        held = (weights, device, build())
        _NETWORKS[estimator] = held
    return held[2]
