"""The class weights grow with the classes' frequencies instead of shrinking.

## What it means
Weights are there to let rare classes count as much as frequent ones. Counts used where their inverses belong, or weights
in the order of other classes, do the opposite: the loss of the rare class all but disappears.
## Evidence
The labels counted in the loss call: the most frequent and the rarest class that are clearly apart, `times` one comes as
often as the other, and `weight_ratio` of their weights. For `pos_weight` the two classes are the positives and the
negatives, and the negatives weigh 1.
## When this is fine
Errors on the frequent class cost more, and the weights say so on purpose. Classes of weight 0, classes that were not
seen, and one rare class that weighs less than all others, which weigh the same, are not judged.
## Fix
`weight = total / (classes * counts)`; `pos_weight = negatives / positives`; in the order of the class indices.
## References
King and Zeng 2001, Logistic regression in rare events data; Cui et al. 2019, arXiv:1901.05555.
"""

from collections.abc import Iterator
from math import sqrt

from torchclinic.observe.records import WeightedLabels
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("LOS012", "weights-favour-frequent", "error", "exact", WeightedLabels, __doc__, needs=("weighted labels",))

Part = tuple[int, float]  # labels of a class in both halves of the calls, and its weight


def check(
    record: WeightedLabels, *, ratio: float = 2.0, clear: float = 1.5, sigma: float = 3.0, near: float = 2.0
) -> Iterator[Finding]:
    """`ratio`: of the frequencies of two classes that are clearly apart. Their order also has to hold in both halves of
    the calls (labels that come sorted have no frequency yet) and beyond `sigma` standard errors, 1 in 700 by chance.

    `clear`: of the weights at the ends; `near`: positives that are frequent may well be meant to weigh more, unless
    `pos_weight` is the odds of the labels up to this factor.
    """
    if record.changed or len(record.counts) < 2:
        return
    weights, (first, second) = record.weights, record.halves()
    apart = []
    for often, rare in record.pairs():
        more, less = first[often] + second[often], first[rare] + second[rare]
        steady = first[often] > first[rare] > 0 and second[often] > second[rare] > 0
        beyond = (more - less) * sqrt(record.rows_share) > sigma * sqrt(more + less)
        if steady and beyond and more >= ratio * less:
            apart.append((more / less, often, rare))
    times, often, rare = max(apart, default=(0.0, 0, 0))
    agree = all(weights[i] > weights[j] for _, i, j in apart) and weights[often] >= clear * weights[rare]
    if not agree or (record.binary and often < len(weights) // 2 and not 1 / near <= weights[often] / times <= near):
        return
    if not record.binary and len({w for w in weights if w}) == 2 and weights.count(max(weights)) > 1:
        return
    a, b = ("positives", "negatives") if record.binary else (f"labels of class {often}", f"those of class {rare}")
    a, b = (b, a) if record.binary and often >= len(weights) // 2 else (a, b)
    yield RULE.finding(
        f"The {a} come {times:.3g} times as often as {b} and weigh {weights[often] / weights[rare]:.3g} times as much "
        f"in `{record.function}`: the weights favour what is frequent.",
        line=record.line,
        step=record.step,
        evidence={"times": times, "weight_ratio": weights[often] / weights[rare], "labels": sum(first) + sum(second)},
        fix="Weigh by the inverse: `total / (classes * counts)`, or `pos_weight = negatives / positives`.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("len(y) / (3 * counts)", "counts / len(y)")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    ("torch.randint(0, 3, (80,))", "torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), 80, replacement=True)"),
    ("optimizer = ", "counts = torch.bincount(y)\nweight = len(y) / (3 * counts)\noptimizer = "),
    ("cross_entropy(model(xb), yb)", "cross_entropy(model(xb), yb, weight=weight)"),
)
