"""`initialize`: the right scheme for what follows, nothing done to what is trained, frozen or shared."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic import theory
from torchclinic.errors import InputError
from torchclinic.models.resnet import BasicBlock, ResNet
from torchclinic.surgery.initialization import looks_fresh


class Functional(nn.Module):
    """Activations are calls; one residual branch without normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 64)
        self.a, self.b, self.c, self.d = (nn.Linear(64, 64) for _ in range(4))
        self.head = nn.Linear(64, 100, bias=False)

    def forward(self, tokens):
        h = F.leaky_relu(self.a(self.embed(tokens)), 0.2)
        h = h + self.c(torch.tanh(self.b(h)))
        return self.head(F.selu(self.d(h)))


def std(parameter: torch.Tensor) -> float:
    return parameter.detach().std().item()


def test_auto_gives_each_layer_what_its_activation_calls_for():
    torch.manual_seed(0)
    model = Functional()
    changes = tc.initialize(model)
    schemes = {change.parameter: change.scheme for change in changes}
    assert schemes["a.weight"] == "he"
    assert schemes["b.weight"] == "xavier"
    assert schemes["c.weight"] == schemes["d.weight"] == schemes["head.weight"] == "lecun"
    tolerance = 5 / math.sqrt(2 * 64 * 64)
    assert std(model.a.weight) == pytest.approx(theory.gain("leaky_relu", 0.2) / 8, rel=tolerance)
    assert std(model.b.weight) == pytest.approx(1 / 8, rel=tolerance)
    assert std(model.c.weight) == pytest.approx(1 / 8, rel=tolerance)  # one residual branch: 1/√1
    assert not model.a.bias.any()
    assert "leaky_relu(0.2)" in changes["a.weight"].reason
    assert "residual" in changes["c.weight"].reason


@pytest.mark.parametrize("phi", [nn.ReLU, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.PReLU], ids=lambda phi: phi.__name__)
def test_auto_keeps_the_signal_through_many_layers(phi):
    torch.manual_seed(0)
    depth = 5 if phi in (nn.GELU, nn.SiLU) else 20  # for these two the fixed point q = 1 is unstable: errors grow
    model = nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(256, 256), phi())))
    tc.initialize(model)
    record = tc.propagation(model, torch.randn(16, 256))
    assert abs(math.log(record.weights[-1].mean_square)) < 3 * math.sqrt(5 * 20 / 256) + 1


def test_convolutions_before_normalization_get_he_and_branches_start_as_identity():
    torch.manual_seed(0)
    model = ResNet(BasicBlock, [2, 1, 1, 1], 10)
    changes = tc.initialize(model)
    assert changes["conv1.weight"].scheme == "he"
    assert changes["layer1.0.bn2.weight"].scheme == "zero"
    assert not model.layer1[0].bn2.weight.any()
    assert model.layer1[0].bn1.weight.all()
    expected = math.sqrt(2 / (64 * 9))
    assert std(model.layer1[0].conv1.weight) == pytest.approx(expected, rel=0.02)


def test_branches_without_normalization_are_scaled_by_their_number():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(128, 128), nn.Linear(128, 128)

        def forward(self, x):
            return x + self.b(torch.relu(self.a(x)))

    torch.manual_seed(0)
    model = nn.Sequential(*(Block() for _ in range(4)))
    tc.initialize(model)
    assert std(model[2].b.weight) == pytest.approx(1 / math.sqrt(128 * 4), rel=0.05)


def test_dry_run_changes_nothing_and_says_what_a_run_would_do():
    model = Functional()
    torch.manual_seed(0)
    before = [p.detach().clone() for p in model.parameters()]
    stream = torch.get_rng_state()
    planned = tc.initialize(model, dry_run=True)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert torch.equal(stream, torch.get_rng_state())
    done = tc.initialize(model)
    assert [(c.parameter, c.scheme, c.std_before, c.std_after) for c in planned] == [
        (c.parameter, c.scheme, c.std_before, c.std_after) for c in done
    ]
    assert all(c.std_after == pytest.approx(std(model.get_parameter(c.parameter)), rel=1e-3, abs=1e-9) for c in done)


