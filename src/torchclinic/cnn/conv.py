"""Convolution by hand, three times: as loops (the definition), as a strided view, as one matrix product.

    out[b, o, y, x] = bias[o] + Σ_{c, i, j} weight[o, c, i, j] ·
                      padded[b, c, y · stride + i · dilation, x · stride + j · dilation]

B batch, C input channels, O output channels, H and W rows and columns, i and j rows and columns of the kernel.
Gradients are autograd's. Reference: Dumoulin and Visin 2016, arXiv:1603.07285, sections 2 and 4.1.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from torchclinic.cnn.geometry import Axis, Padding, conv_axes, output_shape
from torchclinic.errors import InputError

Method = Literal["strided", "loops", "im2col"]
CACHE_NBYTES = 2**21  # windows are copied for the product in blocks of this size, which stay in a core's second-level cache


def conv2d(
    input: Tensor,  # [B, C, H, W] or [C, H, W]
    weight: Tensor,  # [O, C / groups, kernel rows, kernel columns]
    bias: Tensor | None = None,  # [O]
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    method: Method = "strided",
) -> Tensor:
    """Convolve with the arguments and the result of `torch.nn.functional.conv2d`.

    `method` chooses among three ways to write the same sum: "strided" (windows are a view of the padded input, copied
    only inside the product), "loops" (one output cell after the other), "im2col" (all windows as columns of a matrix).

    Raises: InputError where `torch.nn.functional.conv2d` refuses the arguments too.

    Reference: Dumoulin and Visin 2016, arXiv:1603.07285, section 2; im2col: Chellapilla, Puri, Simard 2006, section 3.
    """
    if method not in _METHODS:
        raise InputError(f"method = {method!r}: conv2d knows {', '.join(_METHODS)}.")
    _check(input, weight, bias, groups)
    axes = conv_axes((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    output_shape((input.shape[-2], input.shape[-1]), axes, "conv2d")
    batch = input if input.dim() == 4 else input.unsqueeze(0)
    out = _METHODS[method](windows(batch, axes), weight, groups)
    if bias is not None:
        out = out + bias[:, None, None]
    return out if input.dim() == 4 else out.squeeze(0)


def windows(input: Tensor, axes: tuple[Axis, Axis], value: float = 0.0) -> Tensor:
    """All windows of an input [B, C, H, W] as a view [B, C, out H, out W, kernel rows, kernel columns].

    Nothing is copied but the padding: with strides (sB, sC, sH, sW) of the padded input the view has strides
    (sB, sC, sH·stride, sW·stride, sH·dilation, sW·dilation), so that neighbouring windows share memory.
    """
    rows, columns = axes
    padding = (columns.before, columns.after, rows.before, rows.after)
    padded = F.pad(input, padding, value=value) if any(padding) else input
    view = padded.unfold(2, rows.extent, rows.stride).unfold(3, columns.extent, columns.stride)
    return view[..., :: rows.dilation, :: columns.dilation]


def _loops(view: Tensor, weight: Tensor, groups: int) -> Tensor:
    """The definition: every output cell is one window times one kernel, summed."""
    B, C, H, W = view.shape[:4]
    channels, filters = C // groups, len(weight) // groups
    cells = []
    for o, y, x in product(range(len(weight)), range(H), range(W)):
        first = (o // filters) * channels  # filter o sees only the channels of its group
        window = view[:, first : first + channels, y, x]
        cells.append((window * weight[o]).sum(dim=(1, 2, 3)))
    return torch.stack(cells, dim=1).view(B, len(weight), H, W)


def _strided(view: Tensor, weight: Tensor, groups: int) -> Tensor:
    """One tensordot over (channel, row, column) of the window view, in blocks of output rows that stay in the cache."""
    row_nbytes = view[:, :, 0].numel() * view.element_size()
    blocks = torch.split(view, max(1, CACHE_NBYTES // max(1, row_nbytes)), dim=2)
    parts = [_contract(block, weight, groups) for block in blocks]
    out = torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]
    return out.movedim(0, 1).contiguous()


def _contract(view: Tensor, weight: Tensor, groups: int) -> Tensor:  # -> [O, B, H, W]
    products = [
        torch.tensordot(kernels, part, dims=([1, 2, 3], [1, 4, 5]))
        for kernels, part in zip(weight.chunk(groups), view.chunk(groups, dim=1), strict=True)
    ]
    return torch.cat(products) if groups > 1 else products[0]


def _im2col(view: Tensor, weight: Tensor, groups: int) -> Tensor:
    """All windows copied into the columns of a matrix [C · kernel, H · W], then one matrix product per group."""
    B, C, H, W, kernel_rows, kernel_columns = view.shape
    size = C // groups * kernel_rows * kernel_columns
    columns = view.permute(0, 1, 4, 5, 2, 3).reshape(B, groups, size, H * W)
    matrix = weight.reshape(groups, len(weight) // groups, size)
    return (matrix @ columns).view(B, len(weight), H, W)


_METHODS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {"strided": _strided, "loops": _loops, "im2col": _im2col}


def _check(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    given, needed = tuple(input.shape), tuple(weight.shape)
    if input.dim() not in (3, 4):
        raise InputError(f"input of shape {given}: conv2d needs [C, H, W] or [B, C, H, W].")
    if weight.dim() != 4:
        raise InputError(f"weight of shape {needed}: conv2d needs [O, C / groups, rows, columns].")
    if groups < 1 or len(weight) < 1 or len(weight) % groups:
        raise InputError(f"{len(weight)} filters in groups = {groups}: conv2d needs a positive multiple of groups.")
    if input.shape[-3] != weight.shape[1] * groups:
        raise InputError(
            f"input of shape {given} has {input.shape[-3]} channels; weight of shape {needed} with groups = {groups} "
            f"needs {weight.shape[1] * groups}."
        )
    if 0 in input.shape[-2:]:
        raise InputError(f"input of shape {given} has no pixels; conv2d allows only an empty batch.")
    if bias is not None and tuple(bias.shape) != (len(weight),):
        raise InputError(f"bias of shape {tuple(bias.shape)}: conv2d needs one value per filter, [{len(weight)}].")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.dtype != input.dtype:
            raise InputError(f"input is {input.dtype} and {name} is {tensor.dtype}; conv2d needs one dtype: convert one.")
