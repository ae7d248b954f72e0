"""Pooling by hand. A tap is one position (i, j) of the window; the plane of all first taps, of all second taps and
so on are strided views of the padded input, and pooling reduces over these views. B, C, H, W as in `conv.py`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, overload

import torch
from torch import Tensor
from torch.nn import functional as F

from torchclinic.cnn.geometry import Axis, output_shape, pool_axes
from torchclinic.errors import InputError

Pair = int | Sequence[int]


@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair | None = ...,
    padding: Pair = ...,
    dilation: Pair = ...,
    ceil_mode: bool = ...,
    return_indices: Literal[False] = ...,
) -> Tensor: ...
@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair | None = ...,
    padding: Pair = ...,
    dilation: Pair = ...,
    ceil_mode: bool = ...,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool2d(
    input: Tensor,  # [B, C, H, W] or [C, H, W]
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Largest value of each window, with the arguments and the result of `torch.nn.functional.max_pool2d`.

    Padding is −∞, so it never wins. Of equal values the first (in reading order) wins and receives the whole gradient;
    NaN wins over everything. Indices count row · W + column in the unpadded plane.

    Raises: InputError where `torch.nn.functional.max_pool2d` refuses the arguments too.
    """
    _check(input, "max_pool2d")
    axes = pool_axes(kernel_size, stride, padding, dilation, "max_pool2d")
    out = output_shape((input.shape[-2], input.shape[-1]), axes, "max_pool2d", ceil_mode=ceil_mode)
    padded = _pad(input, axes, out, _lowest(input.dtype))
    if return_indices or (torch.is_grad_enabled() and input.requires_grad):
        values, indices = _maximum_with_index(padded, axes, out, input)
        return (values, indices) if return_indices else values
    rows = _reduce(padded, axes[0], -2, out[0])  # the maximum over a window is the maximum over its rows' maxima
    return _reduce(rows, axes[1], -1, out[1])


