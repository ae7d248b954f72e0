<<<<<<< HEAD
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
=======
"""A weight is all zero, and so is its gradient.

## What it means
Nothing gets through and nothing comes back: the layer can never leave zero. Before a ReLU one such layer
suffices, since the slope at zero is taken as zero; elsewhere two of them in a row block each other.
## Evidence
`weight_mean_square` and `gradient_mean_square`, both exactly 0.
## When this is fine
A zero head, the last layer of a residual branch, the second factor of an adapter: zero weights whose gradient
is not zero learn from the first step on.
## Fix
Draw the weights at random: `tc.initialize(model)`.
## References
Zhang et al. 2019, arXiv:1901.09321, section 3 (which layers may start at zero).
>>>>>>> main
"""

from collections.abc import Iterator

<<<<<<< HEAD
from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("INI002", "zero-initialization", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord, *, min_backwards: int = 3) -> Iterator[Finding]:
    """`min_backwards`: a factor that starts at zero lets its partner move at the second step and itself by the "
    "third."""
    blocked = [
        p
        for p in run.parameters
        if p.all_zero and p.stayed_zero and p.gradient_zero and p.requires_grad and p.owned and p.is_parameter
        and p.reached >= min_backwards and p.module_ran >= min_backwards
    ]  # fmt: skip
    if not blocked or not any(s.lr > 0 and s.backwards for s in run.steps_seen):
        return
    names = ", ".join(p.name for p in blocked[:4])
    yield RULE.finding(
        f"{len(blocked)} weights ({names}) are all zero, and their gradient was exactly zero in {blocked[0].reached} "
        f"backward passes: they cannot leave zero.",
        where=blocked[0].name,
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
=======
from torchclinic.observe.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("INI002", "zero-initialization", "error", "exact", Propagation, __doc__)


def check(record: Propagation) -> Iterator[Finding]:
    """Exact: a zero weight that receives a zero gradient."""
    for row in record.weights if record.step == 0 else ():
        if row.weight_mean_square == 0 and row.weight_gradient_mean_square == 0:
            yield RULE.finding(
                f"{row.parameter} is all zero and its gradient is exactly zero: it cannot leave zero at any learning rate.",
                where=row.layer,
                step=record.step,
                evidence={"weight_mean_square": 0.0, "gradient_mean_square": 0.0, "weights": row.weight_numel},
                fix="Draw the weights at random: tc.initialize(model).",
            )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)]
model = nn.Sequential(*layers)
for layer in layers[:3:2]:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
batch = (torch.randn(64, 20), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """The hidden layers are zero."""
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    """Only the head is zero: it learns at once."""
    return Specimen(_SCRIPT.replace("layers[:3:2]", "layers[4:]"))
>>>>>>> main
