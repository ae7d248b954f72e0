"""A checkpoint is not complete.

## What it means
The directory of a checkpoint stands at the end of the file.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Copy or download it again and compare the sizes; write to another name first and rename.
## References
PyTorch documentation, `torch.save`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR183",
    "file-incomplete",
    __doc__,
    (r"PytorchStreamReader failed reading zip archive", r"PytorchStreamReader failed locating file"),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The file is cut off or damaged: its directory, which stands at the end, cannot be read",
        "Copy or download it again and compare sizes; a run that was killed while it wrote leaves such a "
        "file, so write to another name and rename",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[:4096]", "")


_SCRIPT = """
import io
import torch
buffer = io.BytesIO()
torch.save(torch.ones(2000), buffer)
torch.load(io.BytesIO(buffer.getvalue()[:4096]))
"""
