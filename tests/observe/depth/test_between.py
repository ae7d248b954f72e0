"""Steps that nobody looks at: what is noted of them, when they are left, and that nothing of the script's changes."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.observe.collecting import collect
from torchclinic.observe.depth.budget import Budget
from torchclinic.observe.session import Session


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)


def quiet_session() -> Session:
    """After its first steps it looks at nothing any more."""
    session = Session(budget=0.0)
    session.budget.due = lambda step: False  # type: ignore[method-assign]
    return session


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    x, y = torch.randn(8, 6), torch.randint(0, 3, (8,))
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def net() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_after_the_first_steps_the_short_way_is_taken_and_counts_every_step_and_loss() -> None:
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 200)
        assert session.wiring.fast.on
    run = collect(session)
    assert session.step == session.state.clock.steps_total == 200
    assert session.state.clock.observed_steps < 20
    assert len(session.state.losses.values) == 200
    assert list(session.state.losses.steps) == list(range(200))
    assert run.optimizers[0].steps == 200


def test_what_an_optimizer_did_last_is_known_as_if_every_step_were_observed() -> None:
    states = []
    for every in (False, True):
        torch.manual_seed(0)
        model, optimizer = net()
        with quiet_session() as session:
            session.schedule.every_step = every
            train(model, optimizer, 70)
            F.cross_entropy(model(torch.randn(8, 6)), torch.randint(0, 3, (8,))).backward()
            track = session.state.training.optimizers[id(optimizer)]
            states.append((track.steps, track.backwards, track.backwards_uncleared, track.cleared, track.rates))
            optimizer.zero_grad()
            states.append((track.cleared, track.cleared_after_backward, track.backwards_uncleared))
    assert states[:2] == states[2:]
    assert states[0][:2] == (70, 1)


def test_a_changed_rate_is_noted_in_the_step_it_changed() -> None:
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 60)
        optimizer.param_groups[0]["lr"] = 0.01
        train(model, optimizer, 10)
        assert session.wiring.fast.on
        assert session.state.training.optimizers[id(optimizer)].rates == [(0, 0.1), (60, 0.01)]


def test_each_evaluation_is_counted_though_the_budget_is_asked_seldom() -> None:
    model, optimizer = net()
    with quiet_session() as session:
        for steps in (60, 3, 3, 3, 3, 3, 3):
            train(model, optimizer, steps)
            model.eval()
            with torch.no_grad():
                model(torch.randn(4, 6))
                model(torch.randn(4, 6))
            model.train()
        assert session.state.clock.evaluations == 7


@pytest.mark.parametrize("change", ["mode", "parameters", "optimizer"])
def test_what_changes_is_looked_at_again(change: str) -> None:
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 100)
        before = session.state.clock.observed_steps
        if change == "mode":
            model.eval()
        elif change == "parameters":
            model[0].weight = nn.Parameter(torch.randn(8, 6))
        else:
            optimizer = torch.optim.Adam(model.parameters())
        train(model, optimizer, 40)
        assert session.state.clock.observed_steps > before


def test_a_closure_two_optimizers_and_module_zero_grad_take_the_ordinary_way() -> None:
    first, second = nn.Linear(6, 8), nn.Linear(8, 3)
    optimizers = [torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.SGD(second.parameters(), lr=0.1)]
    x, y = torch.randn(8, 6), torch.randint(0, 3, (8,))
    with quiet_session() as session:
        for _ in range(60):
            first.zero_grad()
            second.zero_grad()
            F.cross_entropy(second(first(x)), y).backward()
            for optimizer in optimizers:
                optimizer.step()
        assert session.wiring.fast.on
        assert (session.step, session.state.clock.steps_total) == (60, 120)
        model = nn.Linear(6, 3)
        closing = torch.optim.LBFGS(model.parameters(), lr=0.1)

        def closure() -> torch.Tensor:
            closing.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        for _ in range(40):
            closing.step(closure)
        assert session.state.training.optimizers[id(closing)].steps == 40


def test_an_error_of_ours_in_between_ends_the_observation_and_not_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHCLINIC_STRICT")
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 60)
        session.wiring.fast.optimizers[id(optimizer)].rates = None  # type: ignore[assignment]
        session.state.training.optimizers[id(optimizer)].pattern = None  # type: ignore[assignment]
        monkeypatch.setattr(session.state.training.optimizers[id(optimizer)], "stepped", lambda *_: 1 / 0)
        train(model, optimizer, 5)
    assert session.state.clock.stopped
    assert "observing stopped" in session.state.limits[0]


def test_a_loop_without_an_optimizer_is_left_after_its_first_steps() -> None:
    weight = torch.randn(6, 3, requires_grad=True)
    x, y = torch.randn(8, 6), torch.randint(0, 3, (8,))
    with quiet_session() as session:
        for _ in range(100):
            F.cross_entropy(x @ weight, y).backward()
            with torch.no_grad():
                weight -= 0.1 * weight.grad
            weight.grad = None
        assert not session.state.clock.full
        assert session.wiring.mode.asleep
    assert session.state.clock.observed_steps < 20
    assert not torch.overrides._get_current_function_mode_stack()


def test_what_the_other_steps_cost_is_taken_from_the_share_but_for_its_half() -> None:
    budget = Budget(0.05)
    budget.start()
    budget.began -= 100.0  # seconds
    assert budget.allows_sampling()
    budget.sampling = 1.5
    assert budget.allows_sampling()  # 40 % of 5 s
    budget.between = 2.0
    assert not budget.allows_sampling()  # 40 % of 3 s
    budget.between, budget.sampling = 50.0, 0.9
    assert budget.allows_sampling()  # 40 % of the half
    budget.sampling = 1.1
    assert not budget.allows_sampling()
    assert budget.overhead == pytest.approx(51.1 / 100, rel=0.01)


def test_a_step_that_raised_does_not_stop_the_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(torch.optim.SGD):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            super().step()
            if self.param_groups[0].pop("fail", False):
                raise RuntimeError("out of memory")

    torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # its step is hooked as well: two hooks for one step
    model = nn.Linear(6, 3)
    optimizer = Failing(model.parameters(), lr=0.1)
    with quiet_session() as session:
        train(model, optimizer, 50)
        optimizer.param_groups[0]["fail"] = True
        with pytest.raises(RuntimeError):
            train(model, optimizer, 1)
        train(model, optimizer, 30)
        assert session.step == 80
        assert not session.state.clock.quiet


def test_parameters_replaced_in_a_loop_that_alternates_training_and_evaluation_are_noticed() -> None:
    for offset in range(4):
        model, optimizer = net()
        with quiet_session() as session:
            train(model, optimizer, 60 + offset)
            for step in range(120):
                if step == 30:
                    model[2] = nn.Linear(8, 3)
                    optimizer.add_param_group({"params": list(model[2].parameters())})
                    before = session.state.clock.observed_steps
                train(model, optimizer, 1)
                with torch.no_grad():
                    model(torch.randn(4, 6))
            assert session.state.clock.observed_steps > before


def test_the_budget_is_told_of_every_step_though_seldom() -> None:
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 60)
        session.wiring.fast.untold_steps()  # of those it was not told of yet
        told: list[int] = []
        step = session.budget.step
        session.budget.step = lambda *, observed, steps=1: (told.append(steps), step(observed=observed, steps=steps))  # type: ignore[method-assign]
        train(model, optimizer, 203)
        torch.optim.Adam(model.parameters())  # everything is observed again in the middle of a row of steps
        train(model, optimizer, 3)
        assert sum(told) == 206
        assert len(told) < 103


def test_an_optimizer_that_lost_its_groups_for_a_while_is_no_error() -> None:
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 60)
        groups = list(optimizer.param_groups)
        optimizer.param_groups.clear()
        train(model, optimizer, 3)
        optimizer.param_groups.extend(groups)
        train(model, optimizer, 3)
        assert not session.state.clock.stopped
        assert session.step == 66


def test_observing_that_has_ended_by_an_error_measures_no_layer_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHCLINIC_STRICT")
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 15)
        monkeypatch.setattr(session.sampler, "_read_moves", lambda: 1 / 0)
        train(model, optimizer, 30)
        assert session.state.clock.stopped
        assert not session.sampler.on


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_tracer_sees_nothing_of_the_statistics() -> None:
    model, optimizer = net()
    with quiet_session() as session:
        train(model, optimizer, 15)
        assert session.sampler.on
        traced = torch.jit.trace(model, torch.randn(4, 6))
        assert "as_strided" not in str(traced.inlined_graph)
        graph, _ = torch.jit._get_trace_graph(model, torch.randn(4, 6))  # as an exporter calls it
        assert "as_strided" not in str(graph)
        train(model, optimizer, 3)


def test_a_row_of_unseen_steps_ends_where_the_next_one_is_due() -> None:
    """The schedule grows by three tenths from one observed step to the next, however seldom the budget is asked."""
    model, optimizer = net()
    session = Session(budget=1e9)
    session.budget.allows_sampling = lambda: False  # type: ignore[method-assign]  # or every step is told of at once
    with session:
        seen: list[int] = []
        activate = session.schedule.activate
        session.schedule.activate = lambda: (seen.append(session.step), activate())  # type: ignore[method-assign]
        train(model, optimizer, 200)
    late = [step for step in seen if step > 12]
    assert len(late) >= 8
    assert all(later <= 1.3 * earlier + 2 for earlier, later in pairwise(late))
