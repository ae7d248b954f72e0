"""Facts about tensors, without waiting for the device: many small reductions, one transfer when they are flushed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.records import Operand

Receive = Callable[[list[float]], None]


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
