"""State dicts as they are taken, loaded and saved."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from torchclinic.instruments.values import tensors_in
from torchclinic.observe.events import Saved, StateDictLoaded, StateDictLoads, StateDictTaken
from torchclinic.observe.taps.tap import Tap


class CheckpointTap(Tap):
    def prepare(self) -> None:
        self._depth = 0  # of state dicts that are being taken, one within another

    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(nn.Module, "state_dict", self._wrap_state_dict)
        replace(nn.Module, "load_state_dict", self._wrap_load)
        replace(torch, "save", self._wrap_save)
        return []

    def _wrap_state_dict(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            try:
                result = original(module, *args, **kwargs)
            finally:
                self._depth -= 1
            if self._depth == 0 and self.clock.recording() and isinstance(result, dict):
                with self.own.work():
                    self.tell(StateDictTaken(module, result))
            return result

        return state_dict

    def _wrap_load(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def load_state_dict(module: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
            if self.clock.recording():
                with self.own.work():
                    self.tell(StateDictLoads(module, list(tensors_in(state_dict, 2))))
            result = original(module, state_dict, *args, **kwargs)
            if self.clock.recording():
                with self.own.work():
                    self._loaded(module, state_dict, bool(kwargs.get("strict", args[0] if args else True)))
            return result

        return load_state_dict

    def _loaded(self, module: nn.Module, state: Any, strict: bool) -> None:
        own = module.state_dict.__func__  # type: ignore[attr-defined]
        self._depth += 1
        expected = tuple(own(module))
        self._depth -= 1
        training = self.state.training
        training.loads += 1
        self.tell(StateDictLoaded(module, state, strict, expected))
        for parameter in module.parameters():
            training.track(parameter).loaded = True

    def _wrap_save(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
            if self.clock.recording():
                with self.own.work():
                    self.tell(Saved(list(tensors_in(obj, 4))))
            return original(obj, f, *args, **kwargs)

        return save
