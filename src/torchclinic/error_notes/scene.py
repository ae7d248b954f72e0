"""Where an error was raised: the message, the user's frames, the failing expression, its tensors, the layer that raised."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.error_notes.births import Birth, births
from torchclinic.error_notes.construction import Construction, construction_of, settings
from torchclinic.error_notes.frame import Frame
from torchclinic.error_notes.lookup import UnresolvedError, outermost
from torchclinic.error_notes.recorder import Event, Kind, Recorder
from torchclinic.error_notes.source import Edit, Source, dotted, position_of
from torchclinic.error_notes.trial import LARGEST, Change, Trial, elements
from torchclinic.script.lines import Line, is_user_file

MOST_TENSORS = 6  # named in an explanation


@dataclass(frozen=True)
class Call:
    """A function of torch's own Python code that was running."""

    function: str
    names: Mapping[str, Any] = field(repr=False)
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operand:
    """A tensor of the failing operation, by the text that names it."""

    name: str
    tensor: Tensor
    node: ast.expr | None = None


class Scene:
    """All that is known of an error; of a pasted one, what its text says."""

    def __init__(
        self,
        message: str,
        kind: str = "",
        frames: tuple[Frame, ...] = (),
        calls: tuple[Call, ...] = (),
        past: Recorder | None = None,
    ) -> None:
        self.message, self.kind, self.frames, self.calls, self.past = message, kind, frames, calls, past
        self.match: re.Match[str] = re.match("", "")  # type: ignore[assignment]  # of the kind that is asked

    # the message

    def __getitem__(self, group: str) -> str:
        return self.match.groupdict().get(group) or ""

    def number(self, group: str) -> int:
        return int(self.match[group])

    # the place

    @property
    def seen(self) -> bool:
        """Whether the error itself is at hand, not only its text."""
        return bool(self.frames) and bool(self.frames[-1].names)

    @property
    def line(self) -> Line | None:
        return self.frames[-1].line if self.frames else None

    @cached_property
    def expression(self) -> ast.expr | None:
        """What failed; of an assignment, its value; of an assignment in place, target and value."""
        node = self.frames[-1].node if self.frames else None
        if isinstance(node, ast.AugAssign):
            return ast.Tuple([node.target, node.value], ast.Load())
        if isinstance(node, ast.Assign):
            return ast.Tuple([*node.targets, node.value], ast.Load())
        if isinstance(node, ast.For):
            return node.iter
        value = getattr(node, "value", None)
        return node if isinstance(node, ast.expr) else value if isinstance(value, ast.expr) else None

    def value(self, node: ast.expr) -> Any:
        found = self.frames[-1].value(node)
        return found if found is not None else self._given.get(node)

    @cached_property
    def _given(self) -> dict[ast.AST, Any]:
        """The arguments of the failing call, as the function of torch that it called has received them."""
        call = self.expression
        if not isinstance(call, ast.Call) or not self.calls or any(isinstance(a, ast.Starred) for a in call.args):
            return {}
        first = self.calls[0]
        if first.function == "_wrapped_call_impl":
            values, keywords = first.names.get("args", ()), first.names.get("kwargs", {})
        else:
            values = tuple(first.names.get(name) for name in first.parameters if name != "self")
            keywords = first.names
        found: dict[ast.AST, Any] = dict(zip(call.args, values, strict=False))
        found |= {k.value: keywords[k.arg] for k in call.keywords if k.arg in keywords}
        return {node: value for node, value in found.items() if isinstance(value, Tensor)}

    @cached_property
    def _stand_ins(self) -> dict[ast.AST, str]:
        """Names for arguments that cannot be looked up again, such as the output of the user's model."""
        unknown = [n for n in self._given if isinstance(n, ast.expr) and self.frames[-1].value(n) is None]
        return {node: f"given_{place}__" for place, node in enumerate(unknown)}

    @cached_property
    def _names(self) -> Mapping[str, Any]:
        return {**self.frames[-1].names, **{name: self._given[node] for node, name in self._stand_ins.items()}}

    def text(self, node: ast.AST) -> str:
        return ast.unparse(node)

    def call(self, *functions: str) -> Mapping[str, Any]:
        """The local names of a function of torch that was running, the innermost of these names; empty if none was."""
        return next((c.names for c in reversed(self.calls) if c.function in functions), {})

    # the layer

    @cached_property
    def layer(self) -> nn.Module | None:
        """The innermost module of torch's that was running."""
        modules = (c.names.get("self") for c in reversed(self.calls) if c.function != "__init__")
        return next((m for m in modules if isinstance(m, nn.Module) and type(m).__module__.startswith("torch.nn")), None)

    @cached_property
    def layer_input(self) -> Tensor | None:
        for call in reversed(self.calls):
            if call.names.get("self") is self.layer and self.layer is not None:
                given = call.names.get("input", call.names.get("x"))
                if isinstance(given, Tensor):
                    return given
        return None

    @cached_property
    def _owner(self) -> tuple[object | None, str, str]:
        """The user's object that holds the layer, the path in it, and how the user would write it."""
        for frame in reversed(self.frames):
            owner = frame.names.get("self")
            if isinstance(owner, nn.Module) and (path := _path(owner, self.layer)):
                return owner, path, f"self.{path}"
            held = getattr(owner, "__dict__", {})
            name = next((n for n, value in held.items() if self.layer is not None and value is self.layer), "")
            if name:
                return owner, name, f"self.{name}"
        for name, value in self.frames[-1].names.items() if self.frames else ():
            if value is self.layer:
                return None, "", name
        for name, value in self.frames[-1].names.items() if self.frames else ():
            if isinstance(value, nn.Module) and (path := _path(value, self.layer)):
                return value, path, f"{name}.{path}"
        return None, "", ""

    @property
    def layer_path(self) -> str:
        return self._owner[1]

    @property
    def layer_name(self) -> str:
        """As the failing line would write it: `self.body.2`, `model.0`; its class where no name leads to it."""
        return self._owner[2] or (type(self.layer).__name__ if self.layer is not None else "")

    @cached_property
    def construction(self) -> Construction | None:
        if self.layer is None:
            return None
        sources = dict.fromkeys(f.source for f in self.frames if f.source is not None)
        return construction_of(self.layer, self.layer_path, self._owner[0], tuple(sources))

    # the tensors

    @cached_property
    def operands(self) -> tuple[Operand, ...]:
        """The tensors of the failing operation that can be named for certain; of a layer, its own parameters too."""
        found: dict[str, Operand] = {}
        nodes = list(outermost(self.expression)) if self.expression is not None and self.seen else []
        for node in nodes:
            value = self.value(node)
            if isinstance(value, Tensor):
                found[ast.unparse(node)] = Operand(ast.unparse(node), value, node)
        for argument in self._stand_ins:
            if isinstance(argument, ast.expr):
                found[ast.unparse(argument)] = Operand(ast.unparse(argument), self._given[argument], argument)
        if self.layer is not None:
            given = self.layer_input
            if given is not None and not any(same(operand.tensor, given) for operand in found.values()):
                name = f"input of {self.layer_name}"
                found = {name: Operand(name, given)} | found
            owned = (*self.layer.named_parameters(recurse=False), *self.layer.named_buffers(recurse=False))
            for name, parameter in owned:
                found[f"{self.layer_name}.{name}"] = Operand(f"{self.layer_name}.{name}", parameter)
        return tuple(found.values())[:MOST_TENSORS]

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {operand.name: operand.tensor for operand in self.operands}

    def node_of(self, tensor: Tensor | None) -> ast.expr | None:
        """The part of the failing expression that is this very tensor."""
        found = [o.node for o in self.operands if tensor is not None and same(o.tensor, tensor) and o.node is not None]
        return found[0] if found else None

    def name_of(self, tensor: Tensor, otherwise: str) -> str:
        node = self.node_of(tensor)
        return ast.unparse(node) if node is not None else otherwise

    def argument(self, place: int, name: str = "") -> ast.expr | None:
        """The text of an argument of the failing call."""
        if not isinstance(self.expression, ast.Call):
            return None
        keyword = next((k.value for k in self.expression.keywords if k.arg == name), None) if name else None
        args = self.expression.args
        return keyword or (args[place] if place < len(args) and not any(isinstance(a, ast.Starred) for a in args) else None)

    # the past

    def births(self, node: ast.expr | None) -> list[Birth]:
        return list(births(self.frames, node)) if node is not None and self.seen else []

    def birth(self, node: ast.expr | None) -> Birth | None:
        """The nearest statement that made the value of a part of the failing expression."""
        return next(iter(self.births(node)), None)

    def first_birth(self, node: ast.expr | None) -> Birth | None:
        return next(reversed(self.births(node)), None)

    def last(self, kind: Kind, tensor: Tensor | None = None) -> Event | None:
        return None if self.past is None else self.past.last(kind, tensor)

    @property
    def blind(self) -> str:
        return "" if self.past is None else self.past.blind

    # edits that were tried

    def edit(self, changes: Mapping[ast.AST, str], tried: Mapping[ast.AST, str] | None = None) -> Edit | None:
        """The failing line with other text in places of it, if the failing operation then passes.

        `tried`: what is executed in those places, where it is not that very text.
        """
        source = self.frames[-1].source if self.seen else None
        if source is None or self.expression is None or not changes:
            return None
        edit = source.edit(changes)
        try:
            changed = ast.parse(_replaced(source, self.expression, {**self._stand_ins, **(tried or changes)}), mode="eval").body
        except (SyntaxError, ValueError):
            return None
        return edit if self._fails_again and self._passes(changed, {}) else None

    def changed(self, node: ast.expr | None, form: str) -> Edit | None:
        """`form` of a part of the failing expression, such as "{}.float()", if that passes."""
        source = self.frames[-1].source if self.seen else None
        if node is None or source is None or not hasattr(node, "lineno"):
            return None
        tried: dict[ast.AST, str] | None = {node: form.format(self._stand_ins[node])} if node in self._stand_ins else None
        return self.edit({node: form.format(dotted(source.text(node), node))}, tried)

    def passes_expression(self, text: str) -> bool:
        """Whether another expression in the place of the failing one passes."""
        return self.seen and self._passes(ast.parse(text, mode="eval").body, {})

    def changed_to(self, node: ast.expr, text: str) -> Edit | None:
        """Other text in place of a part of the failing expression, if that passes."""
        return self.edit({node: text})

    def birth_edit(self, node: ast.expr | None, form: str, change: Change, *, first: bool = False) -> Edit | None:
        """The same where the value was made (nearest, or `first` of all), if the failing operation passes with it."""
        tensor = self.value(node) if node is not None and self.seen else None
        if not isinstance(tensor, Tensor) or not self._fails_again or self.expression is None:
            return None
        made = [birth for birth in self.births(node) if birth.expression is not None]
        if not made or not self._passes(self._tried, {id(tensor): change}):
            return None
        birth = made[-1] if first else made[0]
        assert birth.expression is not None
        return birth.source.edit({birth.expression: form.format(dotted(birth.source.text(birth.expression), birth.expression))})

    def repair(self, node: ast.expr | None, form: str, change: Change) -> Edit | None:
        """`form` of an operand: data of the script is repaired where it was made, what was computed on the failing line."""
        tensor = self.value(node) if node is not None and self.seen else None
        data = isinstance(tensor, Tensor) and not isinstance(tensor, nn.Parameter) and tensor.grad_fn is None
        at_birth = self.birth_edit(node, form, change, first=True) if data else None
        return at_birth or self.changed(node, form)

    def passes_layer(self, *arguments: Any, layer: nn.Module | None = None) -> bool:
        """Whether the layer (or another in its place) takes other arguments; sizes and dtypes are tried, no values."""
        try:
            Trial({}, meta=True).output(layer or self.layer, *arguments)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - whatever it raises, the edit does not help
            return False
        return True

    def layer_edit(self, name: str, value: int) -> Edit | None:
        """The layer built with another size, if it then takes its input."""
        if self.layer is None or self.layer_input is None or self.construction is None:
            return None
        node = self.construction.argument(type(self.layer), name)
        rebuilt = rebuild(self.layer, **{name: value})
        if node is None or rebuilt is None:
            return None
        if not self.passes_layer(self.layer_input, layer=rebuilt):
            return None
        return self.construction.source.edit({node: str(value)})

    @cached_property
    def _meta(self) -> bool:
        return elements(*(o.tensor for o in self.operands), *self._modules()) > LARGEST

    def _modules(self) -> Iterator[nn.Module]:
        for node in outermost(self.expression) if self.expression is not None else ():
            value = self.value(node)
            if isinstance(value, nn.Module):
                yield value

    @cached_property
    def _fails_again(self) -> bool:
        """Whether the failing expression, on copies, raises what it raised: else a trial says nothing."""
        assert self.expression is not None
        try:
            Trial(self._names, meta=self._meta).value(self._tried)
        except UnresolvedError:
            return False
        except Exception as error:  # noqa: BLE001 - compared below
            return type(error).__name__ == self.kind and str(error)[:60] == self.message[:60]
        return False

    @cached_property
    def _tried(self) -> ast.expr:
        """The failing expression with the stand-ins in it."""
        source = self.frames[-1].source
        assert self.expression is not None
        if not self._stand_ins or source is None:
            return self.expression
        return ast.parse(_replaced(source, self.expression, self._stand_ins), mode="eval").body

    def _passes(self, expression: ast.expr, changes: Mapping[int, Change]) -> bool:
        try:
            Trial(self._names, changes, self._meta).value(expression)
        except Exception:  # noqa: BLE001 - whatever it raises, the edit does not help
            return False
        return True


