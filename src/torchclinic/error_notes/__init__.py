"""Errors of PyTorch, explained: the tensors on the failing line, the cause, the line that caused it, the fix."""

from types import TracebackType
from typing import Self

from torchclinic.error_notes import recorder
from torchclinic.error_notes.crash import HEAD, Crash, crash_of, explained
from torchclinic.error_notes.reading import errors_in
from torchclinic.error_notes.recorder import Recorder


class explain_errors:  # noqa: N801 (used as `with explain_errors():`)
    """Add an explanation to a common PyTorch error that leaves the block; the error itself is raised as it was.

    The explanation is a note of the exception: Python prints it under the traceback. What caused the error on another
    line (a transpose, a write in place, an earlier backward) is found because the block is watched: a few µs per
    call of torch; `watch=False` spares that. Values, gradients and random numbers are those of an unwatched run.
    Afterwards `crash` holds what is known of the error; `crash.finding()` is it as a finding.
    """

    def __init__(self, *, watch: bool = True) -> None:
        self._recorder = Recorder() if watch else None
        self.crash: Crash | None = None

    def __enter__(self) -> Self:
        if self._recorder is not None:
            self._recorder.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._recorder is not None:
            self._recorder.__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        if isinstance(error, Exception):
            _drop_own_frames(traceback)
            self.crash = crash_of(error, self._recorder)
            explanation = self.crash.text()
            if explanation and not any(note.startswith(HEAD) for note in getattr(error, "__notes__", ())):
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
    return crash_of(error, past).text() or None


def crash_in_text(text: str) -> Crash | None:
    """The error that a pasted message, a traceback or a log tells of, if it is of a known kind; the last of several."""
    crashes = (explained(told.scene()) for told in errors_in(text))
    return next((crash for crash in crashes if crash.explanation is not None), None)


def explanation_of_text(text: str) -> str | None:
    """The explanation of a pasted message or traceback, as far as the text allows; None where nothing is known."""
    crash = crash_in_text(text)
    return None if crash is None else crash.text()
