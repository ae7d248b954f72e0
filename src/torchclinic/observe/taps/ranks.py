"""Data-parallel wrappers as they are made, and the process group as it is destroyed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from torchclinic.observe.events import GroupEnds, ModelWrapped
from torchclinic.observe.taps.tap import Tap


class RankTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(nn.parallel.DistributedDataParallel, "__init__", self._wrap_init)
        if torch.distributed.is_available():
            replace(torch.distributed, "destroy_process_group", self._wrap_destroy)
        return []

    def _wrap_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(wrapper: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(wrapper, *args, **kwargs)
            inner = getattr(wrapper, "module", None)
            if isinstance(inner, nn.Module) and self.clock.recording():
                with self.own.work():
                    self.tell(ModelWrapped(wrapper, inner))
            self.wiring.fast.end()  # what ranks exchange is looked at on the ordinary way

        return __init__

    def _wrap_destroy(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def destroy_process_group(*args: Any, **kwargs: Any) -> Any:
            if self.clock.recording():
                with self.own.work():
                    self.tell(GroupEnds())
            return original(*args, **kwargs)

        return destroy_process_group
