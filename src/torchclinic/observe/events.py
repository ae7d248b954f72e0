"""What happens in an observed run. A tap tells an event; collectors and probes hear it by a method of its name.

`ModelBegins` is heard by `def model_begins(self, event: ModelBegins)`. Told are only steps that are looked at and what
happens outside of steps: on steps in between, a backward pass, a clear, a step or the call of a trained model tells nothing.
Where a comment names no other place, events are told while no torch function mode and no gradient is on.
"""

import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from torchclinic.observe.records import (
    BackwardPass,
    EvaluatedLabels,
    ForwardPass,
    LabelBatch,
    LabelStream,
    LayerPass,
    LossCall,
    LossDirection,
)
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.kept import KeptBatch
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.tracks import OptimizerTrack

# -- operations ---------------------------------------------------------------------------------------------------------


class OperationBegins(NamedTuple):
    """A torch function that some hearer wants is about to be called."""

    name: str
    args: tuple[Any, ...]


class OperationCalled(NamedTuple):
    """A torch function that some hearer wants has returned a tensor, or written into its first argument."""

    name: str
    node: Node
    result: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    grad: bool  # gradients are recorded


class OperationEarly(NamedTuple):
    """The same before the first model, while data are made: no node is kept."""

    name: str
    result: Any
    args: tuple[Any, ...]


# -- losses -------------------------------------------------------------------------------------------------------------


class LossCalled(NamedTuple):
    """A loss of torch.nn.functional is about to be called with two tensors."""

    function: str
    prediction: Tensor
    target: Tensor
    bound: dict[str, Any]  # its arguments by name, with defaults
    line: str
    training: bool  # its value will require grad


class LossReturned(NamedTuple):
    """It did not raise."""

    called: LossCalled
    result: Tensor


class ScriptRaised(NamedTuple):
    """The script has ended by an exception; told at most once, by who runs it."""

    kind: str
    message: str
    line: str
    function: str  # of torch.nn.functional, in which it was raised; or empty
    arguments: dict[str, Any]  # of that function, where it is a loss


class LossWritten(NamedTuple):
    """A backward pass begins from a sum of losses that the script wrote in tensor operations; this is one of them."""

    call: LossCall


class TargetsCompared(NamedTuple):
    """... and this what is known of the targets of a plain mean."""

    function: str
    line: str
    delta: float
    numbers: int
    sizes: list[Tensor]


class LabelsGuessed(NamedTuple):
    """A loss that is written by hand compared a guess of a class with the label."""

    line: str
    labels: Tensor
    guess: Tensor
    classes: int


class LossUnderstood(NamedTuple):
    """Told once for each `BackwardBegins`, after it: what the loss is, as far as the operations behind it say."""

    backward: BackwardPass
    root: Node | None
    error: str  # the loss of torch.nn.functional that the root, written by hand, rises and falls with; or empty
    error_mean: bool  # it is that, averaged over all elements
    known: tuple[str, Node, float, Tensor] | None  # it is nothing but this error: measure, node, chance, value


class LossBroke(NamedTuple):
    """The loss of a backward pass that is not looked at is not finite."""

    root: Tensor
    line: str


class LabelsNoted(NamedTuple):
    """A batch of labels was met in training; its numbers are filled in when the measurements are flushed."""

    stream: LabelStream
    batch: LabelBatch


class DecisionsCompared(NamedTuple):
    """Decisions were compared with labels outside of a loss, in an evaluation."""

    node: Node
    guess: Tensor
    labels: Tensor


class LabelsEvaluated(NamedTuple):
    """... and this is what they were, counted."""

    seen: EvaluatedLabels


class DirectionNoted(NamedTuple):
    """A measure of error was seen in the loss, for the first time on that line."""

    direction: LossDirection


# -- models -------------------------------------------------------------------------------------------------------------


class ModelBegins(NamedTuple):
    """A model is called from outside any other."""

    model: nn.Module
    track: ModelTrack
    forward: ForwardPass
    tensors: list[Tensor]  # plain ones among its arguments


class ModelRuns(NamedTuple):
    """Its forward is about to run: the moment for passes beside it. Told with the modes and gradients of the script."""

    model: nn.Module
    track: ModelTrack
    forward: ForwardPass
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class EvaluationRuns(NamedTuple):
    """The same for the first forward of an evaluation, of a model of which a training batch was kept."""

    model: nn.Module
    track: ModelTrack
    forward: ForwardPass
    kept: KeptBatch
    arguments: tuple[Any, ...]  # args and kwargs of the evaluation


