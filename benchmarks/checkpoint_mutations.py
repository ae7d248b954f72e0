"""Hostile checkpoint files: valid ones of every container, and ways to damage them. For fuzzing and tests."""

import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

MARKER = "torchclinic-was-executed"
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


class Bomb:
    """Unpickled, it would create a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


def seeds(marker: Path) -> list[bytes]:
    """Valid files of every container; those with a `Bomb` would create `marker` if anything were executed."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    whole = torch.arange(20.0)
    state = {**model.state_dict(), "view": whole[2:8].reshape(2, 3).t(), "tied": whole, "half": torch.ones(2).half()}
    optimizer = torch.optim.Adam(model.parameters())
    values = [state, {"model": state, "optimizer": optimizer.state_dict(), "epoch": 3}, model, [whole, Bomb(marker)]]
    made = []
    for value in values:
        for zipped in (True, False):
            for protocol in (2, 4):
                buffer = io.BytesIO()
                torch.save(value, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
                made.append(buffer.getvalue())
    made += [pickle.dumps({"x": Bomb(marker), "y": [1, (2, 3.5), {"z": b"q"}]}, protocol) for protocol in range(6)]
    made.append(save({name: tensor.clone() for name, tensor in model.state_dict().items()}))
    made += [_archive(Bomb(marker), zipfile.ZIP_DEFLATED), _archive({"a": 1}, zipfile.ZIP_STORED)]
    made.append(json.dumps({"weight_map": {"a": "x.safetensors", "b": "../../x.bin"}}).encode())
    return made


def _archive(value: object, method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value))
        archive.writestr("archive/data/0", b"\0" * 64)
    return buffer.getvalue()


def mutate(data: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """Damage `data` in one to eight ways."""
    content = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        draw.choice(MUTATIONS)(content, others, draw)
    return bytes(content)


def _place(content: bytearray, draw: random.Random) -> int:
    """Mostly in the first or last 600 bytes, where streams and directories are."""
    if not content:
        return 0
    spot = draw.random()
    if spot < 0.4:
        return draw.randrange(min(600, len(content)))
    return draw.randrange(max(0, len(content) - 600), len(content)) if spot < 0.7 else draw.randrange(len(content))


def _flip(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    if content:
        content[_place(content, draw)] ^= 1 << draw.randrange(8)


def _byte(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    if content:
        content[_place(content, draw)] = draw.randrange(256)


def _length(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    size, place = draw.choice((1, 2, 4, 8)), _place(content, draw)
    value = draw.choice(INTERESTING) & (2 ** (8 * size) - 1)
    content[place : place + size] = value.to_bytes(size, "little")


def _truncate(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    del content[_place(content, draw) :]


def _delete(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    place = _place(content, draw)
    del content[place : place + draw.randrange(1, 64)]


def _repeat(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    place = _place(content, draw)
    content[place:place] = content[place : place + draw.randrange(1, 32)] * draw.choice((1, 2, 100))


def _splice(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    other = draw.choice(others)
    start = draw.randrange(len(other))
    place = _place(content, draw)
    content[place : place + draw.randrange(64)] = other[start : start + draw.randrange(1, 400)]


def _opcodes(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    place = _place(content, draw)
    codes = b"(.0122FIJKLMNPQRSTUVXabcd}eghijl]opqrst)u" + bytes(range(0x80, 0x99))
    content[place:place] = bytes(draw.choice(codes) for _ in range(draw.randrange(1, 12)))


def _insert(content: bytearray, others: list[bytes], draw: random.Random) -> None:
    place = _place(content, draw)
    content[place:place] = draw.randbytes(draw.randrange(1, 16))


MUTATIONS: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...] = (
    _flip,
    _byte,
    _length,
    _truncate,
    _delete,
    _repeat,
    _splice,
    _opcodes,
    _insert,
)


def hostile(marker: Path) -> dict[str, bytes]:
    """Files made by hand to be refused, or listed without being obeyed, by name."""
    bomb = Bomb(marker)
    nested = b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(9)) + b"."
    laughs = _laughs(40)
    self_list = b"\x80\x02]q\x00h\x00a."
    giant = {f"length_{code:02x}": b"\x80\x04" + bytes([code]) + b"\xff" * 7 + b"\x7f" for code in b"BX\x8d\x8e\x96\x8b"}
    bombs = _archive(bytes(2**20) * 80, zipfile.ZIP_DEFLATED)
    traversal = io.BytesIO()
    with zipfile.ZipFile(traversal, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("../../escaped", b"x")
    return giant | {
        "executing_zip": _archive(bomb, zipfile.ZIP_STORED),
        "executing_pickle": pickle.dumps(bomb),
        "executing_legacy": _legacy(bomb),
        "computed_name": b"\x80\x04cbuiltins\ngetattr\n(cos\n__name__\nX\x06\x00\x00\x00systemtR\x8c\x02id\x93.",
        "nested": nested,
        "laughs": laughs,
        "self": self_list,
        "deep_tuple": b"\x80\x02" + b")" + b"\x85" * 50000 + b".",
        "marks": b"\x80\x02" + b"(" * 50000,
        "zip_bomb": bombs,
        "traversal": traversal.getvalue(),
        "zip_in_zip": _archive({"z": bombs[:5000]}, zipfile.ZIP_STORED),
        "cut_zip": _archive({"a": 1}, zipfile.ZIP_STORED)[:-10],
        "header_length": struct.pack("<Q", 2**62) + b"{",
        "header_deep": _safetensors(b'{"a":' * 50000),
        "header_overlap": _safetensors(_header(a=(0, 8), b=(4, 12)), 12),
        "header_gap": _safetensors(_header(a=(0, 8), b=(12, 20)), 20),
        "header_twice": _safetensors(b'{"a": {}, "a": {}}'),
        "header_beyond": _safetensors(_header(a=(0, 8)), 4),
        "header_number": _safetensors(b'{"a": ' + b"9" * 10000 + b"}"),
        "empty": b"",
        "text": b"hello, world\n" * 10,
        "web_page": b"<!DOCTYPE html><html></html>",
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "number": pickle.dumps(3),
    }


def _laughs(levels: int) -> bytes:
    """A dict that holds the dict before it twice, and so on: 2^levels values when written out."""
    stream = b"\x80\x02}q\x00"
    for level in range(levels):
        stream += b"}(X\x01\x00\x00\x00ah%cX\x01\x00\x00\x00bh%cuq%c" % (level, level, level + 1)
    return stream + b"."


def _legacy(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def _header(**ranges: tuple[int, int]) -> bytes:
    entries = {k: {"dtype": "F32", "shape": [(b - a) // 4], "data_offsets": [a, b]} for k, (a, b) in ranges.items()}
    return json.dumps(entries).encode()


def _safetensors(header: bytes, data: int = 0) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(data)
