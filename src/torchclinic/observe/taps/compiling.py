"""`torch.compile`, the tracer of TorchScript and the capture of CUDA graphs, to which we must not be seen."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from torchclinic.observe.taps.tap import Tap

CAPTURED = "a CUDA graph is captured: what it replays was not observed"
COMPILED = "torch.compile is used: operations and modules inside were not observed"


class CompilingTap(Tap):
    def prepare(self) -> None:
        self._captured: bool | None = None  # a CUDA graph is being captured; whether every call was seen before

    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(torch, "compile", self._wrap_compile)
        for name in ("trace", "trace_module"):
            replace(torch.jit, name, self._wrap_trace)
        replace(torch.cuda.CUDAGraph, "capture_begin", self._wrap_capture_begin)
        replace(torch.cuda.CUDAGraph, "capture_end", self._wrap_capture_end)
        return []

    def _wrap_trace(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The tracer names values after the frames it sees and runs the module twice: ours must not be among them."""

        def trace(*args: Any, **kwargs: Any) -> Any:
            if self.clock.stopped or not self.clock.own_thread():
                return original(*args, **kwargs)
            seeing = self.wiring.schedule.pause()
            try:
                return original(*args, **kwargs)
            finally:
                self.wiring.schedule.go_on(seeing)

        return trace

    def _wrap_capture_begin(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """While operations are captured none may be read back or allocated for us: CUDA would raise in the script."""

        def capture_begin(*args: Any, **kwargs: Any) -> Any:
            if not self.clock.stopped and self.clock.own_thread():
                self._captured = self.wiring.schedule.pause()
                self.state.limited(CAPTURED)
            return original(*args, **kwargs)

        return capture_begin

    def _wrap_capture_end(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def capture_end(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            finally:
                if self._captured is not None:
                    self.wiring.schedule.go_on(self._captured)
                    self._captured = None

        return capture_end

    def _wrap_compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compile_(*args: Any, **kwargs: Any) -> Any:
            if not self.clock.stopped:
                self.wiring.schedule.compiled()
                self.wiring.patches.undo_one(nn.Module, "__call__")
                self.state.limited(COMPILED)
            return original(*args, **kwargs)

        return compile_
