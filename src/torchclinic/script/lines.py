"""Which line of the user's own code is running."""

import ast
import linecache
import os
import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple

import torch

from torchclinic.script.frames import is_own

_PACKAGE = Path(__file__).parents[1]
_LABS = str(_PACKAGE / "labs") + os.sep  # readable scripts, which stand for the user's
_FOREIGN = tuple(
    {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(torch.__file__).parent),
        str(_PACKAGE),
    }
)


class Line(NamedTuple):
    file: str
    number: int

    @property
    def text(self) -> str:
        """The source of the line, without indentation; empty where the file is not known."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        inside = Path(self.file).is_relative_to(Path.cwd())
        return f"{short_name(self.file) if inside else Path(self.file).name}:{self.number}"


NOWHERE = Line("", 0)


@cache
def is_user_file(filename: str) -> bool:
    """Neither torch, torchclinic, the standard library nor an installed package; a notebook cell and stdin count."""
    if filename.startswith("<"):
        return filename.startswith(("<ipython", "<stdin>"))
    return filename.startswith(_LABS) or not filename.startswith(_FOREIGN)


def line_of(frame: FrameType | None) -> Line:
    """The line of the innermost frame, from `frame` outwards, that is the user's."""
    while frame is not None:
        if is_user_file(frame.f_code.co_filename):
            return Line(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return NOWHERE


@cache
def short_name(filename: str) -> str:
    """Relative to the working directory where that is shorter."""
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except ValueError:
        return filename


def user_line(depth: int = 1) -> str:
    """`file:line` of the innermost frame that is the user's, or an empty string."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        filename = frame.f_code.co_filename
        if is_user_file(filename):
            return f"{short_name(filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def line_outside(frame: FrameType | None, made: object) -> str:
    """`file:line` of the user's call that made an object, from a frame inside the `__init__` of one of its classes."""
    while frame is not None:
        code = frame.f_code
        inside = code.co_argcount and code.co_name == "__init__" and frame.f_locals.get(code.co_varnames[0]) is made
        if not inside and is_user_file(code.co_filename):
            return f"{short_name(code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def line_of_traceback(traceback: TracebackType | None) -> str:
    """`file:line` of the innermost user frame of a traceback."""
    line = ""
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if is_user_file(filename):
            line = f"{short_name(filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return line


def user_name(value: object, depth: int = 1) -> str:
    """The name under which the user's innermost frames or module know `value`; empty if none does."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        if is_user_file(frame.f_code.co_filename) and not is_own(frame.f_code):
            for names in (frame.f_locals, frame.f_globals):
                for name, other in names.items():
                    if other is value and not name.startswith("_") and name != "self":
                        return name
        frame = frame.f_back
    return ""


def call_text(depth: int, skip: str) -> str:
    """Source of the call that is running in the first frame outside files whose name starts with `skip`.

    Empty where that frame is not the user's, or its source is not at hand.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and frame.f_code.co_filename.startswith(skip):
        frame = frame.f_back
    if frame is None or not is_user_file(frame.f_code.co_filename):
        return ""
    first, last, begin, end = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    lines = [linecache.getline(frame.f_code.co_filename, n).encode() for n in range(first or 0, (last or 0) + 1)]
    if lines:  # columns are counted in bytes
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][begin:]
    return b"".join(lines).decode()


def said_here() -> list[str]:
    """Names and strings in the statement that runs in the user's innermost frame; none in a function with parameters.

    What such a function says of its data it says of whatever its callers hand it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (not is_user_file(frame.f_code.co_filename) or is_own(frame.f_code)):
        frame = frame.f_back
    if frame is None or frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount:
        return []
    around = [node for node in _statements(frame.f_code.co_filename) if _covers(node, frame.f_lineno)]
    return [text for node in around for part in ast.walk(node) for text in _texts(part)]


@cache
def _statements(filename: str) -> tuple[ast.stmt, ...]:
    """The simple statements of a file; none where it cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body"))


def _covers(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _texts(node: ast.AST) -> list[str]:
    values = (getattr(node, key, None) for key in ("id", "attr", "arg", "value"))
    return [value for value in values if isinstance(value, str)]
