"""The line that failed: its source, and the tensors its expressions name.

Expressions are looked up, never run: names, attributes held in a `__dict__`, constant subscripts, and methods of
tensors that only make another view. What would run the user's code (calls, properties) stays unresolved.
"""

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.script.lines import Line, is_user_file
from torchclinic.vocabulary import SPREADING, TRANSPOSES

_VIEW_METHODS = frozenset(["permute", "transpose", "swapaxes", "movedim", "t", "unsqueeze", "squeeze", "expand", "detach"])
_LAYOUT_CHANGES = TRANSPOSES | SPREADING | {"unfold", "as_strided", "diagonal"}
_SIZE_METHODS = frozenset(["size", "dim", "numel", "stride"])
_ATTRIBUTES = frozenset(["shape", "T", "mT", "ndim"])
MOST_TENSORS = 6  # named in an explanation


class _UnresolvedError(Exception):
    """The value of an expression cannot be looked up."""


@dataclass(frozen=True)
class Scene:
    """Where an error was raised; without a traceback, nothing is known."""

    line: Line | None = None
    expression: ast.expr | None = None  # what was being evaluated
    names: dict[str, Any] = field(default_factory=dict)
    inner: nn.Module | None = None  # the module of torch's own code that raised, called from that line
    inner_input: Tensor | None = None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors of the failing expression, by the text that names them; of a module, its own parameters."""
        found: dict[str, Tensor] = {}
        for node in _outermost(self.expression) if self.expression is not None else ():
            value = self.value(node)
            if isinstance(value, Tensor):
                found[ast.unparse(node)] = value
            elif isinstance(value, nn.Module):
                owned = value.named_parameters(recurse=False)
                found |= {f"{ast.unparse(node)}.{name}": parameter for name, parameter in owned}
        for name, module in self.modules():
            if module is self.inner and self.inner_input is not None:
                found[f"input of {name}"] = self.inner_input
        return dict(list(found.items())[:MOST_TENSORS])

    def modules(self) -> Iterator[tuple[str, nn.Module]]:
        """The modules the line names and, by its path in them, the one that raised."""
        for node in _outermost(self.expression) if self.expression is not None else ():
            value = self.value(node)
            if isinstance(value, nn.Module):
                name = ast.unparse(node)
                yield name, value
                inner = (path for path, module in value.named_modules() if module is self.inner and path)
                yield from ((f"{name}.{path}", self.inner) for path in inner if self.inner is not None)

    def value(self, node: ast.expr) -> Any:
        """What an expression stands for, or None where that cannot be looked up."""
        try:
            with torch.no_grad():
                return _look_up(node, self.names)
        except (_UnresolvedError, RuntimeError, IndexError, TypeError, KeyError):
            return None

    def call_of(self, method: str) -> tuple[str, Tensor, list[Any]] | None:
        """A call `tensor.method(...)` in the failing expression: the receiver's text, the receiver, the arguments."""
        for node in ast.walk(self.expression) if self.expression is not None else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
                receiver = self.value(node.func.value)
                arguments = [self.value(argument) for argument in node.args]
                if isinstance(receiver, Tensor) and None not in arguments:
                    return ast.unparse(node.func.value), receiver, arguments
        return None


def layout_change(scene: Scene, name: str) -> str:
    """The last line above, in the same function, that made `name` by an operation that changes strides; or nothing."""
    if scene.line is None:
        return ""
    try:
        body: ast.AST = ast.parse("".join(linecache.getlines(scene.line.file)))
    except SyntaxError:
        return ""
    number = scene.line.number
    for node in ast.walk(body):  # outer functions come before inner ones
        if isinstance(node, ast.FunctionDef) and node.lineno <= number <= (node.end_lineno or 0):
            body = node
    assignments = [node for node in ast.walk(body) if isinstance(node, ast.Assign) and node.lineno < number]
    for node in sorted(assignments, key=lambda node: -node.lineno):
        if any(ast.unparse(target) == name for target in node.targets):
            changes = any(isinstance(part, ast.Attribute) and part.attr in _LAYOUT_CHANGES for part in ast.walk(node.value))
            line = Line(scene.line.file, node.lineno)
            return f"{line}: {line.text}" if changes else ""
    return ""


def scene_of(traceback: TracebackType | None) -> Scene:
    """The innermost frame of the user's own code; the innermost of all where everything is torch's."""
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    if not frames:
        return Scene()
    own = [frame for frame in frames if is_user_file(frame.tb_frame.f_code.co_filename)]
    failed = (own or frames)[-1]
    frame = failed.tb_frame
    line = Line(frame.f_code.co_filename, failed.tb_lineno)
    expression = _failed_expression(frame, failed.tb_lasti)
    beyond = [entry.tb_frame.f_locals for entry in frames[frames.index(failed) + 1 :]]
    inner: dict[str, Any] = next((names for names in reversed(beyond) if isinstance(names.get("self"), nn.Module)), {})
    given = inner.get("input")
    tensor = given if isinstance(given, Tensor) else None
    return Scene(line, expression, {**frame.f_globals, **frame.f_locals}, inner.get("self"), tensor)


