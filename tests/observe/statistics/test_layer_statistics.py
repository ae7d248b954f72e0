"""The statistics of layers over a run, against the same numbers computed the slow way."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.observe.collecting import collect
from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import MOST_WINDOWS, LayerSeries, Window
from torchclinic.observe.session import Session


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.second(F.relu(self.first(x)))))


def observed(model: nn.Module, batches: list, rate: float = 0.1) -> tuple[RunRecord, list[dict[str, torch.Tensor]]]:
    """The record of a training, and what hooks of the same training saw of each layer at each step."""
    truth: list[dict[str, torch.Tensor]] = []
    seen: dict[str, torch.Tensor] = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output.detach().clone()}))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    session = Session()
    with session:
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            grads = {f"{n}.grad": p.grad.clone() for n, p in model.named_parameters()}
            before = {f"{n}.before": p.detach().clone() for n, p in model.named_parameters()}
            optimizer.step()
            truth.append({**seen, **grads, **before, **{n: p.detach().clone() for n, p in model.named_parameters()}})
    return collect(session), truth


def batches(number: int, rows: int = 16) -> list:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(rows, 6, generator=generator), torch.randint(0, 3, (rows,), generator=generator)) for _ in range(number)]


def series(run: RunRecord, path: str) -> LayerSeries:
    return next(layer for layer in run.layers if layer.path == path)


def test_a_window_of_one_step_holds_what_a_hook_sees() -> None:
    torch.manual_seed(0)
    run, truth = observed(Net(), batches(20))
    for name in ("first", "second", "head"):
        window = series(run, name).windows[0]
        output, weight = truth[window.step][name], truth[window.step][f"{name}.weight"]
        gradient, before = truth[window.step][f"{name}.weight.grad"], truth[window.step][f"{name}.weight.before"]
        assert window.samples == len(output)
        assert window.mean == pytest.approx(output.mean().item(), rel=1e-4, abs=1e-6)
        assert window.spread == pytest.approx(output.std(correction=0).item(), rel=1e-4)
        assert (window.low, window.high) == (output.min().item(), output.max().item())
        assert window.dead == int((output <= 0).all(0).sum())
        assert window.varying == pytest.approx((output.amax(0) - output.amin(0)).max().item(), rel=1e-6)
        assert window.gradient == pytest.approx(gradient.norm().item(), rel=1e-4)
        assert window.update == pytest.approx(((weight - before).norm() / weight.norm()).item(), rel=1e-4)


def test_a_window_of_several_steps_joins_them() -> None:
    torch.manual_seed(1)
    run, truth = observed(Net(), batches(20))
    first, second = series(run, "first").windows[:2]
    steps = range(first.step + 1, second.step + 1)
    outputs = torch.cat([truth[step]["first"] for step in steps])
    assert len(steps) > 1
    assert second.samples == len(outputs)
    assert second.mean == pytest.approx(outputs.mean().item(), rel=1e-4, abs=1e-6)
    assert second.spread == pytest.approx(outputs.std(correction=0).item(), rel=1e-4)
    assert second.dead == int((outputs <= 0).all(0).sum())
    assert second.peak == pytest.approx(max(truth[s]["first.weight.grad"].norm().item() for s in steps), rel=1e-4)


def test_the_activation_that_reads_a_layer_is_known_whether_module_or_function() -> None:
    torch.manual_seed(0)
    run, _ = observed(Net(), batches(3))
    assert [series(run, name).followed_by for name in ("first", "second", "head")] == ["relu", "tanh", ""]
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 4, 2), nn.Sigmoid())
    images = [(torch.randn(8, 1, 4, 4), torch.rand(8, 2)) for _ in range(3)]
    run, _ = observed(model, images)
    assert (series(run, "0").followed_by, series(run, "3").followed_by) == ("relu", "sigmoid")
    assert series(run, "0").units == 4


def test_a_step_that_makes_weights_infinite_is_said_and_survived() -> None:
    torch.manual_seed(0)
    run, _ = observed(Net(), batches(20), rate=1e38)
    last = series(run, "head").windows[-1]
    assert not math.isfinite(last.mean)
    assert not math.isfinite(last.weight)


def test_the_series_stays_bounded_and_keeps_its_ends() -> None:
    layer = LayerSeries("M", "a", "Linear", 0, 4, "", False, "a.weight")
    for step in range(10 * MOST_WINDOWS):
        layer.add(Window(step, 1, 0.0, 1.0, -1.0, 1.0))
    assert len(layer.windows) <= MOST_WINDOWS
    assert (layer.windows[0].step, layer.windows[-1].step) == (0, 10 * MOST_WINDOWS - 1)
    assert [w.step for w in layer.windows] == sorted(w.step for w in layer.windows)


def test_a_recurrent_layer_is_measured_by_its_output_not_its_state() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(6, 5, batch_first=True), nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.gru(x)[0][:, -1])

    torch.manual_seed(0)
    model = Reader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    session = Session()
    with session:
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.randn(4, 7, 6)), torch.randint(0, 3, (4,))).backward()
            optimizer.step()
    assert series(collect(session), "gru").units == 5


def trained(model: nn.Module, *data: torch.Tensor) -> tuple[RunRecord, dict[str, torch.Tensor]]:
    """The record of four steps, and the gradients of the first."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    session, first = Session(), {}
    with session:
        for step in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(data[0]), data[1]).backward()
            if step == 1:  # the first step that is measured
                first = {name: p.grad.clone() for name, p in model.named_parameters()}
            optimizer.step()
    return collect(session), first


