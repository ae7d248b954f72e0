"""A call of a loss as a record, with facts about what went into it."""

from torch import Tensor

from torchclinic.observe.records import LossCall, Operand
from torchclinic.observe.state.measurements import Measurements, measure_operand, operand
from torchclinic.observe.state.state import State
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import CLASS_LOSSES


def loss_call(state: State, name: str, prediction: Tensor, target: Tensor) -> LossCall:
    """Of this moment; what its values are is not measured yet."""
    tied = any(model.tied for model in state.models.tracks.values())
    step, sides = state.clock.step, (_operand(state, prediction), _operand(state, target))
    return LossCall(name, step, user_line(), state.models.where(), True, step == 0, tied, *sides)


def measured_call(state: State, name: str, prediction: Tensor, target: Tensor) -> LossCall:
    """What may be a loss of this name, in other operations."""
    call = loss_call(state, name, prediction, target)
    fill_loss(call, prediction, target, state.measurements)
    return call


def _operand(state: State, tensor: Tensor) -> Operand:
    facts = operand(tensor)
    node = state.flow.node_of(tensor)
    if node is not None:
        made = node.producer()
        facts.producer, facts.producer_line, facts.producer_scale = made.op, made.origin(), made.scale
    return facts


def fill_loss(call: LossCall, prediction: Tensor, target: Tensor, measurements: Measurements) -> None:
    """Classes and value facts of both operands."""
    class_dim: int | None = None
    if call.function in CLASS_LOSSES and prediction.dim() > 0:
        class_dim = -1 if call.function == "kl_div" or prediction.dim() == 1 else 1
        call.classes = prediction.shape[class_dim]
    ignore = call.options.get("ignore_index")
    measure_operand(call.prediction, prediction, measurements, class_dim)
    labels = 1 if call.function == "binary_cross_entropy" and target.dim() > 1 else None  # one label per column
    measure_operand(call.target, target, measurements, labels, ignore if isinstance(ignore, int) else None)
