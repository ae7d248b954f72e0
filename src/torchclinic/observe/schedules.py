"""Learning-rate schedules as they are advanced."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from torchclinic.observe.records import ScheduleMade, SchedulerRecord
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_HORIZONS = ("T_max", "total_iters", "total_steps", "step_size")


class ScheduleWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.made: list[tuple[ScheduleMade, weakref.ref[Any]]] = []
        self.schedulers: dict[int, tuple[SchedulerRecord, weakref.ref[Any]]] = {}

    def wrap_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if self.session.recording():
                with self.session.own():
                    if getattr(scheduler, "_is_initial", False):
                        self._made(scheduler)
                    else:
                        self._scheduled(scheduler)
            return original(scheduler, *args, **kwargs)

        return step

    def _made(self, scheduler: Any) -> None:
        known = any(ref() is scheduler for _, ref in self.made)
        if not known and isinstance(optimizer := getattr(scheduler, "optimizer", None), torch.optim.Optimizer):
            track = self.session.training.optimizer(optimizer)
            record = ScheduleMade(type(scheduler).__name__, user_line(), track.index)
            self.made.append((record, weakref.ref(scheduler)))

    def _scheduled(self, scheduler: Any) -> None:
        parts = getattr(scheduler, "_schedulers", ())
        for known, ref in self.made:
            known.calls += (made := ref()) is scheduler
            known.held = known.held or any(made is part for part in parts)
        entry = self.schedulers.get(id(scheduler))
        optimizer = getattr(scheduler, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            return
        track = self.session.training.optimizer(optimizer)
        if entry is None or entry[1]() is not scheduler:
            name = next((key for key in _HORIZONS if isinstance(getattr(scheduler, key, None), int)), "")
            early = track.steps == 0 and not self.session.run.scaled
            plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            record = SchedulerRecord(
                type(scheduler).__name__, user_line(), 0, early, 0, 0, getattr(scheduler, name, 0) if name else 0,
                name, plateau, track.index,
            )  # fmt: skip
            self.schedulers[id(scheduler)] = (record, weakref.ref(scheduler))
        record = self.schedulers[id(scheduler)][0]
        record.calls += 1
        record.optimizer_steps = track.steps
