"""What an observer saw: plain data, no tensor, no live module. Rules read these and nothing else.

Numbers that needed a device are filled in when the observer flushes its measurements; after that nothing changes.
"""

from dataclasses import dataclass, field
from typing import Literal

from torchclinic.observe.series import LayerSeries

NAN = float("nan")


@dataclass(slots=True)
class Operand:
    """A tensor that went into a loss or a comparison."""

    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    producer: str = ""  # the operation that made it; changes of shape and type are looked through
    producer_line: str = ""
    producer_scale: float = 0.0  # dropout: its probability
    minimum: float = NAN
    maximum: float = NAN
    finite: bool = True
    row_sum_low: float = NAN  # sums over the classes
    row_sum_high: float = NAN
    logsumexp_low: float = NAN  # over the classes
    logsumexp_high: float = NAN
    below_minus_one: float = NAN  # share of the values
    below_zero: float = NAN
    above_one: float = NAN


@dataclass(slots=True)
class LossCall:
    """A call of one of torch.nn.functional's losses, by hand or through its module."""

    function: str
    step: int
    line: str
    where: str
    training: bool  # its value requires grad
    untrained: bool  # no optimizer has stepped yet
    tied: bool  # the model that ran uses one weight as embedding and as output layer
    prediction: Operand
    target: Operand
    classes: int = 0
    result_numel: int = 0
    value: float = NAN
    options: dict[str, object] = field(default_factory=dict)
    failed: bool = False  # the call raised
    built: str = ""  # where the loss module was made, if the call went through one


@dataclass(slots=True)
class Elementwise:
    """Two tensors of equal size and different shape that broadcast to their outer product, outside a loss function."""

    function: str
    step: int
    line: str
    where: str
    left: tuple[int, ...]
    right: tuple[int, ...]
    result: tuple[int, ...]
    comparison: bool
    deliberate: bool  # an axis was inserted on the same line, or both come from one tensor
    left_requires_grad: bool
    right_requires_grad: bool
    reduced: bool = False  # the whole result was summed or averaged


@dataclass(slots=True)
class LayerPass:
    """What one dropout or normalization layer did in one forward of a model."""

    path: str
    kind: str  # dropout | batchnorm
    active: bool  # drops, or normalizes by the batch
    frozen: bool = False  # its own parameters do not require grad
    values_per_channel: int = 0
    tracks: bool = False  # keeps running statistics
    probability: float = 0.0


@dataclass(slots=True)
class ForwardPass:
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
    input_finite: bool = True

    def evaluating(self) -> bool:
        return not self.with_grad and not self.training and not self.recomputed


@dataclass(slots=True)
class InputFacts:
    """The input of a linear or convolution layer that no gradient flows into: the data."""

    path: str
    layer: str
    step: int
    line: str
    shape: tuple[int, ...]
    rms: float = NAN
    mean: float = NAN
    maximum: float = NAN
    measured: bool = False
    normalized_next: bool = False
    trained: bool = False


@dataclass(slots=True)
class BackwardPass:
    """A backward pass that was observed in full."""

    step: int
    line: str
    root_line: str  # where the tensor it started from was made
    root_operation: str
    root_is_leaf: bool
    root_shape: tuple[int, ...]
    value: float
    parameters_reached: int
    inputs_reached: int  # leaves that are neither parameters nor owned by an optimizer
    numerator_is_denominator: bool = False  # the root is x / x


@dataclass(slots=True)
class StepRecord:
    """One `optimizer.step()`."""

    optimizer: int
    name: str
    step: int
    line: str
    lr: float
    observed: bool
    backwards: int  # since its previous step
    cleared: bool  # gradients were found or made zero or None since its previous step
    cleared_after_backward: bool
    clear_line: str = ""
    stale: int = 0  # parameters whose gradient was consumed before, not cleared, and added to
    owned: int = 0
    with_gradient: int = 0
    empty: bool = False  # every gradient is None or zero
    left_by_backward: bool = False  # the last backward had left non-zero gradients on owned parameters
    path_exists: bool = True  # a backward since the previous step reached an owned parameter
    moved: int = 0  # parameters that differ after the step
    gradient_norm: float = NAN
    update_norm: float = NAN
    weight_norm: float = NAN
    stale_norm: float = NAN
    example: str = ""


@dataclass(slots=True)
class OptimizerRecord:
    index: int
    name: str
    line: str
    owned: int
    steps: int
    pattern: str  # B backward that reaches it, b another, I one for an input, Z clear, S step; the first few hundred
    orphans: int  # owned parameters that never had a gradient and belong to no model in use
    lr_first: float
    lr_max: float
    lr_last: float
    tail_share: float  # share of the steps, at the end, with a rate below 1e-4 of the highest
    tail_start: int
    alone: bool = True  # the only optimizer
    stale_steps: int = 0
    clear_line: str = ""
    input_backwards: bool = False  # some backward was for the gradient of an input


