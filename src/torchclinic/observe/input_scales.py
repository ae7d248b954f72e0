"""The level and the spread of what a model is fed in training and in evaluation."""

import math
from typing import TYPE_CHECKING

from torch import Tensor

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.records import FedInputs, ForwardPass

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

MOST_BATCHES = 40  # of training, and of evaluation
LEAST_COLUMNS = 64  # numbers of a sample: with fewer, other values of one quantity can be a test of their own
LEAST_NUMBERS = 2000


class InputScales:
    """Looks at the first argument of a model, on observed forwards."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.found: dict[int, FedInputs] = {}  # by model

    def look(self, forward: ForwardPass, tensors: list[Tensor]) -> None:
        """Called before a forward with these arguments."""
        tensor, training = tensors[0].detach() if tensors else None, forward.with_grad
        if (
            tensor is None
            or forward.recomputed
            or not is_plain(tensor)
            or not tensor.is_floating_point()
            or tensor.dim() < 2
        ):
            return
        columns = math.prod(tensor.shape[1:])
        facts = self.found.setdefault(forward.index, FedInputs(forward.model, columns))
        batches = facts.training if training else facts.evaluation
        fits = columns == facts.columns >= LEAST_COLUMNS and LEAST_NUMBERS <= tensor.numel() <= LIMIT
        if not fits or len(batches) >= MOST_BATCHES or (not training and not facts.training):
            return
        if not training and not facts.line:
            facts.line, facts.step = forward.line, forward.step
        values = tensor.float()
        self.session.measurements.add(
            [values.mean(), values.std()], lambda numbers: batches.append((numbers[0], numbers[1]))
        )
