"""Zip archives as torch writes them, read from a memory map: nothing is extracted or inflated beyond a bound."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from torchclinic.checkpoints.machine import MOST_BYTES
from torchclinic.errors import CheckpointError

MOST_ENTRIES = 1_000_000
_END, _END64, _LOCATOR64, _CENTRAL, _LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"PK\3\4"


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    method: int  # 0 = stored, 8 = deflated
    start: int  # of the content in the file
    packed: int  # bytes in the file
    size: int
    checksum: int


def read_entries(data: memoryview) -> dict[str, Entry]:
    """The entries of the central directory by name.

    Raises:
        CheckpointError: truncated, damaged, encrypted, or with entries that share a name, overlap the end of the
            file or point outside a folder.
    """
    entries: dict[str, Entry] = {}
    for entry in _central(data, *_end(data)):
        _check_name(entry.name)
        if entry.name in entries:
            raise CheckpointError(f"The archive has two entries named {entry.name!r}; which one counts is ambiguous.")
        entries[entry.name] = entry
    return entries


def read_content(data: memoryview, entry: Entry) -> memoryview:
    """The bytes of an entry: a slice of the file if it is stored, inflated up to `MOST_BYTES` if it is deflated."""
    raw = data[entry.start : entry.start + entry.packed]
    if entry.method == 0:
        return raw
    if entry.method != 8:
        raise CheckpointError(f"{entry.name} is compressed by method {entry.method}, which torch does not write.")
    if entry.size > MOST_BYTES:
        raise CheckpointError(f"{entry.name} would inflate to {entry.size:,} bytes; it was not read.")
    try:
        inflater = zlib.decompressobj(-15)
        content = inflater.decompress(raw, min(entry.size, MOST_BYTES) + 1)
    except zlib.error as error:
        raise CheckpointError(f"{entry.name} is damaged: its compressed content cannot be read.") from error
    if len(content) != entry.size or not inflater.eof:
        raise CheckpointError(f"{entry.name} does not inflate to the {entry.size:,} bytes the archive promises.")
    return memoryview(content)


def _unpack(data: memoryview, position: int, form: str, signature: bytes) -> tuple[int, ...]:
    raw = data[position : position + struct.calcsize(form)] if position >= 0 else data[:0]
    if len(raw) < struct.calcsize(form) or bytes(raw[:4]) != signature:
        raise CheckpointError("The zip archive is truncated or damaged: a part of its directory is missing.")
    return struct.unpack(form, raw)


def _end(data: memoryview) -> tuple[int, int, int]:
    """Number of entries, size and position of the central directory."""
    tail = max(0, len(data) - 65557)
    position = bytes(data[tail:]).rfind(_END)
    if position < 0:
        raise CheckpointError("The zip archive is truncated: its directory, at the end of the file, is missing.")
    position += tail
    _, _, _, _, count, size, start, _ = _unpack(data, position, "<4s4H2IH", _END)
    if 0xFFFF in (count,) or 0xFFFFFFFF in (size, start):
        _, _, place, _ = _unpack(data, position - 20, "<4sIQI", _LOCATOR64)
        *_, count, size, start = _unpack(data, place, "<4sQ2H2I4Q", _END64)
    if start + size > position or count > min(MOST_ENTRIES, size // 46):
        raise CheckpointError("The zip archive is damaged: its directory does not fit into the file.")
    return count, size, start


def _central(data: memoryview, count: int, size: int, start: int) -> Iterator[Entry]:
    position = start
    for _ in range(count):
        header = _unpack(data, position, "<4s6H3I5H2I", _CENTRAL)
        flags, method, checksum, packed, unpacked = header[3], header[4], header[7], header[8], header[9]
        name_length, extra_length, comment_length, offset = header[10], header[11], header[12], header[16]
        name_at = position + 46
        name = bytes(data[name_at : name_at + name_length]).decode("utf8", "backslashreplace")
        extra = bytes(data[name_at + name_length : name_at + name_length + extra_length])
        position = name_at + name_length + extra_length + comment_length
        if position > start + size:
            raise CheckpointError("The zip archive is damaged: its directory does not fit into the file.")
        if flags & 1:
            raise CheckpointError(f"{name!r} in the archive is encrypted.")
        unpacked, packed, offset = _wide(extra, unpacked, packed, offset)
        content = _content_start(data, offset)
        if content + packed > start or (method == 0 and packed != unpacked):
            raise CheckpointError(f"{name!r} in the archive is damaged: not all of its {unpacked:,} bytes are there.")
        yield Entry(name, method, content, packed, unpacked, checksum)


def _wide(extra: bytes, unpacked: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset that do not fit 32 bits stand in the zip64 extra field."""
    values = [unpacked, packed, offset]
    wanted = [index for index, value in enumerate(values) if value == 0xFFFFFFFF]
    position = 0
    while wanted and position + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, position)
        if tag == 1 and length >= 8 * len(wanted) and position + 4 + length <= len(extra):
            for index, value in zip(wanted, struct.unpack_from(f"<{len(wanted)}Q", extra, position + 4), strict=True):
                values[index] = value
            break
        position += 4 + length
    return values[0], values[1], values[2]


def _content_start(data: memoryview, offset: int) -> int:
    header = _unpack(data, offset, "<4s5H3I2H", _LOCAL)
    return offset + 30 + header[9] + header[10]


def _check_name(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name[:1] in ("/", "\\") or ":" in parts[0] or "\0" in name:
        raise CheckpointError(f"The archive has an entry named {name[:80]!r}, which points outside its folder.")
