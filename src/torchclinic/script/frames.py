"""Frames of ours are not seen: neither in a traceback, nor by a warning, which names the line that caused it.

A traceback loses the frames of the wrappers, and those by which torch asks a function mode (the function that is called
again, and `handle_torch_function`). A warning from C++ names the innermost Python frame: so the call is made by a double of
the caller's line, of its file, number and globals. A warning from Python counts frames outwards: ours are not counted.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any

import torch
from torch.overrides import handle_torch_function

Call = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

DOUBLE = "<torchclinic>"  # the name of a double's code
_OBSERVE = str(Path(__file__).parents[1] / "observe") + os.sep  # every wrapper stands in it
_ASKING: CodeType = handle_torch_function.__code__
_DEPTH = 3  # frames between a function that asks the mode and the one that is called again
_MOST_DOUBLES = 10_000
_double: CodeType = (lambda func, args, kwargs: func(*args, **kwargs)).__code__
_doubles: dict[tuple[int, str, int], Call] = {}
_unheard: Call | None = None  # the double of every line while nothing is to be heard


@contextmanager
def hushed() -> Iterator[None]:
    """Extra calls of the user's code are not heard: what it prints, logs and warns of, it will say again when it runs.

    Nor is a warning used up by them: one that C++ gives once stays to be given, and no registry notes one.
    """
    global _unheard
    always, quiet = torch.is_warn_always_enabled(), logging.root.manager.disable
    handlers = list(logging.root.handlers)
    _unheard = FunctionType(_double.replace(co_name=DOUBLE), {"__name__": __name__, "__builtins__": __builtins__})
    torch.set_warn_always(True)
    logging.disable()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        _unheard = None
        torch.set_warn_always(always)
        logging.disable(quiet)
        logging.root.handlers[:] = handlers  # the first `logging.warning` makes one, of the stream that it finds


def double_of(frame: FrameType) -> Call:
    """`call(func, args, kwargs)` that looks, to a warning in it, as if it stood on the line that asked for it.

    `frame` is the caller of `__torch_function__`: the line itself, or torch's `handle_torch_function` below it.
    """
    if _unheard is not None:
        return _unheard
    if frame.f_code is _ASKING and frame.f_back is not None and frame.f_back.f_back is not None:
        frame = frame.f_back.f_back
    key = (id(frame.f_globals), frame.f_code.co_filename, frame.f_lineno)
    call = _doubles.get(key)
    if call is None:
        if len(_doubles) >= _MOST_DOUBLES:
            _doubles.clear()
        code = _double.replace(co_filename=key[1], co_firstlineno=key[2], co_name=DOUBLE, co_qualname=DOUBLE)
        call = _doubles[key] = FunctionType(code, frame.f_globals)
    return call


def forget_doubles() -> None:
    """Let go of the globals of the lines that were doubled."""
    _doubles.clear()


def is_own(code: CodeType) -> bool:
    file = code.co_filename
    return code.co_name == DOUBLE or file == __file__ or file.startswith(_OBSERVE)


def _visible(codes: Iterable[CodeType]) -> list[int]:
    """Which of the frames, outermost first, a run without us would have."""
    kept: list[tuple[int, CodeType]] = []
    for index, code in enumerate(codes):
        if is_own(code):
            continue
        if kept and kept[-1][1] is _ASKING:
            again = next((back for back in range(2, _DEPTH + 2) if len(kept) >= back and kept[-back][1] is code), 0)
            del kept[len(kept) - again :]
        kept.append((index, code))
    return [index for index, _ in kept]


def visible_traceback(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without our frames; it is relinked in place."""
    steps: list[TracebackType] = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    for index in reversed(_visible(step.tb_frame.f_code for step in steps)):
        steps[index].tb_next = traceback
        traceback = steps[index]
    return traceback


def forget_frames(error: BaseException) -> None:
    """Take our frames out of the traceback of an exception that passes through them."""
    error.__traceback__ = visible_traceback(error.__traceback__)


def forget_frames_of_all(error: BaseException) -> None:
    """The same for its causes, its contexts and the members of a group."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        forget_frames(one)
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [other for other in (one.__cause__, one.__context__, *group) if other is not None]


def unseen(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which leaves no frame of ours in the traceback of what it raises."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            forget_frames(error)
            raise

    return wrapper


def wrap_warn(original: Callable[..., Any]) -> Callable[..., Any]:
    """`warnings.warn` that does not count our frames towards `stacklevel`."""

    def warn(message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **options: Any) -> None:
        if _unheard is not None:
            return
        stack: list[FrameType] = []
        frame: FrameType | None = sys._getframe(2)  # above the wrapper that hides this one
        ours = False
        while frame is not None and len(stack) < 10_000:
            ours = ours or (len(stack) < stacklevel and is_own(frame.f_code))
            if not ours and len(stack) >= stacklevel:
                break
            stack.append(frame)
            frame = frame.f_back
        seen = _visible(frame.f_code for frame in reversed(stack)) if ours else []
        if options or not 0 < stacklevel <= len(seen):
            original(message, category, stacklevel + 2, source, **options)
            return
        target = stack[len(stack) - 1 - seen[-stacklevel]]
        kind = type(message) if isinstance(message, Warning) else category or UserWarning
        names = target.f_globals
        registry = names.setdefault("__warningregistry__", {})
        file, module = target.f_code.co_filename, names.get("__name__") or "<string>"
        warnings.warn_explicit(message, kind, file, target.f_lineno, module, registry, None, source)

    return warn
