"""What the ranks of one training hold before their steps, noted by each in a file of its own, compared by the first.

No collective is added to the user's program: the ranks of one machine leave notes in a folder that they derive from what
their launcher told them, and rank 0 reads the others' when it ends.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.ranks import replicas
from torchclinic.observe.records import ReplicaComparison

if TYPE_CHECKING:
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.tracks import OptimizerTrack

SAMPLES = 16  # spread elements of each parameter and gradient
MOST_LOOKS = 64  # that follow an exchange; further ones at doubling steps
PATIENCE = 5.0  # seconds that rank 0 waits for the others to end
ROUNDING = 8.0  # units of rounding by which one step may differ on two devices
_ENDED = b"null\n"
_LAUNCH = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "WORLD_SIZE")


@dataclass(frozen=True, slots=True)
class Note:
    """One parameter at one look."""

    name: str
    shape: tuple[int, ...]
    unit: float  # of rounding, relative
    wrapped: bool  # a data-parallel wrapper of all ranks is to keep it equal
    values: tuple[float, ...]
    gradient: tuple[float, ...] = ()

    def differs(self, other: "Note", steps: int) -> float:
        """Largest difference as a share of the largest element; 0 where rounding may explain it."""
        size = max(map(abs, (*self.values, *other.values)), default=0.0)
        difference = max((abs(a - b) for a, b in zip(self.values, other.values, strict=True)), default=0.0)
        return difference / size if difference > ROUNDING * self.unit * (steps + 1) * size else 0.0

    def shares_gradient(self, other: "Note") -> bool:
        """The same on both ranks, and not by being constant."""
        mine, theirs = self.gradient, other.gradient
        if len(mine) != len(theirs) or max(mine, default=0.0) == min(mine, default=0.0):
            return False
        bound = ROUNDING * self.unit * max(map(abs, mine))
        return all(abs(a - b) <= bound for a, b in zip(mine, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class Look:
    step: int  # of all optimizers; the last look is at the end
    optimizer: int
    line: str
    exchanged: bool  # collectives ran since the step before
    notes: tuple[Note, ...]


class ReplicaWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.comparison: ReplicaComparison | None = None
        self._began = time.time()
        self._file: IO[bytes] | None = None
        self._rank = self._world = 0
        self._exchanges = self._after_exchange = self._due = 0
        self._unseen = False  # something was exchanged, and no look followed
        self._looks: list[Look] = []  # of rank 0

    def before_step(self, optimizer: "OptimizerTrack") -> None:
        """A step is about to use the gradients."""
        if replicas() < 2:
            return
        step, count = self.session.steps_total, exchanges()
        if count is None:
            self._rank, self._world = torch.distributed.get_rank(), replicas()
            return
        exchanged, self._exchanges = count != self._exchanges, count
        self._after_exchange += exchanged
        if step >= self._due or (exchanged and self._after_exchange <= MOST_LOOKS):
            self._due = max(self._due, 2 * step if step >= self._due else 0, 1)
            self._look(optimizer, step, exchanged)
        else:
            self._unseen = self._unseen or exchanged

    def ending(self) -> None:
        """The process group is about to go: what was exchanged since the last step may have made the ranks equal."""
        count = exchanges() if self._world and replicas() > 1 else None
        if count is None or count == self._exchanges:
            return
        self._exchanges = count
        tracks = [track for track in self.session.training.optimizers.values() if track.parameters()]
        self._unseen = self._unseen or not tracks
        for track in tracks:
            self._look(track, self.session.steps_total, exchanged=False)

    def wrap_destroy(self, original: Any) -> Any:
        def destroy_process_group(*args: Any, **kwargs: Any) -> Any:
            if self.session.recording():
                with self.session.own():
                    self.ending()
            return original(*args, **kwargs)

        return destroy_process_group

    def _look(self, optimizer: "OptimizerTrack", step: int, exchanged: bool) -> None:
        notes = tuple(self._notes(optimizer))
        if not self._world:
            self._rank, self._world = torch.distributed.get_rank(), replicas()
            self._file = _opened(self._rank)
        look = Look(step, optimizer.index, optimizer.line, exchanged, notes)
        if self._rank == 0:
            self._looks.append(look)
        elif self._file is not None:
            self._file.write(json.dumps(asdict(look)).encode() + b"\n")

    def _notes(self, optimizer: "OptimizerTrack") -> Iterator[Note]:
        wrapped = self.session.ranks.kept_equal()
        owned = [p for p in optimizer.parameters() if is_plain(p) and p.is_floating_point() and p.numel()]
        parts = [_sample(t) for p in owned for t in (p, p.grad) if t is not None]
        flat: list[float] = torch.cat([part.to(parts[0].device) for part in parts]).tolist() if parts else []
        for place, parameter in enumerate(owned):
            count = min(SAMPLES, parameter.numel())
            values, flat = flat[:count], flat[count:]
            gradient, flat = (flat[:count], flat[count:]) if parameter.grad is not None else ([], flat)
            name = self.session.training.name_of(parameter) or f"parameter {place} of {optimizer.name}"
            unit = torch.finfo(parameter.dtype).eps
            wrap = id(parameter) in wrapped
            yield Note(name, tuple(parameter.shape), unit, wrap, tuple(values), tuple(gradient))

    def close(self) -> None:
        """Say that this rank has ended; on rank 0, read what the others have left. Idempotent."""
        if not self._world:
            return
        self.ending()
        looks = {}
        if self._file is not None:
            self._file.write(_ENDED)
            self._file.close()
            looks = self._gather(Path(self._file.name).parent)
        if self._rank == 0:
            compared = compare(self._looks, looks)
            compared.missing, compared.replicas = self._world - 1 - len(looks), self._world
            compared.unseen, compared.divided = self._unseen, self.session.ranks.divides
            self.comparison = compared
        self._file, self._world = None, 0

    def _gather(self, folder: Path) -> dict[int, list[Look]]:
        """What the other ranks of this machine have left; nothing remains of it. The others leave it to rank 0."""
        if self._rank:
            if not (folder / "0.jsonl").exists():  # rank 0 has gone
                _remove(folder, f"{self._rank}.jsonl")
            return {}
        local = min(self._world, int(os.environ.get("LOCAL_WORLD_SIZE", self._world)))
        read = {rank: self._read(folder / f"{rank}.jsonl") for rank in range(1, local)}
        _remove(folder, "*.jsonl")
        return {rank: looks for rank, looks in read.items() if looks is not None}

    def _read(self, path: Path) -> list[Look] | None:
        """The looks of another rank, once it has ended; None if it does not in time."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if path.exists() and path.stat().st_mtime >= self._began and (text := path.read_bytes()).endswith(_ENDED):
                return [_look_of(json.loads(line)) for line in text.splitlines()[:-1]]
            time.sleep(0.02)
        return None


