"""Which evaluated rows training has used is what a set of their bytes says."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from observer_fixtures import assert_no_trace, bits_of, observe, records_of
from torchclinic.observe.collectors.data.held_out import HeldOutRows, held_out_name
from torchclinic.observe.events import ModelBegins
from torchclinic.observe.records import ForwardPass, HeldOutUse
from torchclinic.observe.session import Session
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.state import State


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)


def row_bytes(tensor: Tensor) -> list[bytes]:
    return [np.ascontiguousarray(row.flatten().numpy()).tobytes() for row in tensor]


def uses_of(session: Session) -> list[HeldOutUse]:
    return list(records_of(session, HeldOutUse))


class Trainer:
    """A model of four features that is trained on some rows, and evaluates others under a name."""

    def __init__(self, columns: int = 4) -> None:
        self.model = nn.Linear(columns, 3)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)

    def train(self, rows: Tensor) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(rows.flatten(1)), torch.zeros(len(rows), dtype=torch.long)).backward()
        self.optimizer.step()

    def test(self, test_x: Tensor) -> None:
        with torch.no_grad():
            self.model(test_x)


def bound(equal: int, pairs: int) -> float:
    return (equal + 3 + 1.7 * math.sqrt(equal)) / max(1, pairs)


def chance(batches: list[list[bytes]], numbers: list[list[float]]) -> float:
    """Pair by pair: rows of one batch, and rows of a batch that is mostly new with the distinct ones before it.

    Or pairs of distinct rows, of these `numbers`, in the column in which they agree least.
    """
    earlier: set[bytes] = set()
    pairs = equal = 0
    for batch in batches:
        compared = list(itertools.combinations(batch, 2))
        if 2 * sum(row in earlier for row in batch) <= len(batch):
            compared += itertools.product(batch, earlier)
        pairs += len(compared)
        equal += sum(one == other for one, other in compared)
        earlier |= set(batch)
    couples = [list(itertools.combinations(column, 2)) for column in zip(*numbers, strict=True)]
    columns = [bound(sum(one == other for one, other in couple), len(couple)) for couple in couples]
    return min(1.0, len(earlier) * min(bound(equal, pairs), *columns))


SHAPES = st.sampled_from([(4,), (2, 3), (5, 1, 2)])
DTYPES = st.sampled_from([torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool, torch.complex64])


class Watch:
    """The collector, told of forwards as the tap of modules tells them."""

    def __init__(self) -> None:
        self._state, self._model = State(), nn.Linear(1, 1)
        self._collector = HeldOutRows(self._state, lambda event: None)

    def _begin(self, tensors: list[Tensor], line: str, with_grad: bool) -> None:
        forward = ForwardPass("Linear", 0, 0, line, with_grad, with_grad)
        self._collector.model_begins(ModelBegins(self._model, ModelTrack(self._model, 0), forward, tensors))

    def trained(self, model: int, tensors: list[Tensor]) -> None:
        rows = self._state.rows.train(model, tensors)
        self._begin(tensors, "", with_grad=True)
        self._state.rows.commit(model, rows)

    def evaluated(self, model: int, tensors: list[Tensor], line: str) -> None:
        self._begin(tensors, line, with_grad=False)

    @property
    def uses(self) -> dict[tuple[str, str], HeldOutUse]:
        return {(use.line, use.name): use for use in self._collector.records()}


@settings(max_examples=60, deadline=None)
@given(
    shape=SHAPES,
    dtype=DTYPES,
    seed=st.integers(0, 1000),
    trained=st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=6), min_size=1, max_size=4),
    evaluated=st.lists(st.integers(0, 11), min_size=1, max_size=12),
)
def test_seen_and_chance_are_counts_of_equal_rows(
    shape: tuple[int, ...], dtype: torch.dtype, seed: int, trained: list[list[int]], evaluated: list[int]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    pool = (torch.randn((12, *shape), generator=generator) * 3).to(torch.float32)
    pool = torch.complex(pool, -pool.sin()) if dtype is torch.complex64 else pool.abs().to(dtype)
    watch = Watch()
    for rows in trained:
        watch.trained(0, [pool[rows]])
    test_x = pool[evaluated]
    watch.evaluated(0, [test_x], "here")
    known = {row for rows in trained for row in row_bytes(pool[rows])}
    batches = [row_bytes(pool[rows]) for rows in trained]
    distinct = {key: i for rows in trained for key, i in zip(row_bytes(pool[rows]), rows, strict=True)}
    real = torch.view_as_real(pool) if pool.is_complex() else pool
    numbers = real[list(distinct.values())].flatten(1).float().tolist()
    [use] = watch.uses.values()
    assert (use.rows, use.seen) == (len(evaluated), sum(row in known for row in row_bytes(test_x)))
    assert use.chance == pytest.approx(chance(batches, numbers))


def test_rows_of_fewer_than_four_numbers_are_not_compared() -> None:
    watch = Watch()
    test_x = torch.randn(8, 3)
    watch.trained(0, [test_x])
    watch.evaluated(0, [test_x], "here")
    assert watch.uses == {}


def test_one_different_bit_is_another_row() -> None:
    watch = Watch()
    train_x = torch.randn(1, 784)
    watch.trained(0, [train_x])
    changed = torch.cat([train_x] * 784)
    words = changed.view(torch.int32)
    words[range(784), range(784)] ^= 1
    test_x = torch.cat([changed, train_x])
    watch.evaluated(0, [test_x], "here")
    assert watch.uses["here", "test_x"].seen == 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("test_x",), "test_x"),
        (("x", "val_loader"), "val_loader"),
        (("validation", "train_data"), ""),  # known by both names: not judged
        (("xb",), ""),
        (("latest",), ""),  # not a word of its own
        (("contest", "X_test"), "X_test"),
        ((), ""),
    ],
)
def test_a_name_says_held_out_by_a_whole_word(names: tuple[str, ...], expected: str) -> None:
    assert held_out_name(names) == expected


def test_records_of_a_script_are_what_it_did() -> None:
    """Two tests between epochs, under their names, on the lines of the two calls."""
    x = torch.randn(40, 4)
    task = Trainer()

    def run() -> None:
        for _ in range(2):
            for start in range(0, 30, 10):
                task.train(x[start : start + 10])
            task.test(x[25:40])
            with torch.no_grad():
                val_x = x[30:]
                task.model(val_x)

    test, validation = uses_of(observe(run)[0])
    assert (test.name, test.rows, test.seen, test.step) == ("test_x", 30, 10, 3)
    assert (validation.name, validation.rows, validation.seen) == ("val_x", 20, 0)
    assert validation.chance == pytest.approx(30 * 3 / (6 * 45 + 10 * 10 + 10 * 20))  # pairs: in batches, and first visits
    assert test.line != validation.line


def test_what_was_evaluated_before_any_training_is_not_counted() -> None:
    x, task = torch.randn(20, 4), Trainer()

    def run() -> None:
        task.test(x)
        task.train(x)

    assert uses_of(observe(run)[0]) == []


def test_the_name_of_the_loader_names_its_batches() -> None:
    x, y = torch.randn(36, 4), torch.zeros(36, dtype=torch.long)
    train_loader = DataLoader(TensorDataset(x[:24], y[:24]), 8, shuffle=True)
    test_loader = DataLoader(TensorDataset(x[12:], y[12:]), 8)
    task = Trainer()

    def run() -> None:
        for xb, _ in train_loader:
            task.train(xb)
        with torch.no_grad():
            for xb, _ in train_loader:  # the training accuracy, on purpose
                task.model(xb)
            for xb, _ in test_loader:
                task.model(xb)

    session, _ = observe(run)
    assert {use.name for use in uses_of(session)} <= {"test_loader"}
    # an evaluation is followed for three forwards, which were those of the training part
    task = Trainer()

    def other() -> None:
        for xb, _ in train_loader:
            task.train(xb)
        with torch.no_grad():
            for xb, _ in test_loader:
                task.model(xb)

    [use] = uses_of(observe(other)[0])
    assert (use.name, use.rows, use.seen) == ("test_loader", 24, 12)


def test_nothing_is_recorded_by_a_dead_or_suspended_session() -> None:
    x, task = torch.randn(20, 4), Trainer()
    session = Session(budget=1.0)
    session.schedule.every_step = True
    with session:
        task.train(x)
        session.suspend()
        task.test(x)
        session.resume()
        assert records_of(session, HeldOutUse) == []
        task.train(x)
        session.give_up(RuntimeError("ours"))
        task.train(x + 1)
        task.test(x)
    assert records_of(session, HeldOutUse) == []


def test_looking_rows_up_leaves_no_trace() -> None:
    def run() -> Any:
        x, task = torch.randn(20, 4), Trainer()
        for _ in range(3):
            task.train(x + torch.randn_like(x))
            task.test(x)
        return x, bits_of(task.model, task.optimizer)

    assert_no_trace(run)


def test_complex_rows_are_looked_up_without_a_warning() -> None:
    """Warnings are errors in this suite; the user's run must not show one of ours."""
    x = torch.randn(20, 4, dtype=torch.complex64)
    task = Trainer(8)

    def run() -> None:
        for _ in range(2):
            task.train(torch.view_as_real(x))
        with torch.no_grad():
            test_x = x
            HeldOut(task)(test_x)

    class HeldOut(nn.Module):
        def __init__(self, task: Trainer) -> None:
            super().__init__()
            self.inner = task.model

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(torch.view_as_real(x).flatten(1))

    observe(run)


def test_copies_that_the_script_made_of_its_rows_are_no_chance() -> None:
    """Rows of one class, copied nine times before the split, are on both sides; as discrete rows they would prove nothing."""
    torch.manual_seed(0)
    for rows, certain in ((torch.randn(400, 6), True), (torch.randint(0, 2, (400, 6)).float(), False)):
        copied = torch.cat([rows, rows[:40].repeat(9, 1)])
        copied = copied[torch.randperm(len(copied))]
        watch = Watch()
        for batch in copied[:600].split(32):
            watch.trained(0, [batch])
        val_x = copied[600:]
        watch.evaluated(0, [val_x], "here")
        [use] = watch.uses.values()
        assert use.seen > 0.3 * use.rows
        assert (use.seen > use.chance * use.rows) is certain


def test_an_array_that_shares_memory_names_the_tensor() -> None:
    table = torch.randn(20, 5)
    watch = Watch()
    watch.trained(0, [table])
    x_val = table[5:15].numpy()
    tensor = torch.from_numpy(x_val)
    for same in (tensor, tensor.view(10, 5)):
        watch.evaluated(0, [same], "here")
    [use] = watch.uses.values()
    assert (use.name, use.rows, use.seen) == ("x_val", 20, 20)
