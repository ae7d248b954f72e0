"""Statements of a script, as text that can be changed: the source is read, never run."""

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Edit = tuple[ast.expr, str]  # a part of the statement, and the text that takes its place


@dataclass(frozen=True, slots=True)
class Statement:
    """The innermost statement at a line of a script."""

    node: ast.stmt
    source: str  # of the whole file
    tree: ast.Module

    @property
    def indent(self) -> str:
        line = self.source.splitlines()[self.node.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def text(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.source, node) or ""

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.node) if isinstance(node, ast.Call))

    def edited(self, *edits: Edit) -> str:
        """The statement with parts of it replaced."""
        lines = self.source.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line.encode()))
        whole = self.source.encode()
        first = starts[self.node.lineno - 1]
        last = starts[(self.node.end_lineno or self.node.lineno) - 1] + (self.node.end_col_offset or 0)
        for part, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
            start = starts[part.lineno - 1] + part.col_offset
            stop = starts[(part.end_lineno or part.lineno) - 1] + (part.end_col_offset or 0)
            whole = whole[:start] + text.encode() + whole[stop:]
            last += len(text.encode()) - (stop - start)
        return whole[first:last].decode()

    def called(self, *names: str) -> ast.Call | None:
        """The first call of a function or method of one of these names."""
        return next((call for call in self.calls() if name_of(call) in names), None)


def statement_at(place: str) -> Statement | None:
    """The statement at `file:line`; None where there is none, or one that holds others."""
    name, _, number = place.rpartition(":")
    if not name or not number.isdigit():
        return None
    source = "".join(linecache.getlines(str(Path(name).absolute())))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    line = int(number)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    innermost = max(found, key=lambda node: node.lineno, default=None)
    simple = innermost is not None and not hasattr(innermost, "body")
    return Statement(innermost, source, tree) if simple and innermost is not None else None


def condition_of(place: str, method: str) -> str:
    """`file:line` of a call `x.method(…)` right under an `if`, where `x` is what the statement at `place` assigns."""
    statement = statement_at(place)
    names = {_last_name(target) for target in getattr(statement.node, "targets", ())} - {""} if statement else set()
    if statement is None or not names:
        return ""
    for branch in (node for node in ast.walk(statement.tree) if isinstance(node, ast.If)):
        for call in (node for part in branch.body + branch.orelse for node in _same_turn(part) if isinstance(node, ast.Call)):
            if name_of(call) == method and isinstance(call.func, ast.Attribute) and _last_name(call.func.value) in names:
                return f"{place.rpartition(':')[0]}:{call.lineno}"
    return ""


def _same_turn(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what runs with it: without the bodies of loops and functions."""
    yield node
    if not isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.ClassDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _same_turn(child)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def parses(text: str, indent: str) -> bool:
    """Whether the text can stand there, inside a loop of a function."""
    dedented = "\n".join(line.removeprefix(indent) for line in text.splitlines())
    try:
        ast.parse("async def f(self):\n for _ in ():\n" + "".join(f"  {line}\n" for line in dedented.splitlines()))
    except SyntaxError:
        return False
    return True


def name_of(call: ast.Call) -> str:
    """Without what it is an attribute of."""
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