def test_of_large_weights_the_norms_are_estimated_from_rows() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 3))
    run, first = trained(model, torch.randn(32, 512), torch.randint(0, 3, (32,)))
    window = series(run, "0").windows[0]
    true = first["0.weight"].norm().item()
    assert window.gradient != pytest.approx(true, rel=1e-6)
    assert window.gradient == pytest.approx(true, rel=0.25)  # 64 of 1,024 rows: 1/√64 times the spread of their norms
    assert series(run, "2").windows[0].gradient == pytest.approx(first["2.weight"].norm().item(), rel=1e-4)


def test_a_table_of_which_few_rows_are_used_is_measured_whole() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(4096, 64), nn.Flatten(), nn.Linear(5 * 64, 3))
    run, first = trained(model, torch.randint(0, 9, (16, 5)), torch.randint(0, 3, (16,)))
    assert series(run, "0").windows[0].gradient == pytest.approx(first["0.weight"].norm().item(), rel=1e-4)


def test_maps_of_few_positions_are_reduced_to_the_same_extremes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 6, 3), nn.Flatten(), nn.Linear(6 * 4, 3))
    images = torch.randn(10, 2, 4, 4)
    with torch.no_grad():
        outputs = model[0](images)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    session = Session()
    with session:
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(images), torch.zeros(10, dtype=torch.long)).backward()
            optimizer.step()
    window = series(collect(session), "0").windows[0]
    assert window.dead == int((outputs.amax((0, 2, 3)) <= 0).sum())
    assert (window.low, window.high) == (outputs.min().item(), outputs.max().item())
    assert window.varying == pytest.approx((outputs.amax((0, 2, 3)) - outputs.amin((0, 2, 3))).max().item())


def test_the_model_shares_what_was_measured_of_its_last_layer() -> None:
    torch.manual_seed(0)
    run, truth = observed(Net(), batches(12))
    model, head = series(run, ""), series(run, "head")
    assert [(w.mean, w.spread, w.low, w.high) for w in model.windows] == [(w.mean, w.spread, w.low, w.high) for w in head.windows]
    assert model.windows[0].mean == pytest.approx(truth[model.windows[0].step]["head"].mean().item(), rel=1e-4)


