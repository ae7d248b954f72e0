"""Backward reaches a weight in every step, and its gradient is exactly zero each time.

## What it means
Something between the weight and the loss is constant: a softmax over a dimension of one element (it is 1 whatever its
input), a clamp beyond its limits, a factor of zero. The weight stays as it was initialized. A recurrent weight multiplies
the state before each step: where a direction is read after its first step alone, that is the initial state, zero.
## Evidence
`weights` whose gradient was exactly zero in each of `backwards` observed passes and in the steps looked at later;
`softmax`: a line on which each softmax ran over one element.
## When this is fine
A branch that is switched on later, or a term whose factor rises from zero: their gradients are seen at later steps.
An expert that is never chosen, beside others that are. A run that was stopped is not judged.
## Fix
For a softmax: the dimension it should sum over (`dim=1` for the positions of (batch, positions, 1)).
## References
PyTorch documentation, `torch.nn.functional.softmax`; its derivative p (δ - p) is 0 for a single p = 1.
"""

import re
from collections.abc import Iterator

from torchclinic.observe.records import ParameterRecord, RunRecord, SoftmaxUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import trained

CAUSES = ("OPT006", "LOS004", "INI002", "INI005", "ACT001", "ACT003", "WIR007", "NUM001")
_RECURRENT = re.compile(r"weight_hh(_l\d+)?(_reverse)?$")  # as torch.nn names those of RNN, LSTM, GRU and their cells
_BACKWARD = (
    " The backward direction is read where it begins, at the end of the sequence: it has seen one element of it.",
    "Take both final states, `torch.cat([h_n[-2], h_n[-1]], 1)`, or the backward half of the output at position 0.",
)
_ONE_STEP = (
    " It multiplies the state before each step, and the only state that counts is the initial one: a single step is read.",
    "Check that the sequence is in the dimension the layer takes it from (`batch_first`), and which position is read.",
)
RULE = Rule("GRA003", "zero-gradient", "error", "exact", RunRecord, __doc__, follows=CAUSES)


def check(run: RunRecord, *, min_backwards: int = 5) -> Iterator[Finding]:
    """`min_backwards`: fewer could be the first steps of a branch that starts at zero by design."""
    silent = [p for p in run.parameters if _silent(p) and p.reached >= min_backwards] if run.finished else []
    if not silent:
        return
    uses = [use for use in run.of(SoftmaxUse) if use.single == use.calls]
    first, recurrent = silent[0], all(_RECURRENT.search(p.name) for p in silent)
    use, cause, fix = (uses[0] if uses and not recurrent else None), "", "Find the constant after it."
    if use:
        cause = f" The softmax of a tensor {use.shape} over dimension {use.dim} is 1 everywhere."
        fix = "Let the softmax sum over the dimension that has several elements."
    elif recurrent:
        cause, fix = _BACKWARD if all(p.name.endswith("_reverse") for p in silent) else _ONE_STEP
    yield RULE.finding(
        f"{len(silent)} weights ({first.name}, …) are reached by every backward pass, and their gradient is exactly zero "
        f"each time.{cause}",
        where=use.where if use else first.module,
        line=use.line if use else first.initialized_line,
        step=0,
        evidence={"weights": len(silent), "backwards": first.reached, "softmax": use.line if use else ""},
        fix=fix,
    )


def _silent(p: ParameterRecord) -> bool:
    zero = p.gradient_zero and not p.all_zero
    return zero and len(p.shape) > 1 and p.owned and p.requires_grad and not p.sibling_ran


_SCRIPT = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.head = nn.Linear(4, 1), nn.Linear(4, 3)

    def forward(self, x):
        parts = torch.stack([x, x.square(), x.abs()], dim=1)
        return self.head((self.score(parts).softmax(dim=DIM) * parts).sum(1))
""")


def sick() -> Specimen:
    """Softmax over the last dimension, of one element."""
    return Specimen(_SCRIPT.replace("DIM", "-1"))


def healthy() -> Specimen:
    """Softmax over the three parts."""
    return Specimen(_SCRIPT.replace("DIM", "1"))
