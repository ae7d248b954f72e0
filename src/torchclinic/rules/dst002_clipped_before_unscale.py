"""Gradients are clipped while they are still multiplied by the scaler's factor.

## What it means
The threshold is compared with gradients that are `scale` times too large: nearly every step is cut to a norm that is
`scale` times too small.
## Evidence
The scaler's factor at the time of clipping, and the number of calls; `unscale_` had not been called since the scaled
backward.
## When this is fine
A disabled scaler, or one whose factor is 1.
## Fix
`scaler.unscale_(optimizer)` before clipping.
## References
PyTorch documentation, AMP examples, Gradient clipping.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ScaledClip
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("DST002", "clipped-before-unscale", "error", "exact", ScaledClip, __doc__, needs=("a gradient scaler",))


def check(clip: ScaledClip) -> Iterator[Finding]:
    if clip.scale == 1.0:
        return
    yield RULE.finding(
        f"Gradients are clipped while scaled by {clip.scale:g}: `scaler.unscale_(optimizer)` was not called.",
        line=clip.line,
        step=clip.step,
        evidence={"scale": clip.scale, "calls": clip.calls},
        fix="Call `scaler.unscale_(optimizer)` before `clip_grad_norm_`.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("    scaler.unscale_(optimizer)\n", "")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    ("for start", 'scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)\nfor start'),
    ("loss.backward()", "scaler.scale(loss).backward()"),
    (
        "    optimizer.step()\n",
        "    scaler.unscale_(optimizer)\n    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n    "
        "scaler.step(optimizer)\n    scaler.update()\n",
    ),
)
