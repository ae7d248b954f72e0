"""What a script's exception says, read from its traceback."""

from types import FrameType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torchclinic.observe.losses import LOSSES, fill_loss
from torchclinic.observe.records import Failure, LossCall
from torchclinic.observe.state.measurements import operand
from torchclinic.script.lines import line_of_traceback

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


def note_failure(session: "Session", error: BaseException) -> None:
    """Record the exception; if a loss function raised it, record its operands too."""
    operation = ""
    line = line_of_traceback(error.__traceback__)
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.endswith("torch/nn/functional.py"):
            operation = step.tb_frame.f_code.co_name
            if operation in LOSSES:
                _loss(session, operation, step.tb_frame, line)
                break
        step = step.tb_next
    session.run.failure = Failure(type(error).__name__, str(error), line, operation)


def _loss(session: "Session", function: str, frame: FrameType, line: str) -> None:
    prediction, target = frame.f_locals.get("input"), frame.f_locals.get("target")
    if not isinstance(prediction, Tensor) or not isinstance(target, Tensor):
        return
    if any(call.failed for call in session.losses.calls):
        return
    untrained = session.step == 0
    call = LossCall(
        function, session.step, line, "", True, untrained, False, operand(prediction), operand(target), failed=True
    )
    call.options = {"ignore_index": frame.f_locals.get("ignore_index", -100)}
    with torch.no_grad():
        fill_loss(call, prediction, target, session.measurements)
        session.measurements.flush()
    session.losses.calls.append(call)
