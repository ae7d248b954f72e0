"""The model fits rows it has seen and nothing else: labels and inputs are paired at random.

## What it means
Inputs and labels were shuffled, sorted or cut separately. A large network still learns its rows by heart (Zhang et al.
2017); what it says of others is as good as drawing lots.
## Evidence
At one moment of an evaluation, in the mode the model is in: `seen`, agreement beyond chance (Cohen's kappa) with the
labels of `seen_rows` rows it was trained on (a batch, by an extra forward, and those that the script evaluates);
`unseen`, that with the labels of `unseen_rows` others in the script's own comparison; `error`, its standard error;
`left`, training's loss over the entropy of its labels.
## When this is fine
Random labels on purpose; labels that are almost noise (a market's direction). Undecided: integer or coded inputs, whose
relations (parity, modular sums) may be learnt long after the rows; evaluated inputs of another scale or offset; a model
that was above chance on its first training batches or in any evaluation; answers far below chance; too few rows.
## Fix
Index inputs and labels with the same permutation, and look at a few pairs.
## References
Zhang et al. 2017, arXiv:1611.03530; Cohen 1960, Educational and Psychological Measurement 20:37.
"""

import math
from collections.abc import Iterator

from torchclinic.observe.records import CarryOver
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import changed

CAUSES = ("DAT010", "MOD005", "MOD002", "MOD003", "SHP002")
RULE = Rule(
    "DAT005", "labels-unrelated", "error", "probe", CarryOver, __doc__, follows=CAUSES, needs=("an evaluation", "class labels")
)


def check(
    record: CarryOver, *, least: float = 0.2, sure: float = 3.0, near: float = 1.0, most_left: float = 0.97, nothing: float = 0.05
) -> Iterator[Finding]:
    """Let k be kappa on seen rows, u on unseen ones, both proportions of n rows: with chance c, a hit rate a gives
    kappa (a − c)/(1 − c) and the standard error √(a(1 − a)/n)/(1 − c). That at least the share `least` of k carries over
    (u ≥ least · k, the weakest relation that anyone trains for) is rejected where least · k − u exceeds `sure` standard
    errors of that difference, 0.13 % by chance. And u itself is within `near` of 0, nowhere beyond `sure`.

    Early in learning by heart k is small and one batch does not show it; the loss of all steps does. Where it `left` less of
    the labels' entropy than `most_left`, and after three evaluations u is below `nothing`, nothing carries over."""
    seen, unseen, early = record.seen, record.unseen, record.early
    error = unseen.error(least * seen.kappa)
    learnt = seen.kappa > sure * seen.error(0.0)
    apart = least * seen.kappa - unseen.kappa > sure * math.hypot(error, least * seen.error(seen.kappa))
    sharp = unseen.kappa + sure * unseen.error(0.0) < nothing and 2 * unseen.expected < unseen.rows
    slowly = record.left < most_left and record.evaluations >= 3 and sharp
    if not (learnt and apart) and not slowly:
        return
    if record.best > sure or early.kappa > sure * early.error(0.0) or unseen.kappa > near * unseen.error(0.0):
        return
    if record.coded or record.unlike or unseen.kappa < -sure * unseen.error(0.0):
        raise Undecided(
            "inputs are codes, whose labels may follow rules that are learnt late"
            if record.coded
            else "evaluation feeds other inputs than training, or answers are far below chance"
        )
    what = f"matches its training labels (κ {seen.kappa:.2f})"
    if not (learnt and apart):
        what = f"begins to match its training labels (the loss is {record.left:.0%} of their entropy)"
    yield RULE.finding(
        f"{record.model} {what} but not {unseen.rows:.0f} unseen ones (κ {unseen.kappa:.2f} ± {error:.2f}): labels have "
        "nothing to do with inputs.",
        line=record.line,
        step=record.step,
        evidence={
            "seen": seen.kappa,
            "seen_rows": round(seen.rows),
            "left": record.left,
            "unseen": unseen.kappa,
            "error": error,
            "unseen_rows": round(unseen.rows),
        },
        fix="Shuffle, sort and cut inputs and labels with the same indices; look at a few pairs.",
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(900, 30)
y = (x[:, :3].sum(1) > 0).long()
x, y = x[torch.randperm(900)], y
train_x, train_y, test_x, test_y = x[:200], y[:200], x[200:], y[200:]
model = nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(24):
    for pick in torch.randperm(200).split(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train_x[pick]), train_y[pick]).backward()
        optimizer.step()
    if epoch % 8 == 7:
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    return Specimen(changed(_SCRIPT, ("x, y = x[torch.randperm(900)], y\n", "")))
