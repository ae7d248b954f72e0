"""One file, scanned: named tensors, how much of each storage they use, what their elements are."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torchclinic.checkpoints.dtypes import ITEM_SIZES
from torchclinic.checkpoints.entries import TensorEntry
from torchclinic.checkpoints.files import Content, Place, mapped, read_file
from torchclinic.checkpoints.machine import Global
from torchclinic.checkpoints.naming import name_tensors
from torchclinic.checkpoints.rebuilding import TensorRef, extent
from torchclinic.checkpoints.structure import Structure, describe
from torchclinic.checkpoints.values import JUDGED, Values, is_dense, judge, touched_bytes
from torchclinic.errors import CheckpointError
from torchclinic.report.model import NotChecked


@dataclass(frozen=True, slots=True)
class Scan:
    path: Path
    format: str
    nbytes: int
    structure: Structure
    tensors: Mapping[str, TensorEntry]
    aliases: tuple[tuple[str, ...], ...]
    wasted: Mapping[str, int]  # storage → bytes in no tensor
    globals: Mapping[Global, bool]
    metadata: Mapping[str, str]
    damaged: tuple[str, ...] = ()  # storages whose checksum does not fit
    not_checked: tuple[NotChecked, ...] = field(default=())


def scan_file(path: Path, *, values: bool, limit: int) -> Scan:
    """Scan one file; with `values`, look at up to `limit` bytes of elements."""
    with mapped(path) as data:
        content = read_file(data)
        named, notes = name_tensors(content.value)
        for name, tensor in named.items():
            _check_place(name, tensor, content.storages)
        judged, skipped = _judge(data, content, named, limit if values else 0)
        entries = {name: _entry(name, tensor, content, path, judged.get(tensor)) for name, tensor in named.items()}
        damaged = tuple(_damaged(data, content.storages)) if values and len(data) <= limit else ()
        not_checked = [NotChecked("structure", note) for note in notes]
        if skipped:
            reason = f"elements of {skipped} tensors were not looked at (compressed, quantized, beyond the limit)"
            not_checked.append(NotChecked("values", reason))
        return Scan(
            path=path,
            format=content.format,
            nbytes=len(data),
            structure=describe(content.value),
            tensors=entries,
            aliases=tuple(_aliases(named)),
            wasted=_wasted(content, named),
            globals=content.globals,
            metadata=content.metadata,
            damaged=damaged,
            not_checked=tuple(not_checked),
        )


def _check_place(name: str, tensor: TensorRef, storages: Mapping[str, Place]) -> None:
    place = storages.get(tensor.storage.key)
    if place is None:
        raise CheckpointError(f"Storage {tensor.storage.key[:80]!r} of {name!r} is missing from the file.")
    if place.nbytes < tensor.storage.nbytes:
        raise CheckpointError(f"Storage of {name!r} has {place.nbytes:,} of {tensor.storage.nbytes:,} bytes; it is cut off.")


def _entry(name: str, tensor: TensorRef, content: Content, path: Path, values: Values | None) -> TensorEntry:
    place = content.storages[tensor.storage.key]
    size = ITEM_SIZES[tensor.dtype]
    numel = 1
    for n in tensor.shape:
        numel *= n
    return TensorEntry(
        name=name,
        shape=tensor.shape,
        stride=tensor.stride,
        dtype=tensor.dtype,
        nbytes=numel * size,
        storage=tensor.storage.key,
        offset=tensor.offset,
        storage_nbytes=tensor.storage.nbytes,
        file=path.name,
        file_offset=None if place.packed else place.start + tensor.offset * size,
        requires_grad=tensor.requires_grad,
        values=values,
    )


def _judge(data: memoryview, content: Content, named: Mapping[str, TensorRef], limit: int) -> tuple[dict[TensorRef, Values], int]:
    """What the elements of each tensor are, and how many tensors were not looked at."""
    judged: dict[TensorRef, Values] = {}
    skipped: set[TensorRef] = set()
    read = 0
    for tensor in dict.fromkeys(named.values()):
        place = content.storages[tensor.storage.key]
        start, stop = extent(tensor)
        read += stop - start
        if place.packed or tensor.dtype not in JUDGED or read > limit:
            skipped.add(tensor)
            continue
        storage = data[place.start : place.start + place.nbytes]
        found = judge(storage, tensor, content.byte_order)
        if found is not None:
            judged[tensor] = found
    return judged, sum(tensor in skipped for tensor in named.values())


def _damaged(data: memoryview, storages: Mapping[str, Place]) -> Iterator[str]:
    for key, place in storages.items():
        # Zero is what torch writes when it is told not to compute checksums.
        known = bool(place.checksum) and not place.packed
        if known and zlib.crc32(data[place.start : place.start + place.nbytes]) != place.checksum:
            yield key


def _by_storage(named: Mapping[str, TensorRef]) -> dict[str, list[tuple[int, int, str]]]:
    ranges: dict[str, list[tuple[int, int, str]]] = {}
    for name, tensor in named.items():
        start, stop = extent(tensor)
        if stop > start:
            ranges.setdefault(tensor.storage.key, []).append((start, stop, name))
    return ranges


def _aliases(named: Mapping[str, TensorRef]) -> Iterator[tuple[str, ...]]:
    for ranges in _by_storage(named).values():
        group: list[str] = []
        reached = -1
        for start, stop, name in sorted(ranges):
            if start >= reached and group:
                if len(group) > 1:
                    yield tuple(group)
                group = []
            group.append(name)
            reached = max(reached, stop)
        if len(group) > 1:
            yield tuple(group)


def _wasted(content: Content, named: Mapping[str, TensorRef]) -> dict[str, int]:
    """Bytes of each storage that belong to no tensor; a storage with no waste is left out."""
    by_storage = _by_storage(named)
    wasted = {}
    for key, place in content.storages.items():
        if key in by_storage:
            used = _used(by_storage[key], named)
            stored = content.referred[key].nbytes
        elif key in content.referred:  # in a value this reader does not name: not known to be waste
            used = stored = 0
        else:
            used, stored = 0, place.nbytes
        if stored > used:
            wasted[key] = stored - used
    return wasted


def _used(ranges: list[tuple[int, int, str]], named: Mapping[str, TensorRef]) -> int:
    """Bytes in at least one tensor: the union of the ranges; a lone tensor with gaps counts its own elements only."""
    used, reached = 0, 0
    for start, stop, _ in sorted(ranges):
        used += max(0, stop - max(start, reached))
        reached = max(reached, stop)
    own = {named[name] for _, _, name in ranges}
    if not all(is_dense(tensor) for tensor in own):
        used = min(used, sum(touched_bytes(tensor) for tensor in own))
    return used
