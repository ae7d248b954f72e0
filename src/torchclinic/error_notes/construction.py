"""The line that constructed a layer, and the text in the source that gave it a size."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from torchclinic.error_notes.births import attribute_values, bound, parameters
from torchclinic.error_notes.source import Source, source_of

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Construction:
    """A call that made a layer; `sites` are the calls of the user's functions that led to it, outermost first."""

    source: Source
    call: ast.Call
    sites: tuple[ast.Call, ...] = ()

    def argument(self, kind: type, name: str) -> ast.expr | None:
        """The text that gave an argument: in the call, or where the function around it was called with it.

        A parameter is followed only where it serves nothing else; None where the text stands for several layers.
        """
        signature = settings(kind)
        node = next((k.value for k in self.call.keywords if k.arg == name), None)
        place = signature.index(name) if name in signature else len(self.call.args)
        if node is None and place < len(self.call.args) and not any(isinstance(a, ast.Starred) for a in self.call.args):
            node = self.call.args[place]
        return None if node is None else self._outwards(node)

    def _outwards(self, node: ast.expr) -> ast.expr | None:
        sites = list(self.sites)
        while True:
            if any(isinstance(n, _REPEATED) for n in self.source.parents(node) if n is not self.source.scope(node)):
                return None
            scope = self.source.scope(node)
            if not (isinstance(node, ast.Name) and isinstance(scope, Function) and node.id in _all_parameters(scope)):
                return node
            if sum(isinstance(n, ast.Name) and n.id == node.id for n in ast.walk(scope)) > 1:
                return node
            site = sites.pop() if sites else _only_call(self.source, scope)
            if site is None:
                return node
            method = parameters(scope)[:1] == ["self"]
            given = bound(scope, site, node.id, method=method) or _default(scope, node.id)
            if given is None:
                return node
            node = given


_REPEATED = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)


def _all_parameters(function: Function) -> list[str]:
    return [*parameters(function), *(argument.arg for argument in function.args.kwonlyargs)]


def _default(function: Function, name: str) -> ast.expr | None:
    names = parameters(function)
    defaults = dict(zip(names[len(names) - len(function.args.defaults) :], function.args.defaults, strict=True))
    return defaults.get(name)


def _only_call(source: Source, function: Function) -> ast.Call | None:
    """The call of a function, or of the class whose `__init__` it is, if there is only one in the file."""
    around = source.parent(function)
    name = around.name if function.name == "__init__" and isinstance(around, ast.ClassDef) else function.name
    calls = [node for node in source.walk(ast.Call) if isinstance(node, ast.Call) and _called(node) == name]
    return calls[0] if len(calls) == 1 else None


_RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")


def settings(kind: type) -> list[str]:
    """The parameters of a layer's constructor, in order."""
    if issubclass(kind, nn.RNNBase) and kind.__module__.startswith("torch.nn"):
        return list(_RECURRENT)
    left_out = ("self", "args", "kwargs", "dtype", "device")
    return [name for name in inspect.signature(kind.__init__).parameters if name not in left_out]  # type: ignore[misc]


def construction_of(module: nn.Module, path: str, owner: object | None, sources: tuple[Source, ...]) -> Construction | None:
    """Where `module` was made: `path` leads to it from `owner`. By elimination in `sources` where it cannot be followed."""
    first, *rest = path.split(".")
    if owner is not None and path:
        for source, body in _classes(owner):
            found = attribute_values(body, first)
            if len(found) == 1 and found[0][1] is not None:
                end = _descend(source, found[0][1], rest, ())
                if end is not None and _may_have_made(end.call, module):
                    return end
    return _eliminated(module, sources)


def _classes(owner: object) -> Iterator[tuple[Source, ast.ClassDef]]:
    for kind in type(owner).__mro__:
        code = getattr(kind.__dict__.get("__init__"), "__code__", None)
        source = source_of(code.co_filename) if code is not None and not kind.__module__.startswith("torch") else None
        if source is None:
            continue
        for node in source.walk(ast.ClassDef):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                yield source, node


def _descend(source: Source, node: ast.expr, path: list[str], sites: tuple[ast.Call, ...]) -> Construction | None:
    if isinstance(node, ast.Name):
        scope = source.scope(node)
        found = [n for n in ast.walk(scope) if isinstance(n, ast.Assign) and any(_is_name(t, node.id) for t in n.targets)]
        return _descend(source, found[0].value, path, sites) if len(found) == 1 else None
    if isinstance(node, ast.List | ast.Tuple) and path and path[0].isdigit() and int(path[0]) < len(node.elts):
        return _descend(source, node.elts[int(path[0])], path[1:], sites)
    if not isinstance(node, ast.Call):
        return None
    name = _called(node)
    function = next((n for n in source.tree.body if isinstance(n, Function) and n.name == name), None)
    if function is not None:
        returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
        return _descend(source, returned[0], path, (*sites, node)) if len(returned) == 1 else None
    if not path:
        return Construction(source, node, sites)
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if name == "Sequential" and path[0].isdigit() and not starred and int(path[0]) < len(node.args):
        return _descend(source, node.args[int(path[0])], path[1:], sites)
    if name == "ModuleList" and len(node.args) == 1:
        return _descend(source, node.args[0], path, sites)
    return None


def _eliminated(module: nn.Module, sources: tuple[Source, ...]) -> Construction | None:
    """The only call of the layer's class in the files that can have made it."""
    name = type(module).__name__
    calls = [(s, c) for s in sources for c in s.walk(ast.Call) if isinstance(c, ast.Call) and _called(c) == name]
    left = [(source, call) for source, call in calls if _may_have_made(call, module)]
    return Construction(*left[0]) if len(left) == 1 else None


def _may_have_made(call: ast.Call, module: nn.Module) -> bool:
    """False where a number in the call is another than the layer's."""
    if _called(call) != type(module).__name__:
        return False
    signature = settings(type(module))
    given = dict(zip(signature, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
    return not any(_differs(_number(node), getattr(module, name, None)) for name, node in given.items())


def _differs(written: int | None, held: Any) -> bool:
    if isinstance(held, tuple):
        return written is not None and any(written != part for part in held)
    return written is not None and type(held) is int and written != held


def _number(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _number(left), _number(right)
            if a is None or b is None:
                return None
            return {ast.Mult: a * b, ast.Add: a + b, ast.Sub: a - b}.get(type(op))
    return None


def _called(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
