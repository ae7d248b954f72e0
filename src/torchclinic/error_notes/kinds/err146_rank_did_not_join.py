"""Not all processes of a run have come.

## What it means
The first process waits for as many as `world_size` says.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Start all ranks (`torchrun --nproc-per-node=N`); look why one died before; same address, port and network on all.
## References
PyTorch documentation, `torch.distributed`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR146",
    "rank-did-not-join",
    __doc__,
    (r"Timed out after \d+ seconds waiting for clients\. (?P<here>\d+)/(?P<all>\d+) clients joined",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['here']} of {scene['all']} processes came before the time was over",
        f"Start all ranks, for example by torchrun --nproc-per-node={scene['all']}; if one died, its own error is the one to read",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("raise RuntimeError", "str")


_SCRIPT = """
raise RuntimeError('Timed out after 2 seconds waiting for clients. 1/2 clients joined.')
"""
