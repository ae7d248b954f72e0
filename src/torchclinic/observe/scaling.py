"""Scaled gradients, and what clips them before they are unscaled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchclinic.observe.records import ScaledClip
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


class ScaleWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.clips: list[ScaledClip] = []
        self._scaled: set[int] = set()  # optimizers whose gradients are scaled right now
        self._scale = 0.0

    def wrap_scale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            if scaler.is_enabled():
                self.session.run.scaled = True
                self._scaled = {-1}
                self._scale = float(getattr(scaler, "_init_scale", 0.0))
            return result

        return scale

    def wrap_unscale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def unscale_(scaler: Any, optimizer: Any) -> Any:
            self._scaled.clear()
            return original(scaler, optimizer)

        return unscale_

    def wrap_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self._scaled.clear()
            return original(scaler, optimizer, *args, **kwargs)

        return step

    def wrap_clip(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
            parameters = parameters if isinstance(parameters, Tensor) else list(parameters)
            if self._scaled and self.session.recording():
                line = user_line()
                known = next((record for record in self.clips if record.line == line), None)
                if known is None:
                    self.clips.append(ScaledClip(line, self.session.step, self._scale, 1))
                else:
                    known.calls += 1
            if self.session.recording() and self.session.on_own_thread():
                return self.session.updates.clip(original, parameters, args, kwargs)
            return original(parameters, *args, **kwargs)

        return clip
