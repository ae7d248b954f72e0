"""Errors of PyTorch, explained: the tensors on the failing line, the cause, the line that caused it, the fix."""

from types import TracebackType
from typing import Self

from torch import Tensor

from torchclinic.error_notes import graph, recorder, shapes, values
from torchclinic.error_notes.note import Evidence, Note, Pattern
from torchclinic.error_notes.recorder import Recorder
from torchclinic.error_notes.scene import Scene, scene_of

PATTERNS: tuple[Pattern, ...] = (*shapes.PATTERNS, *graph.PATTERNS, *values.PATTERNS)
_HEAD = "torchclinic explains:"


class explain_errors:  # noqa: N801 (used as `with explain_errors():`)
    """Add an explanation to a common PyTorch error that leaves the block; the error itself is raised as it was.

    The explanation is a note of the exception: Python prints it under the traceback. What caused the error on another
    line (a transpose, a write in place, an earlier backward) is found because the block is watched: a few µs per
    call of torch; `watch=False` spares that. Values, gradients and random numbers are those of an unwatched run.
    """

    def __init__(self, *, watch: bool = True) -> None:
        self._recorder = Recorder() if watch else None

    def __enter__(self) -> Self:
        if self._recorder is not None:
            self._recorder.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._recorder is not None:
            self._recorder.__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        if isinstance(error, Exception):
            _drop_own_frames(traceback)
            explanation = explanation_for(error, self._recorder)
            if explanation is not None and not any(note.startswith(_HEAD) for note in getattr(error, "__notes__", ())):
                error.add_note(explanation)


def _drop_own_frames(traceback: TracebackType | None) -> None:
    """The traceback reads as if the block had not been watched."""
    own = recorder.__file__
    while traceback is not None:
        while traceback.tb_next is not None and traceback.tb_next.tb_frame.f_code.co_filename == own:
            traceback.tb_next = traceback.tb_next.tb_next
        traceback = traceback.tb_next


def explanation_for(error: BaseException, past: Recorder | None = None) -> str | None:
    """The explanation of a caught error, from its message and its traceback; None for an error that is not known."""
    return _explain(str(error), scene_of(error.__traceback__), past)


def explanation_of_text(text: str) -> str | None:
    """The explanation of a pasted message or traceback, as far as the text allows; None where nothing is known."""
    return _explain(text, Scene(), None)


def _explain(message: str, scene: Scene, past: Recorder | None) -> str | None:
    for pattern in PATTERNS:
        match = pattern.expression.search(message)
        if match is not None:
            return _text(pattern.name, pattern.explain(Evidence(match, scene, past)), scene)
    return None


def _text(name: str, note: Note, scene: Scene) -> str:
    lines = [f"{_HEAD} {name}"]
    if scene.line is not None:
        lines.append(f"  line     {scene.line}: {scene.line.text}")
    label = "tensors"
    for tensor_name, tensor in scene.tensors.items():
        lines.append(f"  {label:<8} {tensor_name}: {_describe(tensor)}")
        label = ""
    lines.append(f"  cause    {note.cause}")
    if note.culprit:
        lines.append(f"  done by  {note.culprit}")
    return "\n".join([*lines, f"  fix      {note.fix}"])


def _describe(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    place = "" if tensor.device.type == "cpu" else f", {tensor.device}"
    try:
        strides = f", strides {tensor.stride()}"
    except RuntimeError:  # sparse and nested tensors have none
        strides = ""
    return f"shape {tuple(tensor.shape) if strides else '?'}{strides}, {dtype}{place}"
