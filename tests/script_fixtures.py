"""A script as Python runs it, and everything it leaves behind."""

import hashlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


def plain_run(path: Path, names: dict[str, Any]) -> None:
    """As Python would, with the endings a script may have."""
    try:
        exec(compile(path.read_text(), str(path), "exec"), names)
    except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001 - every ending counts
        return


def fingerprint(names: dict[str, Any]) -> str:
    """Everything torch and the random streams hold at the end of a script, bit for bit."""
    digest = hashlib.sha256()
    for name in sorted(names):
        value = names[name]
        if isinstance(value, nn.Module):
            for key, tensor in [*value.named_parameters(), *value.named_buffers()]:
                digest.update(f"{name}.{key}{tensor.requires_grad}{tensor.grad is None}".encode() + raw(tensor))
                digest.update(b"" if tensor.grad is None else raw(tensor.grad))
            digest.update(str([module.training for module in value.modules()]).encode())
            hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_state_dict_hooks")
            digest.update(str([len(getattr(m, hook)) for m in value.modules() for hook in hooks]).encode())
        elif isinstance(value, torch.Tensor):
            digest.update(name.encode() + raw(value))
        elif isinstance(value, torch.optim.Optimizer):
            for state in value.state.values():
                for key, item in state.items() if isinstance(state, dict) else ():
                    digest.update(key.encode() + (raw(item) if isinstance(item, torch.Tensor) else str(item).encode()))
            digest.update(str([group["lr"] for group in value.param_groups]).encode())
    digest.update(raw(torch.get_rng_state()) + repr(random.getstate()).encode() + np.random.get_state()[1].tobytes())
    return digest.hexdigest()


def raw(tensor: torch.Tensor) -> bytes:
    if tensor.numel() and tensor.dim():
        return tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
    return repr(tensor.detach().tolist()).encode()
