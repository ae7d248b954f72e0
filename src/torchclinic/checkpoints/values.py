"""NaN, infinity, constants and zeros, read from the bytes in chunks; small floats are judged by bit patterns."""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided

from torchclinic.checkpoints.dtypes import ITEM_SIZES
from torchclinic.checkpoints.rebuilding import TensorRef, extent

CHUNK = 2**20  # elements


@dataclass(frozen=True, slots=True)
class Values:
    """What the elements of one tensor are."""

    nan: int
    inf: int
    constant: bool  # all elements are the same, and there are at least two
    zero: bool  # all elements are zero

    @property
    def finite(self) -> bool:
        return self.nan == 0 and self.inf == 0


@dataclass(frozen=True, slots=True)
class _Bits:
    """A float format of few bits: everything but the sign above `largest` is NaN; `infinity` is infinite."""

    code: str
    sign: int
    infinity: int | None
    first_nan: int | None  # of the bits without sign
    nan: int | None = None  # one whole pattern that is NaN


_SMALL = {
    "float16": _Bits("u2", 0x8000, 0x7C00, 0x7C01),
    "bfloat16": _Bits("u2", 0x8000, 0x7F80, 0x7F81),
    "float8_e5m2": _Bits("u1", 0x80, 0x7C, 0x7D),
    "float8_e4m3fn": _Bits("u1", 0x80, None, 0x7F),
    "float8_e4m3fnuz": _Bits("u1", 0x80, None, None, 0x80),
    "float8_e5m2fnuz": _Bits("u1", 0x80, None, None, 0x80),
    "float8_e8m0fnu": _Bits("u1", 0x00, None, None, 0xFF),
}
_LARGE = {
    "float64": "f8",
    "float32": "f4",
    "complex64": "f4",
    "complex128": "f8",
    "int64": "i8",
    "int32": "i4",
    "int16": "i2",
    "int8": "i1",
    "uint64": "u8",
    "uint32": "u4",
    "uint16": "u2",
    "uint8": "u1",
    "bool": "u1",
}
JUDGED = frozenset((*_SMALL, *_LARGE))


def judge(storage: memoryview, tensor: TensorRef, byte_order: Literal["little", "big"] = "little") -> Values | None:
    """What the tensor's elements are; None for types that are not judged (quantized, packed) and empty tensors."""
    bits = _SMALL.get(tensor.dtype)
    code = bits.code if bits else _LARGE.get(tensor.dtype)
    if code is None or 0 in tensor.shape:
        return None
    order = "<" if byte_order == "little" else ">"
    elements = np.frombuffer(_window(storage, tensor), dtype=order + code)
    if not is_dense(tensor):
        elements = _strided(elements, tensor, 2 if tensor.dtype.startswith("complex") else 1)
    parts = 2 if tensor.dtype.startswith("complex") else 1
    return _judge_bits(elements, bits) if bits else _judge_numbers(elements, parts)


def is_dense(tensor: TensorRef) -> bool:
    """Whether the elements fill their byte range without gaps or repetition (in any order of dimensions)."""
    start, stop = extent(tensor)
    dims = sorted((step, size) for step, size in zip(tensor.stride, tensor.shape, strict=True) if size > 1)
    expected = 1
    for step, size in dims:
        if step != expected:
            return False
        expected *= size
    return stop - start == expected * ITEM_SIZES[tensor.dtype] or 0 in tensor.shape


def touched_bytes(tensor: TensorRef) -> int:
    """How many distinct bytes of the storage the elements occupy; exact unless dimensions overlap each other."""
    if 0 in tensor.shape:
        return 0
    distinct = prod(size for step, size in zip(tensor.stride, tensor.shape, strict=True) if step)
    start, stop = extent(tensor)
    return min(distinct * ITEM_SIZES[tensor.dtype], stop - start)


def _window(storage: memoryview, tensor: TensorRef) -> memoryview:
    start, stop = extent(tensor)
    return storage[start:stop]


def _strided(elements: "np.ndarray[Any, Any]", tensor: TensorRef, parts: int) -> "np.ndarray[Any, Any]":
    """The elements a tensor with gaps refers to; repeated dimensions count once. Falls back to the whole range."""
    dims = [(n, step) for n, step in zip(tensor.shape, tensor.stride, strict=True) if step and n > 1]
    if prod(n for n, _ in dims) * parts > elements.size or len(dims) >= 32:
        return elements
    size = elements.dtype.itemsize
    shape, strides = [n for n, _ in dims], [step * parts * size for _, step in dims]
    if parts == 2:
        shape, strides = [*shape, 2], [*strides, size]
    return as_strided(elements, shape, strides, writeable=False).reshape(-1)


def _judge_numbers(elements: "np.ndarray[Any, Any]", parts: int) -> Values:
    nan = inf = 0
    low: list[Any] = []
    high: list[Any] = []
    with np.errstate(all="ignore"):
        for start in range(0, elements.size, CHUNK):
            chunk = elements[start : start + CHUNK]
            # minimum and maximum carry every NaN and infinity: counting is needed only where one is not finite.
            low.append(chunk.min())
            high.append(chunk.max())
            if chunk.dtype.kind == "f" and not (np.isfinite(low[-1]) and np.isfinite(high[-1])):
                nan += int(np.isnan(chunk).sum())
                inf += int(np.isinf(chunk).sum())
        zero = bool(nan == 0 and max(high) == 0 and min(low) == 0)
        same = zero if parts == 2 else bool(nan == 0 and max(high) == min(low))
    return Values(nan, inf, same and elements.size > parts, zero)


def _judge_bits(elements: "np.ndarray[Any, Any]", bits: _Bits) -> Values:
    nan = inf = 0
    zero, first, same = True, elements[0], True
    magnitude = np.array(~bits.sign & (0xFFFF if bits.code == "u2" else 0xFF), dtype=bits.code)
    for start in range(0, elements.size, CHUNK):
        chunk = elements[start : start + CHUNK]
        unsigned = chunk & magnitude
        if bits.first_nan is not None:
            nan += int((unsigned >= bits.first_nan).sum())
        if bits.nan is not None:
            nan += int((chunk == bits.nan).sum())
        if bits.infinity is not None:
            inf += int((unsigned == bits.infinity).sum())
        zero = zero and not unsigned.any() and bits.nan != 0xFF
        same = same and bool((chunk == first).all())
    return Values(nan, inf, same and nan == 0 and elements.size > 1, bool(zero and nan == 0))
