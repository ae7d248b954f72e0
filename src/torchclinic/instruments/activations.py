"""What chosen layers answer to an input."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched


def activations(model: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Outputs of `layers` (module paths) in eval mode, copied. The model is not modified.

    Raises: InputError for a layer that does not exist, did not run, or does not return a tensor.
    """
    known = dict(model.named_modules())
    unknown = [layer for layer in layers if layer not in known]
    if unknown:
        raise InputError(f"The model has no layer {unknown[0]!r}; its layers are {', '.join(filter(None, known))}.")
    seen: dict[str, Tensor] = {}

    def keep(name: str, output: object) -> None:
        if isinstance(output, Tensor):
            seen[name] = output.detach().clone()

    with untouched(model), torch.no_grad():
        model.eval()
        for layer in layers:
            known[layer].register_forward_hook(lambda _module, _args, output, name=layer: keep(name, output))
        model(x)  # the guard removes the hooks
    missing = [layer for layer in layers if layer not in seen]
    if missing:
        raise InputError(f"Layer {missing[0]!r} did not return a tensor in the forward pass.")
    return {layer: seen[layer] for layer in layers}
