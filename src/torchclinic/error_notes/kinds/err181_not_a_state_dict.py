"""Something else than a state dict is to be loaded.

## What it means
`load_state_dict` wants the dictionary of names and tensors.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`model.load_state_dict(torch.load(path))`; of a whole saved module its `.state_dict()`.
## References
PyTorch documentation, `torch.nn.Module.load_state_dict`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR181", "not-a-state-dict", __doc__, (r"Expected state_dict to be dict-like, got <class '(?P<kind>[^']+)'>",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"load_state_dict was given an object of type {scene['kind']}; it wants the dictionary of names and tensors",
        "torch.load(path) for a path; .state_dict() of a module that was saved whole",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("('model.pt')", "(torch.nn.Linear(2, 2).state_dict())")


_SCRIPT = """
import torch
torch.nn.Linear(2, 2).load_state_dict('model.pt')
"""
