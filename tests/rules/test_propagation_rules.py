"""The rules that read propagation records: each specimen trips its own code, its twin is silent."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.instruments.propagation import propagation
from torchclinic.rules import mod008_linear_network
from torchclinic.rules.rule import RuleModule, Specimen, discover

RULES = [module for module in discover() if module.RULE.reads is Propagation]
INITIAL = [module for module in RULES if module.RULE.code.startswith("INI")]


def records(specimen: Specimen) -> list[Propagation]:
    """As initialized, and after the script's last step."""
    built: dict[str, object] = {}
    exec(specimen.script.partition("optimizer =")[0], built)
    start = propagation(built["model"], built["batch"], built["loss_fn"])
    trained: dict[str, object] = {}
    exec(specimen.script, trained)
    return [start, propagation(trained["model"], trained["batch"], trained["loss_fn"], step=20)]


def findings(specimen: Specimen) -> list[tuple[str, str]]:
    found = [f for record in records(specimen) for module in RULES for f in module.check(record)]
    return [(finding.code, finding.severity) for finding in found]


def test_the_rules_that_read_propagation_are_discovered():
    assert {module.RULE.code for module in RULES} >= {"INI003", "INI004", "INI005", "INI006"}


@pytest.mark.parametrize("module", RULES, ids=lambda module: module.RULE.code)
def test_the_specimen_trips_its_own_code_and_nothing_else_of_its_severity(module: RuleModule):
    found = findings(module.sick())
    assert (module.RULE.code, module.RULE.severity) in found
    assert {code for code, severity in found if severity == module.RULE.severity} == {module.RULE.code}


@pytest.mark.parametrize("module", RULES, ids=lambda module: module.RULE.code)
def test_the_twin_is_silent(module: RuleModule):
    assert findings(module.healthy()) == []


@pytest.mark.parametrize("module", RULES, ids=lambda module: module.RULE.code)
def test_a_finding_says_where_why_and_what_to_do(module: RuleModule):
    finding = next(f for record in records(module.sick()) for f in module.check(record))
    assert finding.where
    assert finding.fix
    assert all(value is not None for value in finding.evidence.values())


@pytest.mark.parametrize("depth", [2, 4, 6])
@pytest.mark.parametrize("phi", [nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid], ids=lambda phi: phi.__name__)
def test_shallow_networks_as_pytorch_makes_them_are_healthy(phi, depth):
    torch.manual_seed(depth)
    layers = [part for _ in range(depth) for part in (nn.Linear(64, 64), phi())]
    model = nn.Sequential(*layers, nn.Linear(64, 4))
    record = propagation(model, (torch.randn(32, 64), torch.randint(0, 4, (32,))), nn.CrossEntropyLoss())
    assert [f for module in RULES for f in module.check(record)] == []


def test_zero_heads_zero_branches_and_adapters_are_healthy():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.last = nn.Linear(16, 16), nn.Linear(16, 16)
            self.down, self.up = nn.Linear(16, 4, bias=False), nn.Linear(4, 16, bias=False)
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)
            nn.init.zeros_(self.up.weight)

        def forward(self, x):
            return x + self.last(torch.relu(self.inner(x))) + self.up(self.down(x))

    torch.manual_seed(0)
    head = nn.Linear(16, 4)
    nn.init.zeros_(head.weight)
    for model in (nn.Sequential(Block(), nn.Linear(16, 4)), nn.Sequential(nn.Linear(16, 16), nn.Tanh(), head)):
        record = propagation(model, (torch.randn(32, 16), torch.randint(0, 4, (32,))), nn.CrossEntropyLoss())
        assert [f for module in RULES for f in module.check(record)] == []


@pytest.mark.parametrize("module", INITIAL, ids=lambda module: module.RULE.code)
def test_initialization_is_judged_before_the_first_step_only(module: RuleModule):
    start = records(module.sick())[0]
    assert list(module.check(start))
    assert not list(module.check(replace(start, step=1)))


class Between(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(8, 16), nn.Linear(16, 3), function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x)))


@pytest.mark.parametrize(
    ("between", "linear"),
    [
        (nn.Identity(), True),
        (nn.BatchNorm1d(16), True),
        (nn.Dropout(0.2), True),
        (lambda h: h * h, False),
        (torch.sin, False),
        (nn.LayerNorm(16), False),
        (lambda h: torch.where(h > 0, h, 0.0), False),
        (lambda h: h.sort(1).values, False),
    ],
)
def test_layers_are_one_matrix_where_nothing_between_them_bends(between: Callable[[Tensor], Tensor], linear: bool) -> None:
    found = list(mod008_linear_network.check(propagation(Between(between), torch.randn(20, 8))))
    assert len(found) == linear


