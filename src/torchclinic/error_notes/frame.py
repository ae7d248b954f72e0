"""A frame of the user's code in a traceback: its names, and what it was evaluating."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torchclinic.error_notes.lookup import value_of
from torchclinic.error_notes.source import Source, source_of
from torchclinic.script.lines import Line


@dataclass(frozen=True)
class Frame:
    """A frame of the user's code in the traceback."""

    line: Line
    function: str
    names: Mapping[str, Any] = field(default_factory=dict, repr=False)
    position: tuple[int, int, int, int] | None = None

    @cached_property
    def source(self) -> Source | None:
        return source_of(self.line.file)

    @cached_property
    def node(self) -> ast.AST | None:
        """What was being evaluated."""
        exact = self.source.node_at(self.position) if self.source is not None and self.position is not None else None
        return exact if exact is not None else self.statement

    @cached_property
    def statement(self) -> ast.stmt | None:
        if self.source is None:
            return None
        exact = self.source.node_at(self.position) if self.position is not None else None
        return self.source.statement(exact) if exact is not None else self.source.statement_on(self.line.number)

    def value(self, node: ast.expr) -> Any:
        return value_of(node, self.names)
