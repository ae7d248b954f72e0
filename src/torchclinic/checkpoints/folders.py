"""Checkpoints of several files: sharded indexes and folders. A shard is read as a file, never followed further."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torchclinic.checkpoints.files import mapped
from torchclinic.checkpoints.safetensors import MOST_HEADER, parse_json
from torchclinic.errors import CheckpointError

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
MOST_FILES = 2000


@dataclass(frozen=True, slots=True)
class Files:
    layout: Literal["single", "sharded", "folder"]
    paths: tuple[Path, ...]
    promised: Mapping[str, str] = field(default_factory=dict)  # tensor → file, as the index says


def files_of(path: Path) -> Files:
    """The files a checkpoint consists of.

    Raises:
        CheckpointError: nothing there, an index that names a file outside its folder, or too many files.
    """
    if path.is_dir():
        return _files_in(path)
    return _indexed(path) if path.name.endswith(".index.json") else Files("single", (path,))


def _files_in(folder: Path) -> Files:
    indexes = sorted(folder.glob("*.index.json"))
    if len(indexes) == 1:
        return _indexed(indexes[0])
    found = sorted(entry for entry in folder.iterdir() if entry.suffix in SUFFIXES and entry.is_file())
    if not found:
        raise CheckpointError(f"{folder} holds no checkpoint ({', '.join(SUFFIXES)}).")
    if len(found) > MOST_FILES:
        raise CheckpointError(f"{folder} holds {len(found):,} checkpoints; inspect one of them.")
    return Files("single" if len(found) == 1 else "folder", tuple(found))


def _indexed(path: Path) -> Files:
    with mapped(path) as data:
        if len(data) > MOST_HEADER:
            raise CheckpointError(f"The index has {len(data):,} bytes, more than any model needs.")
        weight_map = parse_json(data, "The index").get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError("The index has no weight_map, so it names no shards.")
        shards = sorted({str(shard) for shard in weight_map.values()})
        for shard in shards:
            if Path(shard).name != shard or Path(shard).suffix not in SUFFIXES:
                raise CheckpointError(f"The index names the shard {shard[:80]!r}, which is no checkpoint beside it.")
        if len(shards) > MOST_FILES:
            raise CheckpointError(f"The index names {len(shards):,} shards.")
    return Files("sharded", tuple(path.parent / shard for shard in shards), {k: str(v) for k, v in weight_map.items()})
