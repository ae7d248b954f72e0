"""Formulas against Monte-Carlo twins: n and confidence are stated with each."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from torchclinic import theory
from torchclinic.errors import InputError
from torchclinic.theory.activations import is_activation

N = 400_000  # draws of each Monte-Carlo twin
Z = 4.0  # a twin strays this far by chance once in 16,000 runs; the seed is fixed

ACTIVATIONS = [
    nn.CELU(),
    nn.ELU(),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.Hardshrink(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.Hardtanh(),
    nn.Identity(),
    nn.LeakyReLU(0.2),
    nn.LogSigmoid(),
    nn.Mish(),
    nn.PReLU(),
    nn.PReLU(3),
    nn.ReLU(),
    nn.ReLU6(),
    nn.RReLU(),
    nn.RReLU().eval(),
    nn.SELU(),
    nn.SiLU(),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.Softshrink(),
    nn.Softsign(),
    nn.Tanh(),
    nn.Tanhshrink(),
    nn.Threshold(0.1, 20.0),
]


def draws(n: int = N) -> torch.Tensor:
    return torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def twin(values: torch.Tensor) -> tuple[float, float]:
    """Mean and Z standard errors."""
    return values.mean().item(), Z * (values.std() / math.sqrt(len(values))).item()


@pytest.mark.parametrize("module", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("q", [0.3, 1.0, 4.0])
def test_gain_keeps_the_mean_square_as_monte_carlo_says(module, q):
    torch.manual_seed(0)
    z = draws().float() if isinstance(module, nn.PReLU | nn.RReLU) else draws()
    values = z * math.sqrt(q)
    channels = module.num_parameters if isinstance(module, nn.PReLU) else 1
    values = values[: N // channels * channels].reshape(-1, channels)
    with torch.no_grad():
        mean, error = twin(module(values).double().square().flatten())
    assert q / theory.gain(module, q=q) ** 2 == pytest.approx(mean, abs=error + 1e-6)


def test_gain_of_glu_takes_half_of_its_input():
    z = draws().reshape(-1, 2)
    mean, error = twin(F.glu(z, dim=1).square().flatten())
    assert 1 / theory.gain(nn.GLU()) ** 2 == pytest.approx(mean, abs=error)


def test_every_elementwise_activation_of_torch_has_a_gain():
    names = [name for name in torch.nn.modules.activation.__all__ if name not in ("MultiheadAttention", "Threshold")]
    known = [name for name in names if not name.lower().endswith(("softmax", "softmin", "softmax2d"))]
    assert all(theory.gain(getattr(nn, name)) > 0 for name in known)
    assert all(is_activation(getattr(nn, name)()) for name in known)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "linear"])
def test_gain_of_rectifiers_is_that_of_torch(name):
    assert theory.gain(name) == pytest.approx(nn.init.calculate_gain(name), rel=1e-12)


@given(st.floats(-2, 2))
@settings(max_examples=30, deadline=None)
def test_gain_of_a_leaky_slope_has_the_closed_form(slope):
    assert theory.gain("leaky_relu", slope) == pytest.approx(math.sqrt(2 / (1 + slope**2)), rel=1e-12)


def test_selu_has_gain_one_by_construction():
    assert theory.gain("selu") == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("given_", ["softmax", nn.Softmax, nn.Linear(2, 2), "no-such"])
def test_what_has_no_gain_is_refused_by_name(given_):
    with pytest.raises(InputError, match="activation"):
        theory.gain(given_)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "selu", "gelu", "silu", "leaky_relu"])
def test_backward_factor_matches_monte_carlo(name):
    phi = theory.activation(name)
    z = (draws() * math.sqrt(1.7)).requires_grad_()
    (slope,) = torch.autograd.grad(phi.function(z * 1.0).sum(), z)
    mean, error = twin(slope.square())
    assert theory.backward_activation(1.0, 1.7, phi) == pytest.approx(mean, abs=error)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Linear(30, 7), (30, 7)),
        (nn.Conv2d(8, 16, 3), (72, 144)),
        (nn.Conv1d(8, 16, 5, groups=4), (10, 20)),
        (nn.Conv2d(6, 6, 3, groups=6), (9, 9)),
        (nn.ConvTranspose2d(8, 16, 3), (72, 144)),
        (nn.MultiheadAttention(32, 4), (32, 32)),
        (nn.MultiheadAttention(32, 4, kdim=20, vdim=24), (32, 32)),
        (nn.LSTM(12, 20), (12, 20)),
        (nn.Bilinear(3, 4, 5), (12, 5)),
    ],
    ids=repr,
)
def test_fans(layer, expected):
    assert theory.fan(layer) == expected


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_fan_in_counts_the_inputs_that_reach_an_inner_output(inputs, outputs, groups, kernel):
    layer = nn.Conv1d(inputs * groups, outputs * groups, kernel, groups=groups, bias=False)
    nn.init.ones_(layer.weight)
    x = torch.ones(1, inputs * groups, kernel)
    assert theory.fan(layer)[0] == layer(x).max().item()
    y = torch.zeros(1, inputs * groups, 3 * kernel)
    y[0, 0, kernel] = 1
    assert theory.fan(layer)[1] == layer(y).sum().item()


def test_fan_refuses_a_normalization():
    with pytest.raises(InputError, match="BatchNorm1d"):
        theory.fan(nn.BatchNorm1d(3))


def test_tanh_is_critical_at_weight_variance_one_and_chaotic_above():
    ordered, chaotic = theory.fixed_point("tanh", 0.8, 0.1), theory.fixed_point("tanh", 2.0, 0.0)
    assert ordered.chi < 1 < chaotic.chi
    assert ordered.c_star == pytest.approx(1, abs=1e-3)
    assert chaotic.c_star < 0.9
    assert theory.fixed_point("tanh", 1.0).chi == pytest.approx(1, abs=1e-3)
    assert theory.fixed_point("relu", 2.0).depth_scale == math.inf


def test_fixed_points_are_fixed():
    found = theory.fixed_point("tanh", 2.0, 0.05)
    phi = theory.activation("tanh")
    assert 2.0 * theory.mean_square(phi, found.q_star) + 0.05 == pytest.approx(found.q_star, rel=1e-9)
    assert theory.correlation_map("tanh", found.q_star, found.c_star, 2.0, 0.05) == pytest.approx(found.c_star, abs=1e-5)


def test_correlation_map_of_relu_has_the_arc_cosine_form():
    c = 0.3
    expected = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi  # Cho and Saul 2009, eq. 6
    assert theory.correlation_map("relu", 1.0, c, 2.0) == pytest.approx(expected, abs=1e-3)


def test_gradients_of_a_deep_tanh_network_grow_at_the_rate_chi():
    torch.manual_seed(0)
    width, depth = 300, 30
    found = theory.fixed_point("tanh", 2.0)
    rates = []
    for _ in range(8):
        x = (torch.randn(1, width) * math.sqrt(found.q_star)).requires_grad_()
        h, seen = x, []
        for _ in range(depth):
            h = torch.tanh(h) @ (torch.randn(width, width) * math.sqrt(2.0 / width))
            h.retain_grad()
            seen.append(h)
        (h * torch.randn_like(h)).sum().backward()
        rates.append(math.log(seen[0].grad.square().mean() / seen[-1].grad.square().mean()) / (depth - 1))
    mean, error = twin(torch.tensor(rates, dtype=torch.float64))
    assert math.log(found.chi) == pytest.approx(mean, abs=error + 1 / width)


def test_finite_width_mean_and_spread_match_networks():
    width, depth, networks = 64, 20, 1500
    generator = torch.Generator().manual_seed(0)
    phi = theory.activation("tanh")
    q, variance = 1.0, 0.0
    h = torch.randn(networks, 1, width, generator=generator)  # pre-activations of mean square 1 in expectation
    variance = 2.0 / width
    for _ in range(depth):
        weight = torch.randn(networks, width, width, generator=generator) / math.sqrt(width)
        signal = torch.tanh(h)
        measured = signal.double().square().mean(dim=(1, 2))  # the variance of the next pre-activations
        h = signal @ weight
        q, variance = theory.finite_width_step(q, variance if _ else 0.0, width, 1.0, phi)
    mean, error = twin(measured)
    infinite = 1.0
    for _ in range(depth):
        infinite = theory.forward_activation(infinite, phi)
    assert abs(mean - q) < error + 0.02 * q
    assert abs(mean - q) < abs(mean - infinite)
    assert measured.std().item() == pytest.approx(math.sqrt(variance), rel=0.2)


def test_log_spread_matches_relu_networks():
    width, depth, networks = 100, 20, 1000
    generator = torch.Generator().manual_seed(1)
    h = torch.ones(networks, 1, width)
    for _ in range(depth):
        weight = torch.randn(networks, width, width, generator=generator) * math.sqrt(2 / width)
        h = torch.relu(h @ weight)
    logs = h.double().square().mean(dim=(1, 2)).log()
    expected = theory.log_spread(depth, width, theory.activation("relu"))
    assert logs.std().item() == pytest.approx(expected, rel=4 / math.sqrt(2 * networks) + 0.05)


@pytest.mark.parametrize(("series", "lost"), [([1, 1, 1, 1], None), ([1, 0, 0], 2.0), ([1, 1], None)])
def test_depth_lost_of_simple_series(series, lost):
    assert theory.depth_lost(series) == lost


def test_depth_lost_extrapolates_a_geometric_decay():
    assert theory.depth_lost([0.25**i for i in range(6)]) == pytest.approx(1 + 23, rel=1e-6)  # 2⁻²³ at a half per layer
    assert theory.depth_lost([16.0**i for i in range(6)]) == pytest.approx(1 + 23 / 2, rel=1e-6)


def test_moments_on_the_sphere_are_those_of_a_coordinate():
    square = theory.Activation("square", torch.square)
    assert theory.mean_square(square, 1.0, sphere=50) == pytest.approx(3 * 50 / 52, rel=1e-6)  # E[z⁴] = 3N / (N + 2)
    assert theory.mean_square(square, 1.0) == pytest.approx(3, rel=1e-9)