class LayerEnded(NamedTuple):
    """A module within a model has run, or a model that is a single layer."""

    module: nn.Module
    path: str
    input: Tensor | None  # its first argument
    forward: ForwardPass
    layer: LayerPass | None  # of a dropout or a BatchNorm
    track: ModelTrack


class ModelEnds(NamedTuple):
    model: nn.Module
    track: ModelTrack
    forward: ForwardPass
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


# -- backward -----------------------------------------------------------------------------------------------------------


class BackwardBegins(NamedTuple):
    """A backward pass that is looked at: what it reaches is marked, no gradient has changed."""

    backward: BackwardPass
    root: Node | None  # None: no observed operation made it


class BackwardEnded(NamedTuple):
    """It has ended, and so has one outside of observed steps where the run is not on its fast path (`backward` None)."""

    root: Tensor
    node: Node | None
    backward: BackwardPass | None
    broken: list[str]  # parameters whose gradient is not finite


class GradientsComputed(NamedTuple):
    """The script asked `torch.autograd.grad` for gradients of leaves, in a loop without an optimizer."""

    pairs: list[tuple[Tensor, Tensor | None]]


# -- steps --------------------------------------------------------------------------------------------------------------


class StepBegins(NamedTuple):
    """An optimizer is about to step; `gradients` are known where the step is looked at in full and has no closure."""

    optimizer: torch.optim.Optimizer
    track: OptimizerTrack
    observed: bool
    loads: int  # state dicts that were loaded since its previous step
    first: bool  # not inside another optimizer's step
    gradients: list[tuple[Tensor, float]]  # parameters with a dense gradient, and its norm


class StepEnds(NamedTuple):
    """... has stepped: `live` are the parameters that had a gradient, `before` their values then."""

    optimizer: torch.optim.Optimizer
    track: OptimizerTrack
    observed: bool
    before: list[Tensor]
    live: list[Tensor]


# -- windows ------------------------------------------------------------------------------------------------------------


class StepSeen(NamedTuple):
    """A step that was looked at has ended, and its measurements are in."""


class WindowEnded(NamedTuple):
    """The last of a row of such steps has ended; the operations of all of them are still known."""


class ChainsForgotten(NamedTuple):
    """The operations so far are forgotten: nodes that were kept say nothing any more."""


class ObservationEnds(NamedTuple):
    """Nothing more will come."""


# -- data ---------------------------------------------------------------------------------------------------------------


class LoaderOpened(NamedTuple):
    """A loader is iterated."""

    loader: Any
    iterator: Any


class BatchDrawn(NamedTuple):
    """It gave a batch. Told with the modes of the script, at every depth."""

    loader: Any  # None: it is gone
    iterator: Any
    batch: Any
    line: str  # on which the loader is iterated
    built: str  # on which it was made
    sampled: bool  # the step is sampled, not looked at


# -- checkpoints, schedules, clipping, ranks ------------------------------------------------------------------------------


class StateDictTaken(NamedTuple):
    module: nn.Module
    values: dict[str, Any]


class StateDictLoads(NamedTuple):
    """A state dict is about to be loaded."""

    module: nn.Module
    tensors: list[Tensor]


class StateDictLoaded(NamedTuple):
    module: nn.Module
    state: Any
    strict: bool
    expected: tuple[str, ...]  # keys of the module's own


class Saved(NamedTuple):
    """`torch.save` is about to write these."""

    tensors: list[Tensor]


class ScheduleStepped(NamedTuple):
    """A schedule of the learning rate is about to be advanced, or is being made."""

    scheduler: Any
    making: bool
    given: Any  # the first argument: the epoch, or the measure of a plateau schedule


class GradientsClipped(NamedTuple):
    """`clip_grad_norm_` or `clip_grad_value_` has run."""

    function: str
    tensors: list[Any]
    limit: float
    line: str
    foreign: Tensor | None  # one that is the result of a computation
    before: float  # norm of all gradients; 0 where it was not measured
    after: float
    scaled: float  # the scale by which the gradients are multiplied right now; 0 = none


class ModelWrapped(NamedTuple):
    """A module was given to a data-parallel wrapper."""

    wrapper: nn.Module
    inner: nn.Module


class DataDivided(NamedTuple):
    """A sampler deals the training data out to the ranks."""


class GroupEnds(NamedTuple):
    """The default process group is about to be destroyed."""


Event = Any  # one of the classes above
Tell = Callable[[Event], None]


def method_of(event: type) -> str:
    """The method that hears it: `ModelBegins` -> `model_begins`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", event.__name__).lower()


EVENTS: tuple[type, ...] = tuple(
    value
    for value in vars(sys.modules[__name__]).values()
    if isinstance(value, type) and value.__module__ == __name__ and issubclass(value, tuple)
)
