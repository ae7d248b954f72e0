"""BatchNorm in eval mode is an affine map per channel, so it can be folded into the convolution before it."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from torchclinic.instruments.guard import untouched


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what `conv` and then `norm` in eval mode do: W' = W·γ/σ, b' = β + (b − μ)·γ/σ.

    Neither module is modified. Reference: Jacob et al. 2017, arXiv:1712.05877, equation 14.
    """
    assert norm.running_mean is not None, "BatchNorm without stored statistics cannot be folded"
    assert norm.running_var is not None, "BatchNorm without stored statistics cannot be folded"
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    bias = torch.zeros_like(norm.running_mean) if conv.bias is None else conv.bias
    shift = torch.zeros_like(norm.running_mean) if norm.bias is None else norm.bias
    folded = deepcopy(conv)
    with torch.no_grad():
        folded.weight.copy_(conv.weight * scale[:, None, None, None])
        folded.bias = nn.Parameter(shift + (bias - norm.running_mean) * scale)
    return folded.eval()


def fold_batchnorms(model: nn.Module, example: Tensor) -> tuple[nn.Module, tuple[tuple[str, str], ...]]:
    """A copy of the model in eval mode with every BatchNorm that directly follows a convolution folded into it.

    Pairs (convolution, BatchNorm) are found by running `example`: the one's output is the other's only input. A
    convolution whose output goes anywhere else first is left alone. The model is not modified.
    """
    pairs = _pairs(model, example)
    folded = deepcopy(model).eval()
    for conv, norm in pairs:
        folded.set_submodule(conv, fold(_get(model, conv), _get(model, norm)))
        folded.set_submodule(norm, nn.Identity())
    return folded, tuple(pairs)


def _pairs(model: nn.Module, example: Tensor) -> list[tuple[str, str]]:
    outputs = _Outputs()
    norms: dict[int, list[str]] = {}  # input of a BatchNorm -> its names, once per call
    calls: dict[str, int] = {}
    names = {module: name for name, module in model.named_modules()}

    def after(module: nn.Module, args: Any, output: Any) -> None:
        calls[names[module]] = calls.get(names[module], 0) + 1
        if type(module) is nn.Conv2d:
            outputs.made[id(output)] = (names[module], output)
        elif isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            norms.setdefault(id(args[0]), []).append(names[module])

    with untouched(model), torch.no_grad():
        model.eval()
        for module in names:
            module.register_forward_hook(after)  # the guard removes it
        with outputs:
            model(example)
    return [
        (conv, norms[key][0])
        for key, (conv, _) in outputs.made.items()
        if outputs.reads.get(key) == 1 and key in norms and calls[conv] == calls[norms[key][0]] == 1
    ]


class _Outputs(TorchDispatchMode):
    """Outputs of convolutions, kept so that their ids stay their own, and how many operations read each."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: dict[int, tuple[str, Tensor]] = {}
        self.reads: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in pytree.tree_leaves((args, kwargs)):
            if id(value) in self.made:
                self.reads[id(value)] = self.reads.get(id(value), 0) + 1
        return func(*args, **(kwargs or {}))


def _get(model: nn.Module, name: str) -> Any:
    return model.get_submodule(name)
