"""Networks trained together are the networks trained one by one; sweeps are bit-reproducible wherever they run."""

import importlib.util

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.errors import InputError
from torchclinic.training.ensemble import train_together
from torchclinic.training.initialization_sweep import ACTIVATIONS, SweepTask, run_cell
from torchclinic.training.sweep import sweep


def networks(count: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)) for _ in range(count)]


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(32, 6, generator=generator), torch.randint(0, 3, (32,), generator=generator)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_ensemble_trains_as_its_members_do_alone(momentum):
    x, y = data()
    models, rates = networks(4), [0.01, 0.1, 0.3, 1.0]
    found = train_together(models, x, y, F.cross_entropy, steps=10, lr=rates, momentum=momentum)
    for index, (model, rate) in enumerate(zip(models, rates, strict=True)):
        optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
        for step in range(10):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            torch.testing.assert_close(found.losses[step, index], loss.detach(), rtol=1e-4, atol=1e-5)
            loss.backward()
            optimizer.step()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(found.parameters[name][index], parameter.detach(), rtol=1e-3, atol=1e-5)


def test_an_ensemble_is_bit_reproducible_and_leaves_the_models_alone():
    x, y = data()
    models = networks(3)
    before = [p.detach().clone() for model in models for p in model.parameters()]
    first, second = (train_together(models, x, y, F.cross_entropy, steps=5, lr=0.1) for _ in range(2))
    assert torch.equal(first.losses, second.losses)
    assert all(torch.equal(first.parameters[name], second.parameters[name]) for name in first.parameters)
    assert all(torch.equal(a, b) for a, b in zip(before, (p for m in models for p in m.parameters()), strict=True))
    first.load_into(models)
    assert torch.equal(models[2][0].weight, first.parameters["0.weight"][2])


@pytest.mark.parametrize(
    ("models", "lr", "message"),
    [([], 0.1, "No models"), (networks(2), [0.1], "1 learning rates for 2"), ([*networks(1), nn.Linear(6, 3)], 0.1, "differ")],
)
def test_what_cannot_be_stacked_is_refused(models, lr, message):
    with pytest.raises(InputError, match=message):
        train_together(models, *data(), F.cross_entropy, steps=1, lr=lr)


@pytest.mark.parametrize("phi", ACTIVATIONS)
def test_cells_of_the_sweep_are_bit_reproducible(phi):
    task = SweepTask(phi, 4, width=8, batch=16, steps=3)
    assert repr(sweep(run_cell, [task])) == repr(sweep(run_cell, [task]))


def test_cells_measure_what_a_plain_network_shows():
    cells = {cell.initialization: cell for cell in run_cell(SweepTask("ReLU", 6, width=16, batch=16, steps=2))}
    assert cells["zeros"].variance_last == cells["zeros"].gradient_first == 0
    assert cells["zeros"].dead_share == 1
    assert cells["He"].variance_last / cells["Xavier"].variance_last == pytest.approx(2**5, rel=1e-4)


def test_an_unknown_backend_is_refused():
    with pytest.raises(InputError, match="no backend"):
        sweep(run_cell, [], backend="dask")


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_message_says_what_to_install():
    with pytest.raises(InputError, match=r"torchclinic\[ray\]"):
        sweep(run_cell, [], backend="ray")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install torchclinic[ray]")
def test_a_sweep_on_two_ray_workers_gives_the_same_bits():
    tasks = [SweepTask(phi, 4, width=8, batch=16, steps=3) for phi in ACTIVATIONS]
    assert repr(sweep(run_cell, tasks, backend="ray", workers=2)) == repr(sweep(run_cell, tasks))
