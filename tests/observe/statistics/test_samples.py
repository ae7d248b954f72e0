"""What is kept of a layer's output: how much, of which unit, and what is read of it."""

import pytest
import torch
from torch import Tensor, nn

from torchclinic.observe.records.layers import LayerSeries
from torchclinic.observe.statistics.layer_track import LayerTrack
from torchclinic.observe.statistics.moves import RUN, RUNS, runs_of
from torchclinic.observe.statistics.samples import MOST_VALUES, WINDOW, plan

SHAPES = [
    ((128, 256), 1),
    ((32, 64, 32, 32), 1),
    ((16, 64, 256), 2),
    ((3, 5), 1),
    ((2, 7, 100, 33), 1),
    ((1, 1, 9000), 2),
    ((4, 3, 500), 1),
    ((1, 2, 4000, 3), 3),
    ((5000, 1), 1),
    ((2, 16, 5, 40, 40), 1),
]


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("most", [1, 7, 128, 100_000])
def test_a_sample_holds_few_values_each_from_its_own_unit_and_inside_the_output(
    shape: tuple[int, ...], dim: int, most: int
) -> None:
    units = torch.arange(shape[dim]).view([-1 if d == dim else 1 for d in range(len(shape))])
    base = torch.full((2, *shape), -1.0)
    output = base[1]
    output.copy_(units.expand(shape))
    found = plan(output.shape, output.stride(), dim, most)
    assert most / 2 < found.values <= most or found.values == output.numel() // shape[dim]
    for step in (0, 1, 12, 997):
        view = found.of(output, step)
        assert torch.equal(view, units.expand(found.size))
    assert found.size[dim] == shape[dim]


def test_several_rows_are_read_and_others_at_the_next_step() -> None:
    output = torch.arange(32 * 64 * 32 * 32.0).view(32, 64, 32, 32)
    found = plan(output.shape, output.stride(), 1, MOST_VALUES // 64)
    assert found.size == (4, 64, 1, 32)  # a whole line of four pictures
    seen = {float(found.of(output, step)[0, 0, 0, 0]) for step in range(8)}
    assert len(seen) == 8


@pytest.mark.parametrize("layer", [nn.Linear(6, 5), nn.Conv2d(3, 4, 3), nn.Conv1d(3, 4, 3), nn.LayerNorm(7)])
@pytest.mark.parametrize("equal", [True, False], ids=["equal batches", "other lengths"])
def test_what_is_read_of_a_window_is_what_its_outputs_hold(layer: nn.Module, equal: bool) -> None:
    torch.manual_seed(0)
    track = LayerTrack(layer, None, LayerSeries("M", "a", "", 0, 0, "tanh", False, ""))
    dim = 1 if isinstance(layer, nn.Conv1d | nn.Conv2d) else -1
    shape = {nn.Linear: (9, 5), nn.Conv2d: (9, 4, 6, 5), nn.Conv1d: (9, 4, 11), nn.LayerNorm: (9, 3, 7)}[type(layer)]
    outputs: list[Tensor] = []
    for step in range(WINDOW):
        rows = 9 if equal else 9 - step
        outputs.append(torch.randn(rows, *shape[1:]) * 3)
        track.step = step
        track.keep(outputs[-1].double() if step % 2 else outputs[-1], MOST_VALUES)
    samples = track.samples()
    assert samples is not None
    window = track.window(samples.reductions(3.0).numpy(), 1.0, 0.1)
    units = [output.movedim(dim, 0).flatten(1) for output in outputs]
    joined = torch.cat(units, 1)
    assert window.samples == joined.shape[1]
    assert track.series.units == len(joined)
    assert (window.low, window.high) == (joined.min().item(), joined.max().item())
    assert window.mean == pytest.approx(joined.mean().item(), abs=1e-5)
    assert window.spread == pytest.approx(joined.std(correction=0).item(), rel=1e-4)
    assert window.saturated == pytest.approx((joined.abs() > 3).float().mean().item())
    assert window.varying == pytest.approx(max(float((u.amax(1) - u.amin(1)).max()) for u in units))
    assert window.dead == int((joined <= 0).all(1).sum())


def test_a_unit_that_never_rises_is_counted_and_one_that_does_once_is_not() -> None:
    track = LayerTrack(nn.Linear(1, 3), None, LayerSeries("M", "a", "", 0, 0, "relu", False, ""))
    for step in range(4):
        output = -torch.rand(5, 3)
        if step == 2:
            output[3, 1] = 0.5
        track.keep(output, MOST_VALUES)
    samples = track.samples()
    assert samples is not None
    assert track.window(samples.reductions(None).numpy(), 1.0, 0.1).dead == 2


@pytest.mark.parametrize("shape", [(64, 64), (64, 65), (300, 500), (7, 9000), (16, 16, 9, 9)])
def test_the_norm_of_runs_estimates_the_norm_and_is_exact_where_all_is_read(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    values = torch.randn(2, *shape)[1]
    estimates = []
    for step in range(5):
        runs, factor = runs_of(values, RUN, step)
        assert runs.numel() <= RUNS * RUN
        estimates.append(runs.norm().item() * factor)
    exact = values.norm().item()
    assert estimates == pytest.approx([exact] * 5, rel=1e-6 if values.numel() <= RUNS * RUN else 0.05)
    if values.numel() > RUNS * RUN + RUNS:
        assert len(set(estimates)) == 5  # other places at each step


def test_of_a_transposed_weight_all_is_read_in_its_own_order() -> None:
    values = torch.arange(12.0).view(3, 4).T
    assert torch.equal(runs_of(values, RUN, 0)[0].sort().values, torch.arange(12.0))
