"""Gradients as they are clipped, and as a scaler of losses multiplies and divides them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import is_plain
from torchclinic.observe.events import GradientsClipped
from torchclinic.observe.state.tracks import length
from torchclinic.observe.taps.tap import Tap
from torchclinic.script.lines import user_line

_LIMITS = ("max_norm", "clip_value")


class ClippingTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            replace(nn.utils.clip_grad, name, self._wrap_clip)
            replace(nn.utils, name, partial(_same, name))
        replace(torch.amp.GradScaler, "scale", self._wrap_scale)
        replace(torch.amp.GradScaler, "unscale_", self._wrap_end_of_scale)
        replace(torch.amp.GradScaler, "step", self._wrap_end_of_scale)
        return []

    def _wrap_scale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        scaling = self.state.scaling

        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            if scaler.is_enabled():
                scaling.used, scaling.factor = True, float(getattr(scaler, "_init_scale", 0.0))
            return result

        return scale

    def _wrap_end_of_scale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def unscaled(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self.state.scaling.factor = 0.0
            return original(scaler, optimizer, *args, **kwargs)

        return unscaled

    def _wrap_clip(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.clock.recording() or not self.clock.own_thread():
                return original(parameters, *args, **kwargs)
            tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
            before, dense = 0.0, []
            with self.own.work():
                foreign = next((t for t in tensors if isinstance(t, Tensor) and t.grad_fn is not None), None)
                dense = _gradients(tensors) if self.clock.full and foreign is None else []
                before = length(dense)
            try:
                return original(tensors, *args, **kwargs)
            finally:  # a clip that raises, for a gradient that is not finite, was one too
                with self.own.work():
                    limit = float(args[0] if args else next((kwargs[k] for k in _LIMITS if k in kwargs), 0.0))
                    sizes, scaled = (before, length(dense)) if dense else (0.0, 0.0), self.state.scaling.factor
                    self.tell(GradientsClipped(original.__name__, tensors, limit, user_line(), foreign, *sizes, scaled))

        return clip


def _same(name: str, _: Callable[..., Any]) -> Callable[..., Any]:
    """The function that `torch.nn.utils` exports again."""
    function: Callable[..., Any] = vars(nn.utils.clip_grad)[name]
    return function


def _gradients(tensors: list[Any]) -> list[Tensor]:
    found = (t.grad for t in tensors if isinstance(t, Tensor) and t.is_leaf and t.grad is not None)
    return [gradient.detach() for gradient in found if is_plain(gradient)]
