"""What the ranks of one training hold before their steps, noted by each in a file of its own, compared by the first.

No collective is added to the user's program: the ranks of one machine leave notes in a folder that they derive from what
their launcher told them, and rank 0 reads the others' when it ends.
"""

import json
import time
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.collectors.ranks.files import ENDED, gather, opened
from torchclinic.observe.collectors.ranks.notes import Look, Note, compare
from torchclinic.observe.events import DataDivided, GroupEnds, ModelWrapped, ObservationEnds, StepBegins
from torchclinic.observe.records import ReplicaComparison
from torchclinic.observe.state.ranks import replicas
from torchclinic.observe.state.tracks import OptimizerTrack

SAMPLES = 16  # spread elements of each parameter and gradient
MOST_LOOKS = 64  # that follow an exchange; further ones at doubling steps


class Replicas(Collector):
    def prepare(self) -> None:
        self._comparison: ReplicaComparison | None = None
        self._began = time.time()
        self._file: IO[bytes] | None = None
        self._rank = self._world = 0
        self._exchanges = self._after_exchange = self._due = 0
        self._unseen = False  # something was exchanged, and no look followed
        self._divided = False
        self._looks: list[Look] = []  # of rank 0
        self._wrapped: list[tuple[weakref.ref[nn.Module], weakref.ref[nn.Module]]] = []

    def model_wrapped(self, event: ModelWrapped) -> None:
        self._wrapped.append((weakref.ref(event.wrapper), weakref.ref(event.inner)))

    def data_divided(self, event: DataDivided) -> None:
        self._divided = True

    def step_begins(self, event: StepBegins) -> None:
        """A step is about to use the gradients."""
        if not event.first or replicas() < 2:
            return
        step, count = self.state.clock.steps_total, exchanges()
        if count is None:
            self._rank, self._world = torch.distributed.get_rank(), replicas()
            return
        exchanged, self._exchanges = count != self._exchanges, count
        self._after_exchange += exchanged
        if step >= self._due or (exchanged and self._after_exchange <= MOST_LOOKS):
            self._due = max(self._due, 2 * step if step >= self._due else 0, 1)
            self._look(event.track, step, exchanged)
        else:
            self._unseen = self._unseen or exchanged

    def group_ends(self, event: GroupEnds) -> None:
        self._look_last()

    def _look_last(self) -> None:
        """What was exchanged since the last step may have made the ranks equal."""
        count = exchanges() if self._world and replicas() > 1 else None
        if count is None or count == self._exchanges:
            return
        self._exchanges = count
        tracks = [track for track in self.state.training.optimizers.values() if track.parameters()]
        self._unseen = self._unseen or not tracks
        for track in tracks:
            self._look(track, self.state.clock.steps_total, exchanged=False)

    def _look(self, optimizer: OptimizerTrack, step: int, exchanged: bool) -> None:
        notes = tuple(self._notes(optimizer))
        if not self._world:
            self._rank, self._world = torch.distributed.get_rank(), replicas()
            self._file = opened(self._rank)
        look = Look(step, optimizer.index, optimizer.line, exchanged, notes)
        if self._rank == 0:
            self._looks.append(look)
        elif self._file is not None:
            self._file.write(json.dumps(asdict(look)).encode() + b"\n")

    def _notes(self, optimizer: OptimizerTrack) -> Iterator[Note]:
        wrapped = self._kept_equal()
        owned = [p for p in optimizer.parameters() if is_plain(p) and p.is_floating_point() and p.numel()]
        parts = [_sample(t) for p in owned for t in (p, p.grad) if t is not None]
        flat: list[float] = torch.cat([part.to(parts[0].device) for part in parts]).tolist() if parts else []
        for place, parameter in enumerate(owned):
            count = min(SAMPLES, parameter.numel())
            values, flat = flat[:count], flat[count:]
            gradient, flat = (flat[:count], flat[count:]) if parameter.grad is not None else ([], flat)
            name = self.state.training.name_of(parameter) or f"parameter {place} of {optimizer.name}"
            unit = torch.finfo(parameter.dtype).eps
            wrap = id(parameter) in wrapped
            yield Note(name, tuple(parameter.shape), unit, wrap, tuple(values), tuple(gradient))

    def _kept_equal(self) -> set[int]:
        """Parameters that a wrapper over all ranks is to keep equal; those that it was told to ignore are not."""
        found: set[int] = set()
        for wrapper_ref, inner_ref in self._wrapped:
            wrapper, inner = wrapper_ref(), inner_ref()
            if wrapper is not None and inner is not None and _spans_all(wrapper):
                ignored = getattr(wrapper, "parameters_to_ignore", ())
                found |= {id(p) for name, p in inner.named_parameters() if name not in ignored}
        return found

    def observation_ends(self, event: ObservationEnds) -> None:
        """Say that this rank has ended; on rank 0, read what the others have left."""
        if not self._world:
            return
        self._look_last()
        looks: dict[int, list[Look]] = {}
        if self._file is not None:
            self._file.write(ENDED)
            self._file.close()
            looks = gather(Path(self._file.name).parent, self._rank, self._world, self._began)
        if self._rank == 0:
            compared = compare(self._looks, looks)
            compared.missing, compared.replicas = self._world - 1 - len(looks), self._world
            compared.unseen, compared.divided = self._unseen, self._divided
            self._comparison = compared
        self._file, self._world = None, 0

    def records(self) -> Iterable[ReplicaComparison]:
        return () if self._comparison is None else (self._comparison,)


def _spans_all(wrapper: nn.Module) -> bool:
    group = getattr(wrapper, "process_group", None)
    return group is not None and torch.distributed.get_world_size(group) == replicas()


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
