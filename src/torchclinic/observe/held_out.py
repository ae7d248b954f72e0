"""Rows that an evaluation calls held out, looked up among the rows that training has used."""

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain, real_numbers
from torchclinic.observe.records import HeldOutUse
from torchclinic.script.frames import is_own
from torchclinic.script.lines import is_user_file, said_here

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

MOST_ROWS = 200_000
MOST_COLUMNS = 4096
SPREAD_ROWS, SPREAD_COLUMNS = 2048, 64  # of distinct training rows, that show how often single numbers agree
MOST_LOOKED_UP = 512  # rows of an evaluation that are looked up whatever it is called
LEAST_KNOWN = 0.02  # of them; fewer may be duplicates
LEAST_COLUMNS = 4  # numbers in a row; fewer may agree by chance
_HELD_OUT = {"test", "val", "valid", "validation", "heldout", "holdout", "dev", "unseen", "tests", "tst"}
_TRAINED = {"train", "training", "trn", "tr", "fit", "seen"}


class HeldOutWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.uses: dict[tuple[str, str], HeldOutUse] = {}
        self._pairs = self._equal = 0  # of training rows that were drawn apart
        self.fresh = False  # no row of the last training forward was seen in one before
        self._trained: dict[int, set[int]] = {}  # model -> rows: what another fold was trained on is not seen
        self._distinct: dict[int, list[Tensor]] = {}  # number of columns -> some numbers of distinct training rows
        self._weights: dict[int, Tensor] = {}
        self._latest = -1, 0  # model and rows of the latest training forward
        self._partly: set[int] = set()  # models of whose rows some have no label in the loss
        self._loader: tuple[tuple[str, ...], int] = ((), -1)  # names of the loader drawn from last, and when

    def opened(self, loader: object) -> tuple[str, ...]:
        """Names under which the user's frames know a loader that is iterated."""
        return tuple(names_of(loader))

    def drawn(self, names: tuple[str, ...]) -> None:
        self._loader = (names, self.session.clock())

    def trained(self, model: int, tensors: list[Tensor]) -> None:
        """A training forward begins, of the model with this number."""
        rows = self._rows(tensors)
        own = self._trained.setdefault(model, set())
        self._latest = model, len(rows)
        self._compare(rows, own)
        if rows:
            self._sample(tensors[0], rows, own)
        self.fresh = bool(rows) and all(known.isdisjoint(rows) for known in self._trained.values())
        if sum(map(len, self._trained.values())) + len(rows) <= MOST_ROWS:
            own.update(rows)

    def labelled(self, target: Tensor, ignored: object) -> None:
        """The loss of that forward: fewer labels than rows say that not every row was trained on, as in a graph."""
        model, rows = self._latest
        if not target.dim():
            return

        def receive(values: list[float]) -> None:
            if values[0] < rows:
                self._partly.add(model)

        count = (target != ignored).sum() if isinstance(ignored, int) else torch.tensor(len(target))
        self.session.measurements.add([count], receive)

    def _compare(self, rows: list[int], earlier: set[int]) -> None:
        """How often rows that are not the same row are equal: within a batch, and to earlier ones on a first visit."""
        number, known = len(rows), sum(row in earlier for row in rows)
        self._pairs += number * (number - 1) // 2
        self._equal += sum(count * (count - 1) // 2 for count in Counter(rows).values())
        if 2 * known <= number:  # most were never seen: this is no second epoch
            self._pairs += number * len(earlier)
            self._equal += known

    def _sample(self, tensor: Tensor, rows: list[int], earlier: set[int]) -> None:
        values = real_numbers(tensor.detach()).reshape(len(tensor), -1)
        kept = self._distinct.setdefault(values.shape[1], [])
        first = {row: i for i, row in enumerate(rows) if row not in earlier}
        if first and sum(map(len, kept)) < SPREAD_ROWS:
            kept.append(values[list(first.values()), :: -(-values.shape[1] // SPREAD_COLUMNS)].float().cpu())

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

    def evaluated(self, model: int, tensors: list[Tensor], line: str) -> None:
        """A forward without gradients begins."""
        own = self._trained.get(model)
        if not own or model in self._partly:
            return
        names, clock = self._loader
        self._loader = ((), -1)
        if clock != self.session.clock():
            names = tuple(name for tensor in tensors[:1] for name in names_of(tensor))
        name = held_out_name(names, said_here)
        rows = self._rows(tensors) if name else []
        if rows:
            use = self.uses.setdefault((line, name), HeldOutUse(line, self.session.step, name, 0, 0))
            use.rows += len(rows)
            use.seen += sum(row in own for row in rows)
            use.chance = self._chance(real_numbers(tensors[0][0]).numel(), len(own))

    def knows(self, model: int, tensors: list[Tensor]) -> bool:
        """Whether some of up to 512 rows were seen in training forwards of the model, not all of which are observed."""
        own = self._trained.get(model)
        if not own or not tensors or not tensors[0].dim():
            return False
        rows = self._rows([tensors[0][:: -(-len(tensors[0]) // MOST_LOOKED_UP)]])
        return sum(row in own for row in rows) > LEAST_KNOWN * len(rows)

    def _rows(self, tensors: list[Tensor]) -> list[int]:
        """One exact number per row: the sum of its bits, each word times an odd weight, modulo 2⁶⁴."""
        tensor = tensors[0].detach() if tensors else None
        if tensor is None or not is_plain(tensor) or tensor.dim() < 2 or tensor.requires_grad or not tensor.numel():
            return []
        rows = real_numbers(tensor).reshape(len(tensor), -1)
        rows = rows[:, :: -(-rows.shape[1] // MOST_COLUMNS)]
        if rows.shape[1] < LEAST_COLUMNS:
            return []
        words = rows.float().contiguous().view(torch.int32).long()
        weights = self._weights.get(rows.shape[1])
        if weights is None:
            generator = torch.Generator().manual_seed(rows.shape[1])
            weights = torch.randint(1 << 20, 1 << 62, (rows.shape[1],), generator=generator) * 2 + 1
            self._weights[rows.shape[1]] = weights
        values: list[int] = (words * weights.to(words.device)).sum(1).tolist()
        return values


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
                    yield from (
                        name for name, other in names.items() if other is value or (place and _place(other) == place)
                    )
        frame = frame.f_back


def _place(value: object) -> tuple[int, int] | None:
    """The address of the first element and the number of elements of a tensor or a numpy array."""
    if type(value) is Tensor and is_plain(value):
        return value.data_ptr(), value.numel()
    if type(value).__module__ == "numpy" and isinstance(interface := getattr(value, "__array_interface__", None), dict):
        return interface["data"][0], math.prod(interface["shape"])
    return None
