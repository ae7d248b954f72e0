"""A model is trained while all of it is in eval mode.

## What it means
Dropout does nothing and BatchNorm normalizes with frozen running statistics: the regularization is off, and the
statistics never adapt. Usually `model.eval()` was called for a validation and `model.train()` never again.
## Evidence
The dropout and BatchNorm layers that were in eval mode in a forward whose gradients an optimizer used; the step.
## When this is fine
A backbone that is deliberately kept in eval mode inside a model in train mode, or the reverse: as soon as one module
of the model is in train mode, the modes were chosen and nothing is reported. Frozen BatchNorm layers do not count.
## Fix
Call `model.train()` at the start of every epoch, after any evaluation.
## References
PyTorch documentation, `torch.nn.Module.train`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ForwardPass
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import mode_before
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("MOD001", "training-in-eval-mode", "error", "exact", ForwardPass, __doc__, needs=("a model", "two modes"))
correct = mode_before("train")


def check(forward: ForwardPass) -> Iterator[Finding]:
    if not (forward.with_grad and forward.stepped and forward.all_eval) or forward.recomputed:
        return
    layers = [layer for layer in forward.layers if not layer.active and not layer.frozen]
    if not layers:
        return
    kinds = ", ".join(sorted({layer.kind for layer in layers}))
    yield RULE.finding(
        f"{forward.model} is trained in eval mode: {len(layers)} layers ({kinds}) are switched off, first at step {forward.step}.",
        where=layers[0].path,
        line=forward.line,
        step=forward.step,
        evidence={"layers": len(layers), "kinds": kinds, "first_layer": layers[0].path},
        fix="Call `model.train()` before the training loop, and again after every evaluation.",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("    model.train()\n", ""))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(48, 4), torch.randint(0, 3, (48,))
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(3):
    model.train()
    for start in range(0, 48, 8):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[start : start + 8]), y[start : start + 8]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean()
"""