def test_a_bottleneck_restricts_the_rank_and_is_left_alone() -> None:
    for width, told in ((4, 0), (30, 1)):
        model = nn.Sequential(nn.Linear(20, width), nn.Linear(width, 20))
        assert len(list(mod008_linear_network.check(propagation(model, torch.randn(20, 20))))) == told


class Heads(nn.Module):
    def __init__(self, hidden: nn.Module) -> None:
        super().__init__()
        self.body, self.mean, self.spread = (nn.Sequential(nn.Linear(12, 12), hidden), nn.Linear(12, 12), nn.Linear(12, 12))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(x)
        return self.mean(hidden), self.spread(hidden)


def test_heads_beside_each_other_do_not_stand_behind_one_another() -> None:
    for hidden, told in ((nn.ReLU(), 0), (nn.Identity(), 1)):
        assert len(list(mod008_linear_network.check(propagation(Heads(hidden), torch.randn(20, 12))))) == told


def ini006(model: nn.Module, x: Tensor) -> list[str]:
    module = next(module for module in RULES if module.RULE.code == "INI006")
    loss_fn = nn.functional.cross_entropy
    targets = torch.zeros(len(x), dtype=torch.long)
    return [finding.where for finding in module.check(propagation(model, (x, targets), loss_fn))]


class Residual(nn.Module):
    """As in GPT-2: small weights, all of them on branches."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.up, self.down):
            nn.init.normal_(layer.weight, 0, 0.02)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


def test_small_weights_on_branches_of_a_residual_network_are_fine():
    torch.manual_seed(0)
    model = nn.Sequential(*(Residual(32) for _ in range(12)), nn.LayerNorm(32), nn.Linear(32, 4))
    assert ini006(model, torch.randn(64, 32)) == []


class Recurrent(nn.Module):
    """Each step adds a new input to what is left of the state: nothing is lost over the steps."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        self.enter, self.again, self.last = nn.Linear(4, 64), nn.Linear(64, 64), nn.Linear(64, 4)
        self.both, self.joined = nn.Linear(68, 64), joined
        for layer in (self.enter, self.again, self.both):
            nn.init.normal_(layer.weight, 0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 64)
        for part in x.unbind(1):
            state = self.both(torch.cat([part, state], 1)) if self.joined else self.enter(part) + self.again(state)
            state = torch.tanh(state)
        return self.last(state)


class Block(nn.Module):
    """As in GPT-2, without a first branch that everything passes by: the embedding is joined to the positions instead."""

    def __init__(self, width: int, after: bool) -> None:
        super().__init__()
        self.norm, self.after = nn.LayerNorm(width), after
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.up, self.down):
            nn.init.normal_(layer.weight, 0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        if self.after:
            return self.norm(x + self.down(nn.functional.gelu(self.up(x))))
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


@pytest.mark.parametrize("pool", [lambda: nn.MaxPool2d(2, 1, padding=1), lambda: nn.AvgPool2d(3, 1, padding=1)])
def test_pooling_does_not_set_the_scale_anew(pool: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    parts = [part for _ in range(6) for part in (nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), pool())]
    for layer in parts[::3]:
        nn.init.normal_(layer.weight, 0, 0.02)
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
    assert len(ini006(model, torch.randn(8, 16, 8, 8))) == 1


@pytest.mark.parametrize("joined", [True, False])
def test_small_weights_of_a_recurrent_cell_are_not_multiplied_over_its_steps(joined: bool) -> None:
    torch.manual_seed(0)
    assert ini006(Recurrent(joined), torch.randn(32, 20, 4)) == []


@pytest.mark.parametrize("after", [True, False])
def test_small_weights_are_not_multiplied_over_the_blocks_of_a_transformer(after: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(20, 64), *(Block(64, after) for _ in range(8)), nn.LayerNorm(64), nn.Linear(64, 4))
    assert ini006(model, torch.randint(0, 20, (64,))) == []


@pytest.mark.parametrize(("layers", "spread", "found"), [(1, 0.01, 0), (6, 0.01, 1), (1, 2.0, 1), (6, 0.15, 0)])
@pytest.mark.parametrize("phi", [nn.Tanh, nn.ReLU])
def test_one_layer_of_small_weights_is_fine_many_are_not_and_one_of_large_ones_is_not(phi, layers, spread, found):
    torch.manual_seed(0)
    model = stack_of(layers, phi, spread)
    assert len(ini006(model, torch.randn(64, 64))) == found


def stack_of(layers: int, phi: type[nn.Module], spread: float) -> nn.Module:
    parts = [part for _ in range(layers) for part in (nn.Linear(64, 64), phi())]
    for part in parts[::2]:
        nn.init.normal_(part.weight, 0, spread)
    return nn.Sequential(*parts, nn.Linear(64, 4))
