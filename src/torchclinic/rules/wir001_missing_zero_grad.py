"""Gradients are never cleared: each step uses the sum of all gradients so far.

## What it means
`backward` adds to `.grad`. A step has used the gradient that is there, nothing has cleared it, and the next backward
adds to it: after t steps the update is the sum of t gradients, old ones included, and training oscillates or diverges.
## Evidence
`stale`: parameters whose gradient had already been consumed by a step of their optimizer, was not cleared, and was
consumed again. The decision falls at the second step, not at the backward in between: in a GAN the generator's backward
leaves gradients on the discriminator, and the discriminator's optimizer clears them before they are used. Where it clears
directly after its own step instead, they stay, and are added to its next gradients (`foreign_backward`). An encoder that
collects the gradients of several losses, each with an optimizer for its head, is healthy: it is fed by the data.
## When this is fine
Accumulation: several backwards, one step, one clear. It is not reported. Clearing at some steps only is WIR010.
## Fix
Call `optimizer.zero_grad()` once per step, before `backward()`.
## References
PyTorch documentation, `torch.optim.Optimizer.zero_grad`.
"""

import ast
from collections.abc import Iterator

from torchclinic.observe.records import RunRecord, StepRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.script.statements import Statement

RULE = Rule("WIR001", "missing-zero-grad", "error", "exact", RunRecord, __doc__, follows=("WIR010",))


def check(run: RunRecord) -> Iterator[Finding]:
    """One finding per optimizer."""
    if sum(step.observed for step in run.steps_seen) < 2:
        raise Undecided("fewer than two steps of an optimizer were observed")
    for optimizer in run.optimizers:
        own = [step for step in run.steps_seen if step.optimizer == optimizer.index]
        stale = [step for step in own if step.stale]
        foreign = [step for step in own if step.foreign_line]
        if len(foreign) >= 3 and 2 * len(foreign) > len(own):
            yield _left_over(foreign, len(own))
            continue
        first = optimizer.pattern.find("S")
        if not stale or "Z" in optimizer.pattern[first:].rstrip("Z"):
            continue
        step = stale[0]
        yield RULE.finding(
            f"{step.stale} of {step.owned} gradients survived a step; the next backward added to them: step {step.step} used "
            f"the sum of {step.step + 1} gradients.",
            where=step.example,
            line=step.line,
            step=step.step,
            evidence={"stale_parameters": step.stale, "owned_parameters": step.owned, "steps_affected": len(stale)},
            fix="Call `optimizer.zero_grad()` in every iteration, before `loss.backward()`.",
        )


def _left_over(steps: list[StepRecord], seen: int) -> Finding:
    step = steps[0]
    return RULE.finding(
        f"{len(steps)} of {seen} steps of {step.name} use gradients of another optimizer's loss as well: its backward "
        f"reaches these parameters, and nothing clears them before the next backward of their own.",
        where=step.example,
        line=step.clear_line or step.line,
        step=step.step,
        evidence={"steps": len(steps), "steps_seen": seen, "foreign_backward": step.foreign_line},
        fix="Call this optimizer's `zero_grad()` directly before its own `backward()`, not after its step.",
    )


def correct(statement: Statement, finding: Finding) -> str | None:
    """The step is followed by the clearing of its gradients."""
    step = statement.called("step")
    if step is None or not isinstance(step.func, ast.Attribute):
        return None
    return f"{statement.edited()}\n{statement.indent}{statement.text(step.func.value)}.zero_grad()"


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("    optimizer.zero_grad()\n", ""))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch

torch.manual_seed(0)
x, y = torch.randn(48, 4), torch.randint(0, 3, (48,))
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for start in range(0, 48, 8):
    loss = torch.nn.functional.cross_entropy(model(x[start : start + 8]), y[start : start + 8])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
