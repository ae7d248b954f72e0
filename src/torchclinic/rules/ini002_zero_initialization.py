"""A weight starts at zero and blocks the signal.

## What it means
Its output carries nothing of the input, and what follows multiplies by zeros as well, so its gradient is exactly zero:
it never leaves zero.
## Evidence
The weight was all zero at the first step and is all zero still, and its gradient was exactly zero in each of
`backwards` observed passes that reached it.
## When this is fine
Zero weights with a non-zero gradient move at the first step: residual branches, adapters, gates and output layers that
start at zero by design.
## Fix
Initialize at random; in a residual branch or adapter, only one of two consecutive factors may start at zero.
## References
Goodfellow et al. 2016, Deep Learning, section 8.4; zero by design: Zhang et al. 2019, arXiv:1901.09321, section 3.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import drawn_at_random
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("INI002", "zero-initialization", "error", "exact", RunRecord, __doc__)
correct = drawn_at_random


def check(run: RunRecord, *, min_backwards: int = 3) -> Iterator[Finding]:
    """`min_backwards`: a factor that starts at zero lets its partner move at the second step and itself by the "
    "third."""
    blocked = [
        p
        for p in run.parameters
        if p.all_zero
        and p.stayed_zero
        and p.gradient_zero
        and p.requires_grad
        and (p.owned or not run.optimizers)
        and p.reached >= min_backwards
        and (p.module_ran >= min_backwards or not p.registered)
    ]
    if not blocked or (run.optimizers and not any(s.lr > 0 and s.backwards for s in run.steps_seen)):
        return
    names = ", ".join(p.name for p in blocked[:4])
    yield RULE.finding(
        f"{len(blocked)} weights ({names}) are all zero, and their gradient was exactly zero in {blocked[0].reached} "
        f"backward passes: they cannot leave zero.",
        where=blocked[0].name,
        line=blocked[0].initialized_line or blocked[0].ran_line,
        step=0,
        evidence={"weights": len(blocked), "backwards": blocked[0].reached, "names": names},
        fix="Initialize these weights at random (`nn.init.kaiming_uniform_`).",
    )


def sick() -> Specimen:
    return Specimen(
        changed(
            CLASSIFIER,
            (
                "optimizer = ",
                "for layer in (model[0], model[2]):\n    nn.init.zeros_(layer.weight)\n    "
                "nn.init.zeros_(layer.bias)\noptimizer = ",
            ),
        )
    )


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
