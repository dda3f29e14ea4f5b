"""Several processes that train one model: each takes a part of every batch.

They are started by ``torchrun``, which describes them in the environment. All random numbers are
drawn for the whole batch, batch norm takes its statistics over it, and gradients are averaged by
DistributedDataParallel, so that the result is that of one process up to rounding.
"""

import atexit
import os

import numpy as np
import torch
from torch import distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel


class Processes:
    """Those that share a training: usually this one alone.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device):
        self.device = device
        self.n = int(os.environ.get("WORLD_SIZE", 1)) if distributed.is_available() else 1
        self.rank = int(os.environ.get("RANK", 0)) if self.n > 1 else 0
        if self.n > 1 and not distributed.is_initialized():
            if device.type == "cuda":
                torch.cuda.set_device(device)  # where collectives of objects go
                distributed.init_process_group("nccl", device_id=device)
            else:
                distributed.init_process_group("gloo")
            atexit.register(distributed.destroy_process_group)

    def share(self, n):
        """Positions of this process's part of a batch of ``n``: int array."""
        if n % self.n:
            raise ValueError(
                f"batch_size={n} cannot be shared by {self.n} processes: use a multiple."
            )
        part = n // self.n
        return np.arange(self.rank * part, (self.rank + 1) * part)

    def broadcast(self, value):
        """What the first process has, in all of them."""
        if self.n == 1:
            return value
        held = [value]
        distributed.broadcast_object_list(held, device=self.device)
        return held[0]

    def first(self, function):
        """``function()`` called by the first process, its result, or error, given to all."""
        if self.n == 1:
            return function()
        result = None
        if self.rank == 0:
            try:
                result = (function(), None)
            except Exception as error:
                result = (None, error)
        value, error = self.broadcast(result)
        if error is not None:
            raise error
        return value

    def mean(self, values):
        """The mean over the processes of a tensor, as a list."""
        if self.n > 1:
            values = values.clone()
            distributed.all_reduce(values)
            values /= self.n
        return values.tolist()

    def part(self, n):
        """This process's part of ``n`` rows: a slice; all, if they are fewer than the processes."""
        if n < self.n or self.n == 1:
            return slice(0, n)
        bounds = np.linspace(0, n, self.n + 1).astype(int)
        return slice(int(bounds[self.rank]), int(bounds[self.rank + 1]))

    def collect(self, values, n):
        """All ``n`` rows from what each process has of its `part`: array (n, ...)."""
        if n < self.n or self.n == 1:
            return values
        parts = [None] * self.n
        distributed.all_gather_object(parts, values)
        return np.concatenate(parts)

    def gather(self, function, n):
        """``function(rows)`` of all ``n`` rows, each process computing a part: array (n, ...)."""
        return self.collect(function(self.part(n)), n)

    def prepare(self, network, batch_rows):
        """Let ``network`` see the whole batch where that matters, before it is wrapped.

        Parameters
        ----------
        network : nn.Module
        batch_rows : dict name of a part of the network -> (int array, int)
            The positions of this process's rows among all that the part reads, and their number.
        """
        if self.n == 1:
            return
        for name, (rows, n_batch) in batch_rows.items():
            part = getattr(network, name)
            if part is not None:
                _replace(part, nn.Dropout, lambda d, at=(rows, n_batch): _SharedDropout(d.p, *at))
        if self.device.type == "cuda":
            for name, child in network.named_children():
                setattr(network, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        else:  # torch's is for GPUs alone
            _replace(network, nn.modules.batchnorm._BatchNorm, _SharedBatchNorm)

    def wrap(self, module):
        """The module whose gradients are those of the whole batch."""
        if self.n == 1:
            return module
        ids = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids, broadcast_buffers=False)


def local_device(device):
    """The GPU of this process, one of several, where ``device`` says "cuda"."""
    if device.type != "cuda" or int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return device
    if device.index is not None:
        raise ValueError(
            f"device={str(device)!r} would put every process on one GPU: use device='cuda' or "
            "'auto' under torchrun."
        )
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]))


def _replace(module, kind, make):
    for name, child in module.named_children():
        if isinstance(child, kind):
            setattr(module, name, make(child))
        else:
            _replace(child, kind, make)


class _SharedDropout(nn.Module):
    """Dropout whose mask is drawn for the whole batch, as one process would."""

    def __init__(self, p, rows, n_batch):
        super().__init__()
        self.p, self.rows, self.n_batch = p, torch.from_numpy(rows), n_batch

    def forward(self, x):
        if not self.training:
            return x
        mask = torch.empty(self.n_batch, *x.shape[1:], dtype=x.dtype, device=x.device)
        mask.bernoulli_(1 - self.p).div_(1 - self.p)
        return x * mask[self.rows.to(x.device)]


class _SharedBatchNorm(nn.Module):
    """Batch norm with the statistics of the whole batch, all parts being of one size."""

    def __init__(self, norm):
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.eps, self.momentum = norm.eps, norm.momentum

    def forward(self, x):
        if not self.training:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        dtype, x = x.dtype, x.float()
        n_processes = distributed.get_world_size()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        mean = all_reduce(x.mean(axes)) / n_processes
        centred = x - mean.view(shape)
        variance = all_reduce(centred.square().mean(axes)) / n_processes
        with torch.no_grad():
            n = n_processes * x.numel() / x.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(dtype)
