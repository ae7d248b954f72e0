"""The level and the spread of what a model is fed in training and in evaluation."""

import math

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ModelBegins
from torchclinic.observe.records import FedInputs

MOST_BATCHES = 40  # of training, and of evaluation
LEAST_COLUMNS = 64  # numbers of a sample: with fewer, other values of one quantity can be a test of their own
LEAST_NUMBERS = 2000


class InputScales(Collector):
    """Looks at the first argument of a model, on observed forwards."""

    def prepare(self) -> None:
        self.found: dict[int, FedInputs] = {}  # by model

    def model_begins(self, event: ModelBegins) -> None:
        forward, tensors = event.forward, event.tensors
        tensor, training = tensors[0].detach() if tensors else None, forward.to_train
        if tensor is None or forward.recomputed or not is_plain(tensor) or not tensor.is_floating_point() or tensor.dim() < 2:
            return
        columns = math.prod(tensor.shape[1:])
        facts = self.found.setdefault(forward.index, FedInputs(forward.model, columns))
        batches = facts.training if training else facts.evaluation
        fits = columns == facts.columns >= LEAST_COLUMNS and LEAST_NUMBERS <= tensor.numel() <= LIMIT
        if not fits or len(batches) >= MOST_BATCHES or (not training and not facts.training):
            return
        values = tensor.float()

        def receive(numbers: list[float]) -> None:
            if training:
                facts.training.append((numbers[0], numbers[1]))
            else:
                self.state.purposes.if_evaluated(forward, lambda: facts.evaluated(forward.line, forward.step, numbers))

        self.state.measurements.add([values.mean(), values.std()], receive)
