"""The loss falls in a straight line and hardly, and the weights stay where they began.

## What it means
As long as the loss is a straight line, every step finds the slope of the first: a step many times as long would
have been as good as many of them.
## Evidence
`first`, `last`: medians of the first and last quarter of the loss; `movement`: sum of all relative changes of the
weights that move most; `linearity`: the fall in the second half over that in the first.
## When this is fine
Fine-tuning of loaded weights; the beginning of a warm-up; a run that was stopped after a few steps.
## Fix
Ten times the learning rate; `torchclinic run --prove` tries it.
## References
Smith 2017, arXiv:1506.01186, section 3.3 (the range of useful rates).
"""

from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import rate_times
from torchclinic.rules.pictures import updates
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import RATED, changed
from torchclinic.rules.timeline import MATRICES, losses, models, parts, reach, require, sole_optimizer

CAUSES = ("OPT003", "OPT007", "OPT006", "DAT001", "DAT009", "ACT001", "GRA001", "LOS001")
RULE = Rule("OPT002", "learning-rate-too-low", "warning", "window", RunRecord, __doc__, follows=CAUSES)
correct = rate_times(10.0)
picture = updates


def check(
    record: RunRecord,
    *,
    movement: float = 0.1,
    fall: float = 0.2,
    bend: float = 0.5,
    promise: float = 0.15,
    still_loss: float = 0.1,
    min_steps: int = 50,
) -> Iterator[Finding]:
    """`movement`: steps that all point the same way have moved no layer by more than a tenth of its norm; `fall`: the
    loss keeps four fifths of its value; `bend`: in its second half it falls at least half as much as in the first.
    `promise`: or the noise of batches hides the line, but the script ran to its end, all steps together could have lowered
    the loss by 15 % at most had each gone straight downhill (the sum of gradient times movement, to first order), and it
    did not fall by a tenth."""
    require(record, min_steps)
    values = losses(record)
    optimizer = sole_optimizer(record)
    if len(values) < min_steps or optimizer is None:
        return
    if any(parameter.loaded for parameter in record.parameters) or optimizer.lr_last < 0.5 * optimizer.lr_max:
        return
    warming = optimizer.lr_last > optimizer.lr_first
    layers = [layer for group in models(record, MATRICES) for layer in group] or record.layers
    moved, downhill = reach(layers, record.steps)
    if warming or not 0 < moved < movement:
        return
    curve = parts(values, 4)
    first, middle, last = curve[0], median(curve[1:3]), curve[-1]
    falls = 0 < first - last < fall * abs(first) and curve[0] > curve[1] > curve[2] > curve[3]
    bent = (middle - last) / (first - middle) if falls else 0.0
    idle = record.finished and downhill < promise * abs(first)
    stands = idle and first - last < still_loss * abs(first)
    if bent > bend or stands:
        yield RULE.finding(
            f"In {record.steps:,} steps at a rate of {optimizer.lr_max:g} the loss went from {first:.4g} to {last:.4g}"
            f"{', in a straight line' if falls else ''}, and no layer's weights moved by more than {moved:.2g} of "
            f"their norm.",
            line=optimizer.line,
            step=record.steps,
            evidence={"first": first, "last": last, "movement": moved, "linearity": bent},
            fix=f"A learning rate of {optimizer.lr_max * 10:g}; `torchclinic run --prove` tries it.",
        )


def sick() -> Specimen:
    """A rate of 1e-5."""
    return Specimen(changed(RATED, ("lr=0.02", "lr=1e-5")))


def healthy() -> Specimen:
    """A rate of 0.02."""
    return Specimen(RATED)
