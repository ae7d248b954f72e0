"""Learning-rate schedules, from where they are made, and as they are advanced."""

import weakref
from collections.abc import Iterator
from typing import Any

import torch

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ScheduleStepped
from torchclinic.observe.records import ScheduleMade, SchedulerRecord
from torchclinic.observe.state.tracks import OptimizerTrack
from torchclinic.script.lines import user_line
from torchclinic.script.statements import condition_of

_HORIZONS = ("T_max", "total_iters", "total_steps", "step_size")


class Schedules(Collector):
    def prepare(self) -> None:
        self._made: list[tuple[ScheduleMade, weakref.ref[Any]]] = []
        self._advanced: dict[int, tuple[SchedulerRecord, weakref.ref[Any]]] = {}

    def schedule_stepped(self, event: ScheduleStepped) -> None:
        scheduler = event.scheduler
        track = self.state.training.optimizers.get(id(getattr(scheduler, "optimizer", None)))
        if event.making:
            known = any(ref() is scheduler for _, ref in self._made)
            if not known and track is not None:
                record = ScheduleMade(type(scheduler).__name__, user_line(), track.index)
                self._made.append((record, weakref.ref(scheduler)))
            return
        parts = getattr(scheduler, "_schedulers", ())
        for made, ref in self._made:
            made.calls += (live := ref()) is scheduler
            made.held = made.held or any(live is part for part in parts)
        if track is not None:
            self._count(scheduler, track, event.given)

    def _count(self, scheduler: Any, track: OptimizerTrack, given: Any) -> None:
        entry = self._advanced.get(id(scheduler))
        if entry is None or entry[1]() is not scheduler:
            entry = self._advanced[id(scheduler)] = self._record(scheduler, track, given), weakref.ref(scheduler)
        entry[0].calls += 1
        entry[0].optimizer_steps = track.steps

    def _record(self, scheduler: Any, track: OptimizerTrack, given: Any) -> SchedulerRecord:
        plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        stays = isinstance(given, int) and given == 0 and not plateau  # `step(0)` sets the first value once more
        name = next((key for key in _HORIZONS if isinstance(getattr(scheduler, key, None), int)), "")
        return SchedulerRecord(
            name=type(scheduler).__name__,
            line=user_line(),
            calls=0,
            first_before_optimizer=track.steps == 0 and not stays and not self.state.scaling.used,
            optimizer_steps=0,
            epochs=0,
            horizon=getattr(scheduler, name, 0) if name else 0,
            horizon_name=name,
            plateau=plateau,
            optimizer=track.index,
        )

    def records(self) -> Iterator[SchedulerRecord | ScheduleMade]:
        epochs = max((loader.iterators for loader in self.state.loaders.records.values()), default=0)
        for record, _ in self._advanced.values():
            record.epochs = epochs
            yield record
        for made, _ in self._made:
            made.condition = "" if made.calls else condition_of(made.line, "step")
            yield made
