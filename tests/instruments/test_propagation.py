"""`propagation` against plain autograd, against ensembles of networks, on every kind of model, and on bad input."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.models.resnet import BasicBlock, CifarResNet, ResNet


def stack(depth: int, width: int, phi: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(width, width), phi())))


class Branching(nn.Module):
    """A shared layer, a functional activation in place, a residual sum, an embedding and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.first, self.shared = nn.Linear(32, 32), nn.Linear(32, 32)
        self.attend = nn.MultiheadAttention(32, 4, batch_first=True)
        self.free = nn.Parameter(torch.randn(32, 5) / 6)

    def forward(self, tokens):
        x = self.embed(tokens)
        h = F.relu(self.first(x), inplace=True)
        h = x + torch.tanh(self.shared(h))
        h = h + self.shared(h)
        h = h + self.attend(h, h, h)[0]
        return h.mean(1) @ self.free


def state(model: nn.Module) -> list[object]:
    seen: list[object] = [module.training for module in model.modules()]
    seen += [(p.detach().numpy().tobytes(), p.grad, p.requires_grad, p._version) for p in model.parameters()]
    seen += [b.numpy().tobytes() for b in model.buffers()]
    seen += [[len(vars(m)[h]) for h in sorted(vars(m)) if "hooks" in h] for m in model.modules()]
    return [*seen, torch.get_rng_state().numpy().tobytes()]


def test_measured_values_are_those_of_plain_autograd():
    torch.manual_seed(0)
    model, x, y = stack(4, 24), torch.randn(16, 24), torch.randn(16, 24)
    record = tc.propagation(model, (x, y), F.mse_loss)
    h, seen = x, []
    for layer in model:
        h = layer(h)
        h.retain_grad()
        seen.append(h)
    F.mse_loss(h, y).backward()
    for row, output in zip(record, seen, strict=True):
        assert row.mean_square == pytest.approx(output.detach().square().mean().item(), rel=1e-5)
        assert row.variance == pytest.approx(output.detach().var(correction=0).item(), rel=1e-4)
        assert row.gradient_mean_square == pytest.approx(output.grad.square().mean().item(), rel=1e-5)
        assert row.dead_units == int((output == 0).all(0).sum())
        assert row.units == 24
    assert [row.weight_gradient_mean_square for row in record.weights] == pytest.approx(
        [layer.weight.grad.square().mean().item() for layer in model[::2]], rel=1e-5
    )


def test_rows_name_modules_and_functional_calls_alike():
    record = tc.propagation(Branching(), torch.randint(0, 50, (8, 6)))
    assert [(row.layer, row.kind) for row in record][:5] == [
        ("embed", "Embedding"),
        ("first", "Linear"),
        ("relu", "relu"),
        ("shared", "Linear"),
        ("tanh", "tanh"),
    ]
    assert {"shared#2", "attend", "matmul"} <= {row.layer for row in record}
    assert record["first"].followed_by == "relu"
    assert record["relu"].dead_units <= record["relu"].units == 32


def test_what_theory_cannot_say_is_none():
    record = tc.propagation(Branching(), torch.randint(0, 50, (8, 6)))
    assert record["shared#2"].predicted_mean_square is None  # the same weights a second time
    assert record["attend"].predicted_mean_square is None
    assert record["mean"].predicted_mean_square is None
    assert record["shared"].predicted_mean_square is not None
    constant = nn.Linear(8, 8)
    nn.init.constant_(constant.weight, 0.3)
    assert tc.propagation(constant, torch.randn(4, 8))[0].predicted_mean_square is None


def test_a_dropout_that_keeps_the_variance_is_not_predicted_as_one_that_raises_it():
    record = tc.propagation(
        nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.AlphaDropout(0.4), nn.Linear(64, 4)), torch.randn(256, 64)
    )
    assert record["2"].predicted_mean_square is None


MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32)), (32, 64)),
    "leaky, tanh": (lambda: nn.Sequential(nn.Linear(64, 96), nn.LeakyReLU(0.3), nn.Linear(96, 64), nn.Tanh()), (32, 64)),
    "conv": (lambda: nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 3)), (4, 8, 12, 12)),
    "groups": (lambda: nn.Sequential(nn.Conv1d(16, 32, 5, groups=4, padding=2), nn.SiLU()), (8, 16, 20)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(16, 12, 4, stride=2, padding=1), nn.GELU()), (4, 16, 6, 6)),
    "dropout": (lambda: nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Dropout(0.4), nn.Linear(96, 64)), (64, 64)),
    "layer norm": (lambda: nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.GELU(), nn.Linear(96, 64)), (32, 64)),
    "batch norm": (lambda: nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32)), (64, 64)),
    "batch norm, eval": (lambda: nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.Tanh()).eval(), (64, 64)),
    "group norm": (lambda: nn.Sequential(nn.Conv2d(8, 16, 3), nn.GroupNorm(4, 16), nn.ReLU(), nn.Conv2d(16, 8, 3)), (8, 8, 8, 8)),
    "rms norm": (lambda: nn.Sequential(nn.Linear(64, 96), nn.RMSNorm(96), nn.Linear(96, 32)), (32, 64)),
}


@pytest.mark.parametrize("name", MODELS)
def test_predictions_hold_on_average_over_networks(name):
    """30 networks; every prediction within 4 standard errors of the measured mean, plus 3 % for finite width."""
    make, shape = MODELS[name]
    torch.manual_seed(1)
    ratios: dict[tuple[str, str], list[float]] = {}
    for _ in range(30):
        for row in tc.propagation(make(), torch.randn(shape)):
            assert row.predicted_mean_square is not None, row.layer
            assert row.predicted_gradient_mean_square is not None, row.layer
            ratios.setdefault((row.layer, "signal"), []).append(row.ratio)
            ratios.setdefault((row.layer, "gradient"), []).append(row.gradient_ratio)
    for place, values in ratios.items():
        column = torch.tensor(values, dtype=torch.float64)
        assert column.mean().item() == pytest.approx(1, abs=4 * (column.std() / math.sqrt(30)).item() + 0.03), place


def test_residual_sums_are_predicted_where_branches_are_independent():
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)

        def forward(self, x):
            return x + self.b(torch.relu(self.a(x)))

    torch.manual_seed(0)
    records = [tc.propagation(nn.Sequential(Residual(), Residual()), torch.randn(32, 64)) for _ in range(20)]
    for layer in ("0.add", "1.add"):
        ratios = torch.tensor([record[layer].ratio for record in records])
        assert ratios.mean().item() == pytest.approx(1, abs=4 * ratios.std().item() / math.sqrt(20))
    assert tc.propagation(SelfSum(), torch.randn(32, 64))["add"].predicted_mean_square is None


