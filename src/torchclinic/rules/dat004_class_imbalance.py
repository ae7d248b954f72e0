"""One class is so frequent that predicting it always wins, and that is what the model does.

## What it means
With a share p of the frequent class, the constant prediction is right p of the time and its loss is low. The accuracy
looks excellent; not one rare sample is found.
## Evidence
`majority` share of the training labels; in an evaluation in the later half of the run `rare` samples of other classes,
of which none was recognized; the line that `decides` for a class.
## When this is fine
Where only the ranking or the probability counts, no class is decided on, and the rule abstains. It looks at unweighted
losses only.
## Fix
Class weights (`weight=`, `pos_weight=`), a `WeightedRandomSampler`, and a measure that sees the rare class (recall, F1).
## References
Buda et al. 2018, arXiv:1710.05381.
"""

from collections.abc import Iterator
from itertools import zip_longest

from torchclinic.observe.records import LabelStream
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided

RULE = Rule("DAT004", "class-imbalance", "warning", "window", LabelStream, __doc__, needs=("class labels",))


def check(record: LabelStream, *, least_majority: float = 0.9, least_rare: int = 8, most_others: float = 0.01) -> Iterator[Finding]:
    """`most_others`: wrong decisions for another class that are let pass.

    Without one hit among 8 rare samples, a recall above 0.31 is excluded at 95 % (0.69⁸ = 0.05).
    """
    if record.loader:
        return
    totals = [sum(column) for column in zip_longest(*(b.counts for b in record.batches), fillvalue=0)]
    if not sum(totals) or max(totals) < least_majority * sum(totals) or any(b.weighted for b in record.batches):
        return
    top = totals.index(max(totals))
    late = [seen for seen in record.evaluations if seen.step >= record.steps / 2 and seen.common == top]
    if not late:
        raise Undecided("one class prevails in the labels, but no decisions were seen compared with labels")
    seen = max(late, key=lambda seen: seen.rare)
    if seen.rare < least_rare:
        raise Undecided(f"one class prevails; {seen.rare} rare samples were evaluated, of {least_rare} needed")
    if seen.found or seen.said > most_others * seen.rows:
        return
    share = totals[top] / sum(totals)
    yield RULE.finding(
        f"{100 * share:.1f} % of the labels are class {top}, and the model decides for hardly anything else: none of "
        f"{seen.rare} samples of other classes is found. Always saying {top} has that accuracy too.",
        line=record.line,
        step=seen.step,
        evidence={"majority": share, "class": top, "rare": seen.rare, "found": 0, "decides": seen.line},
        fix="Weight the classes (weight=, pos_weight=) or sample them evenly, and measure recall or F1.",
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(2400, 4)
y = (x[:, 0] + 0.5 * torch.randn(2400) > 1.9).long()
model = nn.Linear(4, 2)
loss_fn = nn.CrossEntropyLoss(WEIGHT)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
for start in range(0, 2400, 200):
    optimizer.zero_grad()
    loss_fn(model(x[start : start + 200]), y[start : start + 200]).backward()
    optimizer.step()
with torch.no_grad():
    accuracy = (model(x).argmax(1) == y).float().mean()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("WEIGHT", ""))


def healthy() -> Specimen:
    return Specimen(_SCRIPT.replace("WEIGHT", "weight=torch.tensor([0.05, 1.0])"))
