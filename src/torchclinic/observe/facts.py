"""Facts about tensors, without waiting for the device: many small reductions, one transfer when they are flushed."""

import math
from collections.abc import Callable, Sequence
from typing import TypeGuard

import torch
from torch import Tensor

from torchclinic.observe.records import Operand

Receive = Callable[[list[float]], None]
LIMIT = 1 << 22  # elements looked at per tensor; larger ones are cut to their first rows


class Measurements:
    """Collects small vectors and hands their values back together."""

    def __init__(self) -> None:
        self._waiting: dict[torch.device, list[tuple[Tensor, Receive]]] = {}

    def add(self, values: Sequence[Tensor] | Tensor, receive: Receive) -> None:
        """Hold 0-d tensors of one device, or a vector, until `flush`, which calls `receive` with their values."""
        if isinstance(values, Tensor):
            vector = values.detach().to(torch.float64)
        else:
            vector = torch.stack([value.detach().to(torch.float64) for value in values])
        self._waiting.setdefault(vector.device, []).append((vector, receive))

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for items in waiting.values():
            values = torch.cat([vector for vector, _ in items]).tolist()
            start = 0
            for vector, receive in items:
                receive(values[start : start + len(vector)])
                start += len(vector)


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


def operand(tensor: Tensor) -> Operand:
    return Operand(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.requires_grad)


def measure_operand(
    facts: Operand, tensor: Tensor, measurements: Measurements, class_dim: int | None, ignore: int | None = None
) -> None:
    """Fill `facts` from the values of `tensor` when `measurements` are flushed."""
    if not is_plain(tensor) or tensor.numel() == 0 or tensor.is_complex():
        return
    values = tensor.detach()
    if values.numel() > LIMIT and values.dim() > 0:
        values = values[: max(1, LIMIT * len(values) // values.numel())]
    if not values.is_floating_point():
        if ignore is not None:
            kept = values[values != ignore]
            values = kept if kept.numel() else values.reshape(-1)[:1].clamp(0, 0)
        low, high = values.min(), values.max()
        measurements.add([low, high], lambda v: _ranges(facts, v))
        return
    values = values.float()
    low, high = values.min(), values.max()
    shares = [(values < -1.01).float().mean(), (values < -0.01).float().mean(), (values > 1.01).float().mean()]
    wanted = [low, high, torch.isfinite(values).all(), *shares]
    if class_dim is not None and values.dim() > 0:
        sums, logs = values.sum(class_dim), values.logsumexp(class_dim)
        wanted += [sums.min(), sums.max(), logs.min(), logs.max()]
    measurements.add(wanted, lambda v: _fill(facts, v))


def _ranges(facts: Operand, values: list[float]) -> None:
    facts.minimum, facts.maximum = values


def _fill(facts: Operand, values: list[float]) -> None:
    facts.minimum, facts.maximum, finite, facts.below_minus_one, facts.below_zero, facts.above_one = values[:6]
    facts.finite = bool(finite)
    if len(values) > 6:
        facts.row_sum_low, facts.row_sum_high, facts.logsumexp_low, facts.logsumexp_high = values[6:]


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
