"""Fan-in and fan-out: how many products one output sums, and in how many sums one input takes part."""

import math

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from torchclinic.errors import InputError


def fan(module: nn.Module, parameter: str = "weight") -> tuple[int, int]:
    """(fan_in, fan_out) of a layer's weight: Linear, Bilinear, convolution, transposed and grouped, attention, RNN, embedding.

    Groups count: an output of a grouped convolution sees `in_channels / groups` channels and an input reaches
    `out_channels / groups`. (`torch.nn.init` ignores the groups in fan_out, and reads a transposed weight, which is stored
    [in, out / groups, k...], the wrong way round.) Strides and borders are left out, as in the paper. The three stacked
    projections of attention are three layers of fans (embed_dim, embed_dim), not one of (embed_dim, 3 embed_dim).

    Raises:
        InputError: the module has no weight with a fan (normalization, activation).

    Reference: He et al. 2015, arXiv:1502.01852, section 2.2, n = k²c (eq. 10) and n̂ = k²d (eq. 14).
    """
    if isinstance(module, _ConvNd):
        taps = math.prod(module.kernel_size)
        return module.in_channels // module.groups * taps, module.out_channels // module.groups * taps
    if isinstance(module, nn.MultiheadAttention):
        inputs = {"k_proj_weight": module.kdim, "v_proj_weight": module.vdim}.get(parameter, module.embed_dim)
        return int(inputs), module.embed_dim
    if isinstance(module, nn.RNNBase):
        first = parameter in ("weight", "weight_ih_l0", "weight_ih_l0_reverse")
        weight: Tensor = getattr(module, "weight_ih_l0" if parameter == "weight" else parameter)
        return module.input_size if first else weight.shape[1], module.hidden_size
    if isinstance(module, nn.Embedding):
        return 1, module.embedding_dim
    if isinstance(module, nn.Bilinear):
        return module.in1_features * module.in2_features, module.out_features
    candidate = getattr(module, parameter, None)
    if isinstance(candidate, Tensor) and candidate.dim() == 2:
        return candidate.shape[1], candidate.shape[0]
    raise InputError(f"{type(module).__name__} has no {parameter!r} with a fan-in; give a layer that multiplies by a matrix.")


def fan_of(weight: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a bare weight [out, in, k...], as `F.linear` and an ungrouped convolution read it.

    Reference: He et al. 2015, arXiv:1502.01852, section 2.2.
    """
    taps = math.prod(weight.shape[2:])
    return weight.shape[1] * taps, weight.shape[0] * taps


def is_transposed(module: nn.Module) -> bool:
    return isinstance(module, _ConvTransposeNd)
