"""`tc.monitor`: observe a training loop from inside the program that runs it."""

from types import TracebackType

import torch
from torch import Tensor, nn

from torchclinic.diagnosis.diagnose import diagnose
from torchclinic.error_notes.crash import Crash, crash_of
from torchclinic.observe.failure import note_failure
from torchclinic.observe.session import Session
from torchclinic.report.results import Report


class Monitor:
    """A context manager around a training loop; see `monitor`."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, budget: float) -> None:
        self._title = f"Training of {type(model).__name__}"
        self._session = Session(budget=budget)
        self._session.state.training.optimizer(optimizer)
        self._report: Report | None = None
        self._crash: Crash | None = None

    def __enter__(self) -> "Monitor":
        self._session.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._session.close()
        if error is not None:
            note_failure(self._session, error)
        if isinstance(error, Exception):
            self._crash = crash_of(error)
        self._report = self.report()

    def step(self, loss: Tensor | float) -> None:
        """Note a loss that never runs backward in this process; losses that do are seen by themselves."""
        self._session.state.losses.note(loss, self._session.step)

    def report(self) -> Report:
        """What was found so far, or in the whole block once it has ended."""
        return self._report if self._report is not None else diagnose(self._session, crash=self._crash).report(self._title)


def monitor(model: nn.Module, optimizer: torch.optim.Optimizer, budget: float = 0.05) -> Monitor:
    """Observe the training inside a `with` block: `with tc.monitor(model, optimizer) as m: ...`, then `m.report()`.

    `budget` is the share of the time that may be spent observing after the first ten steps. The training is left
    bit-identical: parameters, gradients, optimizer state, random streams and modes. One observation at a time.
    """
    return Monitor(model, optimizer, budget)
