"""Which input pixels the gradient of one output pixel reaches: the receptive field, measured."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from torchclinic.cnn.geometry import output_shape, pool_axes
from torchclinic.cnn.pool import window_mean
from torchclinic.cnn.receptive_field import Field
from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched


def gradient_footprint(model: nn.Module, input_shape: Sequence[int], layer: str = "") -> tuple[Tensor, tuple[int, int]]:
    """Mark the input pixels [H, W] on which the middle output pixel of `layer` depends, and return that pixel too.

    Measured on a copy in eval mode whose weights are made positive, biases zero and normalizations neutral, and whose
    max poolings average: on positive inputs every path is then open, and no two paths cancel.

    Raises: InputError if there is no such layer, or its output has no rows and columns.

    The model is not modified. Reference: Luo et al. 2016, arXiv:1701.04128, section 2.
    """
    with untouched(model), torch.random.fork_rng():
        copy = _open_paths(deepcopy(model))
        shape = tuple(input_shape) if len(input_shape) == 4 else (1, *input_shape)
        x = torch.rand(shape, dtype=torch.float64).add_(0.5).requires_grad_()
        with torch.enable_grad():
            output = _output_of(copy, layer, x)
            if output.dim() != 4:
                raise InputError(f"Layer {layer!r} returns shape {tuple(output.shape)}; a footprint needs [B, C, H, W].")
            y, column = output.shape[-2] // 2, output.shape[-1] // 2
            (gradient,) = torch.autograd.grad(output[0, :, y, column].sum(), x)
    return gradient[0].abs().sum(0) > 0, (y, column)


def fits(field: Field, footprint: Tensor, pixel: tuple[int, int]) -> bool:
    """Whether the bounding box of a footprint is exactly the field of `pixel`, cut to the input."""
    rows = footprint.any(1).nonzero().flatten()
    columns = footprint.any(0).nonzero().flatten()
    measured = [(int(found[0]), int(found[-1]) + 1) for found in (rows, columns)]
    spans = (field.rows, field.columns)
    predicted = [span.pixels(at, size) for span, at, size in zip(spans, pixel, footprint.shape, strict=True)]
    return measured == [(pixels.start, pixels.stop) for pixels in predicted]


def _open_paths(model: nn.Module) -> nn.Module:
    model = model.double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            bias = name.rsplit(".", 1)[-1] == "bias"
            parameter.fill_(0.0 if bias else 1.0 / max(1, parameter[0].numel()) if parameter.dim() > 1 else 1.0)
    for name, module in list(model.named_modules()):
        if isinstance(module, _NormBase) and module.running_mean is not None and module.running_var is not None:
            module.running_mean.zero_()
            module.running_var.fill_(1.0)
        if isinstance(module, nn.MaxPool2d):
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], _WindowMean(module))
    return model


class _WindowMean(nn.Module):
    """The mean over the windows of a max pooling, dilation and all: depends on the same pixels, on all of them."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        pool = self.pool
        axes = pool_axes(pool.kernel_size, pool.stride, pool.padding, pool.dilation, "max_pool2d")
        out = output_shape((x.shape[-2], x.shape[-1]), axes, "max_pool2d", ceil_mode=pool.ceil_mode)
        return window_mean(x, axes, out)


def _output_of(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    seen: list[Tensor] = []
    modules = dict(model.named_modules())
    if layer not in modules and layer != "output":
        raise InputError(f"The model has no layer {layer!r}; its layers are {', '.join(filter(None, modules))}.")
    target = modules["" if layer == "output" else layer]
    with target.register_forward_hook(lambda _module, _args, output: seen.append(output)):
        model(x)
    if not seen or not isinstance(seen[-1], Tensor):
        raise InputError(f"Layer {layer!r} did not return a tensor in the forward pass.")
    return seen[-1].clone()
