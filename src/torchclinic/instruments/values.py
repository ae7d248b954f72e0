"""What may be read of tensors, and where they are in what a function is called with."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeGuard

import torch
from torch import Tensor

LIMIT = 1 << 22  # elements looked at per tensor; larger ones are cut to their first rows


def tensors_in(value: object, depth: int = 3) -> Iterator[Tensor]:
    """Tensors of nested lists, tuples, dicts and dataclass-like objects."""
    if isinstance(value, Tensor):
        yield value
    elif depth > 0:
        items: Iterable[object] = ()
        if isinstance(value, dict):
            items = value.values()
        elif isinstance(value, list | tuple):
            items = value
        elif hasattr(value, "__dict__") and not isinstance(value, type | torch.nn.Module):
            items = vars(value).values()
        for item in items:
            yield from tensors_in(item, depth - 1)


def arguments_in(args: Iterable[object]) -> Iterator[Tensor]:
    """Tensors among the arguments of an operation."""
    for value in args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (item for item in value if isinstance(item, Tensor))


def is_plain(value: object) -> TypeGuard[Tensor]:
    """A tensor with memory whose numbers may be read (not meta, fake, functorch-wrapped or sparse)."""
    return (
        isinstance(value, Tensor)
        and type(value) in (Tensor, torch.nn.Parameter)
        and not value.is_meta
        and value.layout is torch.strided
        and not value.is_quantized
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
    )


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Euclidean norms, one fused call per device and type."""
    return [norm.float() for norm in torch._foreach_norm(list(tensors))] if tensors else []


def real_numbers(tensor: Tensor) -> Tensor:
    """The tensor itself, or the two parts of its complex numbers in a last dimension."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def fingerprint(tensor: Tensor) -> tuple[float, ...]:
    """A few numbers that two different batches do not share: exact sums of up to 4096 spread elements."""
    flat = real_numbers(tensor.detach()).reshape(-1)
    if flat.numel() > 4096:
        flat = flat[:: math.ceil(flat.numel() / 4096)]
    values = flat.to(torch.float64)
    weights = torch.arange(1, len(values) + 1, dtype=torch.float64, device=values.device)
    first: tuple[float, ...] = tuple(torch.stack([values.sum(), (values * weights).sum(), values.abs().max()]).tolist())
    return first


def shares_memory(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr() != 0


def finite_input(tensor: Tensor) -> Tensor:
    """Whether all numbers are finite; minus infinity counts as finite in an additive mask: beside zeros only, or where
    positions stand beside positions (the last two dimensions are equal)."""
    finite = torch.isfinite(tensor)
    masked = finite | (tensor == -torch.inf)
    if tensor.dim() > 1 and tensor.shape[-1] == tensor.shape[-2]:
        return masked.all()
    return finite.all() | (masked & (~finite | (tensor == 0))).all()
