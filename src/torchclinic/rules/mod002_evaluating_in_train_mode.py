"""A model is evaluated in train mode.

## What it means
A forward that no backward pass goes through, and whose result no loss is made of, still drops units or normalizes by
its own batch: the reported accuracy is that of a damaged network, and BatchNorm's running statistics take up the
evaluation data.
## Evidence
The dropout and BatchNorm layers that were active in such a forward of a model that is trained: one under
`no_grad`, or one whose graph was freed, or outlived the script, without a backward pass.
## When this is fine
A generator or a teacher under `no_grad` whose output enters a loss; activation checkpointing; `update_bn`; a model that
no optimizer trains; a forward whose output nobody reads, as for new running statistics; pictures of a generator, whose
outputs go into another model in training. Monte-Carlo dropout on purpose: three or more forwards of one tensor in a
row, or only the dropout modules in train mode.
## Fix
`model.eval()` before evaluating, `model.train()` after.
## References
PyTorch documentation, `torch.nn.Module.eval`; Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ForwardPass
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import mode_before
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("MOD002", "evaluating-in-train-mode", "error", "exact", ForwardPass, __doc__, needs=("an evaluation", "two modes"))
correct = mode_before("eval")


def check(forward: ForwardPass) -> Iterator[Finding]:
    if not forward.evaluated or forward.recomputed or not forward.trained or forward.feeds_backward or not forward.training:
        return
    if not forward.read or forward.shown:
        return
    counted = ("batchnorm",) if forward.sampled else ("batchnorm", "dropout")
    layers = [layer for layer in forward.layers if layer.active and layer.kind in counted]
    active = [layer for layer in layers if layer.kind == "dropout" or layer.tracks]
    if not active:
        return
    kinds = ", ".join(sorted({layer.kind for layer in active}))
    yield RULE.finding(
        f"{forward.model} is evaluated in train mode: {len(active)} layers ({kinds}) are active in a forward "
        "that nothing is learnt from.",
        where=active[0].path,
        line=forward.line,
        step=forward.step,
        evidence={"active_layers": len(active), "kinds": kinds, "first_layer": active[0].path},
        fix="Call `model.eval()` before the evaluation and `model.train()` after it.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("    model.eval()\n", "")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    ("nn.ReLU(),", "nn.ReLU(), nn.Dropout(0.2),"),
    (
        "    optimizer.step()\n",
        """    optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean()
    model.train()
""",
    ),
)
