"""Which line of the user's code is running: the innermost frame outside torch and outside the instruments."""

import linecache
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

_TORCH = str(Path(torch.__file__).parent)
_PACKAGE = Path(__file__).parents[1]
_INSTRUMENTS = (_TORCH, str(_PACKAGE / "observe"), str(_PACKAGE / "instruments"), str(_PACKAGE / "script"), str(_PACKAGE / "error_notes"))


class Line(NamedTuple):
    file: str
    number: int

    @property
    def text(self) -> str:
        """The source of the line, without indentation; empty where the file is not known."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        return f"{_short(self.file)}:{self.number}"


NOWHERE = Line("", 0)


def user_line(frame: FrameType | None) -> Line:
    """The line of the innermost frame, from `frame` outwards, that belongs to neither torch nor the instruments."""
    while frame is not None:
        file = frame.f_code.co_filename
        own = _USER_FILES.get(file)
        if own is None:
            own = _USER_FILES[file] = is_user_file(file)
        if own:
            return Line(file, frame.f_lineno)
        frame = frame.f_back
    return NOWHERE


_USER_FILES: dict[str, bool] = {}


def is_user_file(file: str) -> bool:
    return not file.startswith(_INSTRUMENTS) and not (file.startswith("<") and "frozen" in file)


@cache
def _short(file: str) -> str:
    """Relative to the working directory where the file lies in it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
