"""The data as they enter the first layers: their level, their spread, and whether a normalization follows."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import LayerEnded, ModelEnds
from torchclinic.observe.records import InputFacts
from torchclinic.vocabulary import NORMALIZATIONS

MOST_INPUTS = 40
MOST_WAITING = 8  # of which the operations that follow are looked at
MOST_NODES = 400


class Inputs(Collector):
    def prepare(self) -> None:
        self._inputs: list[InputFacts] = []

    def layer_ended(self, event: LayerEnded) -> None:
        tensor, forward = event.input, event.forward
        if not isinstance(event.module, nn.Linear | _ConvNd) or tensor is None or len(self._inputs) >= MOST_INPUTS:
            return
        if tensor.requires_grad or not forward.to_train or not is_plain(tensor) or not tensor.is_floating_point():
            return
        if tensor.numel():
            kind, step = type(event.module).__name__, self.state.clock.step
            facts = InputFacts(event.path, kind, step, forward.line, tuple(tensor.shape))
            self._inputs.append(facts)
            self._measure(facts, tensor.detach().float())

    def _measure(self, facts: InputFacts, values: Tensor) -> None:
        def receive(numbers: list[float]) -> None:
            facts.rms, facts.mean, facts.maximum, facts.measured = numbers[0] ** 0.5, numbers[1], numbers[2], True

        self.state.measurements.add([values.square().mean(), values.mean(), values.abs().max()], receive)

    def model_ends(self, event: ModelEnds) -> None:
        """Is an input normalized directly behind its layer?"""
        recent = self.state.flow.created[-MOST_NODES:]
        normalized = {node.parents[0].producer().where for node in recent if node.op in NORMALIZATIONS and node.parents}
        for facts in self._inputs[-MOST_WAITING:]:
            facts.normalized_next = facts.normalized_next or facts.path in normalized

    def records(self) -> Iterator[InputFacts]:
        for facts in self._inputs:
            facts.trained = True
            yield facts
