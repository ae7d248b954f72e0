"""Models and their forwards, in training."""

from dataclasses import dataclass, field
from math import nan

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class LayerPass:
    """What one dropout or normalization layer did in one forward of a model."""

    path: str
    kind: str  # dropout | batchnorm
    active: bool  # drops, or normalizes by the batch
    frozen: bool = False  # its own parameters do not require grad
    values_per_channel: int = 0
    rows: int = 0  # samples it normalizes over
    tracks: bool = False  # keeps running statistics
    probability: float = 0.0
    affine_sum: float = 0.0  # of a frozen, active BatchNorm's own parameters: it changes where an average moves them


@dataclass(slots=True)
class ForwardPass(Record, absence="no model was called"):
    """One call of a model from outside any other model."""

    model: str
    index: int  # of the model, in the order in which they were first called
    step: int
    line: str
    with_grad: bool
    training: bool  # the mode of the model itself
    layers: list[LayerPass] = field(default_factory=list)
    all_eval: bool = False  # not one module is in train mode
    recomputed: bool = False  # called by activation checkpointing or by update_bn
    trained: bool = False  # its parameters are stepped by an optimizer
    feeds_backward: bool = False  # a backward pass started from a result that depends on its output
    stepped: bool = False  # an optimizer consumed the gradients this forward gave to this model
    sampled: bool = False  # one of several forwards of the same tensor without gradients and without a step between
    input_finite: bool = True
    known: bool = False  # without gradients, and some of its rows were seen in a training forward
    made_input: bool = False  # its input requires a gradient: what made it can learn from this forward
    apart: bool = False  # with gradients, called where no forward that trains was called, or in another mode
    unreached: bool = False  # with gradients, and its graph was freed, or the script ended, without a backward pass through it
    read: bool = True  # something was computed from its output, as far as is known
    fed: bool = False  # its output went into another model
    shown: bool = False  # it did not, though in training it does: what a generator makes is looked at
    entered: bool = False  # a backward pass started from a number that depends on its output, with or without gradients

    @property
    def to_train(self) -> bool:
        """Whether it looks as if it trains, when it begins."""
        return self.with_grad and not self.apart

    @property
    def evaluated(self) -> bool:
        """Whether it did not train, as far as is known."""
        return not self.with_grad or (self.unreached and not self.entered)

    def evaluating(self) -> bool:
        return not self.to_train and not self.training and not self.recomputed


@dataclass(slots=True)
class InputFacts(Record, absence="no linear or convolution layer received data directly"):
    """The input of a linear or convolution layer that no gradient flows into: the data."""

    path: str
    layer: str
    step: int
    line: str
    shape: tuple[int, ...]
    rms: float = nan
    mean: float = nan
    maximum: float = nan
    measured: bool = False
    normalized_next: bool = False
    trained: bool = False


@dataclass(slots=True)
class ModelRecord(Record):
    name: str
    kind: str
    parameters: int
    trainable: int
    calls: int
    tied: bool
    modules: list[tuple[str, str, int, int]] = field(default_factory=list)  # path, type, parameters, times it ran


@dataclass(slots=True)
class SoftmaxUse(Record):
    """The softmaxes of one line that gradients flow through."""

    line: str
    where: str
    shape: tuple[int, ...]
    dim: int
    calls: int = 0
    single: int = 0  # of them, over a dimension of one element, where the result is 1 whatever the input


@dataclass(slots=True)
class EvaluationGraph(Record, absence=Absence.IN_TRAINING):
    """The graph that a forward which did not train has built."""

    line: str
    model: str
    step: int
    held: int  # bytes that it keeps for a backward pass, without parameters, buffers and inputs
    rows: int