class SelfSum(nn.Module):
    """x + |x|: the branches are not independent."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(64, 64)

    def forward(self, x):
        h = self.a(x)
        return h + torch.relu(h)


@pytest.mark.parametrize("model", [CifarResNet(8), ResNet(BasicBlock, [1, 1, 1, 1], 10)], ids=["cifar", "imagenet"])
def test_residual_networks_are_measured_and_left_untouched(model):
    model.train()
    model.bn1.eval()
    x = torch.randn(4, 3, 32, 32)
    before = state(model)
    record = tc.propagation(model, x)
    assert state(model) == before
    assert all(row.gradient_mean_square is not None for row in record.weights)
    assert record["bn1"].predicted_mean_square is not None


@pytest.mark.parametrize("loss_fn", [None, lambda output, target: 1 / 0])
def test_no_trace_is_left_on_success_and_on_exceptions(loss_fn):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.5))
    model[1].eval()
    model[0].bias.requires_grad_(False)
    x = torch.randn(6, 8)
    before, batch = state(model), x.clone()
    if loss_fn is None:
        tc.propagation(model, x)
    else:
        with pytest.raises(InputError, match="division by zero"):
            tc.propagation(model, (x, x), loss_fn)
    assert state(model) == before
    assert torch.equal(x, batch)
    assert not x.requires_grad


def test_hooks_are_removed_when_the_forward_fails():
    from torch.nn.modules import module as module_globals

    with pytest.raises(InputError, match=r"fails on this batch.*shapes"):
        tc.propagation(nn.Linear(3, 3), torch.randn(2, 5))
    assert not module_globals._global_forward_hooks
    assert not module_globals._global_forward_pre_hooks


@pytest.mark.parametrize(
    ("model", "batch", "message"),
    [
        (nn.ReLU(), torch.randn(2, 2), "no parameters"),
        (nn.Linear(2, 2), torch.tensor([[1.0, float("nan")]]), "1 value.* NaN"),
        (nn.Linear(2, 2), torch.zeros(0, 2), "empty"),
        (nn.BatchNorm1d(2), torch.randn(1, 2), "more than 1 value"),
        (nn.Linear(2, 2), torch.ones(2, 2, dtype=torch.long), "fails on this batch"),
        (nn.LazyLinear(2), torch.randn(2, 2), "lazy"),
    ],
)
def test_bad_input_gets_one_clear_sentence(model, batch, message):
    with pytest.raises(InputError, match=message):
        tc.propagation(model, batch)


def test_a_loss_that_is_not_a_number_is_refused():
    with pytest.raises(InputError, match="single number"):
        tc.propagation(nn.Linear(2, 2), (torch.randn(3, 2), torch.randn(3, 2)), lambda a, b: (a - b).square())


def test_a_batch_of_one_is_measured_with_a_caveat():
    record = tc.propagation(stack(2, 8), torch.randn(1, 8))
    assert "batch of one" in record.notes[0].lower()


def test_a_frozen_model_still_shows_its_gradients():
    model = stack(3, 16).requires_grad_(False)
    assert all(row.gradient_mean_square is not None for row in tc.propagation(model, torch.randn(4, 16)))


def test_batches_of_keywords_and_pairs_are_understood():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x, scale):
            return self.a(x) * scale

    x = torch.randn(3, 4)
    assert len(tc.propagation(Two(), {"x": x, "scale": 2.0})) == len(tc.propagation(Two(), (x, 2.0))) == 2
    assert len(tc.propagation(nn.Linear(4, 4), [x, torch.zeros(3)])) == 1  # (inputs, targets) without a loss


def test_depth_lost_is_seen_for_xavier_before_relu_and_not_for_he():
    torch.manual_seed(0)
    he, xavier = stack(20, 128), stack(20, 128)
    tc.initialize(he)
    tc.initialize(xavier, "xavier")
    x = torch.randn(32, 128)
    assert tc.propagation(he, x).depth_lost is None
    # a half per layer: 2⁻²³ in amplitude after 46 layers, up to the spread of finite width
    assert tc.propagation(xavier, x).depth_lost == pytest.approx(47, rel=0.3)


def test_expected_dead_share_follows_the_likeness_of_the_inputs():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(100, 4000, bias=False), nn.ReLU())
    alike = torch.randn(1, 100) + 0.5 * torch.randn(8, 100)
    row = tc.propagation(model, alike)["1"]
    share = row.dead_units / row.units
    assert row.expected_dead_share == pytest.approx(share, abs=4 * math.sqrt(share / 4000) + 0.02)


def test_record_reads_as_text_dict_and_rows():
    record = tc.propagation(stack(2, 8), torch.randn(4, 8))
    assert "theory" in str(record)
    assert record.to_dict()["rows"][0]["layer"] == "0"
    assert record["1"] is record[1]
    with pytest.raises(InputError, match="No layer 'x'"):
        record["x"]
