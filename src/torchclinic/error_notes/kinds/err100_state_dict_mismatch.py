"""A state dict does not fit the model.

## What it means
`load_state_dict` compares the names and the shapes. Wrappers add prefixes (`module.`, `_orig_mod.`); a head of another number
of classes has another shape.
## Evidence
The keys that are missing and unexpected, the shapes that differ.
## When this is fine
Never: the script stopped.
## Fix
Strip the prefix, build the model as it was when it was saved, or replace the head and leave its keys out.
## References
PyTorch documentation, `torch.nn.Module.load_state_dict`.
"""

import re

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR100", "state-dict-mismatch", __doc__, (r"Error\(s\) in loading state_dict for (?P<model>\w+):(?P<rest>.*)",))


def explain(scene: Scene) -> Explanation:
    rest = scene["rest"]
    missing, unexpected = (_keys(rest, kind) for kind in ("Missing", "Unexpected"))
    changed = re.findall(
        r"size mismatch for ([\w.]+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from "
        r"checkpoint, the shape in current model is torch\.Size\(\[([\d, ]*)\]\)",
        rest,
    )
    parts = [f"{len(missing)} keys are missing ({_few(missing)})"] if missing else []
    parts += [f"{len(unexpected)} are not in the model ({_few(unexpected)})"] if unexpected else []
    parts += [f"{name} is [{there}] in the file and [{here}] in the model" for name, there, here in changed[:3]]
    return Explanation(
        f"The checkpoint does not fit {scene['model']}: {'; '.join(parts) or rest.strip()}", _fix(missing, unexpected, changed)
    )


def _fix(missing: list[str], unexpected: list[str], changed: list[tuple[str, str, str]]) -> str:
    for prefix in ("module.", "_orig_mod.", "model."):
        added = bool(unexpected) and all(key.startswith(prefix) for key in unexpected)
        if added and {key.removeprefix(prefix) for key in unexpected} & set(missing):
            strip = f"{{k.removeprefix({prefix!r}): v for k, v in state.items()}}"
            return f"The file's keys carry the prefix {prefix!r}; load {strip}"
    if changed:
        return "Build the model as it was when saved (number of classes, widths), or drop those keys and replace the head"
    return "Build the model as it was when saved; strict=False loads the rest and leaves the missing ones untrained"


def _keys(text: str, kind: str) -> list[str]:
    found = re.search(kind + r" key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", text)
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _few(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("zeros(5, 3)", "zeros(4, 3)")


_SCRIPT = """
import torch
model = torch.nn.Linear(3, 4)
model.load_state_dict({"weight": torch.zeros(5, 3), "bias": torch.zeros(4)})
"""
