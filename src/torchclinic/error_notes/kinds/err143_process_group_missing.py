"""A collective runs before its processes have met.

## What it means
Collectives and DistributedDataParallel need `init_process_group`.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Call `torch.distributed.init_process_group()` first, or ask `torch.distributed.is_initialized()` in runs of one process.
## References
PyTorch documentation, `torch.distributed`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR143", "process-group-missing", __doc__, (r"Default process group has not been initialized",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "No process group was made, so there are no processes to exchange anything with",
        "torch.distributed.init_process_group(...) first, under torchrun; in a run of one process skip the "
        "exchange (is_initialized())",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("if not", "if")


_SCRIPT = """
import torch
if not torch.distributed.is_initialized():
    torch.distributed.all_reduce(torch.ones(1))
"""
