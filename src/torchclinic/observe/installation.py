"""What of torch is replaced for the time of an observation, and by whose wrapper."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import dataloader

from torchclinic.script.frames import wrap_warn

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


def install(session: "Session") -> list[Any]:
    """Through `session.patches`; the handles that are returned are to be removed as well."""
    replace = session.patches.replace
    optim = torch.optim
    replace(nn.Module, "__call__", session.modules.wrap_call)
    replace(torch.autograd, "backward", session.backward.wrap_backward)
    replace(torch.autograd, "grad", session.backward.wrap_grad)
    replace(warnings, "warn", wrap_warn)
    for name in [name for name, value in vars(nn.init).items() if name.endswith("_") and callable(value)]:
        replace(nn.init, name, session.origins.wrap_initializer)
    replace(nn.Module, "__init__", session.origins.wrap_init)
    replace(dataloader.DataLoader, "__init__", session.origins.wrap_init)
    replace(nn.Module, "zero_grad", session.stepping.wrap_clear)
    replace(nn.Module, "state_dict", session.checkpoints.wrap_state_dict)
    replace(nn.Module, "load_state_dict", session.checkpoints.wrap_load)
    replace(optim.Optimizer, "zero_grad", session.stepping.wrap_clear)
    replace(optim.Optimizer, "__init__", session.stepping.wrap_init)
    schedulers = vars(optim.lr_scheduler).values()
    for scheduler in {c for c in schedulers if isinstance(c, type) and "step" in vars(c)}:
        if scheduler is not optim.Optimizer:
            replace(scheduler, "step", session.schedules.wrap_step)
    replace(dataloader.DataLoader, "__iter__", session.loaders.wrap_iter)
    replace(dataloader._BaseDataLoaderIter, "__next__", session.loaders.wrap_next)
    replace(torch.utils.data._utils.worker, "_worker_loop", session.workers.wrap_loop)
    replace(nn.parallel.DistributedDataParallel, "__init__", session.ranks.wrap_init)
    if torch.distributed.is_available():
        replace(torch.distributed, "destroy_process_group", session.replicas.wrap_destroy)
    replace(torch, "save", session.checkpoints.wrap_save)
    replace(torch, "compile", session.compiling.wrap_compile)
    for name in ("trace", "trace_module"):
        replace(torch.jit, name, session.compiling.wrap_trace)
    replace(torch.cuda.CUDAGraph, "capture_begin", session.compiling.wrap_capture_begin)
    replace(torch.cuda.CUDAGraph, "capture_end", session.compiling.wrap_capture_end)
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        replace(nn.utils.clip_grad, name, session.scaling.wrap_clip)
        replace(nn.utils, name, partial(_same, name))
    replace(torch.amp.GradScaler, "scale", session.scaling.wrap_scale)
    replace(torch.amp.GradScaler, "unscale_", session.scaling.wrap_unscale)
    replace(torch.amp.GradScaler, "step", session.scaling.wrap_step)
    return [
        register_optimizer_step_pre_hook(session.stepping.before_step),
        register_optimizer_step_post_hook(session.stepping.after_step),
    ]


def _same(name: str, _: Callable[..., Any]) -> Callable[..., Any]:
    """The function that `torch.nn.utils` exports again."""
    function: Callable[..., Any] = vars(nn.utils.clip_grad)[name]
    return function
