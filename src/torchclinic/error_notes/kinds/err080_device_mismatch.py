"""The tensors of an operation lie on different devices.

## What it means
`module.to(device)` moves a model in place; `tensor.to(device)` returns a new tensor. A tensor on the meta device has no values.
## Evidence
The devices and the tensors on them.
## When this is fine
Never: the script stopped.
## Fix
Move model and batch to one device; make tensors in forward with device=x.device, constants with register_buffer; a meta model
is filled by to_empty and a state dict.
## References
PyTorch documentation, `torch.nn.Module.to`, Meta device.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR080",
    "device-mismatch",
    __doc__,
    (
        r"Expected all tensors to be on the same device.*?(?P<a>\w+(?::\d+)?) and (?P<b>\w+(?::\d+)?)",
        r"Tensor on device (?P<c>\S+) is not on the expected device (?P<d>[^\s!]+)",
        r"Expected all tensors to be on the same device",
        r"Input type \((?P<e>[\w.]+)\) and (?:bias|weight) type \((?P<f>[\w.]+)\) should be the same",
        r"Expected object of device type (?P<g>\w+) but got device type (?P<h>\w+)",
    ),
)


def explain(scene: Scene) -> Explanation | None:
    if scene["e"] and "cuda" not in scene["e"] + scene["f"]:
        return None
    places = {operand.name: str(operand.tensor.device) for operand in scene.operands}
    pairs = [(scene[x], scene[y]) for x, y in ("ab", "cd", "ef", "gh") if scene[x]]
    told = " and ".join(pairs[0]) if pairs else "two devices"
    found = ", ".join(f"{name} on {device}" for name, device in places.items()) if len(set(places.values())) > 1 else told
    if "meta" in told or "meta" in places.values():
        return Explanation(f"A tensor is on the meta device, which has shapes and no values: {found}", _META)
    return Explanation(f"The tensors lie on different devices: {found}", _MOVE)


_MOVE = (
    "Move model and batch to one device: model.to(device) once; x = x.to(device) for every batch (to() of a "
    "tensor returns a new one). A tensor made in forward: device=x.device; a constant of the model: "
    "register_buffer"
)
_META = (
    "Give it memory, model.to_empty(device=...), and then its values, load_state_dict(...) (or assign=True); "
    "to(device) cannot copy from meta. A tensor that is made: leave device='meta' out"
)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace(", device='meta'", "")


_SCRIPT = """
import torch
a, b = torch.zeros(3, device='meta'), torch.zeros(3)
c = a + b
"""
