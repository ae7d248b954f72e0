"""A checkpoint holds tensors of a device that is not here.

## What it means
`torch.load` puts tensors back where they were saved.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`torch.load(path, map_location='cpu')`, then move the model.
## References
PyTorch documentation, `torch.load`, map_location.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR133", "saved-on-another-device", __doc__, (r"Attempting to deserialize object on (?P<what>a CUDA|an? \w+) device",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The file holds tensors that were saved from a device that is not here, and torch.load puts them back where they were",
        "torch.load(path, map_location='cpu'), and move the model afterwards",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("raise RuntimeError", "str")


_SCRIPT = """
raise RuntimeError('Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False.')
"""
