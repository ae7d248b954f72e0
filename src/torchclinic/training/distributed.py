"""Several processes that train one model as one process would: same batch, same statistics, same dropout, same result.

Each process computes its share of a global batch. What a layer does over the batch, it does here over the global one:
BatchNorm sums its statistics over the processes, Dropout draws the mask of the global batch from the stream that all
processes share and takes its own rows. Gradients are averaged by DistributedDataParallel. Only the order in which
floating-point numbers are added differs from one process alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from torchclinic.training.loop import Callback, Progress
from torchclinic.training.run import World

TIMEOUT = timedelta(minutes=10)


@contextmanager
def joined() -> Iterator[World]:
    """The processes `torchrun` started; one process alone if it did not."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    dist.init_process_group("gloo", timeout=TIMEOUT)
    try:
        yield World(rank=dist.get_rank(), size=dist.get_world_size(), share=share, wait=dist.barrier, callbacks=(PoolFigures(),))
    finally:
        dist.destroy_process_group()


def share(model: nn.Module) -> nn.Module:
    """The forward pass of `model` over a batch shared among the processes.

    In `model` itself, in place, the layers that mix samples or draw numbers are replaced by those below; they use the
    same parameters and buffers, and in eval mode do the same.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(parent, name, GlobalBatchNorm(child))
            elif isinstance(child, nn.Dropout):
                setattr(parent, name, GlobalDropout(child.p))
    return DistributedDataParallel(model)


class GlobalBatchNorm(_BatchNorm):
    """BatchNorm over the batches of all processes, which are of one size. Works on any device, unlike SyncBatchNorm."""

    def __init__(self, local: _BatchNorm) -> None:
        super().__init__(local.num_features, local.eps, local.momentum)
        self.weight, self.bias = local.weight, local.bias
        self.running_mean, self.running_var = local.running_mean, local.running_var
        self.num_batches_tracked = local.num_batches_tracked

    def _check_input_dim(self, input: Tensor) -> None: ...  # whatever the local layer took

    def forward(self, x: Tensor) -> Tensor:  # [B, C] or [B, C, H, W], B of this process
        if not self.training:
            return super().forward(x)
        dims = [dim for dim in range(x.dim()) if dim != 1]
        count = x.numel() // x.shape[1] * dist.get_world_size()
        wide = (1, -1) + (1,) * (x.dim() - 2)
        mean = _total(x.float().sum(dims)) / count
        centred = x.float() - mean.view(wide)
        variance = _total(centred.square().sum(dims)) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(wide) + self.bias.view(wide)).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class GlobalDropout(nn.Module):
    """Dropout whose mask is this process's share of the one that a single process would draw for the global batch."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:  # [B, ...], B of this process
        if not self.training:
            return x
        world = dist.get_world_size()
        ones = torch.ones((len(x) * world, *x.shape[1:]), dtype=x.dtype, device=x.device)
        return x * F.dropout(ones, self.p)[dist.get_rank() :: world]


class PoolFigures(Callback):
    """Replace an epoch's figures by those over all processes: means weighted by images, the longest time."""

    def epoch_done(self, progress: Progress) -> None:
        epoch = progress.history[-1]
        sums = torch.tensor([epoch.loss * epoch.images, epoch.accuracy * epoch.images, epoch.images], dtype=torch.float64)
        dist.all_reduce(sums)
        seconds = torch.tensor(epoch.seconds, dtype=torch.float64)
        dist.all_reduce(seconds, op=dist.ReduceOp.MAX)
        loss, accuracy, images = sums.tolist()
        pooled = replace(epoch, loss=loss / images, accuracy=accuracy / images, images=int(images), seconds=seconds.item())
        progress.history[-1] = pooled


class _Total(torch.autograd.Function):
    """Sum over the processes; gradients flow back to all of them: the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _total(x: Tensor) -> Tensor:
    total: Tensor = _Total.apply(x)  # type: ignore[no-untyped-call]
    return total
