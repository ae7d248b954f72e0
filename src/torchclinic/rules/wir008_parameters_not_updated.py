"""Gradients are computed, and the parameters never change.

## What it means
Either `step()` is never called, or every step leaves each parameter bitwise as it was although its gradient is not zero
and the learning rate is positive: the update is too small for the number format, or the step acts on something else.
Without an optimizer, `p = p - lr * p.grad` gives the name `p` a new tensor and leaves the parameter as it was.
## Evidence
`steps`, `moved` parameters, gradient norm, learning rate. Of updates by hand: the passes after which a parameter moved along
its gradient was used by nothing and kept by nobody, while the parameter is bitwise the same at the end.
## When this is fine
A learning rate of 0 at the beginning of a warm-up; gradients that are computed for themselves (influence, saliency)
with no optimizer; a script that updates parameters by hand. Moved parameters that a model is evaluated at (MAML).
## Fix
Call `optimizer.step()` after `backward()`; write `p -= lr * p.grad` under `no_grad`; keep master weights in
float32; check the learning rate.
## References
PyTorch documentation, `torch.optim`, Taking an optimization step.
"""

from collections.abc import Iterator

from torchclinic.observe.records import BackwardPass, DiscardedUpdate, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import stepped
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

CAUSES = ("NUM002", "WIR002", "WIR007", "WIR004", "WIR006", "INI002")
RULE = Rule("WIR008", "parameters-not-updated", "error", "exact", RunRecord, __doc__, follows=CAUSES)
correct = stepped


def check(run: RunRecord, *, min_backwards: int = 5, min_thrown: int = 3) -> Iterator[Finding]:
    """`min_backwards`: fewer could be an accumulation that has not come to its first step; `min_thrown`: once is a trial."""
    steps = [s for s in run.steps_seen if s.with_gradient and s.lr > 0 and s.update_norm == s.update_norm]
    if steps and len(steps) >= 3 and not any(s.moved for s in steps):
        s = steps[0]
        yield RULE.finding(
            f"{s.name} stepped {len(steps)} times on non-zero gradients (norm {s.gradient_norm:.3g}, lr {s.lr:.3g}) and not one "
            f"of {s.with_gradient} parameters changed by a single bit.",
            line=s.line,
            step=s.step,
            evidence={"steps": len(steps), "moved": 0, "gradient_norm": s.gradient_norm, "lr": s.lr},
            fix="Raise the learning rate, or keep the parameters in float32, where small updates survive.",
        )
    reached = [p for p in run.parameters if p.reached and p.is_parameter]
    idle = run.optimizers and not any(o.steps for o in run.optimizers) and run.failure is None
    if idle and run.backwards >= min_backwards and reached and all(p.unchanged for p in reached):
        yield RULE.finding(
            f"{run.backwards} backward passes ran, but no optimizer ever stepped: {len(reached)} parameters are as they were "
            "initialized.",
            line=next((b.line for b in run.of(BackwardPass)), run.optimizers[0].line),
            step=0,
            evidence={"backwards": run.backwards, "steps": 0, "parameters": len(reached)},
            fix="Call `optimizer.step()` after `loss.backward()`.",
        )
    for update in run.of(DiscardedUpdate):
        if update.backwards >= min_thrown and not run.optimizers:
            yield _thrown_away(update)
            return


def _thrown_away(update: DiscardedUpdate) -> Finding:
    return RULE.finding(
        f"After each of {update.backwards} observed backward passes new values are computed for {update.parameters} "
        f"parameters (the first of shape {update.shape}) and thrown away: the parameters are bit for bit what they were.",
        line=update.line,
        step=update.step,
        evidence={"backwards": update.backwards, "parameters": update.parameters, "operation": update.operation},
        fix="Write into the parameter, under `torch.no_grad()`: `p -= lr * p.grad` or `p.copy_(...)`.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("    optimizer.step()\n", "")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
