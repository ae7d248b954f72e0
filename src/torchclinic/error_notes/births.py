"""Where a value was made: followed from its name over assignments and callers, as far as that is certain."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from torchclinic.error_notes.frame import Frame
from torchclinic.error_notes.source import Source
from torchclinic.script.lines import Line

FARTHEST = 12  # names that are followed


@dataclass(frozen=True, slots=True)
class Birth:
    """The statement that made a value, and the expression in it where the value is all of that expression."""

    source: Source
    statement: ast.stmt
    expression: ast.expr | None
    frame: Frame | None = None  # in which it ran, if that is still going on

    @property
    def line(self) -> Line:
        return self.source.line(self.expression if self.expression is not None else self.statement)

    def __str__(self) -> str:
        return f"{self.line}: {self.line.text}"


def births(frames: tuple[Frame, ...], node: ast.expr) -> Iterator[Birth]:
    """From the nearest to the first: the assignment of the name on the failing line, of the name there, and so on."""
    depth, before = len(frames) - 1, frames[-1].statement
    for _ in range(FARTHEST):
        frame: Frame | None = frames[depth]
        source = frames[depth].source
        if source is None or before is None:
            return
        if isinstance(node, ast.Name):
            found = assigned(source, node.id, before)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            found = _attribute(source, node, before)
        else:
            return
        if found is None and isinstance(node, ast.Name):
            argument = _argument(frames, depth, node.id)
            if argument is not None:
                depth, node, before = depth - 1, argument, frames[depth - 1].statement
                if not isinstance(node, ast.Name | ast.Attribute) and before is not None and frames[depth].source is not None:
                    yield Birth(frames[depth].source, before, node, frames[depth])  # type: ignore[arg-type]
                continue
            if source.scope(before) is not source.tree and not _is_local(source, node.id, before):
                found, frame = _global(frames, source, node.id)
        if found is None:
            return
        statement, expression = found
        yield Birth(source, statement, expression, frame)
        if expression is None:
            return
        node, before = expression, statement


def assigned(source: Source, name: str, before: ast.stmt) -> tuple[ast.stmt, ast.expr | None] | None:
    """The assignment of a name that surely was the last before a statement of the same function."""
    scope = source.scope(before)
    inside: ast.AST = before
    for block in (node for node in source.parents(before)):
        for statement in reversed(list(_before(block, inside))):
            if name in _targets(statement):
                return statement, _value(statement, name)
            if any(name in _targets(part) for part in ast.walk(statement) if isinstance(part, ast.stmt)):
                return None  # only on some ways
        if isinstance(block, ast.For | ast.AsyncFor) and name in _names(block.target):
            return block, None
        if isinstance(block, ast.With) and any(
            i.optional_vars is not None and name in _names(i.optional_vars) for i in block.items
        ):
            return block, None
        if block is scope:
            return None
        inside = block
    return None


def _before(block: ast.AST, inside: ast.AST) -> Iterator[ast.stmt]:
    for field in ("body", "orelse", "finalbody"):
        body = getattr(block, field, None)
        if isinstance(body, list) and inside in body:
            yield from body[: body.index(inside)]


def _targets(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _names(target)}
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return _names(target)
        case ast.For(target=target):
            return _names(target)
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
    return set()


def _names(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _value(statement: ast.stmt, name: str) -> ast.expr | None:
    """The expression whose value a name got; None where it got a part of one."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return _paired(statement.targets[0], statement.value, name)
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.value
    return None


def _paired(target: ast.expr, value: ast.expr, name: str) -> ast.expr | None:
    if isinstance(target, ast.Name):
        return value if target.id == name else None
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        return next((v for t, v in pairs if isinstance(t, ast.Name) and t.id == name), None)
    return None


def attribute_values(scope: ast.AST, attribute: str) -> list[tuple[ast.stmt, ast.expr | None]]:
    """The assignments of `self.<attribute>` in a class."""
    found: list[tuple[ast.stmt, ast.expr | None]] = []
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                found += [(node, value) for t, value in _pairs(target, node.value) if _is_self(t, attribute)]
    return found


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if not isinstance(target, ast.Tuple):
        yield target, value
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield from ((part, None) for part in target.elts)


def _is_self(node: ast.expr, attribute: str) -> bool:
    return (
        isinstance(node, ast.Attribute) and node.attr == attribute and isinstance(node.value, ast.Name) and node.value.id == "self"
    )


def _attribute(source: Source, node: ast.Attribute, before: ast.stmt) -> tuple[ast.stmt, ast.expr | None] | None:
    around = next((n for n in source.parents(before) if isinstance(n, ast.ClassDef)), None)
    found = attribute_values(around, node.attr) if around is not None else []
    return found[0] if len(found) == 1 else None


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def bound(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, name: str, *, method: bool) -> ast.expr | None:
    """The argument of a call that becomes a parameter."""
    keyword = next((k.value for k in call.keywords if k.arg == name), None)
    if keyword is not None:
        return keyword
    names = parameters(function)[1 if method else 0 :]
    place = names.index(name) if name in names else len(call.args)
    if place >= len(call.args) or any(isinstance(a, ast.Starred) for a in call.args[: place + 1]):
        return None
    return call.args[place]


def _argument(frames: tuple[Frame, ...], depth: int, name: str) -> ast.expr | None:
    """What the frame above handed over for a parameter of this one."""
    frame = frames[depth]
    if depth == 0 or frame.source is None or frame.statement is None:
        return None
    function = frame.source.scope(frame.statement)
    call = frames[depth - 1].node
    if not isinstance(function, ast.FunctionDef) or not isinstance(call, ast.Call):
        return None
    names = parameters(function)
    if name not in names and name not in [argument.arg for argument in function.args.kwonlyargs]:
        return None
    argument = bound(function, call, name, method=names[:1] == ["self"])
    if argument is None:
        return None
    above = frames[depth - 1].value(argument)
    here = frame.names.get(name)
    return argument if above is None or above is here else None


def _is_local(source: Source, name: str, before: ast.stmt) -> bool:
    scope = source.scope(before)
    if isinstance(scope, ast.FunctionDef) and name in parameters(scope):
        return True
    return any(name in _targets(node) for node in ast.walk(scope) if isinstance(node, ast.stmt))


def _global(frames: tuple[Frame, ...], source: Source, name: str) -> tuple[tuple[ast.stmt, ast.expr | None] | None, Frame | None]:
    """A name of the file: where it was assigned last before what runs there now, or where it is assigned only once."""
    outer = next((f for f in frames if f.source is source and f.statement and source.scope(f.statement) is source.tree), None)
    if outer is not None and outer.statement is not None:
        return assigned(source, name, outer.statement), outer
    found = [node for node in source.tree.body if name in _targets(node)]
    return ((found[0], _value(found[0], name)) if len(found) == 1 else None), None
