"""The only memory that everything in `observe/` shares. Taps write it, collectors and probes read it."""

from torchclinic.observe.state.clock import Clock
from torchclinic.observe.state.dataflow import Dataflow
from torchclinic.observe.state.loaders import Loaders
from torchclinic.observe.state.losses import LossCurve
from torchclinic.observe.state.measurements import Measurements
from torchclinic.observe.state.models import Models
from torchclinic.observe.state.origins import Origins
from torchclinic.observe.state.purposes import Purposes
from torchclinic.observe.state.rows import TrainedRows
from torchclinic.observe.state.scaling import Scaling
from torchclinic.observe.state.training import Training

MOST_REMEMBERED = 3000  # operations of the last window


class State:
    def __init__(self) -> None:
        self.clock = Clock()
        self.losses = LossCurve()
        self.flow = Dataflow()
        self.origins = Origins()
        self.measurements = Measurements()
        self.rows = TrainedRows()
        self.purposes = Purposes(self.clock, self.rows)
        self.models = Models(self.clock, self.flow, self.origins, self.purposes)
        self.training = Training(self.clock, self.models, self.origins)
        self.loaders = Loaders(self.clock)
        self.scaling = Scaling()
        self.limits: list[str] = []  # what was not observed, and why
        self.operations_seen: list[tuple[str, str, str]] = []  # name, line, module of the last window

    def limited(self, reason: str) -> None:
        """Say what is not observed; each reason once."""
        if reason not in self.limits:
            self.limits.append(reason)

    def forget_chains(self) -> None:
        """Operations are known anew from here on."""
        self.operations_seen = [(n.op, n.line, n.where) for n in self.flow.created[-MOST_REMEMBERED:] if n.op]
        self.flow.clear()
        self.models.forget_outputs()
