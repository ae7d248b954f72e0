"""What a rank notes of its parameters before a step, and what the notes of two ranks have to say to each other."""

from collections.abc import Iterator
from dataclasses import dataclass

from torchclinic.observe.records import ReplicaComparison

ROUNDING = 8.0  # units of rounding by which one step may differ on two devices


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
