"""The inputs of a bilinear layer have other sizes than it was made for.

## What it means
`nn.Bilinear(in1, in2, out)` takes its inputs in this order, with these numbers of features.
## Evidence
The size that came and the one that is expected; both inputs.
## When this is fine
Never: the script stopped.
## Fix
Swap the arguments of the call, or build the layer for the sizes that come.
## References
PyTorch documentation, `torch.nn.Bilinear`.
"""

from torch import nn

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR005",
    "bilinear-inputs",
    __doc__,
    (r"bilinear\(\): input(?P<which>[12]) size does not match weight size: got (?P<got>\d+) but expected (?P<want>\d+)",),
)


def explain(scene: Scene) -> Explanation:
    cause = f"Input {scene['which']} has {scene['got']} features, and the layer was built for {scene['want']}"
    fix = f"Build the layer with in{scene['which']}_features={scene['got']}, or change the input"
    layer, first, second = scene.layer, scene.argument(0), scene.argument(1)
    if not isinstance(layer, nn.Bilinear) or first is None or second is None:
        return Explanation(cause, fix)
    edit = scene.edit({first: scene.text(second), second: scene.text(first)})
    if edit is None:
        return Explanation(cause, fix)
    sizes = f"The layer takes inputs of {layer.in1_features} and {layer.in2_features} features and gets them in the other order"
    return Explanation(sizes, "Swap the two arguments of the call", scene.line, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("mix(b, a)", "mix(a, b)")


_SCRIPT = """
import torch
mix = torch.nn.Bilinear(20, 30, 8)
a, b = torch.ones(5, 20), torch.ones(5, 30)
out = mix(b, a)
"""
