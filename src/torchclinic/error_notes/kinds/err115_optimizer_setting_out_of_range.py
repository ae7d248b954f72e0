"""A setting of an optimizer lies outside its range.

## What it means
Rates, decays and epsilons are not negative, betas and momenta at least 0 and below 1.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Pass the number itself, not its exponent or its percentage: 1e-3 for -3, 0.999 for 99.9.
## References
PyTorch documentation, `torch.optim`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR115",
    "optimizer-setting-out-of-range",
    __doc__,
    (r"Invalid (?P<name>learning rate|beta parameter at index \d|\w+ value): (?P<value>\S+)",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"The {scene['name']} is {scene['value']}; rates, decays and epsilons must not be negative, betas and momenta must be at"
        " least 0 and below 1",
        "Pass the number itself, not its exponent (10 ** -3 for -3) or a percentage (0.999 for 99.9)",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("lr=-3.0", "lr=1e-3")


_SCRIPT = """
import torch
optimizer = torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=-3.0)
"""
