"""Weight decay moves the weights more than the gradient does, and they shrink.

## What it means
Each step multiplies the weights by 1 - lr · decay before the gradient has a say. Where that outweighs the gradient from
the start, the network forgets faster than it learns and its output goes to a constant.
## Evidence
`ratio`: the median length of the decay's part of the step over the gradient's, in the first steps; `shrunk`: what is
left of the length of the decayed weights.
## When this is fine
At the end of a training that has converged the two are equal by right: the rule looks at the first steps. In front of a
normalization the length of a weight does not matter; it settles where both parts are in balance, far below a ratio of 1.
## Fix
A weight decay of 1e-4 to 1e-2 (AdamW: up to 0.1), none for biases and normalizations.
## References
Loshchilov and Hutter 2019, arXiv:1711.05101, algorithms 1 and 2; van Laarhoven 2017, arXiv:1706.05350.
"""

from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import DecayUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import REGRESSION, changed

RULE = Rule("OPT005", "weight-decay-dominates", "error", "window", DecayUse, __doc__)


def check(record: DecayUse, *, first: int = 10, least_ratio: float = 1.0, most_left: float = 0.5) -> Iterator[Finding]:
    """At a ratio of 1 the decay does half of the moving. `most_left`: half the length is gone, which takes a decay that
    acts on the scale of this run; a usual one (lr · decay = 1e-5) needs 70,000 steps for that."""
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
            fix="Lower weight_decay (1e-4 to 1e-2; AdamW up to 0.1), and exempt biases and normalizations.",
        )


_RATE = "torch.optim.SGD(model.parameters(), lr=0.05"


def sick() -> Specimen:
    return Specimen(changed(REGRESSION, (_RATE, _RATE + ", weight_decay=4.0")))


def healthy() -> Specimen:
    return Specimen(changed(REGRESSION, (_RATE, _RATE + ", weight_decay=1e-3")))
