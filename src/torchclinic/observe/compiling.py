"""`torch.compile`, the tracer of TorchScript and the capture of CUDA graphs, to which we must not be seen."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


CAPTURED = "a CUDA graph is captured: what it replays was not observed"


class CompileWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self._captured: bool | None = None  # a CUDA graph is being captured; whether every call was seen before

    def wrap_trace(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The tracer names values after the frames it sees and runs the module twice: ours must not be among them."""

        def trace(*args: Any, **kwargs: Any) -> Any:
            session = self.session
            if session.dead or not session.on_own_thread():
                return original(*args, **kwargs)
            seeing = self._pause()
            try:
                return original(*args, **kwargs)
            finally:
                self._go_on(seeing)

        return trace

    def wrap_capture_begin(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """While operations are captured none may be read back or allocated for us: CUDA would raise in the script."""

        def capture_begin(*args: Any, **kwargs: Any) -> Any:
            session = self.session
            if not session.dead and session.on_own_thread():
                self._captured = self._pause()
                if CAPTURED not in session.run.limits:
                    session.run.limits.append(CAPTURED)
            return original(*args, **kwargs)

        return capture_begin

    def wrap_capture_end(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def capture_end(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            finally:
                if self._captured is not None:
                    self._go_on(self._captured)
                    self._captured = None

        return capture_end

    def _pause(self) -> bool:
        """See nothing; returns whether every call was seen."""
        seeing = self.session.windows.mode_on
        self.session.windows.deactivate(final=True)
        self.session.dead = True
        return seeing

    def _go_on(self, seeing: bool) -> None:
        self.session.dead = False
        if seeing:
            self.session.windows.watch_calls()

    def wrap_compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compile_(*args: Any, **kwargs: Any) -> Any:
            session = self.session
            if not session.dead:
                session.compiled = True
                session.windows.deactivate(final=True)
                session.patches.undo_one(nn.Module, "__call__")
                session.run.limits.append("torch.compile is used: operations and modules inside were not observed")
            return original(*args, **kwargs)

        return compile_
