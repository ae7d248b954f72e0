"""The hidden state of a recurrent layer does not fit its input.

## What it means
The state is [layers · directions, batch, hidden]; the batch is that of the input, which is its dimension 1 unless
`batch_first=True`.
## Evidence
The state that is expected and that came; the input; the layer's settings.
## When this is fine
Never: the script stopped.
## Fix
Make the state in the batch's size, x.size(0); build the layer with `batch_first=True` where the batch comes first.
## References
PyTorch documentation, `torch.nn.GRU`.
"""

from torch import Tensor, nn

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene, rebuild
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR017",
    "recurrent-state",
    __doc__,
    (
        r"Expected hidden(?:\[\d\])? size \((?P<want>[\d, ]+)\), got \[(?P<got>[\d, ]+)\]",
        r"For unbatched 2-D input, hx (?:and cx )?should also be 2-D but got \(?(?P<state>[^)]*?)\)? tensors?",
        r"For batched 3-D input, hx (?:and cx )?should also be 3-D but got \(?(?P<state2>[^)]*?)\)? tensors?",
    ),
)


def explain(scene: Scene) -> Explanation:
    given = scene.call("forward").get("input")
    sizes = f" {shape(given.shape)}" if isinstance(given, Tensor) else ""
    name = scene.layer_name or "The recurrent layer"
    if not scene["want"]:
        two = bool(scene["state"])
        cause = (
            f"The input{sizes} of {name} has "
            f"{'2 dimensions, which is one sequence without a batch' if two else '3 dimensions'}, and the state has "
            f"{scene['state'] or scene['state2']}"
        )
        node = scene.argument(0)
        edit = (
            (scene.birth_edit(node, "{}.unsqueeze(0)", lambda t: t.unsqueeze(0)) or scene.changed(node, "{}.unsqueeze(0)"))
            if two
            else None
        )
        batch = "unsqueeze(0)" if getattr(scene.layer, "batch_first", False) else "unsqueeze(1)"
        return Explanation(
            cause, f"Give both a batch or neither: x.{batch} makes a batch of one", None if edit else scene.line, edit
        )
    want, got = numbers(scene["want"]), numbers(scene["got"])
    cause = f"{name} takes a state of {shape(want)} with its input{sizes}, and got {shape(got)}"
    layer = scene.layer
    if not isinstance(layer, nn.RNNBase) or not isinstance(given, Tensor) or given.dim() != 3:
        return Explanation(
            cause, "Make the state in the batch's size; with batch_first=False, dimension 1 of the input is the batch"
        )
    if not layer.batch_first and given.shape[0] == got[1] and got[0] == want[0] and got[2:] == want[2:]:
        edit = _batch_first(scene, layer, given, got)
        cause += f": the layer is not batch_first and takes dimension 1, {given.shape[1]}, for the batch"
        return Explanation(cause, "Build the layer with batch_first=True, if the batch comes first in the input", edit=edit)
    if got[1] != want[1] and got[0] == want[0]:
        born = scene.births(scene.argument(1))
        at = next((b.line for b in reversed(born)), None)
        cause += f": the state is for a batch of {got[1]}, and this one has {want[1]}"
        return Explanation(cause, f"Make the state for each batch: its size is x.size({0 if layer.batch_first else 1})", at)
    return Explanation(cause, "The first size is num_layers (twice that if bidirectional), the last hidden_size: make the state so")


def _batch_first(scene: Scene, layer: nn.RNNBase, given: Tensor, state: tuple[int, ...]) -> Edit | None:
    made, built = scene.construction, rebuild(layer, batch_first=True)
    if made is None or built is None or any(k.arg == "batch_first" for k in made.call.keywords):
        return None
    hidden = given.new_empty(state, device="meta")
    if not scene.passes_layer(given, (hidden, hidden) if isinstance(layer, nn.LSTM) else hidden, layer=built):
        return None
    return made.source.edit({made.call: made.source.text(made.call).rstrip(")").rstrip(", ") + ", batch_first=True)"})


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("GRU(8, 16)", "GRU(8, 16, batch_first=True)")


_SCRIPT = """
import torch
gru = torch.nn.GRU(8, 16)
x = torch.ones(32, 10, 8)
out = gru(x, torch.zeros(1, 32, 16))
"""
