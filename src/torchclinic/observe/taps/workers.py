"""Which random state each loader worker starts with, told by the workers themselves through a pipe."""

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import dataloader

from torchclinic.observe.taps.tap import Tap
from torchclinic.script.lines import user_line

FETCHES = 3  # of each worker, after which it is asked whether it has drawn
MOST_OBJECTS = 200  # of a data set, searched for generators
_INIT_FUNCTION, _WORKER, _QUEUE, _DATASET, _KIND = 9, 10, 3, 1, 0  # places among the arguments of the worker loop


class WorkerTap(Tap):
    def prepare(self) -> None:
        self._pipe: tuple[int, int] | None = None
        self._line = ""
        self._iterators = 0
        self._listening = False  # to the loader that starts its workers

    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(dataloader._MultiProcessingDataLoaderIter, "__init__", self._wrap_start)
        replace(torch.utils.data._utils.worker, "_worker_loop", self._wrap_loop)
        return []

    def _wrap_start(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(iterator: Any, loader: Any) -> None:  # noqa: N807
            several = loader.num_workers >= 2  # one alone has nobody to be compared with
            self._listening = several and self.clock.recording()
            if self._listening:
                self._open(self.state.origins.line(loader) or user_line())
            original(iterator, loader)

        return __init__

    def _open(self, line: str) -> None:
        if self._pipe is None:
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
        self._line = line
        self._iterators += 1

    def _wrap_loop(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Runs in the worker, which was forked with this tap in memory."""

        def _worker_loop(*args: Any, **kwargs: Any) -> Any:
            indexed = len(args) > _WORKER and int(args[_KIND]) == 0
            if self._pipe is None or not self._listening or not indexed:
                return original(*args, **kwargs)
            teller = _Teller(self._pipe[1], self._line, self._iterators, args[_WORKER], args[_DATASET])
            changed = list(args)
            changed[_INIT_FUNCTION] = teller.wrap_init(args[_INIT_FUNCTION])
            changed[_QUEUE] = _Queue(args[_QUEUE], teller)
            return original(*changed, **kwargs)

        return _worker_loop

    def settle(self) -> None:
        """Read what the workers have told so far."""
        if self._pipe is None:
            return
        text = b""
        try:
            while part := os.read(self._pipe[0], 1 << 16):
                text += part
        except BlockingIOError:
            pass
        for line in text.splitlines():
            where, iterator, worker, drawn = json.loads(line)
            for source, state in drawn.items():
                self.state.loaders.worker_draws.setdefault((where, iterator, source, state), set()).add(worker)

    def close(self) -> None:
        self.settle()
        if self._pipe is not None:
            for end in self._pipe:
                os.close(end)
            self._pipe = None


class _Teller:
    """In a worker: the states it starts with, and which of them were drawn from."""

    def __init__(self, pipe: int, line: str, iterator: int, worker: int, dataset: Any) -> None:
        self.pipe, self.head, self.dataset = pipe, [line, iterator, worker], dataset
        self.first: dict[str, str] = {}
        self.left = FETCHES

    def wrap_init(self, init: Callable[[int], None] | None) -> Callable[[int], None]:
        def initialize(worker: int) -> None:
            if init is not None:
                init(worker)
            self.first = dict(states(self.dataset))

        return initialize

    def fetched(self) -> None:
        self.left -= 1
        if self.left < 0:
            return
        drawn = {name: self.first[name] for name, state in states(self.dataset) if self.first.get(name, state) != state}
        if drawn:
            self.left = 0
            try:
                os.write(self.pipe, json.dumps([*self.head, drawn]).encode() + b"\n")
            except OSError:  # the pipe is full or closed: nobody listens
                return


class _Queue:
    """The worker's queue of results; each result is followed by a look at the random states."""

    def __init__(self, queue: Any, teller: _Teller) -> None:
        self._queue, self._teller = queue, teller

    def put(self, item: Any) -> None:
        self._queue.put(item)
        self._teller.fetched()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def states(dataset: Any) -> Iterator[tuple[str, str]]:
    """Name and digest of every random state a data set may draw from."""
    yield "numpy's global generator", _digest(np.random.get_state())
    yield "Python's random module", _digest(random.getstate())
    yield "torch's global generator", _digest(torch.get_rng_state().numpy().tobytes())
    for name, generator in _generators(dataset):
        yield name, _digest(_state_of(generator))


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state().numpy().tobytes()


def _generators(dataset: Any) -> Iterator[tuple[str, Any]]:
    """Generators among the attributes of a data set, up to three levels deep."""
    pending: list[tuple[str, Any, int]] = [("the data set", dataset, 0)]
    seen: set[int] = set()
    while pending and len(seen) < MOST_OBJECTS:
        name, value, depth = pending.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.random.Generator | np.random.RandomState | random.Random | torch.Generator):
            yield name, value
        elif depth < 3 and not isinstance(value, torch.Tensor | np.ndarray | str | bytes | int | float | type):
            items = vars(value).items() if hasattr(value, "__dict__") else ()
            if isinstance(value, list | tuple) and len(value) < 20:
                items = [(str(index), item) for index, item in enumerate(value)]
            pending += [(f"{name}.{key}", item, depth + 1) for key, item in items]


def _digest(state: Any) -> str:
    return hashlib.blake2b(repr(state).encode(), digest_size=8).hexdigest()