def _failed_expression(frame: FrameType, instruction: int) -> ast.expr | None:
    """The expression whose evaluation raised, from the positions the compiler keeps; else the first of the line."""
    text = _segment(frame.f_code, instruction)
    try:
        body = ast.parse(text.strip()).body
    except SyntaxError:
        return None
    statement = body[0] if body else None
    if isinstance(statement, ast.AugAssign):
        return ast.Tuple([statement.target, statement.value], ast.Load())
    if isinstance(statement, ast.Assign):
        return ast.Tuple([*statement.targets, statement.value], ast.Load())
    value = getattr(statement, "value", None)
    return value if isinstance(value, ast.expr) else None


def _segment(code: CodeType, instruction: int) -> str:
    positions = list(code.co_positions())
    start, end, left, right = positions[instruction // 2] if instruction // 2 < len(positions) else (None,) * 4
    if start is None or end is None or left is None or right is None:
        return ""
    lines = [linecache.getline(code.co_filename, number) for number in range(start, end + 1)]
    if not all(lines):
        return ""
    data = [line.encode() for line in lines]  # the columns count bytes
    data[-1] = data[-1][:right]
    data[0] = data[0][left:]
    return b"".join(data).decode()


def _outermost(expression: ast.expr) -> Iterator[ast.expr]:
    """The largest parts of an expression that only name something: `self.fc`, `batch[0]`, `x`."""
    if isinstance(expression, ast.Name | ast.Attribute | ast.Subscript) and _only_names(expression):
        yield expression
        return
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        yield from _outermost(expression.func)
        yield from _outermost(expression.func.value)
        parts: Iterator[ast.AST] = iter([*expression.args, *(keyword.value for keyword in expression.keywords)])
    else:
        parts = ast.iter_child_nodes(expression)
    for part in parts:
        if isinstance(part, ast.expr):
            yield from _outermost(part)


def _only_names(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute | ast.Subscript):
        return _only_names(node.value)
    return isinstance(node, ast.Name)


def _look_up(node: ast.expr, names: dict[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in names:
            return names[node.id]
        case ast.Attribute():
            return _attribute(_look_up(node.value, names), node.attr)
        case ast.Subscript():
            return _item(_look_up(node.value, names), _look_up(node.slice, names))
        case ast.UnaryOp(op=ast.USub()):
            return -_number(_look_up(node.operand, names))
        case ast.BinOp(op=ast.Mult()):
            return _number(_look_up(node.left, names)) * _number(_look_up(node.right, names))
        case ast.BinOp(op=ast.FloorDiv()):
            return _number(_look_up(node.left, names)) // _number(_look_up(node.right, names))
        case ast.Tuple() | ast.List():
            return tuple(_look_up(element, names) for element in node.elts)
        case ast.Call(func=ast.Name(id="len"), args=[argument]):
            return _length(_look_up(argument, names))
        case ast.Call(func=ast.Attribute(value=receiver, attr=method)) if not node.keywords:
            return _view(_look_up(receiver, names), method, [_look_up(argument, names) for argument in node.args])
    raise _UnresolvedError


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, Tensor) and name in _ATTRIBUTES:
        return getattr(owner, name)
    held = getattr(owner, "__dict__", {})
    places = [held]
    if isinstance(owner, nn.Module):
        places += [held.get(kind, {}) for kind in ("_parameters", "_buffers", "_modules")]
    if isinstance(owner, ModuleType | nn.Module) or not isinstance(owner, Tensor | type):
        for place in places:
            if name in place:
                return place[name]
    raise _UnresolvedError


def _item(owner: Any, key: Any) -> Any:
    if type(owner) in (list, tuple, dict, torch.Size, nn.Sequential, nn.ModuleList) and isinstance(key, int | str):
        return owner[key]
    raise _UnresolvedError


def _view(receiver: Any, method: str, arguments: list[Any]) -> Any:
    if type(receiver) not in (Tensor, nn.Parameter) or method not in _VIEW_METHODS | _SIZE_METHODS:
        raise _UnresolvedError
    return getattr(receiver, method)(*arguments)


def _length(value: Any) -> int:
    if type(value) in (Tensor, nn.Parameter, list, tuple, dict):
        return len(value)
    raise _UnresolvedError


def _number(value: Any) -> int:
    if type(value) is int:
        return value
    raise _UnresolvedError
