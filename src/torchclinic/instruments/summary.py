"""What each layer of a model takes, gives, holds and costs, and where a forward failed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched
from torchclinic.report.model import Table
from torchclinic.units import format_count, format_nbytes

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One leaf module; shapes are those of its last call."""

    layer: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    parameters: int  # its own, counted where they first appear
    trainable: int
    macs: int  # multiply-accumulate operations of all calls, as torch.utils.flop_counter counts them
    output_nbytes: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Failure:
    """The innermost module whose forward raised."""

    layer: str
    kind: str
    input_shapes: tuple[Shape, ...]
    message: str

    def __str__(self) -> str:
        shapes = ", ".join(str(list(shape)) for shape in self.input_shapes)
        return f"The forward failed in {self.layer} ({self.kind}), given {shapes or 'no tensor'}: {self.message}"


@dataclass(frozen=True, slots=True)
class Summary:
    layers: tuple[LayerSummary, ...]
    parameters: int
    trainable: int
    buffers_nbytes: int
    parameters_nbytes: int
    failure: Failure | None = None

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def activations_nbytes(self) -> int:
        """Outputs of all leaf modules together; in-place layers share theirs with the layer before."""
        return sum(layer.output_nbytes for layer in self.layers)

    def table(self) -> Table:
        columns = ("layer", "kind", "output", "parameters", "MACs", "activations")
        rows = tuple(
            (row.layer, row.kind, "x".join(map(str, row.output_shape)), row.parameters, row.macs, format_nbytes(row.output_nbytes))
            for row in self.layers
        )
        return Table(columns, rows, self.totals())

    def totals(self) -> str:
        return (
            f"{format_count(self.parameters)} parameters ({format_nbytes(self.parameters_nbytes)}, {format_count(self.trainable)} "
            f"trainable), {format_count(self.macs)} MACs, {format_nbytes(self.activations_nbytes)} of activations"
        )

    def to_dict(self) -> dict[str, Any]:
        failure = None if self.failure is None else {"layer": self.failure.layer, "message": self.failure.message}
        return {
            "parameters": self.parameters,
            "trainable": self.trainable,
            "macs": self.macs,
            "layers": [layer.to_dict() for layer in self.layers],
            "failure": failure,
        }

    def __str__(self) -> str:
        from torchclinic.report.text import figure_text

        return figure_text(self.table()) + (f"\n{self.failure}\n" if self.failure else "")

    def _repr_html_(self) -> str:
        from html import escape

        from torchclinic.report.html import table_fragment

        return table_fragment(self.table()) + (f"<p>{escape(str(self.failure))}</p>" if self.failure else "")


def summary(model: nn.Module, input_shape: Sequence[int] | None = None, *, inputs: Any = None) -> Summary:
    """Run the model once, in eval mode and without gradients, and sum up every leaf module that ran.

    Give the shape of one input (batch included; filled with random numbers), or `inputs`: a tensor, a tuple of
    arguments, or a dict of keyword arguments. If the forward raises, `.failure` says in which module and why, and the
    layers that ran before are kept.

    Raises: InputError if neither or both are given.

    The model is not modified. MACs: torch.utils.flop_counter, halved (it counts a multiplication and an addition).
    """
    if (input_shape is None) == (inputs is None):
        raise InputError("summary needs either input_shape, such as (1, 3, 32, 32), or inputs.")
    with untouched(model), torch.no_grad():
        model.eval()
        args, kwargs = _arguments(model, input_shape, inputs)
        counter = FlopCounterMode(display=False)
        with _Watch(model) as watch:
            try:
                with counter:
                    model(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever a forward raises is the answer
                watch.fail(error)
        flops = counter.get_flop_counts()
    return watch.result({name: sum(counts.values()) for name, counts in flops.items()})


class _Watch(ExitStack):
    """Follows which module is running, and keeps what leaf modules took and gave."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.names = {module: name for name, module in model.named_modules()}
        self.running: list[tuple[nn.Module, tuple[Shape, ...]]] = []
        self.seen: dict[nn.Module, tuple[Shape, Shape, int]] = {}
        self.failure: Failure | None = None

    def __enter__(self) -> "_Watch":
        super().__enter__()
        for module in self.names:
            self.callback(module.register_forward_pre_hook(self._start, with_kwargs=True).remove)
            self.callback(module.register_forward_hook(self._stop).remove)
        return self

    def _start(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self.running.append((module, tuple(tuple(tensor.shape) for tensor in _tensors((args, kwargs)))))

    def _stop(self, module: nn.Module, args: Any, output: Any) -> None:
        _, shapes = self.running.pop()
        if next(module.children(), None) is None:
            outputs = list(_tensors(output))
            shape = tuple(outputs[0].shape) if outputs else ()
            nbytes = sum(tensor.numel() * tensor.element_size() for tensor in outputs)
            self.seen[module] = (shapes[0] if shapes else (), shape, nbytes)

    def fail(self, error: Exception) -> None:
        module, shapes = self.running[-1] if self.running else (self.model, ())
        message = next(iter(str(error).splitlines()), "") or type(error).__name__
        self.failure = Failure(self.names[module] or "the model's own forward", type(module).__name__, shapes, message)

    def result(self, flops: Mapping[str, int]) -> Summary:
        root = type(self.model).__name__
        counted: set[int] = set()
        layers = []
        for module, (given, shape, nbytes) in self.seen.items():
            own = [p for p in module.parameters() if id(p) not in counted]
            counted.update(map(id, own))
            name = self.names[module]
            macs = flops.get(f"{root}.{name}" if name else root, 0) // 2
            total, trainable = sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad)
            layers.append(LayerSummary(name, type(module).__name__, given, shape, total, trainable, macs, nbytes))
        every = list(self.model.parameters())
        return Summary(
            tuple(layers),
            sum(p.numel() for p in every),
            sum(p.numel() for p in every if p.requires_grad),
            sum(b.numel() * b.element_size() for b in self.model.buffers()),
            sum(p.numel() * p.element_size() for p in every),
            self.failure,
        )


def _arguments(model: nn.Module, input_shape: Sequence[int] | None, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if input_shape is not None:
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        return (torch.rand(tuple(input_shape)).to(like),), {}
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
