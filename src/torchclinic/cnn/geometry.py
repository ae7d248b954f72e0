"""Where windows lie: sizes, paddings and offsets of a sliding window, in whole numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torchclinic.errors import InputError

Padding = int | Sequence[int] | Literal["same", "valid"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a sliding window: `kernel` taps, `dilation` apart, moved by `stride` over a padded input."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last, both included."""
        return self.dilation * (self.kernel - 1) + 1

    def output_size(self, size: int, *, ceil_mode: bool = False) -> int:
        """How many windows fit into `size` pixels: ⌊(size + padding − extent) / stride⌋ + 1.

        With `ceil_mode` a last window may hang over the end, if it starts inside the input or the padding before it.

        Reference: Dumoulin and Visin 2016, arXiv:1603.07285, relationships 6 and 15 (dilation).
        """
        room = size + self.before + self.after - self.extent
        count = (room + (self.stride - 1 if ceil_mode else 0)) // self.stride + 1
        if ceil_mode and (count - 1) * self.stride >= size + self.before:
            count -= 1
        return count


def pair(value: int | Sequence[int], name: str, *, least: int, place: str) -> tuple[int, int]:
    """(rows, columns) from one number or two."""
    values = (value,) if isinstance(value, int) else tuple(value)
    if len(values) not in (1, 2) or not all(isinstance(item, int) for item in values):
        raise InputError(f"{name} = {value!r}: {place} needs one whole number or two, (rows, columns).")
    if min(values) < least:
        raise InputError(f"{name} = {value!r}: {place} needs {name} of at least {least}.")
    return values[0], values[-1]


def conv_axes(
    kernel: tuple[int, int], stride: int | Sequence[int], padding: Padding, dilation: int | Sequence[int]
) -> tuple[Axis, Axis]:
    """Rows and columns of a convolution. "same" pads one more pixel after than before where the total is odd."""
    strides = pair(stride, "stride", least=1, place="conv2d")
    dilations = pair(dilation, "dilation", least=1, place="conv2d")
    if min(kernel) < 1:
        raise InputError(f"A kernel of {kernel[0]}x{kernel[1]} pixels has no weights; conv2d needs at least 1x1.")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise InputError(f"padding = {padding!r}: conv2d knows 'same', 'valid', one whole number, or two.")
        if padding == "same" and strides != (1, 1):
            raise InputError(f"padding = 'same' with stride = {stride!r}: 'same' is defined for stride 1 only.")
        totals = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilations, kernel, strict=True)]
        before, after = [total // 2 for total in totals], [total - total // 2 for total in totals]
    else:
        before = after = list(pair(padding, "padding", least=0, place="conv2d"))
    rows, columns = (Axis(*numbers) for numbers in zip(kernel, strides, before, after, dilations, strict=True))
    return rows, columns


def pool_axes(
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    place: str,
) -> tuple[Axis, Axis]:
    """Rows and columns of a pooling; the stride is the kernel where none is given."""
    kernel = pair(kernel_size, "kernel_size", least=1, place=place)
    given = isinstance(stride, int) or bool(stride)
    strides = pair(stride, "stride", least=1, place=place) if given and stride is not None else kernel
    paddings = pair(padding, "padding", least=0, place=place)
    dilations = pair(dilation, "dilation", least=1, place=place)
    if any(p > k // 2 for p, k in zip(paddings, kernel, strict=True)):
        raise InputError(f"padding = {padding!r}: {place} allows at most half of kernel_size = {kernel_size!r}.")
    rows, columns = (Axis(*numbers) for numbers in zip(kernel, strides, paddings, paddings, dilations, strict=True))
    return rows, columns


def output_shape(size: tuple[int, int], axes: tuple[Axis, Axis], place: str, *, ceil_mode: bool = False) -> tuple[int, int]:
    """Rows and columns of the output, which must both be at least 1."""
    out = tuple(axis.output_size(n, ceil_mode=ceil_mode) for axis, n in zip(axes, size, strict=True))
    if min(out) < 1:
        padded = [n + axis.before + axis.after for axis, n in zip(axes, size, strict=True)]
        raise InputError(
            f"A window of {axes[0].extent}x{axes[1].extent} pixels does not fit into the padded input of "
            f"{padded[0]}x{padded[1]} pixels; {place} needs at least one position: pad more or use a smaller kernel."
        )
    return out[0], out[1]
