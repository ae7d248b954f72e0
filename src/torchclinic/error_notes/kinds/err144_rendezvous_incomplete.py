"""A process does not know where to meet the others.

## What it means
`init_process_group()` reads RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT from the environment, which torchrun sets.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Start the script by `torchrun --nproc-per-node=N script.py`.
## References
PyTorch documentation, `torch.distributed`, environment variable initialization.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR144",
    "rendezvous-incomplete",
    __doc__,
    (r"environment variable (?P<name>RANK|WORLD_SIZE|MASTER_ADDR|MASTER_PORT) expected, but not set",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['name']} is not in the environment, which tells the processes where to meet",
        "Start the script by torchrun, which sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; or set them",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.distributed.init_process_group('gloo')", "print(torch.distributed.is_available())")


_SCRIPT = """
import os
import torch
for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
    os.environ.pop(name, None)
torch.distributed.init_process_group('gloo')
"""
