"""LBFGS steps without its closure.

## What it means
LBFGS evaluates the loss several times in a step, so it must be given the function that does so.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`optimizer.step(closure)`, where `closure()` clears the gradients, computes the loss, runs `backward()` and returns the
loss.
## References
PyTorch documentation, `torch.optim.LBFGS`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR114", "closure-missing", __doc__, (r"LBFGS\.step\(\) missing 1 required positional argument: 'closure'",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "LBFGS evaluates the loss several times in each step and was not given the function that computes it",
        "def closure(): optimizer.zero_grad(); loss = ...; loss.backward(); return loss, and then optimizer.step(closure)",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("optimizer.step()\n", "optimizer.step(closure)\n")


_SCRIPT = """
import torch
w = torch.ones(2, requires_grad=True)
optimizer = torch.optim.LBFGS([w])


def closure():
    optimizer.zero_grad()
    loss = w.square().sum()
    loss.backward()
    return loss


optimizer.step()
"""
