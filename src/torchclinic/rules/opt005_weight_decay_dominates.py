"""Weight decay moves the weights more than the gradient does, and they shrink.

## What it means
Each step multiplies the weights by 1 - lr · decay before the gradient has a say. Where that outweighs the gradient from
the start, the network forgets faster than it learns and its output goes to a constant. In Adam, unlike AdamW, decay is
a term of the gradient, and whichever term is larger sets the direction of a step whose length is fixed.
## Evidence
`ratio`: the median length of the decay's part of the step over the gradient's, in the first steps; `shrunk`: what is
left of the length of the decayed weights. Or the `penalty`, decay / 2 · |w|² at the start, and the `first` loss it is
added to.
## When this is fine
At the end of a training that has converged the two are equal by right: the rule looks at the first steps. In front of a
normalization the length of a weight does not matter; it settles where both parts are in balance, far below a ratio of 1.
A penalty below the loss: the weights can keep their length and still lower the sum.
## Fix
A weight decay of 1e-4 to 1e-2 (AdamW: up to 0.1), none for biases and normalizations.
## References
Loshchilov and Hutter 2019, arXiv:1711.05101, algorithms 1 and 2; van Laarhoven 2017, arXiv:1706.05350.
"""

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from torchclinic.observe.records import DecayUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import REGRESSION, changed

_FIX = "Lower weight_decay (1e-4 to 1e-2; AdamW up to 0.1), and exempt biases and normalizations."
RULE = Rule("OPT005", "weight-decay-dominates", "error", "window", DecayUse, __doc__, needs=("weight decay",))


def check(record: DecayUse, *, first: int = 10, least_ratio: float = 1.0, most_left: float = 0.5) -> Iterator[Finding]:
    """At a ratio of 1 the decay does half of the moving. `most_left`: half the length is gone, which takes a decay that
    acts on the scale of this run; a usual one (lr · decay = 1e-5) needs 70,000 steps for that. Of a term in an adaptive
    optimizer's gradient the first steps say little, and after convergence it always wins. What is minimized is the loss
    plus the penalty: where the penalty is the larger one from the start, less is won by fitting anything than by shrinking,
    and the decay's part was the larger in most of the time in which half the length went. Measured on three networks under
    Adam: never from 1e-4 to 1e-2; at 0.1 the two without normalization lose 5 and 40 points of accuracy, and both fire."""
    if len(record.ratios) < 5:
        raise Undecided(f"weight decay was seen beside the gradient in {len(record.ratios)} steps, of 5 needed")
    if not record.norms[0]:
        return  # weights that start at zero have nothing to lose
    ratio, left = median(record.ratios[:first]), record.norms[-1] / record.norms[0]
    if ratio >= least_ratio and left <= most_left:
        yield RULE.finding(
            f"Weight decay {record.decay:g} moves the weights {ratio:.2g} times as much as the gradient does; by step "
            f"{record.steps[-1]} they have shrunk to {100 * left:.0f} % of their length.",
            line=record.line,
            step=record.steps[0],
            evidence={"ratio": ratio, "shrunk": left, "decay": record.decay, "lr": record.lr, "optimizer": record.name},
            fix=_FIX,
        )
    elif record.adaptive and not record.decoupled and _wins(record, least_ratio, most_left):
        penalty = record.decay / 2 * record.norms[0] ** 2
        if penalty > record.loss:
            yield RULE.finding(
                f"Weight decay {record.decay:g} is a term of {record.name}'s gradient, as if {penalty:.3g} were added to a "
                f"loss of {record.loss:.3g}; by step {record.steps[-1]} the weights have shrunk to {100 * left:.0f} %.",
                line=record.line,
                step=record.steps[0],
                evidence={"penalty": penalty, "first": record.loss, "shrunk": left, "decay": record.decay},
                fix="AdamW, whose decay is not a term of the gradient, or a hundredth of weight_decay.",
            )


def _wins(record: DecayUse, least_ratio: float, most_left: float) -> bool:
    """Half the length went, and in more than half of the steps until then the decay's part was the larger."""
    end = next((i for i, norm in enumerate(record.norms) if norm <= most_left * record.norms[0]), 0)
    spans = [after - before for before, after in pairwise(record.steps[: end + 1])]
    won = sum(span for span, ratio in zip(spans, record.ratios, strict=False) if ratio >= least_ratio)
    return 2 * won > sum(spans)


_RATE = "torch.optim.SGD(model.parameters(), lr=0.05"


def sick() -> Specimen:
    return Specimen(changed(REGRESSION, (_RATE, _RATE + ", weight_decay=4.0")))


def healthy() -> Specimen:
    return Specimen(changed(REGRESSION, (_RATE, _RATE + ", weight_decay=1e-3")))
