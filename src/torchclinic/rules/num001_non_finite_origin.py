"""The first NaN or infinity: where it was made.

## What it means
One operation turned finite numbers into NaN or infinity; everything after it only passes them on. Named are the
producer, not its followers, and whether it happened on the way forward or back.
## Evidence
The operation, its module and line; finite inputs and a non-finite result; or a finite loss and a non-finite gradient,
with the operation whose derivative is infinite there (the square root at 0, `where` over an infinite branch).
## When this is fine
Infinities as attention masks that a softmax takes away again; overflowing gradients that a gradient scaler skips. Only
a loss or gradient that is not finite is reported.
## Fix
Keep the operation away from its singular point: an epsilon inside the root or log, `clamp` before `where`.
## References
PyTorch documentation, Autograd mechanics, Gradients for non-differentiable functions; torch.where and NaN (issue 4132).
"""

from collections.abc import Iterator

from torchclinic.observe.records import NonFinite
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

CAUSES = ("DAT008", "LOS008", "DAT001", "DAT009", "INI004", "INI006", "GRA002", "OPT001", "OPT006")
RULE = Rule("NUM001", "non-finite-origin", "error", "exact", NonFinite, __doc__, follows=CAUSES)


def check(first: NonFinite) -> Iterator[Finding]:
    source = "the operations of the graph" if first.phase == "backward" else "the saved tensors"
    yield RULE.finding(
        f"{_what(first)}{_TRAPS.get(first.trap, '')}",
        where=first.where,
        line=first.line,
        step=first.step,
        evidence={
            "value": first.value,
            "phase": first.phase,
            "operation": first.operation or "unknown",
            "seen": "at the operation" if first.certain else f"from {source}",
        },
        fix=_FIXES.get(first.trap, "Check the inputs of this operation, and lower the learning rate."),
    )


def _what(first: NonFinite) -> str:
    name = {"nan": "NaN", "inf": "infinity"}[first.value]
    if first.phase == "data":
        return f"The data contain {name}: it was there before any operation."
    if first.phase == "parameter":
        return f"The parameter{f' {first.where}' if first.where else 's'} became {name} in an earlier update; the loss follows it."
    operation = f"`{first.operation}`" if first.operation else "an operation that could not be identified"
    if first.phase == "backward":
        inferred = first.operation and not first.certain
        by = f"of the operations in its graph only {operation} can do that" if inferred else f"it comes from {operation}"
        return f"The first {name} appears in the backward pass, the loss is finite: {by}."
    return f"The first {name} is made in the forward pass by {operation}."


_TRAPS = {
    "sqrt-at-zero": " The derivative of a square root is infinite at 0, and 0 · ∞ is NaN.",
    "norm-at-zero": " The derivative of a norm is not defined at the zero vector.",
    "pow-at-zero": " The derivative of this power is infinite at 0.",
    "where": " A branch that `where` does not select is not finite: its gradient, multiplied by 0, is NaN.",
    "log-of-zero": " The logarithm of 0 is -∞.",
    "division": " The divisor is 0.",
    "overflow": " The result exceeds the largest number of its type.",
    "all-masked": " Every entry of a row is masked, so the softmax divides by 0.",
}
_FIXES = {
    "sqrt-at-zero": "Add an epsilon inside the root: `(x + 1e-12).sqrt()`.",
    "norm-at-zero": "Add an epsilon: `(x.square().sum(-1) + 1e-12).sqrt()`.",
    "pow-at-zero": "Keep the base away from 0 with `clamp(min=1e-12)`.",
    "where": "Make the unselected branch finite too: apply `clamp` or an inner `where` to its input.",
    "log-of-zero": "Add an epsilon inside the log, or use `log_softmax`/`logsigmoid`.",
    "division": "Add an epsilon to the divisor.",
    "overflow": "Subtract the maximum first, or use `logsumexp`.",
}


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("probability + 1e-6", "probability - probability.detach().min()"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_LOSS = "probability = model(xb).softmax(1)\n    loss = -(probability + 1e-6).log().mean()"
_SCRIPT = changed(CLASSIFIER, ("loss = nn.functional.cross_entropy(model(xb), yb)", _LOSS))
