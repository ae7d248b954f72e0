"""The inputs are far from unit scale, and nothing normalizes them.

## What it means
The first layer's outputs scale with its input, and the curvature of the loss along its weights with the square of it:
activations saturate, and the largest stable learning rate shrinks by the square of the scale.
## Evidence
Root mean square, mean and largest value of the data that enter the first linear or convolution layer. PyTorch's default
weights have variance 1/(3 fan_in), so outputs have spread rms/sqrt(3); above rms 20 that is 12, far into the flat part
of any bounded activation, and the stable learning rate is 400 times smaller than for standardized data.
## When this is fine
A normalization layer directly behind the first layer; embeddings of indices; data of moderate scale (rms below 20).
## Fix
Divide pixels by 255 and standardize, or standardize each feature with the mean and spread of the training data.
## References
LeCun et al. 1998, Efficient BackProp, section 4.3; largest stable rate 2/λmax, λmax proportional to E|x|².
"""

from collections.abc import Iterator

from torchclinic.observe.records import InputFacts
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("DAT001", "unnormalized-input", "warning", "exact", InputFacts, __doc__, needs=("data in a dense layer",))


def check(facts: InputFacts, *, rms: float = 20.0) -> Iterator[Finding]:
    """`rms`: see Evidence."""
    if not facts.trained or facts.normalized_next or not facts.rms > rms or facts.rms == float("inf"):
        return
    yield RULE.finding(
        f"The data entering {facts.path or 'the model'} ({facts.layer}) have root mean square {facts.rms:.3g} (mean "
        f"{facts.mean:.3g}, largest {facts.maximum:.3g}), and no normalization follows.",
        where=facts.path,
        line=facts.line,
        step=facts.step,
        evidence={
            "rms": facts.rms,
            "mean": facts.mean,
            "largest": facts.maximum,
            "stable_lr_smaller_by": facts.rms**2,
            "shape": str(facts.shape),
        },
        fix="Standardize the inputs (pixels: `/ 255`, then subtract the mean and divide by the standard deviation).",
    )


def sick() -> Specimen:
    return Specimen(
        changed(
            CLASSIFIER,
            ("torch.randn(80, 4)", "torch.randn(80, 4) * 60 + 100"),
            ("lr=0.05", "lr=1e-5"),
            ("nn.Linear(8, 3))", "nn.Linear(8, 3))\nmodel[2].weight.data *= 0.01"),
        )
    )


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