def test_an_output_that_was_changed_in_place_is_measured_again() -> None:
    class Halved(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).mul_(0.5)

    torch.manual_seed(0)
    run, _ = trained(Halved(nn.Linear(6, 8), nn.Linear(8, 3)), torch.randn(16, 6), torch.randint(0, 3, (16,)))
    assert series(run, "").windows[0].high == pytest.approx(series(run, "1").windows[0].high / 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_measured_in_float32(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    run, first = trained(model, torch.randn(16, 6, dtype=dtype), torch.randint(0, 3, (16,)))
    window = series(run, "0").windows[0]
    assert window.gradient == pytest.approx(first["0.weight"].float().norm().item(), rel=1e-2)
    assert window.update > 0


def test_a_layer_whose_width_changes_starts_its_window_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wider(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.calls = nn.Parameter(torch.randn(6, 12)), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x @ self.weight[:, : 3 + self.calls % 4]

    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)
    model = nn.Sequential(Wider(), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    session = Session(budget=1.0)
    with session:
        for _ in range(30):
            optimizer.zero_grad()
            model(torch.randn(5, 6)).square().mean().backward()
            optimizer.step()
    assert all(math.isfinite(w.mean) for w in series(collect(session), "0").windows)


def test_two_optimizers_and_steps_that_use_other_layers_keep_their_norms_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    torch.manual_seed(0)

    class Chosen(nn.ModuleDict):
        def forward(self, x: torch.Tensor, names: list[str]) -> torch.Tensor:
            return torch.stack([self[name](x) for name in names]).sum(0)

    model = Chosen({name: nn.Linear(6, 3) for name in "abc"})
    optimizers = [
        torch.optim.SGD([*model["a"].parameters(), *model["b"].parameters()], lr=0.1),
        torch.optim.SGD(model["c"].parameters(), lr=0.1),
    ]
    truth: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    session = Session(budget=1.0)
    with session:
        for step in range(40):
            used = ["a", "c"] if step % 3 else ["b", "c"]
            for optimizer in optimizers:
                optimizer.zero_grad()
            x, y = torch.randn(8, 6), torch.randint(0, 3, (8,))
            F.cross_entropy(model(x, used), y).backward()
            for name in used:
                truth[name].append(model[name].weight.grad.norm().item())
            for optimizer in optimizers:
                optimizer.step()
    run = collect(session)
    for name, norms in truth.items():
        peaks = [window.peak for window in series(run, name).windows if math.isfinite(window.peak)]
        assert peaks
        assert all(min(abs(peak - norm) for norm in norms) < 1e-4 * peak for peak in peaks)


Forward = Callable[[nn.Module, int], torch.Tensor]


def measured(session: Session, model: nn.Module, forward: Forward) -> Session:
    """Sixty steps of which every layer is measured."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    session.budget.due = lambda step: False  # type: ignore[method-assign]
    session.resume()
    for step in range(60):
        optimizer.zero_grad()
        forward(model, step).backward()
        optimizer.step()
    return session


def test_a_module_whose_output_is_a_single_number_leaves_nothing_behind() -> None:
    class Weighed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale = nn.Linear(6, 3), nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x).square().mean() * self.scale

    torch.manual_seed(0)
    session = measured(Session(budget=1e9), nn.Sequential(Weighed()), lambda model, _: model(torch.randn(4, 6)))
    assert all(len(track.sizes) <= 8 for track in session.sampler.layers.values())
    session.close()


def test_layers_that_take_part_in_some_steps_share_one_memory() -> None:
    class Dropped(nn.ModuleList):
        def forward(self, x: torch.Tensor, step: int) -> torch.Tensor:
            for number, layer in enumerate(self):
                x = x + layer(x) if number == 0 or (step + number) % 3 else x
            return x

    torch.manual_seed(0)
    memories = set()

    def forward(model: nn.Module, step: int) -> torch.Tensor:
        memories.update(moves.kept.data_ptr() for moves in session.sampler._moves.values())
        return model(torch.randn(4, 6), step).square().mean()

    session = Session(budget=1e9)
    model = Dropped(nn.Linear(6, 6) for _ in range(4))
    measured(session, model, forward)
    session.close()
    assert len(memories) <= 2  # a layer that takes no part in the first step is known later
    run = collect(session)
    assert all(math.isfinite(window.gradient) for path in "0123" for window in series(run, path).windows)


def test_an_output_of_other_widths_at_each_step_keeps_the_memory_of_the_last_only() -> None:
    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.slope

    torch.manual_seed(0)
    session = measured(
        Session(budget=1e9), nn.Sequential(Slope()), lambda model, step: model(torch.randn(2, 5, 20 + step)).square().mean()
    )
    for track in session.sampler.layers.values():
        assert len({id(lane.samples) for lane in track._lanes.values()}) <= 1
    session.close()
