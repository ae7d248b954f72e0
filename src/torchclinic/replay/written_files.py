"""How a replay uses the files that the script writes: those it reads back are not its own where replays run side by side."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from torchclinic.observe.taps.patches import Patches
from torchclinic.replay.trial import Trial
from torchclinic.replay.writes import opens_for_writing


def watch_files(written: Sequence[str], trial: Trial) -> None:
    """Note in `trial` which of the `written` files this process reads: before it wrote them itself, or after.

    Nothing is undone: the process ends with the replay.
    """
    if written:
        watch = _Watch(set(written), trial)
        sys.addaudithook(watch.heard)
        Patches().replace(torch, "save", watch.saving)  # it opens its file in C++, where no audit event is raised


class _Watch:
    def __init__(self, written: set[str], trial: Trial) -> None:
        self._written = written
        self._own: set[str] = set()
        self._trial = trial

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str | bytes):
            self._note(args[0], opens_for_writing(args[1], args[2]))

    def saving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def save(content: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(target, str | os.PathLike):
                self._note(os.fspath(target), True)
            return original(content, target, *args, **kwargs)

        return save

    def _note(self, name: str | bytes, writing: bool) -> None:
        path = str(Path(os.fsdecode(name)).resolve())
        if path not in self._written:
            return
        if writing:
            self._own.add(path)
        elif path in self._own:
            self._trial.reads_back = True
        elif path not in self._trial.stale_reads:
            self._trial.stale_reads.append(path)
