"""Calls of loss functions: what goes in, with which options, and what comes out."""

from collections.abc import Iterable

from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.collectors.losses.operands import fill_loss, loss_call
from torchclinic.observe.events import LossCalled, LossReturned, LossWritten, ScriptRaised
from torchclinic.observe.records import LossCall
from torchclinic.observe.state.measurements import operand
from torchclinic.vocabulary import LOSSES

_OPTIONS = ("reduction", "ignore_index", "label_smoothing", "log_target", "log_input")


class LossCalls(Collector):
    def prepare(self) -> None:
        self._calls: list[LossCall] = []
        self._open: LossCall | None = None

    def loss_called(self, event: LossCalled) -> None:
        bound = event.bound
        call = loss_call(self.state, event.function, event.prediction, event.target)
        call.training = event.training
        call.failed = True
        call.options = {key: bound[key] for key in _OPTIONS if key in bound and not isinstance(bound[key], Tensor)}
        call.built = self.state.models.built()
        call.options["weighted"] = isinstance(bound.get("weight"), Tensor)
        fill_loss(call, event.prediction, event.target, self.state.measurements)
        self._calls.append(call)
        self._open = call

    def loss_returned(self, event: LossReturned) -> None:
        call, result = self._open, event.result
        assert call is not None
        call.failed = False
        call.result_numel = result.numel()
        if is_plain(result) and result.numel() == 1:

            def receive(values: list[float]) -> None:
                call.value = values[0]

            self.state.measurements.add([result.detach().reshape(())], receive)

    def loss_written(self, event: LossWritten) -> None:
        self._calls.append(event.call)

    def script_raised(self, event: ScriptRaised) -> None:
        """A loss that raised, where its call was not seen."""
        prediction, target = event.arguments.get("input"), event.arguments.get("target")
        if event.function not in LOSSES or not isinstance(prediction, Tensor) or not isinstance(target, Tensor):
            return
        if any(call.failed for call in self._calls):
            return
        step, sides = self.state.clock.step, (operand(prediction), operand(target))
        call = LossCall(event.function, step, event.line, "", True, step == 0, False, *sides, failed=True)
        call.options = {"ignore_index": event.arguments.get("ignore_index", -100)}
        fill_loss(call, prediction, target, self.state.measurements)
        self._calls.append(call)

    def records(self) -> Iterable[LossCall]:
        return self._calls
