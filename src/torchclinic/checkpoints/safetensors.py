"""The .safetensors format: an 8-byte length, a JSON header, then the bytes of the tensors.

Reference: https://github.com/huggingface/safetensors, section "Format".
"""

import json
import struct
from math import prod
from typing import Any

from torchclinic.checkpoints.dtypes import ITEM_SIZES, SAFETENSORS
from torchclinic.checkpoints.rebuilding import LARGEST, MOST_DIMS, StorageRef, TensorRef
from torchclinic.errors import CheckpointError

MOST_HEADER = 32 * 2**20


def read_header(data: memoryview) -> tuple[dict[str, TensorRef], dict[str, tuple[int, int]], dict[str, str]]:
    """Tensors by name, the place of each storage in the file (start, size), and the metadata.

    Every tensor is its own storage, named by its first byte after the header.

    Raises:
        CheckpointError: truncated, malformed, or with tensors whose bytes overlap or leave gaps.
    """
    (length,) = struct.unpack("<Q", data[:8])
    if length > MOST_HEADER or 8 + length > len(data):
        raise CheckpointError(f"The safetensors header claims {length:,} bytes, more than the file or any model needs.")
    header = parse_json(data[8 : 8 + length], "The safetensors header")
    metadata = header.pop("__metadata__", {})
    base = 8 + length
    tensors, places, ranges = {}, {}, []
    for name, entry in header.items():
        tensor, start, stop = _tensor(name, entry)
        if base + stop > len(data):
            raise CheckpointError(f"{name[:80]!r} ends at byte {base + stop:,}, but the file has {len(data):,}.")
        tensors[name] = tensor
        places[tensor.storage.key] = (base + start, stop - start)
        ranges.append((start, stop, name))
    _check_ranges(ranges, len(data) - base)
    texts = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    return tensors, places, metadata if texts else {}


def parse_json(data: memoryview, what: str) -> dict[str, Any]:
    """A JSON object without repeated keys; deep nesting and other damage give one sentence."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise CheckpointError(f"{what} names the same key twice.")
        return found

    try:
        content = json.loads(str(bytes(data), "utf8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{what} is not valid JSON.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{what} is not a JSON object.")
    return content


def _tensor(name: str, entry: Any) -> tuple[TensorRef, int, int]:
    match entry:
        case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(start), int(stop)]}:
            pass
        case _:
            raise CheckpointError(f"{name[:80]!r} has no dtype, shape and data_offsets in the safetensors header.")
    if code not in SAFETENSORS:
        raise CheckpointError(f"{name[:80]!r} has the dtype {code[:20]!r}, which this reader does not know.")
    if len(shape) > MOST_DIMS or not all(isinstance(n, int) and 0 <= n <= LARGEST for n in shape):
        raise CheckpointError(f"{name[:80]!r} has an impossible shape.")
    dtype = SAFETENSORS[code]
    numel = prod(shape)
    if not 0 <= start <= stop <= LARGEST or stop - start != numel * ITEM_SIZES[dtype]:
        raise CheckpointError(f"{name[:80]!r} has {numel:,} elements of {dtype}, which do not fill its byte range.")
    # Empty tensors share their first byte with the next one: their storage gets a name of its own.
    storage = StorageRef(str(start) if stop > start else f"empty {name}", dtype, numel)
    return TensorRef(storage, 0, tuple(shape), contiguous_stride(shape), dtype), start, stop


def contiguous_stride(shape: list[int]) -> tuple[int, ...]:
    stride, step = [], 1
    for size in reversed(shape):
        stride.append(step)
        step *= max(size, 1)
    return tuple(reversed(stride))


def _check_ranges(ranges: list[tuple[int, int, str]], available: int) -> None:
    reached = 0
    for start, stop, name in sorted(ranges):
        if start != reached:
            what = "overlap" if start < reached else "leave a gap before"
            raise CheckpointError(f"The bytes of the safetensors file {what} {name[:80]!r}; the file is damaged.")
        reached = stop
    if reached != available:
        raise CheckpointError(f"The safetensors file has {available - reached:,} bytes after its last tensor.")
