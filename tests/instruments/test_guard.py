import random
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import nn

from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 2)]
    model = nn.Sequential(*layers)
    model[1].eval()  # mixed modes
    model[0].bias.requires_grad_(False)
    model[0].weight.grad = torch.full_like(model[0].weight, float("nan"))
    return model


def state(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> list[object]:
    def bits(tensor: torch.Tensor | None) -> object:
        if tensor is None:
            return None
        return id(tensor), tensor.data_ptr(), tensor.detach().numpy().tobytes(), tensor._version

    seen: list[object] = [(name, id(module), module.training) for name, module in model.named_modules()]
    seen += [(name, bits(p), bits(p.grad), p.requires_grad) for name, p in model.named_parameters()]
    seen += [(name, bits(b)) for name, b in model.named_buffers()]
    seen += [[len(vars(m)[h]) for h in sorted(vars(m)) if "hooks" in h] for m in model.modules()]
    seen += [len(p._backward_hooks or {}) for p in model.parameters()]
    seen += [random.getstate(), str(np.random.get_state()), torch.get_rng_state().numpy().tobytes()]
    if optimizer is not None:
        seen += [str(optimizer.state_dict()), [id(p) for group in optimizer.param_groups for p in group["params"]]]
    return seen


def abuse(model: nn.Sequential, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Every kind of trace an observer could leave."""
    model.train()
    model.register_forward_hook(lambda *_: None)
    model[0].weight.register_hook(lambda gradient: gradient)
    loss = model(torch.randn(4, 3, 6, 6)).square().sum()
    loss.backward()
    if optimizer is not None:
        optimizer.step()
        optimizer.zero_grad()
        optimizer.param_groups[0]["lr"] = 7.0
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    with torch.no_grad():
        model[0].weight.mul_(-1)
    model[0].weight.data = torch.zeros(4, 3, 3, 3)
    model[0].bias.requires_grad_(True)
    model[1].running_mean = torch.ones(4)
    model[5].weight = nn.Parameter(torch.zeros(2, 64))
    model[2] = nn.Tanh()
    model[3].register_buffer("extra", torch.zeros(1))
    model[3].p = 0.9
    random.random()
    np.random.rand()
    torch.rand(1)


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_however_the_block_ends(error):
    model = network()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(torch.randn(4, 3, 6, 6)).sum().backward()
    optimizer.step()
    before = state(model, optimizer)
    with suppress(RuntimeError, KeyboardInterrupt), untouched(model, optimizer=optimizer):
        abuse(model, optimizer)
        if error is not None:
            raise error
    assert state(model, optimizer) == before


def test_the_comparison_of_states_sees_each_abuse():
    model = network()
    before = state(model)
    abuse(model)
    changed = [a != b for a, b in zip(before, state(model), strict=False)]
    assert sum(changed) > 10


def test_a_graph_built_before_still_runs_backward_after():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1))
    loss = model(torch.ones(4, 3) * torch.arange(4.0)[:, None]).square().sum()
    with untouched(model):
        with torch.no_grad():
            model[0].weight.add_(1)
            model[3].weight.add_(1)
        model(torch.randn(4, 3)).sum().backward()
        assert model[0].weight.grad is not None
    assert all(p.grad is None for p in model.parameters())
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_training_with_a_guarded_look_is_bit_identical_to_training_without():
    def train(look: bool) -> bytes:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            loss = model(torch.randn(6, 5)).square().mean()
            if look:
                with untouched(model, optimizer=optimizer):
                    model(torch.randn(6, 5)).sum().backward()
                    optimizer.step()
            loss.backward()
            optimizer.step()
        return b"".join(value.numpy().tobytes() for value in model.state_dict().values())

    assert train(look=True) == train(look=False)


def test_negative_zero_and_nan_payloads_are_kept():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[-0.0, float("nan")]])
    before = layer.weight.detach().numpy().tobytes()
    with untouched(layer):
        layer.weight.data.fill_(0.0)
    assert layer.weight.detach().numpy().tobytes() == before


def test_tied_parameters_stay_tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    with untouched(model):
        model[1].weight = nn.Parameter(torch.zeros(3, 3))
    assert model[1].weight is model[0].weight


def test_a_lazy_model_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="lazy"), untouched(nn.LazyLinear(3)):
        pass
