"""What is recorded of clipping, weight decay and half precision is what a calculation by hand gives."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from observer_fixtures import assert_no_trace, bits_of, observe, records_of
from torchclinic.observe.collectors.optimization.halves import HALF_NORMAL
from torchclinic.observe.records import ClipUse, DecayUse, HalfUse
from torchclinic.observe.session import Session

STEPS = 8
CLIPS = {"clip_grad_norm_": 0.05, "clip_grad_value_": 0.01}


def halves(session: Session) -> dict[str, HalfUse]:
    """By kind."""
    return {use.kind: use for use in records_of(session, HalfUse)}


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)


def length(tensors: Any) -> float:
    return float(torch.cat([tensor.detach().reshape(-1).double() for tensor in tensors]).norm())


def small(dtype: torch.dtype = torch.float32) -> tuple[nn.Module, Tensor, Tensor]:
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)
    return model, torch.randn(16, 5, dtype=dtype), torch.randn(16, 3, dtype=dtype)


def values(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def gradients(model: nn.Module) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("name", CLIPS)
def test_factor_and_travel_of_clipping_are_the_norms_by_hand(name: str) -> None:
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    factors, travels = [], []

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            before = length(gradients(model))
            getattr(nn.utils, name)(model.parameters(), CLIPS[name])
            factors.append(before / length(gradients(model)))
            weights = values(model)
            optimizer.step()
            moves = [now - then for now, then in zip(model.parameters(), weights, strict=True)]
            travels.append(length(moves) / length(weights))

    session, _ = observe(run)
    [use] = records_of(session, ClipUse)
    assert use.factors == pytest.approx(factors, rel=1e-5)
    assert use.travel == pytest.approx(travels, rel=1e-5)
    assert min(factors) > 1.5  # it did cut
    assert (use.function, use.limit, use.calls, use.late, use.foreign) == (name, CLIPS[name], STEPS, 0, False)
    assert use.line.rpartition(":")[0].endswith("test_updates_observed.py")


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_clip_is_late_when_no_backward_has_run_since_the_step(after: bool, every_step: bool) -> None:
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    session = Session(budget=1.0 if every_step else 0.0)  # without a budget, most steps are not observed
    session.schedule.every_step = every_step
    with session:
        for _ in range(30):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            if not after:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if after:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    [use] = records_of(session, ClipUse)
    assert (use.calls, use.late) == (30, 30 if after else 0)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_computed_tensor_given_to_clipping_is_foreign_and_parameters_are_not() -> None:
    model, x, y = small()

    def run() -> None:
        loss = F.mse_loss(model(x), y, reduction="none")
        nn.utils.clip_grad_norm_(loss, 1.0)
        nn.utils.clip_grad_norm_([*model.parameters()], 1.0)

    session, _ = observe(run)
    foreign, own = records_of(session, ClipUse)
    assert (foreign.foreign, foreign.foreign_shape, foreign.factors) == (True, (16, 3), [])
    assert not own.foreign


def test_only_the_optimizer_whose_gradients_are_clipped_decides_what_is_late() -> None:
    model, x, y = small()
    other = nn.Parameter(torch.ones(3))
    first, second = torch.optim.SGD(model.parameters(), lr=0.1), torch.optim.SGD([other], lr=0.1)

    def run() -> None:
        for _ in range(STEPS):
            first.zero_grad()
            F.mse_loss(model(x), y).backward()
            first.step()
            second.zero_grad()
            other.square().sum().backward()
            nn.utils.clip_grad_norm_([other], 1.0)
            second.step()

    session, _ = observe(run)
    [use] = records_of(session, ClipUse)
    assert use.late == 0


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_ratio_of_coupled_decay_is_decay_times_weights_over_gradient(momentum: float) -> None:
    """wd·|w| / |g|, over the decayed parameters alone, each with the decay of its group."""
    model, x, y = small()
    decays = {0: 0.5, 2: 0.02}
    groups = [{"params": [model[i].weight], "weight_decay": decay} for i, decay in decays.items()]
    optimizer = torch.optim.SGD([*groups, {"params": [model[0].bias, model[2].bias]}], lr=0.1, momentum=momentum)
    ratios, norms = [], []

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            decayed = [decay * model[i].weight for i, decay in decays.items()]
            ratios.append(length(decayed) / length([model[i].weight.grad for i in decays]))
            norms.append(length([model[i].weight for i in decays]))
            optimizer.step()

    session, _ = observe(run)
    [use] = records_of(session, DecayUse)
    assert use.ratios == pytest.approx(ratios, rel=1e-5)
    assert use.norms == pytest.approx(norms, rel=1e-5)
    assert use.steps == list(range(STEPS))
    assert (use.name, use.decoupled, use.adaptive) == ("SGD", False, False)


def test_the_ratio_of_decoupled_decay_is_decay_over_the_step_of_adam_alone() -> None:
    """Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2: both parts of the step, written out here again."""
    model, x, y = small()
    rate, decay, (b1, b2), eps = 0.01, 0.3, (0.9, 0.999), 1e-8
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    first = [torch.zeros_like(p, dtype=torch.float64) for p in model.parameters()]
    second = [torch.zeros_like(m) for m in first]
    ratios = []

    def run() -> None:
        for t in range(1, STEPS + 1):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            steps = []
            for m, v, g in zip(first, second, gradients(model), strict=True):
                m.mul_(b1).add_((1 - b1) * g)
                v.mul_(b2).add_((1 - b2) * g.double() ** 2)
                steps.append(rate * m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + eps))
            ratios.append(rate * decay * length(model.parameters()) / length(steps))
            optimizer.step()

    session, _ = observe(run)
    [use] = records_of(session, DecayUse)
    assert use.ratios == pytest.approx(ratios, rel=1e-3)  # the step is a difference of float32 weights
    assert (use.decay, use.lr, use.decoupled, use.adaptive) == (decay, rate, True, True)


def test_the_decay_of_adafactor_is_no_term_of_its_gradient() -> None:
    model, x, y = small()
    optimizer = torch.optim.Adafactor(model.parameters(), lr=0.01, weight_decay=0.3)

    def run() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()

    [use] = records_of(observe(run)[0], DecayUse)
    assert not use.adaptive


def test_without_weight_decay_there_is_no_record() -> None:
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def run() -> None:
        F.mse_loss(model(x), y).backward()
        optimizer.step()

    assert records_of(observe(run)[0], DecayUse) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lost_updates_and_gradients_of_half_precision_are_counted_element_by_element(dtype: torch.dtype) -> None:
    model, x, y = small(dtype)
    x[:, 0] = 0  # so that some gradients are zero: nothing is lost there
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5 if dtype is torch.bfloat16 else 0.02)
    driven = still = tiny = 0

    def run() -> None:
        nonlocal driven, still, tiny
        for _ in range(STEPS):
            optimizer.zero_grad()
            (F.mse_loss(model(x), y) / 64).backward()
            weights = values(model)
            optimizer.step()
            for now, then, parameter in zip(values(model), weights, model.parameters(), strict=True):
                for a, b, g in zip(*(t.flatten().tolist() for t in (now, then, parameter.grad)), strict=True):
                    driven += g != 0
                    still += g != 0 and a == b
                    tiny += 0 < abs(g) < 2.0**-14

    session, _ = observe(run)
    uses = halves(session)
    assert 0 < still < driven
    assert (uses["update"].elements, uses["update"].lost, uses["update"].steps) == (driven, still, STEPS)
    assert uses["update"].dtype == str(dtype).removeprefix("torch.")
    if dtype is torch.float16:
        assert tiny > 0
        assert (uses["gradient"].elements, uses["gradient"].lost) == (driven, tiny)
    else:
        assert "gradient" not in uses  # bfloat16 has the range of float32


def test_float16_autocast_counts_small_gradients_of_float32_weights() -> None:
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    nonzero = tiny = 0

    def run() -> None:
        nonlocal nonzero, tiny
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = F.mse_loss(model(x).float(), y) / 2000
            loss.backward()
            flat = torch.cat([g.flatten() for g in gradients(model)])
            nonzero += int((flat != 0).sum())
            tiny += sum(0 < abs(value) < HALF_NORMAL for value in flat.tolist())
            optimizer.step()

    session, _ = observe(run)
    use = halves(session)["gradient"]
    assert 0 < tiny < nonzero
    assert (use.elements, use.lost, use.steps) == (nonzero, tiny, STEPS)
    assert "update" not in halves(session)


@pytest.mark.parametrize("factor", [1.0, 1e-4])
def test_one_head_whose_gradients_are_below_float16_is_named(factor: float) -> None:
    trunk, large, little = nn.Linear(8, 32), nn.Linear(32, 3), nn.Linear(32, 64)
    model = nn.ModuleDict({"trunk": trunk, "large": large, "little": little})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(64, 8), torch.randn(64, 3)
    zeros = 0

    def run() -> None:
        nonlocal zeros
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                h = trunk(x).relu()
                near, far = large(h), little(h)
            (F.mse_loss(near.float(), y) + factor * far.float().square().mean()).backward()
            assert little.weight.grad is not None
            zeros += int((little.weight.grad == 0).sum())
            optimizer.step()

    session, _ = observe(run)
    layers = [use for use in records_of(session, HalfUse) if isinstance(use, HalfUse) and use.kind == "layer"]
    if factor == 1:
        assert layers == []
    else:
        [use] = layers
        assert (use.count, use.lost, use.elements, use.step_share) == (1, zeros, STEPS * 32 * 64, 1.0)
        assert zeros > use.elements / 2


def test_gradients_that_are_zero_everywhere_are_all_lost() -> None:
    model, x, y = small(torch.float16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    size = sum(parameter.numel() for parameter in model.parameters())

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            (F.mse_loss(model(x), y) * 2.0**-24).backward()
            assert not length(gradients(model))
            optimizer.step()

    use = halves(observe(run)[0])["gradient"]
    assert (use.elements, use.lost, use.step_share) == (STEPS * size, STEPS * size, 1.0)  # in every step


def test_a_step_with_a_closure_loses_no_gradient_that_is_there() -> None:
    model, x, y = small(torch.float16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    session, _ = observe(lambda: [optimizer.step(closure) for _ in range(STEPS)])
    assert "gradient" not in halves(session)


def test_nothing_is_recorded_by_a_dead_or_suspended_session() -> None:
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)

    def step() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    def seen(session: Session) -> tuple[int, int]:
        return (
            sum(use.calls for use in records_of(session, ClipUse)),
            sum(len(use.ratios) for use in records_of(session, DecayUse)),
        )

    session = Session(budget=1.0)
    session.schedule.every_step = True
    with session:
        step()
        assert seen(session) == (1, 1)
        session.suspend()
        step()
        assert seen(session) == (1, 1)
        session.resume()
        step()
        assert seen(session)[0] == 2
        known = seen(session)
        session.give_up(RuntimeError("ours"))
        step()
        assert seen(session) == known


@pytest.mark.parametrize("kind", ["clip", "decay", "half", "autocast"])
def test_watching_updates_leaves_no_trace(kind: str) -> None:
    def run() -> Any:
        model, x, y = small(torch.float16 if kind == "half" else torch.float32)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1, eps=1e-4)
        returned = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            noisy = x + torch.randn_like(x)
            with torch.autocast("cpu", dtype=torch.float16, enabled=kind == "autocast"):
                loss = F.mse_loss(model(noisy).to(y.dtype), y)
            loss.backward()
            if kind == "clip":
                returned.append(nn.utils.clip_grad_norm_((p for p in model.parameters()), 0.1))
            optimizer.step()
        return returned, bits_of(model, optimizer)

    assert_no_trace(run)
