"""Losses are accumulated together with their graphs.

## What it means
`total += loss` or `losses.append(loss)` keeps the graph of every step alive: memory grows with the number of steps, and
a backward through the sum would fail.
## Evidence
The number of losses from different steps, each already run backward, that one living tensor or list still holds.
## When this is fine
A sum of losses before a single backward (sequences, tasks, accumulation).
## Fix
`total += loss.item()`, or `loss.detach()`.
## References
PyTorch documentation, Frequently asked questions, My model reports "cuda runtime error(2): out of memory".
"""

import ast
from collections.abc import Iterator

from torchclinic.observe.records import RetainedGraph
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.script.statements import Statement

RULE = Rule("EVA002", "retained-graph", "error", "exact", RetainedGraph, __doc__)


def check(graph: RetainedGraph) -> Iterator[Finding]:
    how = "A sum holds" if graph.kind == "sum" else "Still alive are"
    yield RULE.finding(
        f"{how} the losses of {graph.losses} steps with their graphs, although each was already run backward.",
        line=graph.line,
        step=graph.step,
        evidence={"losses": graph.losses, "kind": graph.kind},
        fix="Accumulate numbers: `total += loss.item()` (or `loss.detach()`).",
    )


def correct(statement: Statement, finding: Finding) -> str | None:
    """`total += loss` and `losses.append(loss)` keep a number, not a graph."""
    node, call = statement.node, statement.called("append")
    kept = node.value if isinstance(node, ast.AugAssign) else call.args[0] if call and len(call.args) == 1 else None
    named = isinstance(kept, ast.Name) or (isinstance(kept, ast.Attribute) and isinstance(node, ast.AugAssign))
    return statement.edited((kept, f"{statement.text(kept)}.item()")) if kept is not None and named else None


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("loss.item()", "loss")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    ("for start", "total = 0.0\nfor start"),
    ("    optimizer.step()\n", "    optimizer.step()\n    total += loss.item()\n"),
)