@dataclass(slots=True)
class SchedulerRecord:
    name: str
    line: str
    calls: int
    first_before_optimizer: bool
    optimizer_steps: int
    epochs: int
    horizon: int  # T_max, total_iters, total_steps or step_size; 0 = none
    horizon_name: str
    plateau: bool
    optimizer: int = -1


@dataclass(slots=True)
class ParameterRecord:
    """A parameter over the steps that were observed in full."""

    name: str
    module: str
    module_type: str
    shape: tuple[int, ...]
    registered: bool  # in parameters() of a model that was called
    held_by: str  # the model in whose forward its unregistered module or the tensor itself was used
    is_parameter: bool
    owned: bool  # by an optimizer that steps
    owner_steps: int
    line: str
    initialized_line: str  # where its first values were set, if by torch.nn.init
    requires_grad: bool
    module_ran: int  # forwards with gradients in which its module took part
    backwards: int  # observed backward passes
    reached: int  # of them, how many reached it
    sibling_ran: bool  # its module is one of several alike in a container, and another of them runs
    loaded: bool  # its value came from load_state_dict
    evaluating: bool  # its module was in eval mode whenever it ran
    unchanged: bool  # bitwise the same at the end as when first seen
    persistent: bool  # the same tensor received gradients over several steps
    input_like: bool  # it was an argument of a model
    by_hand: bool  # no optimizer stepped in the run
    model_steps: int  # steps any optimizer took while it was known
    rows_equal: bool = False  # at the first step
    constant: bool = False  # every number is the same, and not 0
    gradient_rows_equal: bool = False
    all_zero: bool = False
    stayed_zero: bool = False
    gradient_zero: bool = False
    cut: str = ""  # where the graph was cut between its module and the loss
    cut_line: str = ""


@dataclass(slots=True)
class LoaderRecord:
    line: str
    batches: int  # len(loader)
    iterators: int
    drawn: int
    single: int  # iterators that gave exactly one batch
    built: str = ""  # where the loader was made


@dataclass(slots=True)
class BatchRun:
    """The longest run of consecutive training forwards on bitwise the same batch."""

    model: str
    line: str
    length: int
    total: int
    rows: int
    source_rows: int  # rows of the larger tensor the batch was cut from; 0 = unknown
    fresh: bool  # a new tensor each time
    source: str  # loader | slice | ""


@dataclass(slots=True)
class MutatedData:
    line: str
    operation: str
    step: int
    shape: tuple[int, ...]
    base_shape: tuple[int, ...]
    times: int
    feeds_model: bool


@dataclass(slots=True)
class OverlappingWrite:
    line: str
    operation: str
    step: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(slots=True)
class SilentCopy:
    line: str
    operation: str
    nbytes: int
    calls: int
    steps: int
    shape: tuple[int, ...]


@dataclass(slots=True)
class PinnedStorage:
    line: str
    place: Literal["memory", "checkpoint"]
    tensors: int
    used: int  # bytes
    held: int  # bytes
    name: str = ""


@dataclass(slots=True)
class CheckpointUse:
    """A state dict taken earlier was used again."""

    taken_line: str
    taken_step: int
    used_line: str
    used_step: int
    use: Literal["load", "save"]
    aliased: int  # tensors that share memory with live parameters
    tensors: int
    takes: int  # how often a state dict of that module was taken
    same_module: bool  # loaded back into the module it was taken from


@dataclass(slots=True)
class LoadRecord:
    line: str
    step: int
    model: str
    strict: bool
    keys: int
    matched: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    prefix: str  # removing or adding it would match the keys; empty = none does
    overwritten: int = 0  # loaded weights that differed at the first training step
    weights: int = 0


@dataclass(slots=True)
class RetainedGraph:
    line: str
    step: int
    losses: int  # losses of different steps that one live tensor, or a list, still holds with their graph
    kind: Literal["sum", "list"]


@dataclass(slots=True)
class ScaledClip:
    line: str
    step: int
    scale: float
    calls: int


@dataclass(slots=True)
class NonFinite:
    """The first NaN or infinity."""

    phase: Literal["forward", "backward", "parameter", "data"]
    step: int
    line: str
    where: str
    operation: str
    value: str  # nan | inf
    trap: str = ""  # sqrt-at-zero | where | log-of-zero | ...
    inputs_finite: bool = True
    certain: bool = True  # the producer was seen, not inferred


@dataclass(slots=True)
class Failure:
    """The script raised."""

    kind: str
    message: str
    line: str
    operation: str = ""


@dataclass(slots=True)
class ModelRecord:
    name: str
    kind: str
    parameters: int
    trainable: int
    calls: int
    tied: bool
    modules: list[tuple[str, str, int, int]] = field(default_factory=list)  # path, type, parameters, times it ran


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
    scaled: bool = False
    probe_reason: str = ""  # why no probe was made
