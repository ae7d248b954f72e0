"""A name of a module is taken, or cannot be one.

## What it means
Parameters, buffers and modules are attributes: their names must be free and hold no dot.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Choose another name; `name.replace('.', '_')`; drop the plain attribute of the same name.
## References
PyTorch documentation, `torch.nn.Module.register_buffer`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR165",
    "attribute-name-taken",
    __doc__,
    (
        r"attribute '(?P<name>[^']+)' already exists",
        r"""(module|buffer|parameter) name can\\?'t contain \"\.\"(, got: (?P<name>\S+))?""",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"The name {scene['name']} is taken by another attribute or method of the module, or holds a dot",
        "Choose another name; replace dots, name.replace('.', '_'); remove the plain attribute that has it",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("module.mean = 1.0", "module.scale = 1.0")


_SCRIPT = """
import torch
module = torch.nn.Module()
module.mean = 1.0
module.register_buffer('mean', torch.ones(2))
"""
