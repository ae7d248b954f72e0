"""Calls of loss functions: what goes in, with which options, and what comes out."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.records import LossCall, Operand
from torchclinic.observe.state.measurements import measure_operand, operand
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

CLASSIFYING = {"cross_entropy", "nll_loss", "kl_div", "multi_margin_loss"}
LOSSES = CLASSIFYING | {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
}
MOST_CALLS = 400


class LossWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.calls: list[LossCall] = []

    def called(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool
    ) -> LossCall | None:
        """A loss is about to be called; None if its operands are not tensors, or enough were noted."""
        session = self.session
        bound = bind(func, args, kwargs)
        prediction, target = bound.get("input"), bound.get("target")
        if not isinstance(prediction, Tensor) or not isinstance(target, Tensor) or len(self.calls) >= MOST_CALLS:
            return None
        call = self._call(name, prediction, target)
        call.training = grad and (prediction.requires_grad or target.requires_grad)
        call.failed = True
        call.options = {key: bound[key] for key in _OPTIONS if key in bound and not isinstance(bound[key], Tensor)}
        call.built = session.modules.built()
        call.options["weighted"] = isinstance(bound.get("weight"), Tensor)
        fill_loss(call, prediction, target, session.measurements)
        self.calls.append(call)
        if call.training:
            session.probing.label(name, prediction, target, bound.get("ignore_index", -100))
            session.labels.look(name, bound, call.line)
            session.class_weights.look(name, bound, call.line)
            session.target_scales.look(name, bound, call.line)
        return call

    def by_hand(self, name: str, prediction: Tensor, target: Tensor) -> LossCall:
        """What may be a loss of this name, in other operations; the caller adds it to `calls` if it is one."""
        call = self._call(name, prediction, target)
        fill_loss(call, prediction, target, self.session.measurements)
        return call

    def _call(self, name: str, prediction: Tensor, target: Tensor) -> LossCall:
        session = self.session
        tied = any(model.tied for model in session.modules.models.values())
        line, where = user_line(), session.modules.where()
        sides = self._operand(prediction), self._operand(target)
        return LossCall(name, session.step, line, where, True, session.step == 0, tied, *sides)

    def _operand(self, tensor: Tensor) -> Operand:
        facts = operand(tensor)
        node = self.session.flow.node_of(tensor)
        if node is not None:
            made = node.producer()
            facts.producer, facts.producer_line, facts.producer_scale = made.op, made.origin(), made.scale
        return facts

    def returned(self, call: LossCall, result: Tensor) -> None:
        """It did not raise, and gave `result`."""
        call.failed = False
        call.result_numel = result.numel()
        if is_plain(result) and result.numel() == 1:

            def receive(values: list[float]) -> None:
                call.value = values[0]

            self.session.measurements.add([result.detach().reshape(())], receive)
        self.session.labels.measured(call.function, call.line, call.prediction.shape, result)


_OPTIONS = ("reduction", "ignore_index", "label_smoothing", "log_target", "log_input")


@cache
def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(func)
    except ValueError:
        return None


def bind(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a loss by name, with defaults."""
    signature = _signature(func)
    if signature is None:
        return dict(zip(("input", "target"), args, strict=False)) | kwargs
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return bound.arguments


def fill_loss(call: LossCall, prediction: Tensor, target: Tensor, measurements: Any) -> None:
    """Classes and value facts of both operands."""
    class_dim: int | None = None
    if call.function in CLASSIFYING and prediction.dim() > 0:
        class_dim = -1 if call.function == "kl_div" or prediction.dim() == 1 else 1
        call.classes = prediction.shape[class_dim]
    ignore = call.options.get("ignore_index")
    measure_operand(call.prediction, prediction, measurements, class_dim)
    labels = 1 if call.function == "binary_cross_entropy" and target.dim() > 1 else None  # one label per column
    measure_operand(call.target, target, measurements, labels, ignore if isinstance(ignore, int) else None)