def compare(mine: list[Look], others: dict[int, list[Look]]) -> ReplicaComparison:
    """Rank 0's looks beside those of the others; the rank that differs in most parameters is reported."""
    best = ReplicaComparison()
    for rank, theirs in others.items():
        known = {(look.step, look.optimizer, at): look for look, at in _counted(theirs)}
        pairs = [(look, known[key]) for look, at in _counted(mine) if (key := (look.step, look.optimizer, at)) in known]
        if pairs and all(_alike(a, b) for a, b in pairs):
            found = _compare_pairs(rank, pairs)
            best = max(best, found, key=lambda record: (record.differing, record.parameters))
    return best


def _counted(looks: list[Look]) -> Iterator[tuple[Look, int]]:
    """Looks, each with the number of earlier ones at the same step of the same optimizer."""
    seen: dict[tuple[int, int], int] = {}
    for look in looks:
        key = (look.step, look.optimizer)
        yield look, seen.get(key, 0)
        seen[key] = seen.get(key, 0) + 1


def _alike(a: Look, b: Look) -> bool:
    return [(n.name, n.shape) for n in a.notes] == [(n.name, n.shape) for n in b.notes]


def _compare_pairs(rank: int, pairs: list[tuple[Look, Look]]) -> ReplicaComparison:
    record = ReplicaComparison(rank=rank, looks=len(pairs))
    latest: dict[tuple[int, int], tuple[Note, float]] = {}
    shared: set[tuple[int, int]] = set()
    apart: set[int] = set()  # optimizers whose parameters differed at a look
    for a, b in pairs:
        differs = [x.differs(y, a.step) for x, y in zip(a.notes, b.notes, strict=True)]
        record.rejoined = record.rejoined or (a.optimizer in apart and not any(differs))
        if any(differs):
            if not apart:
                record.step, record.line = a.step, a.line
            apart.add(a.optimizer)
        for place, (x, y, size) in enumerate(zip(a.notes, b.notes, differs, strict=True)):
            latest[a.optimizer, place] = x, size
            if size and a.exchanged and b.exchanged and x.shares_gradient(y):
                shared.add((a.optimizer, place))
    differing = {key: entry for key, entry in latest.items() if entry[1]}
    record.parameters, record.differing = len(latest), len(differing)
    record.shared = len(shared & differing.keys())
    record.wrapped = sum(note.wrapped for note, _ in differing.values())
    first = sorted(differing, key=lambda key: (key not in shared, not differing[key][0].wrapped))[:1]
    for key in first:
        record.example, record.difference = differing[key][0].name, differing[key][1]
    return record


def exchanges() -> int | None:
    """Collectives and messages of all process groups so far, as the groups count them; None if one does not count."""
    groups: dict[Any, Any] = torch.distributed.distributed_c10d._world.pg_map
    try:
        total: int = sum(group._get_sequence_number_for_group() for group in groups)
        return total
    except RuntimeError:  # a backend without sequence numbers
        return None


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1) if tensor.layout is torch.strided else tensor.detach().to_dense().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLES)][:SAMPLES].to(torch.float64)


def _opened(rank: int) -> IO[bytes] | None:
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
