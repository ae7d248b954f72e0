"""The probability of being born dead against networks of `torch.nn`, and shares of dead and saturated units."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from torchclinic import theory
from torchclinic.errors import InputError
from torchclinic.theory.two_units import born_dead_two_units


def really_dead(depth: int, width: int, networks: int) -> int:
    """A slow twin: real networks, evaluated on a grid; dead when the output is the same everywhere."""
    torch.manual_seed(depth * 100 + width)
    grid, dead = torch.linspace(-1, 1, 21)[:, None], 0
    for _ in range(networks):
        layers: list[nn.Module] = []
        for i in range(depth - 1):
            layers += [nn.Linear(1 if i == 0 else width, width, bias=False), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Linear(1 if depth == 1 else width, 1, bias=False))
        with torch.no_grad():
            output = model(grid)
        dead += bool((output == output[0]).all())
    return dead


@pytest.mark.parametrize(("depth", "width"), [(3, 1), (3, 2), (6, 1), (3, 3), (4, 2), (10, 2)])
def test_exact_probabilities_match_real_networks(depth, width):
    found = theory.born_dead_probability(depth, width)
    assert found.exact
    assert found.low == found.estimate == found.high
    n = 1500
    error = 4 * math.sqrt(found.estimate * (1 - found.estimate) / n)
    assert really_dead(depth, width, n) / n == pytest.approx(found.estimate, abs=error)


@pytest.mark.parametrize(("depth", "width"), [(5, 4), (8, 3)])
def test_estimates_match_real_networks_and_lie_within_the_bounds(depth, width):
    found = theory.born_dead_probability(depth, width, samples=20_000)
    assert not found.exact
    assert found.low <= found.estimate <= found.high
    assert found.interval[0] <= found.estimate <= found.interval[1]
    n = 1000
    error = 4 * math.sqrt(found.estimate * (1 - found.estimate) / n)
    assert really_dead(depth, width, n) / n == pytest.approx(found.estimate, abs=error)


@pytest.mark.parametrize("depth", [3, 4, 6, 12, 25])
def test_the_chain_of_angles_converges_and_stays_within_the_bounds(depth):
    coarse, fine = (born_dead_two_units(depth, nodes) for nodes in (12, 20))
    assert coarse == pytest.approx(fine, abs=2e-6)
    low, high = theory.born_dead_bounds(depth, 2)
    assert low - 1e-12 <= fine <= high
    assert depth > 3 or fine == pytest.approx(10 / 64, abs=1e-12)


def test_the_chain_of_angles_matches_a_simulation_of_four_hundred_thousand_networks():
    n, generator = 400_000, torch.Generator().manual_seed(3)
    x = torch.tensor([1.0, -1.0]).expand(n, 1, 2)
    for depth in range(2, 6):
        x = torch.relu(torch.randn(n, 2, x.shape[1], generator=generator) @ x)
        dead = (x == 0).all((1, 2)).double().mean().item()
        exact = born_dead_two_units(depth)
        assert dead == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / n) + 1e-12)


def test_the_exact_values_are_the_derived_ones():
    assert theory.born_dead_probability(2, 4).estimate == 0
    assert theory.born_dead_probability(3, 2).estimate == pytest.approx(3 / 4**2 - 2 / 8**2, abs=1e-15)
    assert theory.born_dead_probability(7, 1).estimate == pytest.approx(1 - 2.0**-5, abs=1e-15)


@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_bounds_are_ordered_and_grow_with_depth_and_shrink_with_width(depth, width, d_in):
    low, high = theory.born_dead_bounds(depth, width, d_in)
    assert 0 <= low <= high <= 1
    deeper, wider = theory.born_dead_bounds(depth + 1, width, d_in), theory.born_dead_bounds(depth, width + 1, d_in)
    assert deeper[0] >= low - 1e-15
    assert deeper[1] >= high
    assert wider[0] <= low + 1e-15
    assert wider[1] <= high


def test_more_inputs_make_death_rarer():
    one, three = (theory.born_dead_probability(8, 3, d, samples=4000) for d in (1, 3))
    assert three.interval[1] < one.interval[0]


def test_the_global_random_stream_is_not_used():
    before = torch.get_rng_state()
    theory.born_dead_probability(5, 3, samples=100)
    assert torch.equal(torch.get_rng_state(), before)


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="width=0"):
        theory.born_dead_probability(3, 0)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_dead_unit_share_matches_units_of_a_layer(correlation):
    generator = torch.Generator().manual_seed(0)
    samples, units = 4, 200_000
    common, own = torch.randn(units, 1, generator=generator), torch.randn(units, samples, generator=generator)
    z = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
    share = (z <= 0).all(1).double().mean().item()
    assert theory.dead_unit_share(samples, correlation) == pytest.approx(share, abs=4 * math.sqrt(share / units))


def test_dead_unit_share_at_its_ends():
    assert theory.dead_unit_share(10) == pytest.approx(2.0**-10, rel=1e-9)
    assert theory.dead_unit_share(10**6, 1.0) == 0.5
    assert theory.dead_unit_share(5, mean=30.0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("name", "q"), [("tanh", 9.0), ("sigmoid", 100.0)])
def test_saturation_share_matches_monte_carlo(name, q):
    z = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * math.sqrt(q)
    slope = 1 - torch.tanh(z).square() if name == "tanh" else torch.sigmoid(z) * (1 - torch.sigmoid(z)) * 4
    share = (slope < 0.01).double().mean().item()
    assert theory.saturation_share(name, q) == pytest.approx(share, abs=4 * math.sqrt(share / 400_000) + 1e-3)
