"""Rows that an evaluation calls held out, looked up among the rows that training has used."""

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain, real_numbers
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BatchDrawn, LoaderOpened, LossCalled, ModelBegins
from torchclinic.observe.records import ForwardPass, HeldOutUse
from torchclinic.script.frames import is_own
from torchclinic.script.lines import is_user_file, said_here

SPREAD_ROWS, SPREAD_COLUMNS = 2048, 64  # of distinct training rows, that show how often single numbers agree
MOST_ITERATORS = 200
_HELD_OUT = {"test", "val", "valid", "validation", "heldout", "holdout", "dev", "unseen", "tests", "tst"}
_TRAINED = {"train", "training", "trn", "tr", "fit", "seen"}


class HeldOutRows(Collector):
    def prepare(self) -> None:
        self.found: dict[tuple[str, str], HeldOutUse] = {}
        self._pairs = self._equal = 0  # of training rows that were drawn apart
        self._distinct: dict[int, list[Tensor]] = {}  # number of columns -> some numbers of distinct training rows
        self._latest = -1, 0  # model and rows of the latest training forward
        self._partly: set[int] = set()  # models of whose rows some have no label in the loss
        self._names: dict[int, tuple[str, ...]] = {}  # iterator -> names under which the user's frames know its loader
        self._drawn: tuple[tuple[str, ...], int] = ((), -1)  # names of the loader drawn from last, and when

    def loader_opened(self, event: LoaderOpened) -> None:
        self._names[id(event.iterator)] = tuple(names_of(event.loader))
        if len(self._names) > MOST_ITERATORS:
            self._names.pop(next(iter(self._names)))

    def batch_drawn(self, event: BatchDrawn) -> None:
        self._drawn = self._names.get(id(event.iterator), ()), self.state.clock.steps_total

    def model_begins(self, event: ModelBegins) -> None:
        forward = event.forward
        if not forward.to_train:
            self._evaluated(forward, event.tensors)
        elif not forward.recomputed:
            rows = self.state.rows
            self._latest = event.track.index, len(rows.latest)
            self._compare(rows.latest)
            if rows.latest:
                self._sample(event.tensors[0])

    def loss_called(self, event: LossCalled) -> None:
        """Fewer labels than rows say that not every row was trained on, as in a graph."""
        model, rows = self._latest
        target, ignored = event.target, event.bound.get("ignore_index", -100)
        if not event.training or not target.dim():
            return

        def receive(values: list[float]) -> None:
            if values[0] < rows:
                self._partly.add(model)

        count = (target != ignored).sum() if isinstance(ignored, int) else torch.tensor(len(target))
        self.state.measurements.add([count], receive)

    def _compare(self, rows: tuple[int, ...]) -> None:
        """How often rows that are not the same row are equal: within a batch, and to earlier ones on a first visit."""
        number, known = len(rows), self.state.rows.known
        self._pairs += number * (number - 1) // 2
        self._equal += sum(count * (count - 1) // 2 for count in Counter(rows).values())
        if 2 * known <= number:  # most were never seen: this is no second epoch
            self._pairs += number * self.state.rows.trained
            self._equal += known

    def _sample(self, tensor: Tensor) -> None:
        values = real_numbers(tensor.detach()).reshape(len(tensor), -1)
        kept = self._distinct.setdefault(values.shape[1], [])
        first = list(self.state.rows.new.values())
        if first and sum(map(len, kept)) < SPREAD_ROWS:
            kept.append(values[first, :: -(-values.shape[1] // SPREAD_COLUMNS)].float().cpu())

    def _chance(self, columns: int, trained: int) -> float:
        """The share of new rows that would equal one of `trained`, by chance.

        Rows that agree by chance agree in every column, so the column in which *distinct* rows agree least bounds the odds;
        copies that the script made of its rows do not count. Or, from all rows: how often any two of them are equal.
        """
        odds = [_bound(self._equal, self._pairs)]
        for column in torch.cat(self._distinct.get(columns) or [torch.empty(0, 0)]).T:
            counts = torch.unique(column, return_counts=True)[1]
            odds.append(_bound(int((counts * (counts - 1)).sum()) // 2, len(column) * (len(column) - 1) // 2))
        return min(1.0, min(odds) * trained)

    def _evaluated(self, forward: ForwardPass, tensors: list[Tensor]) -> None:
        """A forward begins that is not to train."""
        model = forward.index
        own = self.state.rows.of_model.get(model)
        if not own or model in self._partly or any(map(self.state.models.comes_of, tensors[:1])):
            return
        (names, clock), self._drawn = self._drawn, ((), -1)
        if clock != self.state.clock.steps_total:
            names = tuple(name for tensor in tensors[:1] for name in names_of(tensor))
        name = held_out_name(names, said_here)
        rows = self.state.rows.numbers(tensors) if name else []
        if rows:
            seen = sum(row in own for row in rows)
            chance = self._chance(real_numbers(tensors[0][0]).numel(), len(own))
            self.state.purposes.if_evaluated(forward, partial(self._note, forward, name, (len(rows), seen, chance)))

    def _note(self, forward: ForwardPass, name: str, counted: tuple[int, int, float]) -> None:
        use = self.found.setdefault((forward.line, name), HeldOutUse(forward.line, forward.step, name, 0, 0))
        use.rows += counted[0]
        use.seen += counted[1]
        use.chance = counted[2]


def _bound(equal: int, pairs: int) -> float:
    """The odds of a pair at their 95 % bound, of a Poisson count: E + 3 for none, E + 1.7 √E more for larger ones."""
    return (equal + 3 + 1.7 * math.sqrt(equal)) / max(1, pairs)


def held_out_name(names: tuple[str, ...], said: Callable[[], list[str]] = list) -> str:
    """The name that says held out, or what is `said` where it is evaluated; empty if one says trained on."""
    found = _held_out(names)
    return "" if found is None else found or _held_out(tuple(said())) or ""


def _held_out(texts: tuple[str, ...]) -> str | None:
    """The first text that says held out, empty where none does; None where one says trained on. A bare `te` says neither."""
    words = {text: set(re.split(r"[^a-z]+", text.lower())) for text in texts}
    if any(parts & _TRAINED for parts in words.values()):
        return None
    return next((text for text, parts in words.items() if parts & _HELD_OUT or {"te"} < parts), "")


def names_of(value: object) -> Iterator[str]:
    """Every name that the user's running frames and their modules have for `value`, or for an array of the same memory."""
    place = (value.data_ptr(), value.numel()) if isinstance(value, Tensor) and is_plain(value) else None
    frame: FrameType | None = sys._getframe(1)
    seen: set[int] = set()
    while frame is not None:
        if is_user_file(frame.f_code.co_filename) and not is_own(frame.f_code):
            for names in (frame.f_locals, frame.f_globals):
                if id(names) not in seen:
                    seen.add(id(names))
                    yield from (name for name, other in names.items() if other is value or (place and _place(other) == place))
        frame = frame.f_back


def _place(value: object) -> tuple[int, int] | None:
    """The address of the first element and the number of elements of a tensor or a numpy array."""
    if type(value) is Tensor and is_plain(value):
        return value.data_ptr(), value.numel()
    if type(value).__module__ == "numpy" and isinstance(interface := getattr(value, "__array_interface__", None), dict):
        return interface["data"][0], math.prod(interface["shape"])
    return None
