"""What a script's exception says, read from its traceback."""

from torchclinic.observe.events import ScriptRaised
from torchclinic.observe.session import Session
from torchclinic.script.lines import line_of_traceback
from torchclinic.vocabulary import LOSSES

_FUNCTIONAL = "torch/nn/functional.py"


def note_failure(session: Session, error: BaseException) -> None:
    """Tell of the exception, and of the function of torch.nn.functional in which it was raised, if it was in one."""
    frames = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.endswith(_FUNCTIONAL):
            frames.append(step.tb_frame)
        step = step.tb_next
    losses = [frame for frame in frames if frame.f_code.co_name in LOSSES]
    frame = losses[0] if losses else frames[-1] if frames else None
    function, arguments = ("", {}) if frame is None else (frame.f_code.co_name, dict(frame.f_locals))
    with session.own.work():
        line = line_of_traceback(error.__traceback__)
        session.bus.tell(ScriptRaised(type(error).__name__, str(error), line, function, arguments))
        session.state.measurements.flush()
