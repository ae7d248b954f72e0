"""Gradient clipping leaves nothing to learn from, comes too late, or is applied to something that is no gradient.

## What it means
Clipping is for the rare step that would throw the weights far away. Where it cuts every step by a large factor it is a
very small learning rate in disguise; called after the step, or on the loss, it does nothing at all. Errors that are
clamped before they become a loss have no gradient beyond the limits: the largest are never corrected.
## Evidence
`factor`: the median of the gradient's length before over after clipping; `travel`: by how much of their length the
weights could move in the whole run if every step went the same way. Or the number of calls `late`; or the `shape` of
the computed tensor that was given in place of parameters; or the `share` of clamped errors, and of their `squares`.
## When this is fine
A small limit together with a large learning rate: then the weights do travel. A loss that ignores outliers on purpose
and falls. There the rule is silent.
## Fix
A limit near the usual length of the gradient; the call between `backward()` and `step()`, on `model.parameters()`. For
errors `smooth_l1_loss`, whose gradient is clipped.
## References
Pascanu et al. 2013, arXiv:1211.5063, algorithm 1; Mnih et al. 2015, Nature 518, methods: the clipped error term.
"""

from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import ClampedError, ClipUse
from torchclinic.report.model import Finding
from torchclinic.rules.clamped import FIX, unreached
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import REGRESSION, changed

CAUSES = ("DST002", "DAT009")
RULE = Rule("OPT006", "clipped-to-nothing", "error", "window", ClipUse | ClampedError, __doc__, follows=CAUSES, needs=("clipping",))


def check(
    record: ClipUse | ClampedError, *, large: float = 10.0, share: float = 0.9, least_travel: float = 0.02, least_calls: int = 5
) -> Iterator[Finding]:
    """`least_travel`: weights that cannot move by a fiftieth of their length, if all steps went one way, leave the network
    what it was at the start; without clipping, `large` times as much, they would have moved by at least that."""
    if isinstance(record, ClampedError):
        if len(record.shares) >= least_calls and (beyond := unreached(record)):
            yield RULE.finding(beyond[0], line=record.line, evidence={**beyond[1]}, fix=FIX)
        return
    if record.foreign:
        message = (
            f"{record.function} is given a computed tensor of shape {list(record.foreign_shape)}; it clips the `.grad` "
            "of parameters, and this one has none."
        )
        yield _finding(record, message, shape=str(record.foreign_shape), calls=record.calls)
    if record.calls < least_calls:
        return
    if record.late == record.calls or (record.late == record.calls - 1 and record.late >= least_calls):
        message = f"{record.function} is called with no backward since the last step: {record.late} calls in vain."
        yield _finding(record, message, late=record.late, calls=record.calls)
        return
    strong = [factor for factor in record.factors if factor >= large]
    if len(record.travel) < least_calls or len(strong) < share * len(record.factors):
        return
    travel = median(record.travel) * record.steps
    if travel < least_travel:
        if travel * median(strong) < least_travel:
            raise Undecided("clipping cuts every step, but without it the weights would hardly move either")
        message = (
            f"{record.function} (limit {record.limit:g}) shrinks {len(strong)} of {len(record.factors)} gradients by a factor "
            f"of {median(strong):.0f}; in all {record.steps} steps the weights can move by {100 * travel:.2g} % at most."
        )
        yield _finding(record, message, factor=median(strong), travel=travel, limit=record.limit, steps=record.steps)


def _finding(record: ClipUse, message: str, **evidence: float | int | str) -> Finding:
    fix = "Clip between backward() and step(), on model.parameters(), to about the usual length of the gradient."
    return RULE.finding(message, line=record.line, evidence=dict(evidence), fix=fix)


_CLIP = "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
_STEP = "    optimizer.step()\n"


def sick() -> Specimen:
    """Clipped after the step."""
    return Specimen(changed(REGRESSION, (_STEP, _STEP + _CLIP)))


def healthy() -> Specimen:
    return Specimen(changed(REGRESSION, (_STEP, _CLIP + _STEP)))
