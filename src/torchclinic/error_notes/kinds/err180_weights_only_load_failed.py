"""A file holds more than tensors.

## What it means
Since version 2.6 `torch.load` reads tensors and plain containers only, because a pickle can run any program.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Save state dicts and plain numbers. For a file of your own: `torch.serialization.add_safe_globals([Class])`, or
`weights_only=False` if you trust where it comes from.
## References
PyTorch documentation, `torch.load`, weights_only.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR180",
    "weights-only-load-failed",
    __doc__,
    (r"Weights only load failed.*?(?:Unsupported global: GLOBAL (?P<name>[\w.]+)|$)",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "torch.load reads tensors and plain containers only, and the file holds something else, or is no checkpoint at all",
        "Save model.state_dict() and plain numbers; allow a class of your own by "
        "torch.serialization.add_safe_globals; weights_only=False runs whatever the file says, so only for "
        "files you trust; `torchclinic inspect FILE` looks into it without running anything",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("Fraction(1, 2)", "1")


_SCRIPT = """
import io
from fractions import Fraction
import torch
buffer = io.BytesIO()
torch.save(Fraction(1, 2), buffer)
buffer.seek(0)
torch.load(buffer)
"""
