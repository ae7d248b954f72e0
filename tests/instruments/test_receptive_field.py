"""tc.receptive_field against closed forms, published numbers and the footprint of the gradient."""

import copy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import torchclinic as tc
from torchclinic.cnn.geometry import Axis
from torchclinic.cnn.receptive_field import Span, closed_form
from torchclinic.errors import InputError
from torchclinic.instruments.footprint import fits, gradient_footprint
from torchclinic.models.resnet import BasicBlock, Bottleneck, CifarResNet, ResNet

axes = st.builds(Axis, st.integers(1, 4), st.integers(1, 2), st.integers(0, 1), st.just(0), st.integers(1, 2))


@settings(max_examples=100, deadline=None)
@given(st.lists(axes, max_size=6))
def test_the_recurrence_gives_the_closed_form(chain):
    span = Span()
    for axis in chain:
        span = span.through(axis)
    assert span == closed_form(chain)


@st.composite
def chains(draw):
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        k, s, p = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 1))
        kind = draw(st.sampled_from(["conv", "max", "average", "pad"]))
        if kind == "conv":
            layers.append(nn.Conv2d(2, 2, (k, 3), s, p, dilation=draw(st.integers(1, 2)), groups=draw(st.integers(1, 2))))
        elif kind == "pad":
            layers.append(nn.ZeroPad2d((0, p, 1, 0)))
        else:
            layers.append((nn.MaxPool2d if kind == "max" else nn.AvgPool2d)(k, s, min(p, k // 2)))
    return nn.Sequential(*layers)


@settings(max_examples=60, deadline=None)
@given(chains())
def test_an_exact_field_is_the_footprint_of_the_gradient(model):
    size = (65, 67)
    last = tc.receptive_field(model, (2, *size))[-1]
    footprint, pixel = gradient_footprint(model, (2, *size))
    spans = (last.field.rows, last.field.columns)
    assume(all(len(span.pixels(y, n)) == span.size for span, y, n in zip(spans, pixel, size, strict=True)))
    assert last.status == "exact"
    assert fits(last.field, footprint, pixel)


@pytest.mark.parametrize("layer", ["layer1.0", "layer1.2", "layer2.0", "layer2.0.downsample", "layer3.2.conv1", "avgpool"])
def test_the_field_of_a_residual_network_is_its_footprint(layer):
    model = CifarResNet(20)
    footprint, pixel = gradient_footprint(model, (3, 32, 32), layer)
    rows = [row for row in tc.receptive_field(model, (3, 32, 32)) if row.layer in (layer, f"{layer}.relu")]
    assert fits(rows[-1].field, footprint, pixel)


def test_a_field_one_pixel_too_large_does_not_fit_the_footprint():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    footprint, pixel = gradient_footprint(model, (1, 9, 9))
    wrong = tc.receptive_field(nn.Sequential(nn.Conv2d(1, 1, 4, padding=1)), (1, 9, 9))[0]
    assert not fits(wrong.field, footprint, pixel)


@pytest.mark.parametrize(
    ("block", "depths", "size"), [(BasicBlock, (2, 2, 2, 2), 435), (BasicBlock, (3, 4, 6, 3), 899), (Bottleneck, (3, 4, 6, 3), 427)]
)
def test_fields_of_the_imagenet_networks_follow_from_the_longest_path(block, depths, size):
    """From equation 2 over the longest path. Araujo et al. 2019 give 483 for the ResNet-50 whose 1x1 convolutions carry
    the stride; here, as in torchvision, the 3x3 do: 11 + 24 + (8 + 3·16) + (16 + 5·32) + (32 + 2·64) = 427."""
    fields = tc.receptive_field(ResNet(block, depths), (3, 64, 64))
    before_pooling = fields[-3]
    assert (before_pooling.size, before_pooling.stride, before_pooling.status) == (size, 32, "exact")


class Cut(nn.Module):
    """Every third pixel of a convolution, from an offset on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)[:, :, 4::3, -9::2]


def test_slices_move_and_thin_the_fields():
    footprint, pixel = gradient_footprint(Cut(), (2, 31, 31))
    row = tc.receptive_field(Cut(), (2, 31, 31))[-1]
    assert (row.size, row.stride, row.offset) == (3, (3, 2), (4, 20))
    assert fits(row.field, footprint, pixel)


class Gate(nn.Module):
    """Squeeze and excitation: a global mean scales the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.excite = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.excite(self.squeeze(x)))


class ChannelsLast(nn.Module):
    """A ConvNeXt block: permuted, normalized and mixed over channels, and permuted back."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(4, 4, 7, padding=3, groups=4)
        self.norm = nn.LayerNorm(4)
        self.mix = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.norm(self.depthwise(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 4, 4)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.stem(x).flatten(2).transpose(1, 2)).mean(1)


@pytest.mark.parametrize(
    ("model", "size", "status"),
    [
        (Gate(), 16, "data-dependent"),
        (ChannelsLast(), 7, "exact"),
        (Attention(), 16, "data-dependent"),
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4)), 16, "data-dependent"),
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Hardswish(), nn.Dropout()), 3, "exact"),
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), 16, "data-dependent"),
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(784, 2)), 16, "data-dependent"),
        (nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular")), 16, "upper bound"),
    ],
)
def test_the_status_says_what_kind_of_field_it_is(model, size, status):
    channels = 4 if isinstance(model, ChannelsLast) else 2
    last = tc.receptive_field(model, (channels, 16, 16))[-1]
    assert (last.size, last.status) == (size, status)


@pytest.mark.parametrize(
    "layer", [nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=3, mode="bilinear"), nn.ConvTranspose2d(2, 2, 3, 2, 1)]
)
def test_an_upper_bound_contains_the_footprint(layer):
    model = nn.Sequential(nn.Conv2d(2, 2, 3, stride=2), layer, nn.Conv2d(2, 2, 3))
    row = tc.receptive_field(model, (2, 20, 20))[-1]
    footprint, pixel = gradient_footprint(model, (2, 20, 20))
    found = footprint.any(1).nonzero().flatten().tolist()
    assert row.status == "upper bound"
    assert set(found) <= set(row.field.rows.pixels(pixel[0], 20))


def test_rows_are_found_by_name_and_calls_are_counted():
    relu = nn.ReLU()
    fields = tc.receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), relu, nn.Conv2d(1, 1, (3, 5)), relu), (1, 9, 9))
    assert [(row.layer, row.call, row.size) for row in fields] == [("0", 1, 3), ("1", 1, 3), ("2", 1, (5, 7)), ("1", 2, (5, 7))]
    assert fields["1"].call == 2
    with pytest.raises(KeyError, match="'9'"):
        fields["9"]


def test_the_model_is_left_as_it_was():
    model = CifarResNet(20).train()
    model.layer1.eval()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    tc.receptive_field(model, (3, 32, 32))
    gradient_footprint(model, (3, 32, 32), "layer2.0")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("shape", [(3,), (3, 0, 4), (4, 8, 8), (1, 1, 3, 8, 8)])
def test_a_shape_that_cannot_run_gets_one_sentence(shape):
    with pytest.raises(InputError, match="input") as caught:
        tc.receptive_field(nn.Conv2d(3, 1, 3), shape)
    assert "\n" not in str(caught.value)
