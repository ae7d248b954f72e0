"""The gradients of a convolution by hand, and the convolution as a matrix.

A convolution is linear in its input: y = A x. Its gradient for the input is therefore Aᵀ applied to the gradient of y,
which is the transposed convolution; for the weight it is a convolution of the input with the gradient of y.
Reference: Dumoulin and Visin 2016, arXiv:1603.07285, sections 4.1 (the matrix) and 4.2 (its transpose).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from torchclinic.cnn.conv import windows
from torchclinic.cnn.geometry import Axis, Padding, conv_axes

Pair = int | Sequence[int]


def conv2d_input_gradient(
    grad: Tensor,  # [B, O, out H, out W]
    weight: Tensor,  # [O, C / groups, kernel rows, kernel columns]
    input_size: tuple[int, int],
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:  # [B, C, H, W]
    """Aᵀ · grad: each output cell hands its gradient back to the pixels of its window, times the weight it used."""
    rows, columns = conv_axes((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    H, W = input_size
    channels = weight.shape[1] * groups
    padded = grad.new_zeros(len(grad), channels, H + rows.before + rows.after, W + columns.before + columns.after)
    for i in range(rows.kernel):
        for j in range(columns.kernel):
            share = torch.cat(
                [
                    torch.einsum("bohw,oc->bchw", part, kernels[:, :, i, j])
                    for part, kernels in zip(grad.chunk(groups, dim=1), weight.chunk(groups), strict=True)
                ],
                dim=1,
            )
            padded[:, :, _tap(rows, i, grad.shape[2]), _tap(columns, j, grad.shape[3])] += share
    return padded[:, :, rows.before : rows.before + H, columns.before : columns.before + W]


def conv2d_weight_gradient(
    grad: Tensor,  # [B, O, out H, out W]
    input: Tensor,  # [B, C, H, W]
    kernel: tuple[int, int],
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:  # [O, C / groups, kernel rows, kernel columns]
    """Each weight gathers, over all output cells, the gradient times the pixel it met."""
    view = windows(input, conv_axes(kernel, stride, padding, dilation))
    return torch.cat(
        [
            torch.einsum("bohw,bchwij->ocij", part, seen)
            for part, seen in zip(grad.chunk(groups, dim=1), view.chunk(groups, dim=1), strict=True)
        ]
    )


def convolution_matrix(
    weight: Tensor,  # [O, C, kernel rows, kernel columns]
    input_size: tuple[int, int],
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Tensor:  # [O · out H · out W, C · H · W]
    """The matrix A with vec(conv2d(x)) = A · vec(x): doubly blocked Toeplitz, mostly zeros. For small sizes.

    Found by convolving with pixel numbers instead of pixels: the windows then say which column each weight goes to.
    """
    axes = conv_axes((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    C, (H, W) = weight.shape[1], input_size
    numbers = torch.arange(1, C * H * W + 1, dtype=torch.float64).view(1, C, H, W)  # 0 is the padding
    seen = windows(numbers, axes)[0].permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1).long()  # [positions, weights]
    weights = weight.flatten(1)  # [O, weights]
    matrix = weight.new_zeros(len(weight), len(seen), C * H * W + 1)
    matrix.scatter_add_(2, seen.expand(len(weight), -1, -1), weights[:, None].expand(-1, len(seen), -1))
    return matrix[:, :, 1:].flatten(0, 1)


def _tap(axis: Axis, i: int, count: int) -> slice:
    first = i * axis.dilation
    return slice(first, first + (count - 1) * axis.stride + 1, axis.stride)
