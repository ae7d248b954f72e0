"""On which line the samples of a batch begin to mix: two passes that differ in other samples, compared call by call."""

from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from torchclinic.instruments.values import is_plain, tensors_in
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import VIEWS, plain_name

ROUNDING = 1e-3  # of the values' size; below it a difference may be that of another order of summation
_RESHAPING = VIEWS | {"unflatten"}


class Call(NamedTuple):
    name: str
    line: str
    kept: Tensor | None  # the first and the last row of a result that has one row for each sample
    loses_rows: bool  # it gives another size to the dimension that was the batch


class Calls(TorchFunctionMode):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.calls: list[Call] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = plain_name(func.__name__)
        for tensor in tensors_in(result, 1):
            if is_plain(tensor) and tensor.is_floating_point() and tensor.dim():
                ours = any(t.dim() and t.shape[0] == self.rows for t in tensors_in(args[:1], 1))
                loses = name in _RESHAPING and ours and tensor.shape[0] % self.rows != 0
                kept = tensor[[0, -1]].detach() if tensor.shape[0] == self.rows else None
                self.calls.append(Call(name, user_line(2), kept, loses))
        return result


def mixing_line(one_pass: Calls, other_pass: Calls) -> str:
    """The line of the first call whose result for the first or last sample changes with the others, or of the reshape
    before it that gave the batch away; empty where the two passes do not make the same calls."""
    lost = ""
    for one, other in zip(one_pass.calls, other_pass.calls, strict=False):
        if one.line != other.line or one.name != other.name:
            return ""
        lost = one.line if one.loses_rows else lost
        if one.kept is not None and other.kept is not None and one.kept.shape == other.kept.shape:
            size = one.kept.float().abs().max()
            if bool((one.kept.float() - other.kept.float()).abs().max() > ROUNDING * size):
                return lost or one.line
    return ""
