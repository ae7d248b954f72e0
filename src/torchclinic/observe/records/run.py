"""The whole run, with its end."""

from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeVar, get_args, overload

from torchclinic.observe.records.forwards import ModelRecord
from torchclinic.observe.records.layers import LayerSeries
from torchclinic.observe.records.optimizers import OptimizerRecord, StepRecord
from torchclinic.observe.records.parameters import ParameterRecord
from torchclinic.observe.records.record import Record

Kind = TypeVar("Kind")


@dataclass(slots=True)
class Failure(Record):
    """The script raised."""

    kind: str
    message: str
    line: str
    operation: str = ""


@dataclass(slots=True)
class ProbeFailure(Record):
    """No extra pass could be made through a model."""

    reason: str
    order: int  # later failures have higher ones


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything of one run: the records of all collectors, and what the session itself knows."""

    records: list[object] = field(default_factory=list)
    steps: int = 0
    backwards: int = 0
    observed_steps: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    overhead: float = 0.0
    losses_seen: list[tuple[int, float]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)  # what was not observed, and why
    finished: bool = False  # the script ran to its own end
    scaled: bool = False

    @overload
    def of(self, kind: type[Kind]) -> list[Kind]: ...
    @overload
    def of(self, kind: UnionType) -> list[Any]: ...
    def of(self, kind: Any) -> list[Any]:
        """The records of one type, or of each member of a union in its order."""
        kinds = get_args(kind) or (kind,)
        return [record for wanted in kinds for record in self.records if isinstance(record, wanted)]

    @property
    def models(self) -> list[ModelRecord]:
        return self.of(ModelRecord)

    @property
    def optimizers(self) -> list[OptimizerRecord]:
        return self.of(OptimizerRecord)

    @property
    def parameters(self) -> list[ParameterRecord]:
        return self.of(ParameterRecord)

    @property
    def steps_seen(self) -> list[StepRecord]:
        return self.of(StepRecord)

    @property
    def layers(self) -> list[LayerSeries]:
        return self.of(LayerSeries)

    @property
    def failure(self) -> Failure | None:
        return next(iter(self.of(Failure)), None)

    @property
    def manual_updates(self) -> bool:
        """The script changed parameters that no optimizer has."""
        return any(record.reached and not record.unchanged and not record.owned for record in self.parameters)

    @property
    def probe_reason(self) -> str:
        """Why no probe was made; the latest."""
        failures = self.of(ProbeFailure)
        return max(failures, key=lambda failure: failure.order).reason if failures else ""
