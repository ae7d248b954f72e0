"""Which loader workers draw the same numbers is what the numbers say that they drew."""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from observer_fixtures import assert_no_trace, observe, records_of
from torchclinic.observe.records import WorkerRandomness
from torchclinic.observe.session import Session
from torchclinic.observe.taps.workers import WorkerTap, states

NUMPY, PYTHON, TORCH = "numpy's global generator", "Python's random module", "torch's global generator"
Draw = Callable[["Drawing"], int]

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on few cores


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)


class Drawing(Dataset[tuple[int, int]]):
    """Gives the worker's number and what it drew."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.own = np.random.default_rng(3)

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> tuple[int, int]:
        info = get_worker_info()
        return (info.id if info else -1), self.draw(self)


DRAWS: dict[str, Draw] = {
    NUMPY: lambda _: int(np.random.randint(1 << 30)),
    PYTHON: lambda _: random.getrandbits(30),
    TORCH: lambda _: int(torch.randint(1 << 30, ())),
    "the data set.own": lambda data: int(data.own.integers(1 << 30)),
}


def first_draws(batches: list[Any]) -> dict[int, int]:
    """By hand: the first number that each worker gave."""
    found: dict[int, int] = {}
    for workers, drawn in batches:
        found.setdefault(int(workers[0]), int(drawn[0]))
    return found


def load(source: str, workers: int, seed: Callable[[int], None] | None = None) -> list[Any]:
    return list(DataLoader(Drawing(DRAWS[source]), 2, num_workers=workers, worker_init_fn=seed))


@pytest.mark.parametrize(
    ("source", "seed", "expected"),
    [
        (NUMPY, lambda worker: np.random.seed(0), 4),
        (NUMPY, lambda worker: np.random.seed(worker // 3), 3),
        (NUMPY, lambda worker: np.random.seed(worker), 1),
        (NUMPY, None, 1),  # torch seeds it for each worker
        (PYTHON, lambda worker: random.seed(worker % 2), 2),
        (TORCH, lambda worker: torch.manual_seed(5), 4),
        (TORCH, None, 1),
        ("the data set.own", None, 4),
    ],
)
def test_workers_alike_are_those_that_draw_the_same(source: str, seed: Any, expected: int) -> None:
    session, batches = observe(lambda: load(source, 4, seed))
    drawn = first_draws(batches)
    [record] = records_of(session, WorkerRandomness)
    assert (record.source, record.workers, record.alike) == (source, len(drawn), max(Counter(drawn.values()).values()))
    assert record.alike == expected
    assert "test_workers_observed.py:" in record.line


def test_a_state_that_nobody_draws_from_is_not_recorded() -> None:
    session, _ = observe(lambda: list(DataLoader(Drawing(lambda _: 1), 2, num_workers=2, worker_init_fn=fixed)))
    assert records_of(session, WorkerRandomness) == []


def fixed(worker: int) -> None:
    np.random.seed(0)


def test_epochs_are_compared_each_by_itself() -> None:
    """A seed that another worker had in the epoch before is not the same seed in two workers."""

    def run() -> None:
        load(NUMPY, 2, lambda worker: np.random.seed(worker))
        load(NUMPY, 2, lambda worker: np.random.seed(worker + 1))

    session, _ = observe(run)
    assert [record.alike for record in records_of(session, WorkerRandomness)] == [1]


def test_a_single_worker_is_not_counted_among_those_of_an_earlier_loader() -> None:
    def run() -> None:
        load(NUMPY, 2, lambda worker: np.random.seed(worker))
        load(NUMPY, 1, lambda worker: np.random.seed(1))

    [record] = records_of(observe(run)[0], WorkerRandomness)
    assert (record.workers, record.alike) == (2, 1)


def test_a_digest_changes_exactly_when_a_generator_is_drawn_from() -> None:
    data = Drawing(DRAWS[NUMPY])
    for source, draw in DRAWS.items():
        before = dict(states(data))
        assert dict(states(data)) == before  # looking draws nothing
        draw(data)
        after = dict(states(data))
        assert {name for name in before if before[name] != after[name]} == {source}


def test_generators_are_found_up_to_three_levels_deep_and_once() -> None:
    class Holder:
        pass

    shared, data = random.Random(1), Drawing(DRAWS[NUMPY])
    inner, outer = Holder(), Holder()
    inner.stream, outer.inner, outer.back = torch.Generator(), inner, data  # type: ignore[attr-defined]
    data.outer, data.listed = outer, [shared, shared]  # type: ignore[attr-defined]
    names = [name for name, _ in states(data)]
    assert sorted(names[3:]) == ["the data set.listed.0", "the data set.outer.inner.stream", "the data set.own"]


def test_nothing_is_recorded_by_a_dead_or_suspended_session() -> None:
    for end in (Session.suspend, lambda session: session.give_up(RuntimeError("ours"))):
        session = Session(budget=1.0)
        with session:
            load(NUMPY, 2, lambda worker: np.random.seed(worker))
            end(session)
            load(NUMPY, 2, fixed)
        assert [record.alike for record in records_of(session, WorkerRandomness)] == [1]


def test_the_pipe_is_closed_with_the_session() -> None:
    with Session() as session:
        load(NUMPY, 2)
        ends = next(tap for tap in session.taps if isinstance(tap, WorkerTap))._pipe
        assert ends is not None
    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
    assert records_of(session, WorkerRandomness)  # what was told is kept


@pytest.mark.parametrize("source", DRAWS)
def test_listening_leaves_no_trace_in_what_workers_draw(source: str) -> None:
    assert_no_trace(lambda: [load(source, 2), load(source, 2, fixed)])