def rebuild(layer: nn.Module, **changes: Any) -> nn.Module | None:
    """A layer of the same settings but these, on the meta device; None where it cannot be built so."""
    held = {name: getattr(layer, name) for name in settings(type(layer)) if hasattr(layer, name)}
    held |= {name: value is not None for name, value in held.items() if name == "bias" and not isinstance(value, bool)}
    parameter = next(iter(layer.parameters()), None)
    dtype = None if parameter is None else parameter.dtype
    try:
        return type(layer)(**(held | changes), device="meta", dtype=dtype).train(layer.training)
    except Exception:  # noqa: BLE001 - an impossible setting
        return None


def same(a: Tensor, b: Tensor) -> bool:
    """One tensor, or two over the same memory in the same way (a watched call may hand over an alias)."""
    if a is b:
        return True
    if a.layout != torch.strided or b.layout != torch.strided or a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.is_nested or b.is_nested or a.stride() != b.stride() or a.storage_offset() != b.storage_offset():
        return False
    return a.numel() > 0 and a.untyped_storage()._cdata == b.untyped_storage()._cdata


def _path(owner: nn.Module, layer: nn.Module | None) -> str:
    return next((path for path, module in owner.named_modules() if module is layer), "") if layer is not None else ""


def _replaced(source: Source, node: ast.expr, changes: Mapping[ast.AST, str]) -> str:
    """The source of an expression with other text in places of it, as one line."""
    if not hasattr(node, "lineno"):  # an assignment in place: target and value
        return ", ".join(_replaced(source, part, changes) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
    if node in changes:
        return f"({changes[node]})"
    inside = {n: t for n, t in changes.items() if n in set(ast.walk(node))}
    text = source.text(node).encode()
    starts = [0]
    for line in source.text(node).splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))

    def at(line: int, column: int) -> int:
        first = line - node.lineno
        return starts[first] + column - (node.col_offset if first == 0 else 0)

    for part, new in sorted(inside.items(), key=lambda item: (item[0].lineno, item[0].col_offset), reverse=True):  # type: ignore[attr-defined]
        begin, end = at(part.lineno, part.col_offset), at(part.end_lineno, part.end_col_offset)  # type: ignore[attr-defined]
        text = text[:begin] + new.encode() + text[end:]
    return f"({text.decode()})"


def scene_of(error: BaseException, past: Recorder | None = None) -> Scene:
    """The scene of a caught error: the innermost frames are the user's own; what ran below them is torch's."""
    frames: list[Frame] = []
    calls: list[Call] = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if is_user_file(frame.f_code.co_filename):
            names = {**frame.f_globals, **frame.f_locals}
            place = position_of(frame.f_code, step.tb_lasti)
            frames.append(Frame(Line(frame.f_code.co_filename, step.tb_lineno), frame.f_code.co_name, names, place))
            calls = []
        else:
            code = frame.f_code
            calls.append(Call(code.co_name, dict(frame.f_locals), code.co_varnames[: code.co_argcount]))
        step = step.tb_next
    return Scene(str(error), type(error).__name__, tuple(frames), tuple(calls), past)
