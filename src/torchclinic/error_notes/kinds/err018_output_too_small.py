"""A convolution or pooling has nothing left to work on.

## What it means
A kernel must fit into the padded input. Each pooling halves the sides; too many of them, or images that are too small, leave
less than the kernel.
## Evidence
The size that is left, the kernel, the output that would result.
## When this is fine
Never: the script stopped.
## Fix
Pad the layer, leave a pooling out, or use larger images.
## References
Dumoulin and Visin 2016, arXiv:1603.07285.
"""

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene, rebuild
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR018",
    "output-too-small",
    __doc__,
    (
        r"Calculated padded input size per channel: \((?P<size>[\dx ]+)\)\. Kernel size: \((?P<kernel>[\dx ]+)\)",
        r"Given input size: \((?P<input>[\dx]+)\)\. Calculated output size: \((?P<output>[\dx-]+)\)\. Output size is too small",
    ),
)


def explain(scene: Scene) -> Explanation:
    name = scene.layer_name or "The layer"
    made = scene.construction
    at = made.source.line(made.call) if made is not None else None
    if scene["input"]:
        left, out = numbers(scene["input"]), numbers(scene["output"].replace("-", ""))
        cause = f"{name} has {shape(left[1:])} left to pool (of {left[0]} channels), which would give {shape(out[1:])}"
        return Explanation(cause, "Leave this pooling out, or use larger images: the sides were halved too often for these", at)
    size, kernel = numbers(scene["size"]), numbers(scene["kernel"])
    cause = f"{name} has a kernel of {shape(kernel)}, and its padded input is only {shape(size)}"
    return Explanation(
        cause, "Pad it (padding=1 for a kernel of 3), take a smaller kernel, or pool less before it", at, _padded(scene, kernel)
    )


def _padded(scene: Scene, kernel: tuple[int, ...]) -> Edit | None:
    """The convolution with the padding that keeps sizes, where it has none."""
    made, layer = scene.construction, scene.layer
    same = kernel[0] // 2
    if made is None or layer is None or scene.layer_input is None or len(set(kernel)) > 1 or kernel[0] % 2 == 0:
        return None
    built = rebuild(layer, padding=same)
    given = any(k.arg == "padding" for k in made.call.keywords) or len(made.call.args) > 4
    if built is None or given or not scene.passes_layer(scene.layer_input, layer=built):
        return None
    return made.source.edit({made.call: made.source.text(made.call).rstrip(")").rstrip(", ") + f", padding={same})"})


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("4, 8, 3)", "4, 8, 3, padding=1)")


_SCRIPT = """
import torch
conv = torch.nn.Conv2d(4, 8, 3)
maps = conv(torch.ones(1, 4, 2, 2))
"""