def test_frozen_shared_and_trained_weights_are_kept():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 50), nn.Linear(50, 50))
    model[0].requires_grad_(False)
    model[4].weight = model[2].weight
    with torch.no_grad():
        model[5].weight.copy_(torch.randn(50, 50).pow(5))  # heavy tails: no initialization
    kept = [model[0].weight.clone(), model[5].weight.clone()]
    changes = tc.initialize(model)
    assert "frozen" in changes["0.weight"].reason
    assert "shared" in changes["4.weight"].reason
    assert "trained" in changes["5.weight"].reason
    assert {changes[f"{i}.weight"].scheme for i in (0, 4, 5)} == {"kept"}
    assert torch.equal(model[0].weight, kept[0])
    assert torch.equal(model[5].weight, kept[1])
    assert changes["2.weight"].scheme == "he"


def test_a_network_that_has_been_trained_is_kept():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 200), nn.ReLU(), nn.Linear(200, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    x = torch.randn(300, 30)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(x), (x[:, :3] ** 2).argmax(1)).backward()
        optimizer.step()
    optimizer.zero_grad()
    assert tc.initialize(model)["0.weight"].scheme == "kept"


@pytest.mark.parametrize(
    "draw",
    [
        nn.init.kaiming_uniform_,
        nn.init.xavier_normal_,
        nn.init.orthogonal_,
        nn.init.zeros_,
        nn.init.trunc_normal_,
        lambda w: nn.init.constant_(w, 0.3),
        lambda w: nn.init.normal_(w).abs_(),
        lambda w: nn.init.uniform_(w).neg_(),
    ],
)
def test_every_initialization_looks_fresh(draw):
    torch.manual_seed(0)
    weight = torch.empty(128, 96)
    with torch.no_grad():
        draw(weight)
    assert looks_fresh(weight)


@pytest.mark.parametrize(("scheme", "expected"), [("he", 2 / 100), ("xavier", 2 / 300), ("lecun", 1 / 100)])
def test_a_scheme_asked_for_is_used(scheme, expected):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(100, 200), nn.ReLU())
    tc.initialize(model, scheme)
    assert std(model[0].weight) ** 2 == pytest.approx(expected, rel=0.05)


def test_orthogonal_weights_are_orthogonal_with_the_gain():
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
    tc.initialize(model, "orthogonal")
    torch.testing.assert_close(model[0].weight @ model[0].weight.T, 2 * torch.eye(64), atol=1e-4, rtol=1e-4)


def test_lsuv_makes_every_output_of_variance_one():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 80), nn.Softplus(), nn.Linear(80, 30), nn.Sigmoid(), nn.Linear(30, 5))
    x = torch.randn(256, 50)
    tc.initialize(model, "lsuv", batch=x)
    assert [row.variance for row in tc.propagation(model, x).weights] == pytest.approx([1, 1, 1], abs=0.03)


def test_attention_and_recurrence_are_drawn_block_by_block():
    torch.manual_seed(0)
    model = nn.ModuleDict({"attend": nn.MultiheadAttention(64, 4), "recur": nn.LSTM(64, 64)})
    tc.initialize(model, "orthogonal")
    block = model["attend"].in_proj_weight[64:128]
    torch.testing.assert_close(block @ block.T, torch.eye(64), atol=1e-4, rtol=1e-4)
    gate = model["recur"].weight_hh_l0[:64]
    torch.testing.assert_close(gate @ gate.T, torch.eye(64), atol=1e-4, rtol=1e-4)


class Dynamic(nn.Module):
    """Control flow that depends on data cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.phi, self.b = nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 4)

    def forward(self, x):
        return self.b(self.phi(self.a(x)) if x.sum() > 0 else self.phi(self.a(-x)))


def test_a_model_that_cannot_be_traced_falls_back_and_says_so():
    changes = tc.initialize(Dynamic())
    assert changes["a.weight"].scheme == "xavier"
    assert "order of registration" in changes["a.weight"].reason
    assert "traced" in tc.initialize(Dynamic(), batch=torch.randn(4, 40))["a.weight"].reason


@pytest.mark.parametrize(
    ("model", "scheme", "message"),
    [
        (nn.Linear(2, 2), "kaiming", "schemes are"),
        (nn.ReLU(), "auto", "no weight"),
        (nn.LazyLinear(2), "auto", "lazy"),
        (nn.Linear(2, 2), "lsuv", "batch"),
    ],
)
def test_bad_requests_get_one_clear_sentence(model, scheme, message):
    with pytest.raises(InputError, match=message):
        tc.initialize(model, scheme)


def test_the_list_of_changes_reads_as_text_and_dict():
    changes = tc.initialize(Functional(), dry_run=True)
    assert "a.weight" in str(changes)
    assert changes.to_dict()["changes"][0]["parameter"] == "a.weight"
    assert len(changes) == len(list(changes))
