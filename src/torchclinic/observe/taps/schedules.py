"""Learning-rate schedules as they are made and advanced."""

from collections.abc import Callable
from typing import Any

import torch

from torchclinic.observe.events import ScheduleStepped
from torchclinic.observe.taps.tap import Tap


class ScheduleTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        schedulers = vars(torch.optim.lr_scheduler).values()
        for scheduler in {c for c in schedulers if isinstance(c, type) and "step" in vars(c)}:
            if scheduler is not torch.optim.Optimizer:
                replace(scheduler, "step", self._wrap_step)
        return []

    def _wrap_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if self.clock.recording():
                with self.own.work():
                    if isinstance(optimizer := getattr(scheduler, "optimizer", None), torch.optim.Optimizer):
                        self.state.training.optimizer(optimizer)
                    given = args[0] if args else kwargs.get("epoch")
                    self.tell(ScheduleStepped(scheduler, getattr(scheduler, "_is_initial", False), given))
            return original(scheduler, *args, **kwargs)

        return step
