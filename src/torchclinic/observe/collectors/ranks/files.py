"""The files in which the ranks of one machine leave their notes for the first."""

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from torchclinic.observe.collectors.ranks.notes import Look, Note

PATIENCE = 5.0  # seconds that rank 0 waits for the others to end
ENDED = b"null\n"
_LAUNCH = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "WORLD_SIZE")


def opened(rank: int) -> IO[bytes] | None:
    """A file for the notes of `rank`, in a folder of this user's that all its ranks on this machine know."""
    if "MASTER_PORT" not in os.environ:
        return None
    told = "\n".join(os.environ.get(name, "") for name in _LAUNCH)
    digest = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir(), f"torchclinic-{os.getuid()}-{digest}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return None
        return (folder / f"{rank}.jsonl").open("wb", buffering=0)
    except OSError:  # nothing can be left there
        return None


def gather(folder: Path, rank: int, world: int, began: float) -> dict[int, list[Look]]:
    """What the other ranks of this machine have left; nothing remains of it. The others leave it to rank 0."""
    if rank:
        if not (folder / "0.jsonl").exists():  # rank 0 has gone
            _remove(folder, f"{rank}.jsonl")
        return {}
    local = min(world, int(os.environ.get("LOCAL_WORLD_SIZE", world)))
    read = {other: _read(folder / f"{other}.jsonl", began) for other in range(1, local)}
    _remove(folder, "*.jsonl")
    return {other: looks for other, looks in read.items() if looks is not None}


def _read(path: Path, began: float) -> list[Look] | None:
    """The looks of another rank, once it has ended; None if it does not in time."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and path.stat().st_mtime >= began and (text := path.read_bytes()).endswith(ENDED):
            return [_look_of(json.loads(line)) for line in text.splitlines()[:-1]]
        time.sleep(0.02)
    return None


def _remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _look_of(data: dict[str, Any]) -> Look:
    notes = tuple(
        Note(n["name"], tuple(n["shape"]), n["unit"], n["wrapped"], tuple(n["values"]), tuple(n["gradient"]))
        for n in data.pop("notes")
    )
    return Look(**data, notes=notes)
