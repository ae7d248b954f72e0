"""The error in a text: a message, a traceback or the log of a run. Every line is read once."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from torchclinic.error_notes.frame import Frame
from torchclinic.error_notes.scene import Scene
from torchclinic.script.lines import Line

MOST_ERRORS = 40  # of a log that are asked for, the last ones
LONGEST_LINE = 4_000  # characters of a line that are read
MOST_LINES = 80  # of one message

_PREFIX = r"(?:\[[^\]]{0,40}\]:? ?|E {3}|\d{4}-\d\d-\d\d[T ][\d:.,]+ ?)?"
_ERROR = re.compile(_PREFIX + r"(?:[A-Za-z_][\w.]{0,80}\.)?([A-Z]\w{0,60}(?:Error|Exception|Iteration|Interrupt))(?:: (.*))?$")
_BEGIN = re.compile(_PREFIX + r"\s*(?:Original )?Traceback \(most recent call last\)")
_FRAME = re.compile(_PREFIX + r"\s*File \"([^\"]{1,400})\", line (\d{1,9}), in (\S{1,200})")
_HINT = re.compile(r"error|expect|mismatch|must|cannot|can't|invalid|out of|not |only|should|unable|failed", re.IGNORECASE)
_FOREIGN = re.compile(r"site-packages|dist-packages|/lib/python\d|[/\\]torch[/\\]|^<frozen|\\Lib\\")


@dataclass(frozen=True, slots=True)
class Told:
    """An error as a text tells of it."""

    type: str
    message: str
    frames: tuple[tuple[str, int, str], ...] = ()  # of the user's files: file, line, function

    def scene(self) -> Scene:
        frames = tuple(Frame(Line(file, number), function) for file, number, function in self.frames)
        return Scene(self.message, self.type, frames)


def errors_in(text: str) -> Iterator[Told]:
    """The errors that a text tells of, the last first; a text that names none is one message."""
    found: deque[Told] = deque(maxlen=MOST_ERRORS)
    frames: list[tuple[str, int, str]] = []
    message: list[str] | None = None
    hints: deque[str] = deque(maxlen=MOST_ERRORS * 5)
    for whole in text.splitlines():
        line = whole[:LONGEST_LINE]
        error = _ERROR.match(line.strip() if line.startswith(" ") else line)
        if error is not None:
            message = [error[2] or ""]
            found.append(Told(error[1], error[2] or "", _own(frames)))
            frames = []
        elif (frame := _FRAME.match(line)) is not None:
            frames = (
                [*frames[-200:], (frame[1], int(frame[2]), frame[3])] if message is None else [(frame[1], int(frame[2]), frame[3])]
            )
            message = None
        elif _BEGIN.match(line):
            frames, message = [], None
        elif message is not None and line.strip() and len(message) < MOST_LINES:
            message.append(line)
            last = found.pop()
            found.append(Told(last.type, "\n".join(message), last.frames))
        elif message is not None and not line.strip():
            message = None
        if _HINT.search(line):
            hints.append(line.strip())
    yield from reversed(found)
    if not found and len(text) <= LONGEST_LINE:
        yield Told("", text.strip())
    yield from (Told("", hint) for hint in reversed(hints))


def _own(frames: list[tuple[str, int, str]]) -> tuple[tuple[str, int, str], ...]:
    return tuple(frame for frame in frames if not _FOREIGN.search(frame[0]))
