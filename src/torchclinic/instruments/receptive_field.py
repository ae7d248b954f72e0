"""The receptive field of every layer of a live model, followed operation by operation through one forward."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from torchclinic.cnn.receptive_field import Field, Span, Status, whole
from torchclinic.errors import InputError
from torchclinic.instruments.field_rules import Located, follow
from torchclinic.instruments.guard import untouched
from torchclinic.report.model import Table, Value

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class LayerField:
    """What one output pixel of `layer` can see of the input."""

    layer: str  # module path
    kind: str  # module class
    field: Field
    output_size: tuple[int, int]
    call: int = 1  # a module that runs several times has several rows

    @property
    def size(self) -> int | tuple[int, int]:
        """Input pixels, including those that lie in the padding."""
        return _one_or_two(self.field.rows.size, self.field.columns.size)

    @property
    def stride(self) -> float | tuple[float, float]:
        """Input pixels between the fields of neighbouring output pixels; 0: all see the whole input."""
        return _one_or_two(_plain(self.field.rows.stride), _plain(self.field.columns.stride))

    @property
    def offset(self) -> float | tuple[float, float]:
        """Input coordinate at which the field of output pixel 0 begins: minus the accumulated padding."""
        return _one_or_two(_plain(self.field.rows.start), _plain(self.field.columns.start))

    @property
    def status(self) -> Status:
        return self.field.status

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layer", "kind", "call", "size", "stride", "offset", "status")}


@dataclass(frozen=True, slots=True)
class ReceptiveFields(Sequence[LayerField]):
    """Rows in the order in which the layers ran. Indexed by number, or by the layer's name (its last call)."""

    rows: tuple[LayerField, ...]
    input_shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[LayerField]:
        return iter(self.rows)

    def __getitem__(self, key: int | str | slice) -> Any:
        if not isinstance(key, str):
            return self.rows[key]
        found = [row for row in self.rows if row.layer == key]
        if not found:
            raise KeyError(f"No layer {key!r} ran; the layers are {', '.join(row.layer for row in self.rows)}.")
        return found[-1]

    def table(self) -> Table:
        columns = ("layer", "kind", "size", "stride", "offset", "output", "status")
        rows: list[tuple[Value, ...]] = []
        for row in self.rows:
            name = row.layer if row.call == 1 else f"{row.layer} (call {row.call})"
            numbers = (_shown(row.size), _shown(row.stride), _shown(row.offset))
            rows.append((name, row.kind, *numbers, "x".join(map(str, row.output_size)), row.status))
        return Table(columns, tuple(rows), f"Receptive fields for an input of shape {list(self.input_shape)}")

    def to_dict(self) -> dict[str, Any]:
        return {"input_shape": list(self.input_shape), "layers": [row.to_dict() for row in self.rows]}

    def __str__(self) -> str:
        from torchclinic.report.text import figure_text

        return figure_text(self.table())

    def _repr_html_(self) -> str:
        from torchclinic.report.html import table_fragment

        return table_fragment(self.table())


def receptive_field(model: nn.Module, input_shape: Sequence[int]) -> ReceptiveFields:
    """Size, stride and offset of the receptive field of every layer, by one forward in eval mode on an input of
    `input_shape` ([C, H, W] or [B, C, H, W]).

    Every operation is followed, so branches, residual sums and functional calls count: where paths meet, the field is
    the maximum over them. `status` is "exact", "upper bound" (interpolation, strided transposed convolution, operations
    without a rule), or "data-dependent" (global or adaptive pooling, statistics over space, attention, linear layers
    over space: the field is as large as the input, or depends on its size).

    Raises: InputError if the shape has no rows and columns, or the model cannot run on it.

    The model is not modified. Reference: Araujo, Norris, Sim 2019, doi:10.23915/distill.00021.
    """
    shape = tuple(input_shape)
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(f"input_shape = {shape}: receptive_field needs [C, H, W] or [B, C, H, W], all at least 1.")
    shape = shape if len(shape) == 4 else (1, *shape)
    with untouched(model), torch.no_grad():
        model.eval()
        x = torch.rand(shape).to(_like(model))
        follower = _Follower(x)
        recorder = _Recorder(model, follower)
        try:
            with recorder, follower:
                model(x)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"The model cannot run on an input of shape {shape}: {reason}") from error
    return ReceptiveFields(tuple(recorder.rows), shape)


class _Follower(TorchDispatchMode):
    """Knows the field of every tensor that came from the input."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.size = (x.shape[-2], x.shape[-1])
        self.known: dict[int, tuple[Tensor, Located]] = {}  # keeps the tensor alive, so that its id stays its own
        self.filled: dict[int, Located] = {}  # storages that were written piece by piece: whatever reads them sees all
        self.learn(x, Located(Field(Span(), Span()), (2, 3)))

    def learn(self, tensor: Tensor, located: Located) -> None:
        self.known[id(tensor)] = (tensor, located)

    def find(self, tensor: Any) -> Located | None:
        if id(tensor) in self.known:
            return self.known[id(tensor)][1]
        return self.filled.get(tensor.untyped_storage()._cdata) if self.filled else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [(tensor, located) for tensor in _tensors(args) if (located := self.find(tensor))]
        if inputs:
            for output in _tensors((result,)):
                if any(output is written for written in args) and output._is_view() and id(output) not in self.known:
                    self.filled[output.untyped_storage()._cdata] = Located(whole(self.size, "upper bound"), (2, 3))
                self.learn(output, follow(func, args, kwargs or {}, inputs, output, self.size))
        return result


class _Recorder(ExitStack):
    """Writes a row when a leaf module returns, and when a container returns something its last child did not."""

    def __init__(self, model: nn.Module, follower: _Follower) -> None:
        super().__init__()
        self.model = model
        self.follower = follower
        self.rows: list[LayerField] = []

    def __enter__(self) -> "_Recorder":
        super().__enter__()
        for name, module in self.model.named_modules():
            hook = self._hook(name or "output")
            self.callback(module.register_forward_hook(hook).remove)
        return self

    def _hook(self, name: str) -> Any:
        def record(module: nn.Module, args: Any, output: Any) -> None:
            located = next(filter(None, map(self.follower.find, _tensors((output,)))), None)
            if located is None:
                return
            leaf = next(module.children(), None) is None
            if not leaf and self.rows and self.rows[-1].field == located.field:
                return
            tensor = next(t for t in _tensors((output,)) if self.follower.find(t))
            size = (1, 1) if located.dims is None else (tensor.shape[located.dims[0]], tensor.shape[located.dims[1]])
            call = 1 + sum(row.layer == name for row in self.rows)
            self.rows.append(LayerField(name, type(module).__name__, located.field, size, call))

        return record


def _like(model: nn.Module) -> Tensor:
    """A tensor with the device and dtype of the model's floating-point parameters."""
    parameters = (p for p in model.parameters() if p.is_floating_point())
    return next(parameters, torch.zeros(()))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _plain(number: Fraction) -> float:
    return int(number) if number.denominator == 1 else float(number)


def _one_or_two(rows: Number, columns: Number) -> Number | tuple[Number, Number]:
    """One number where rows and columns agree."""
    return rows if rows == columns else (rows, columns)


def _shown(value: Any) -> Value:
    return f"{value[0]} x {value[1]}" if isinstance(value, tuple) else value