def avg_pool2d(
    input: Tensor,  # [B, C, H, W] or [C, H, W]
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean of each window, with the arguments and the result of `torch.nn.functional.avg_pool2d`.

    The divisor counts the pixels of the window inside the input, with `count_include_pad` also those in the padding,
    never those that hang over it (`ceil_mode`).

    Raises: InputError where `torch.nn.functional.avg_pool2d` refuses the arguments too.
    """
    _check(input, "avg_pool2d")
    if divisor_override == 0:
        raise InputError("divisor_override = 0: avg_pool2d cannot divide by it; leave it None for the window's size.")
    axes = pool_axes(kernel_size, stride, padding, 1, "avg_pool2d")
    size = (input.shape[-2], input.shape[-1])
    out = output_shape(size, axes, "avg_pool2d", ceil_mode=ceil_mode)
    total = _window_sum(input, axes, out)
    if divisor_override is not None:
        return _divide(total, torch.tensor(divisor_override, device=input.device))
    counts = [_counted(axis, n, count, count_include_pad) for axis, n, count in zip(axes, size, out, strict=True)]
    return _divide(total, (counts[0][:, None] * counts[1]).to(input.device))


def window_mean(input: Tensor, axes: tuple[Axis, Axis], out: tuple[int, int]) -> Tensor:
    """Mean over each window, padding counted as zeros, for any dilation."""
    return _window_sum(input, axes, out) / (axes[0].kernel * axes[1].kernel)


def _window_sum(input: Tensor, axes: tuple[Axis, Axis], out: tuple[int, int]) -> Tensor:
    return torch.stack(list(_taps(_pad(input, axes, out, 0), axes, out))).sum(dim=0, dtype=input.dtype)


def _divide(total: Tensor, divisor: Tensor) -> Tensor:
    whole = not total.is_floating_point()
    return torch.div(total, divisor.to(total.dtype), rounding_mode="trunc" if whole else None)


def _counted(axis: Axis, size: int, count: int, include_padding: bool) -> Tensor:
    start = torch.arange(count) * axis.stride - axis.before
    stop = (start + axis.kernel).clamp(max=size + axis.after)
    return stop - start if include_padding else stop.clamp(max=size) - start.clamp(min=0)


def _lowest(dtype: torch.dtype) -> float:
    return float("-inf") if dtype.is_floating_point else torch.iinfo(dtype).min


def _pad(input: Tensor, axes: tuple[Axis, Axis], out: tuple[int, int], value: float) -> Tensor:
    """Pad before as asked, and after as far as the last window reaches."""
    (top, bottom), (left, right) = (
        (axis.before, max(0, (count - 1) * axis.stride + axis.extent - axis.before - size))
        for axis, count, size in zip(axes, out, input.shape[-2:], strict=True)
    )
    return F.pad(input, (left, right, top, bottom), value=value) if top or bottom or left or right else input


def _tap(padded: Tensor, axis: Axis, dim: int, count: int, i: int) -> Tensor:
    """What tap i of every window sees along one dimension: a view."""
    first = i * axis.dilation
    index = [slice(None)] * padded.dim()
    index[dim] = slice(first, first + (count - 1) * axis.stride + 1, axis.stride)
    return padded[tuple(index)]


def _taps(padded: Tensor, axes: tuple[Axis, Axis], out: tuple[int, int]) -> Iterator[Tensor]:
    for i in range(axes[0].kernel):
        rows = _tap(padded, axes[0], -2, out[0], i)
        for j in range(axes[1].kernel):
            yield _tap(rows, axes[1], -1, out[1], j)


def _reduce(padded: Tensor, axis: Axis, dim: int, count: int) -> Tensor:
    best = _tap(padded, axis, dim, count, 0)
    if axis.kernel == 1:
        return best.clone()
    best = torch.maximum(best, _tap(padded, axis, dim, count, 1))
    for i in range(2, axis.kernel):
        torch.maximum(best, _tap(padded, axis, dim, count, i), out=best)
    return best


def _maximum_with_index(padded: Tensor, axes: tuple[Axis, Axis], out: tuple[int, int], input: Tensor) -> tuple[Tensor, Tensor]:
    """Running maximum over the taps; `torch.where` sends the gradient to the winner alone."""
    W = input.shape[-1]
    plane = torch.arange(input.shape[-2] * W, device=input.device).view(input.shape[-2], W)
    numbers = _pad(plane, axes, out, -1)  # −1 marks padding, which cannot win
    candidates = zip(_taps(padded, axes, out), _taps(numbers, axes, out), strict=True)
    best, _ = next(candidates)
    index = _first_inside(axes, out, W, input.device).expand(best.shape)
    for value, number in candidates:
        wins = (value > best) | value.isnan()
        best = torch.where(wins, value, best)
        index = torch.where(wins, number, index)
    return best.clone(), index.contiguous()


def _first_inside(axes: tuple[Axis, Axis], out: tuple[int, int], W: int, device: torch.device) -> Tensor:
    """Index of the first tap that is not in the padding: what a window of nothing but −∞ reports."""
    firsts = []
    for axis, count in zip(axes, out, strict=True):
        start = torch.arange(count, device=device) * axis.stride - axis.before
        skipped = (start.neg().clamp(min=0) + axis.dilation - 1) // axis.dilation
        firsts.append(start + skipped * axis.dilation)
    y, x = firsts
    return y[:, None] * W + x


def _check(input: Tensor, place: str) -> None:
    if input.dim() not in (3, 4) or 0 in input.shape[-3:]:
        raise InputError(f"input of shape {tuple(input.shape)}: {place} needs [C, H, W] or [B, C, H, W] with pixels.")
    if input.dtype == torch.bool or input.is_complex():
        raise InputError(f"input is {input.dtype}: {place} needs ordered numbers; convert to float first.")
