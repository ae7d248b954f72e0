"""`torch.compile` and the tracer of TorchScript, to which we must not be seen."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


class CompileWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session

    def wrap_trace(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The tracer names values after the frames it sees and runs the module twice: ours must not be among them."""

        def trace(*args: Any, **kwargs: Any) -> Any:
            session = self.session
            if session.dead or not session.on_own_thread():
                return original(*args, **kwargs)
            seeing = session.windows.mode_on
            session.windows.deactivate(final=True)
            session.dead = True
            try:
                return original(*args, **kwargs)
            finally:
                session.dead = False
                if seeing:
                    session.windows.watch_calls()

        return trace

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
