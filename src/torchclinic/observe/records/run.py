"""The whole run, with its end."""

from dataclasses import dataclass, field

from torchclinic.observe.records.forwards import ModelRecord
from torchclinic.observe.records.layers import LayerSeries
from torchclinic.observe.records.optimizers import OptimizerRecord, StepRecord
from torchclinic.observe.records.parameters import ParameterRecord


@dataclass(slots=True)
class Failure:
    """The script raised."""

    kind: str
    message: str
    line: str
    operation: str = ""


@dataclass(slots=True)
class RunRecord:
    """Everything of one run."""

    steps: int = 0
    backwards: int = 0
    observed_steps: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    overhead: float = 0.0
    losses_seen: list[tuple[int, float]] = field(default_factory=list)
    models: list[ModelRecord] = field(default_factory=list)
    optimizers: list[OptimizerRecord] = field(default_factory=list)
    parameters: list[ParameterRecord] = field(default_factory=list)
    steps_seen: list[StepRecord] = field(default_factory=list)
    layers: list[LayerSeries] = field(default_factory=list)
    others: list[object] = field(default_factory=list)  # every further record
    failure: Failure | None = None
    limits: list[str] = field(default_factory=list)  # what was not observed, and why
    manual_updates: bool = False
    finished: bool = False  # the script ran to its own end
    scaled: bool = False
    probe_reason: str = ""  # why no probe was made
