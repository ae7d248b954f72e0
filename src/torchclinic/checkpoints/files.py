"""One checkpoint file, memory-mapped: its container, the values in it, and where the bytes of each storage lie."""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal

from torchclinic.checkpoints.archives import Entry, read_content, read_entries
from torchclinic.checkpoints.dtypes import ITEM_SIZES
from torchclinic.checkpoints.machine import Call, Global, Pairs
from torchclinic.checkpoints.rebuilding import StorageRef, rebuild, resolve_persistent
from torchclinic.checkpoints.safetensors import read_header
from torchclinic.checkpoints.streams import StreamReader
from torchclinic.errors import CheckpointError

Format = Literal["zip", "legacy", "pickle", "safetensors", "torchscript"]
MAGIC = 0x1950A86A20F9469CFC6C
STRANGERS = {
    b"version https://git-lfs": "a Git LFS pointer: the file itself was not fetched (git lfs pull)",
    b"<!DOCTYPE": "a web page, probably saved in place of the file",
    b"<html": "a web page, probably saved in place of the file",
    b"GGUF": "a GGUF file, which this reader does not know",
    b"\x89HDF": "an HDF5 file (Keras?), which this reader does not know",
    b"\x93NUMPY": "a NumPy array file",
    b"\x1f\x8b": "compressed by gzip: decompress it first",
    b"BZh": "compressed by bzip2: decompress it first",
    b"\xfd7zXZ": "compressed by xz: decompress it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: decompress it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"%PDF": "a PDF document",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a storage are."""

    start: int  # in the file
    nbytes: int
    packed: bool = False  # compressed: the bytes cannot be looked at in place
    checksum: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What one file holds. `value` is inert: dicts as `Pairs`, calls as `Call`, tensors as `TensorRef`."""

    format: Format
    value: Any
    storages: Mapping[str, Place]
    referred: Mapping[str, StorageRef]  # storages the stream refers to, whether or not a tensor was found in them
    globals: Mapping[Global, bool] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    byte_order: Literal["little", "big"] = "little"


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """The bytes of a regular file, without reading them.

    Raises:
        CheckpointError: missing, unreadable, empty, or no regular file. One raised inside the block names the file.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path} is not a regular file.")
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # mmap of zero bytes
        raise CheckpointError(f"{path} is empty.") from error
    try:
        yield memoryview(content)
    except CheckpointError as error:
        if str(error).startswith(str(path)):
            raise
        raise CheckpointError(f"{path}: {error}") from error
    # The map is closed with its last view; closing it here would fail while an exception still refers to one.


def read_file(data: memoryview) -> Content:
    """Raises CheckpointError where the bytes are no checkpoint, or a damaged one."""
    start = bytes(data[:512])
    if start.startswith(b"PK\3\4") or start.startswith(b"PK\5\6"):
        return _read_archive(data)
    if len(data) > 8 and start[8:9] == b"{":
        tensors, places, metadata = read_header(data)
        storages = {key: Place(*place) for key, place in places.items()}
        referred = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        return Content("safetensors", Pairs(list(tensors.items())), storages, referred, metadata=metadata)
    for signature, what in STRANGERS.items():
        if start.startswith(signature):
            raise CheckpointError(f"This is {what}; a checkpoint (.pth, .pt, .ckpt, .bin, .safetensors) is needed.")
    if start[257:262] == b"ustar":
        raise CheckpointError("This is a tar archive, as PyTorch wrote before 0.1.10: save it again with a newer one.")
    return _read_stream(data)


def _read_archive(data: memoryview) -> Content:
    entries = read_entries(data)
    roots = [name.removesuffix("data.pkl") for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(roots) != 1:
        found = ", ".join(list(entries)[:3]) or "nothing"
        raise CheckpointError(f"The zip archive has {len(roots)} data.pkl (it holds {found[:120]}); it is no checkpoint.")
    root = roots[0]
    reader, referred = _reader(read_content(data, entries[f"{root}data.pkl"]))
    value = reader.read()
    folder = f"{root}data/"
    storages = {
        name.removeprefix(folder): Place(entry.start, entry.size, entry.method != 0, entry.checksum)
        for name, entry in entries.items()
        if name.startswith(folder)
    }
    script = any(name.startswith(f"{root}code/") for name in entries)
    order = _text(data, entries.get(f"{root}byteorder"))
    return Content(
        "torchscript" if script else "zip",
        value,
        storages,
        referred,
        reader.globals,
        byte_order="big" if order == "big" else "little",
    )


def _reader(data: memoryview) -> tuple[StreamReader, dict[str, StorageRef]]:
    """A reader of torch's pickles, and the storages it will have met."""
    referred: dict[str, StorageRef] = {}

    def resolve(identifier: Any) -> Any:
        found = resolve_persistent(identifier)
        if isinstance(found, StorageRef):
            known = referred.get(found.key)
            if known is not None and (known.dtype, known.numel) != (found.dtype, found.numel):
                raise CheckpointError(f"Storage {found.key[:80]!r} is given two sizes; the file is damaged.")
            referred[found.key] = found
        return found

    return StreamReader(data, rebuild, resolve), referred


def _text(data: memoryview, entry: Entry | None) -> str:
    return "" if entry is None else bytes(read_content(data, entry)[:16]).decode("ascii", "replace")


def _read_stream(data: memoryview) -> Content:
    """A legacy file of torch (magic number, version, system, value, keys, storages) or a plain pickle."""
    reader, referred = _reader(data)
    try:
        value = reader.read()
    except CheckpointError as error:
        if reader.steps < 8:  # not even the first few operations make sense
            raise CheckpointError("This is no checkpoint: neither a zip archive, a pickle nor safetensors.") from error
        raise
    if value != MAGIC:
        if not isinstance(value, Pairs | Call | list | tuple) and not reader.globals:
            raise CheckpointError("This is no checkpoint: the file starts with a pickle of a plain value.")
        return Content("pickle", value, {}, referred, reader.globals)
    reader.read()  # protocol version
    system = reader.read()
    value = reader.read()
    keys = reader.read()
    pairs = dict(system.items) if isinstance(system, Pairs) and _plain_keys(system) else {}
    order: Literal["little", "big"] = "big" if pairs.get("little_endian") is False else "little"
    storages = dict(_legacy_places(data, reader.position, keys, referred, order))
    return Content("legacy", value, storages, referred, reader.globals, byte_order=order)


def _plain_keys(pairs: Pairs) -> bool:
    return all(isinstance(key, str) for key, _ in pairs.items)


def _legacy_places(
    data: memoryview, position: int, keys: Any, wanted: Mapping[str, StorageRef], order: Literal["little", "big"]
) -> Iterator[tuple[str, Place]]:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError("The file is damaged: its list of storages is missing.")
    for key in keys:
        numel = int.from_bytes(data[position : position + 8], order)
        position += 8
        size = ITEM_SIZES[wanted[key].dtype] if key in wanted else 1
        if position + numel * size > len(data):
            rest = max(0, len(data) - position)
            raise CheckpointError(f"The file is truncated: storage {key[:80]!r} has {rest:,} of {numel * size:,} bytes.")
        yield key, Place(position, numel * size)
        position += numel * size
