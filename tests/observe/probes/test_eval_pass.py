"""What extra passes in eval mode say of a model is what a few plain calls of it say, and they leave nothing behind."""

import copy
import threading
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from observer_fixtures import assert_no_trace, assert_same_bits, bits_of, observe, records_of
from torchclinic.errors import InputError
from torchclinic.instruments.layer_signal import Propagation
from torchclinic.observe.collecting import collect
from torchclinic.observe.probes.eval_pass import MOST_ROWS, eval_pass
from torchclinic.observe.records import EvalPass
from torchclinic.observe.session import Session

STREAM = torch.Generator()


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)


class Applied(nn.Module):
    """A linear layer, then a function."""

    def __init__(self, function: Any, columns: int = 6, outputs: int = 3) -> None:
        super().__init__()
        self.last = nn.Linear(columns, outputs)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.last(x))


def spread(output: Tensor) -> float:
    return float((output - output.mean(0)).square().mean().sqrt())


def look(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
    found = eval_pass(model, args, kwargs, 0)
    assert found is not None
    return found


@torch.no_grad()
def test_the_difference_of_two_passes_is_that_of_two_plain_calls() -> None:
    model, x = Applied(lambda t: F.dropout(t, 0.3)).train(), torch.randn(12, 6)
    found = look(model, x)
    outputs = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        outputs.append(model(x))
    expected = float((outputs[0] - outputs[1]).abs().max()) / spread(outputs[0])
    assert found.difference == pytest.approx(expected, rel=1e-5)
    assert found.mixing < 1e-3  # with the same random numbers, no sample depends on another
    assert (found.rows, found.example, found.model) == (12, "(12, 3)", "Applied")


@torch.no_grad()
def test_the_mixing_is_the_change_of_what_was_kept_when_the_rows_between_are_replaced() -> None:
    model, x = Applied(lambda t: t.softmax(0)), torch.randn(12, 6)
    found = look(model, x)
    other = x[[0, *[1] * 10, 11]]
    before, after = model(x)[[0, 11]], model(other)[[0, 11]]
    assert found.mixing == pytest.approx(float((before - after).abs().max()) / spread(before_all := model(x)), rel=1e-5)
    assert before_all.shape == (12, 3)
    assert (found.difference, found.other_batch, found.mixing_reason) == (0.0, "", "")


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(4, 70), columns=st.integers(1, 9), outputs=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_model_that_works_sample_by_sample_neither_differs_nor_mixes(rows: int, columns: int, outputs: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.BatchNorm1d(columns), nn.Dropout(0.5), Applied(torch.tanh, columns, outputs)).train()
    found = look(model, torch.randn(rows, columns, generator=generator))
    assert (found.rows, found.difference, found.random_calls) == (min(rows, MOST_ROWS), 0.0, ())
    # a kernel may sum in another order for other rows, and with one output a matrix product is another kernel
    assert found.mixing_reason or found.mixing < 1e-3


class Mixing(nn.Module):
    """Attention over the positions, or over the batch; a batch that a view makes the positions."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.score, self.last, self.fault = nn.Linear(4, 1), nn.Linear(4, 2), fault

    def forward(self, x: Tensor) -> Tensor:
        weights = self.score(x)
        weights = weights.softmax(0 if self.fault == "softmax(0" else 1)
        h = weights * x
        h = h.view(5, 8, 4).transpose(0, 1) if self.fault == "h.view(5" else h
        return self.last(h.sum(1))


@pytest.mark.parametrize("fault", ["softmax(0", "h.view(5", ""])
def test_the_line_where_samples_begin_to_mix_is_found(fault: str) -> None:
    found = look(Mixing(fault), torch.randn(8, 5, 4))
    number = int(found.mixing_line.rpartition(":")[2] or 0)
    line = Path(__file__).read_text().splitlines()[number - 1] if number else ""
    assert fault in line
    assert bool(line) == bool(fault) == (found.mixing > 0.01)


def test_a_batch_that_stands_in_the_second_dimension_is_recognized() -> None:
    found = look(nn.Sequential(nn.LSTM(5, 4)), torch.randn(7, 9, 5))
    assert found.mixing > 0.01
    assert found.other_batch == "dimension 1 of the input"
    assert look(nn.Sequential(nn.LSTM(5, 4, batch_first=True)), torch.randn(7, 9, 5)).mixing < 1e-3


CALLS = {
    "default": (lambda t: F.dropout(t, 0.5), [("dropout", True, False)]),
    "written over lines": (lambda t: F.dropout(t, training=True), [("dropout", True, True)]),
    "meant": (lambda t: F.dropout(t, 0.5, training=True), [("dropout", True, True)]),
    "off": (lambda t: F.dropout(t, 0.5, training=False), []),
    "zero": (lambda t: F.dropout(t, 0.0), []),
    "noise": (lambda t: t + torch.randn_like(t), [("randn_like", False, False)]),
    "two": (lambda t: torch.rand_like(t) + F.dropout(t, 0.5), [("rand_like", False, False), ("dropout", True, False)]),
    "module": (nn.Dropout(0.5), []),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_that_draws_is_noted_with_what_it_asks_for(name: str) -> None:
    function, expected = CALLS[name]
    found = look(Applied(function), torch.randn(12, 6))
    calls = [(call.function, call.drops, call.asked_for) for call in found.random_calls]
    assert sorted(calls) == sorted(expected)
    assert (found.difference > 0) == bool(expected)
    assert all("test_eval_pass.py:" in call.line for call in found.random_calls)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3, track_running_stats=False)), "keeps no running statistics"),
        (Applied(lambda t: F.batch_norm(t, None, None, training=True)), "normalizes by the statistics of the batch"),
        (Applied(lambda t: t @ t.T), "compares every sample with every other"),
        (Applied(lambda t: t.sum()), "first dimension"),
        (Applied(torch.zeros_like), "alike up to rounding"),
        (Applied(lambda t: t + torch.randn(t.shape, generator=STREAM)), "random in eval mode"),  # a stream of its own
    ],
)
def test_where_a_change_says_nothing_the_reason_is_given(model: nn.Module, reason: str) -> None:
    found = look(model, torch.randn(12, 6))
    assert reason in found.mixing_reason
    assert found.mixing != found.mixing  # not measured


class Graph(nn.Module):
    """Nodes take up what their neighbours are."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Linear(6, 3), dropout

    def forward(self, x: Tensor, adjacent: Tensor) -> Tensor:
        return F.dropout(adjacent @ self.layer(x), self.dropout)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_rows_that_belong_together_are_run_together(dropout: float) -> None:
    nodes = 2 * MOST_ROWS
    found = look(Graph(dropout), torch.randn(nodes, 6), torch.rand(nodes, nodes))
    assert found.rows == nodes
    assert "belong together" in found.mixing_reason
    assert (found.difference > 0) == bool(dropout)


@pytest.mark.parametrize(
    "args",
    [(torch.randn(3, 6),), (torch.randn(8, 6), torch.randn(4, 6)), (torch.tensor(1.0),)],
    ids=["three-rows", "unlike-rows", "no-rows"],
)
def test_arguments_without_four_common_rows_are_not_run(args: tuple[Tensor, ...]) -> None:
    class Counting(nn.Module):
        def forward(self, *_: Tensor) -> Tensor:
            raise AssertionError

    assert eval_pass(Counting(), args, {}, 0) is None


Pair = namedtuple("Pair", "x mask")


@dataclass
class Batch:
    x: Tensor
    mask: Tensor


class Writing(nn.Module):
    """Changes what it is called with, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(6), nn.Linear(6, 3)
        self.calls = [0]

    def forward(self, batch: Any, *, scale: Tensor | None = None) -> Tensor:
        x, mask = (batch["x"], batch["mask"]) if isinstance(batch, dict) else (batch.x, batch.mask)
        self.calls[0] += 1
        x.mul_(2)
        mask.logical_not_()
        if isinstance(batch, Batch):
            batch.x = batch.x + 1
        if isinstance(batch, dict):
            batch["seen"].append(1)
        return F.dropout(self.last(self.norm(x)), 0.2) * mask[:, None]


def batch_of(kind: str) -> Any:
    x, mask = torch.randn(8, 6), torch.arange(8) > 2
    return {"named": Pair(x, mask), "object": Batch(x, mask), "dict": {"x": x, "mask": mask, "seen": []}}[kind]


@pytest.mark.parametrize("kind", ["named", "object", "dict"])
def test_a_model_that_writes_to_its_arguments_writes_to_copies(kind: str) -> None:
    model, batch = Writing(), batch_of(kind)
    model.norm.eval()  # modes are mixed
    before = copy.deepcopy((model.state_dict(), vars(batch) if kind == "object" else batch))
    modes, streams = [m.training for m in model.modules()], torch.get_rng_state()
    assert eval_pass(model, (batch,), {}, 0) is not None
    assert_same_bits((model.state_dict(), vars(batch) if kind == "object" else batch), before)
    assert_same_bits(([m.training for m in model.modules()], torch.get_rng_state()), (modes, streams))


@pytest.mark.parametrize("kind", ["named", "object", "dict"])
def test_all_probes_of_a_run_leave_no_trace_in_its_batches(kind: str) -> None:
    """Propagation, eval passes and the gap at an evaluation, on a model that changes what it is given."""

    def run() -> Any:
        model = Writing()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        batches = []
        for index in range(8):
            batch = batch_of(kind)
            optimizer.zero_grad()
            F.cross_entropy(model(batch), torch.zeros(8, dtype=torch.long)).backward()
            optimizer.step()
            batches.append(list(vars(batch).values()) if kind == "object" else batch)
            if index % 3 == 2:
                model.eval()
                with torch.no_grad():
                    model(batch_of(kind))
                model.train()
        return batches, model.calls, bits_of(model, optimizer)

    assert_no_trace(run)
    session = observe(run)[0]
    assert records_of(session, EvalPass)  # they did run
    assert records_of(session, Propagation)


def test_an_argument_that_cannot_be_copied_is_not_probed() -> None:
    class Reading(Writing):
        def forward(self, batch: Any, *, scale: Tensor | None = None) -> Tensor:
            return self.last(next(batch[1]) + batch[0])

    x = torch.randn(8, 6)
    rows = iter([x, x])
    with pytest.raises(InputError, match=r"type list_iterator|type generator"):
        eval_pass(Reading(), ([x, (row for row in rows)],), {}, 0)
    assert len(list(rows)) == 2


def test_an_argument_that_cannot_be_copied_costs_the_probes_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Locked(Writing):
        def forward(self, batch: Any, *, scale: Tensor | None = None) -> Tensor:
            with batch[1]:
                return self.last(self.norm(batch[0]))

    def run() -> None:
        model, lock = Locked(), threading.Lock()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            model((torch.randn(8, 6), lock)).square().sum().backward()
            optimizer.step()

    monkeypatch.delenv("TORCHCLINIC_STRICT")
    session, _ = observe(run)  # which asserts that the observation did not end
    assert session.state.clock.observed_steps == 3
    assert "cannot be copied" in collect(session).probe_reason


def test_a_run_is_looked_at_twice_and_the_second_batch_is_fresh_if_it_differs() -> None:
    def train(fresh: bool) -> list[tuple[int, bool]]:
        model, x = Applied(torch.tanh), torch.randn(8, 6)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def run() -> None:
            for _ in range(9):
                optimizer.zero_grad()
                model(torch.randn(8, 6) if fresh else x).square().sum().backward()
                optimizer.step()

        return [(found.step, found.fresh) for found in records_of(observe(run)[0], EvalPass)]

    assert train(True) == [(0, False), (5, True)]
    assert train(False) == [(0, False), (5, False)]


def test_nothing_is_recorded_by_a_dead_or_suspended_session() -> None:
    model = Applied(torch.tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        model(torch.randn(8, 6)).square().sum().backward()
        optimizer.step()

    for end in (Session.suspend, lambda session: session.give_up(RuntimeError("ours"))):
        session = Session(budget=1.0)
        session.schedule.every_step = True
        with session:
            for index in range(9):
                if index == 3:
                    end(session)
                step()
        assert [found.step for found in records_of(session, EvalPass)] == [0]
