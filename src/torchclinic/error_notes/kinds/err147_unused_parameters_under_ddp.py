"""Parameters got no gradient under DistributedDataParallel.

## What it means
DDP waits for a gradient of every parameter before it exchanges them.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Let every parameter take part in the loss, freeze the unused ones, or `find_unused_parameters=True`.
## References
PyTorch documentation, `torch.nn.parallel.DistributedDataParallel`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR147", "unused-parameters-under-ddp", __doc__, (r"Expected to have finished reduction in the prior iteration",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "Some parameters took no part in the loss, and DDP waits for their gradients",
        "Let them take part, set requires_grad=False on them before wrapping, or pass find_unused_parameters=True",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("raise RuntimeError", "str")


_SCRIPT = """
raise RuntimeError('Expected to have finished reduction in the prior iteration before starting a new one.')
"""
