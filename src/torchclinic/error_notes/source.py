"""The user's source as a tree: nodes by their place, the statement and function around them, and edits of lines."""

import ast
import linecache
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

from torchclinic.script.lines import Line

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.Module


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines `first` to `last` of a file, and the text that takes their place (further lines may be among it)."""

    file: str
    first: int
    last: int
    old: str
    new: str

    @property
    def line(self) -> Line:
        return Line(self.file, self.first)

    def to_dict(self) -> dict[str, object]:
        return {"line": str(self.line), "last": self.last, "old": self.old, "new": self.new}


class Source:
    """A file of the user's."""

    def __init__(self, file: str, lines: tuple[str, ...]) -> None:
        self.file, self.lines = file, lines
        self.tree = ast.parse("".join(lines))
        self._parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def parents(self, node: ast.AST) -> Iterator[ast.AST]:
        """Innermost first."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def statement(self, node: ast.AST) -> ast.stmt | None:
        return next((n for n in (node, *self.parents(node)) if isinstance(n, ast.stmt)), None)

    def scope(self, node: ast.AST) -> Scope:
        """The function, class or module in whose body the node stands."""
        return next((n for n in self.parents(node) if isinstance(n, Scope)), self.tree)

    def walk(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def node_at(self, place: tuple[int, int, int, int]) -> ast.AST | None:
        """The outermost node of exactly this place (first line, last line, first column, end column)."""
        return next((node for node in ast.walk(self.tree) if _place(node) == place), None)

    def statement_on(self, number: int) -> ast.stmt | None:
        """The innermost statement that covers a line."""
        around = [n for n in self.walk(ast.stmt) if n.lineno <= number <= (n.end_lineno or n.lineno)]  # type: ignore[attr-defined]
        return max(around, key=lambda node: node.lineno, default=None)  # type: ignore[attr-defined,return-value]

    def text(self, node: ast.AST) -> str:
        return ast.get_source_segment("".join(self.lines), node) or ""

    def line(self, node: ast.AST) -> Line:
        return Line(self.file, node.lineno)  # type: ignore[attr-defined]

    def edit(self, changes: Mapping[ast.AST, str]) -> Edit:
        """The lines of some nodes with other text in their places."""
        places = [(node.lineno, node.end_lineno, node.col_offset, node.end_col_offset, new) for node, new in changes.items()]  # type: ignore[attr-defined]
        first, last = min(place[0] for place in places), max(place[1] for place in places)
        whole = [line.encode() for line in self.lines[first - 1 : last]]
        old = b"".join(whole).decode().rstrip("\n")
        for start, end, left, right, new in sorted(places, reverse=True):
            before, after = whole[start - first][:left], whole[end - first][right:]
            whole[start - first : end - first + 1] = [before + new.encode() + after, *[b""] * (end - start)]
        return Edit(self.file, first, last, old, b"".join(whole).decode().rstrip("\n"))


def _place(node: ast.AST) -> tuple[int, int, int, int] | None:
    if not isinstance(node, ast.expr | ast.stmt):
        return None
    return node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0


def source_of(file: str) -> Source | None:
    """None where the file cannot be read or is not Python."""
    return _source(file, tuple(linecache.getlines(file)))


@lru_cache(maxsize=16)
def _source(file: str, lines: tuple[str, ...]) -> Source | None:
    try:
        return Source(file, lines) if lines else None
    except (SyntaxError, ValueError):
        return None


def position_of(code: CodeType, instruction: int) -> tuple[int, int, int, int] | None:
    """Where in the file the instruction that ran stands, as the compiler has noted it."""
    positions = list(code.co_positions())
    start, end, left, right = positions[instruction // 2] if 0 <= instruction // 2 < len(positions) else (None,) * 4
    if start is None or end is None or left is None or right is None:
        return None
    return start, end, left, right


def dotted(text: str, node: ast.AST) -> str:
    """The text of an expression as what a method can be called of."""
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({text})"
