"""Which files a run writes.

Python's audit events see every `open`, whoever calls it; no patch does. An audit hook cannot be removed, so there is one
per process, installed when first needed, and inert between recordings. `torch.save` opens its file in C++, where no event
is raised: it is patched for the time of the recording.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch

from torchclinic.observe.taps.patches import Patches

MOST_COPIED = 2**30  # bytes of written files that are copied before replays

_recording: dict[str, None] | None = None  # paths in the order they were first opened for writing


@contextmanager
def recorded_writes() -> Iterator[dict[str, None]]:
    """The absolute paths that are opened for writing inside the block, as the keys of a dict."""
    global _recording
    _install()
    written: dict[str, None] = {}
    _recording = written
    patches = Patches()
    patches.replace(torch, "save", _noting_save)
    try:
        yield written
    finally:
        _recording = None
        patches.undo()


def kept_files(written: dict[str, None]) -> tuple[str, ...]:
    """Those that are still there, without the interpreter's own caches."""
    return tuple(path for path in written if Path(path).is_file() and not path.endswith(".pyc"))


def opens_for_writing(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@contextmanager
def put_back(paths: Sequence[str]) -> Iterator[list[str]]:
    """Copy files, and restore their content and times when the block ends; those too large to copy are given."""
    left, copies, unsaved = MOST_COPIED, {}, []
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            size = Path(path).stat().st_size
            if size > left:
                unsaved.append(path)
                continue
            left -= size
            copies[path] = shutil.copy2(path, Path(folder, str(number)))
        try:
            yield unsaved
        finally:
            for path, copy in copies.items():
                with suppress(OSError):  # the replays may have removed its folder
                    shutil.copy2(copy, path)


@cache
def _install() -> None:
    sys.addaudithook(_heard)


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if _recording is not None and event == "open" and opens_for_writing(args[1], args[2]):
        _note(args[0])


def _note(path: Any) -> None:
    if _recording is not None and isinstance(path, str | bytes | os.PathLike):
        full = str(Path(os.fsdecode(path)).resolve())
        if not full.startswith(("/dev/", "/proc/")):
            _recording[full] = None


def _noting_save(original: Callable[..., Any]) -> Callable[..., Any]:
    def save(content: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        _note(target)
        return original(content, target, *args, **kwargs)

    return save
