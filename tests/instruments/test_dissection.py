"""Summary, filter inspection, folding, activations, stepping pictures, CIFAR-10 loading."""

import copy
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic import models
from torchclinic.cnn.stepping import convolution_steps, pooling_steps
from torchclinic.data.cifar10 import CLASSES, load_cifar10, normalize_rgb
from torchclinic.errors import DataError, InputError
from torchclinic.instruments.activations import activations
from torchclinic.instruments.filters import inspect_filters
from torchclinic.instruments.folding import fold, fold_batchnorms


class Functional(nn.Module):
    """Adds the convolution's own output to what BatchNorm makes of it: nothing may be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + y


def trained_looking(model):
    """Random statistics and affine parameters, as training leaves them."""
    torch.manual_seed(0)
    for tensor in model.state_dict().values():
        if tensor.dim() == 1 and tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor))
    return model.eval()


def test_macs_and_parameters_are_those_of_the_closed_form():
    model = nn.Sequential(nn.Conv2d(4, 6, (3, 5), stride=2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4 * 3, 7))
    found = tc.summary(model, (2, 4, 10, 10))
    conv, relu, flatten, linear = found.layers
    assert (conv.output_shape, conv.macs) == ((2, 6, 4, 3), 2 * 6 * 4 * 3 * (4 // 2) * 3 * 5)
    assert (linear.macs, linear.parameters) == (2 * 72 * 7, 72 * 7 + 7)
    assert (relu.macs, flatten.parameters) == (0, 0)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert found.failure is None


def test_a_failing_forward_names_the_innermost_module_and_keeps_what_ran():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Flatten(), nn.Linear(10, 2)))
    found = tc.summary(model, (1, 3, 8, 8))
    assert found.failure.layer == "1.1"
    assert found.failure.input_shapes == ((1, 144),)
    assert [layer.layer for layer in found.layers] == ["0", "1.0"]
    assert "failed in 1.1 (Linear), given [1, 144]" in str(found)
    assert found.to_dict()["failure"]["layer"] == "1.1"


def test_shared_modules_are_counted_once_and_frozen_ones_are_not_trainable():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(4, 2))
    model[3].requires_grad_(False)
    found = tc.summary(model, inputs=torch.zeros(1, 4))
    assert (found.parameters, found.trainable) == (20 + 10, 20)
    assert sum(layer.parameters for layer in found.layers) == 30
    assert found.macs == 2 * 16 + 8


def test_summary_takes_keywords_and_refuses_to_guess():
    class Two(nn.Module):
        def forward(self, a, b):
            return a @ b

    assert tc.summary(Two(), inputs={"a": torch.zeros(2, 3), "b": torch.zeros(3, 4)}).layers[0].output_shape == (2, 4)
    with pytest.raises(InputError, match="either input_shape"):
        tc.summary(Two())


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 4, 32, 32)])
def test_observers_leave_no_trace_also_when_the_forward_fails(shape):
    model = models.resnet20().train()
    model.layer1.eval()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    tc.summary(model, shape)
    inspect_filters(model)
    if shape[1] == 3:
        fold_batchnorms(model, torch.zeros(shape))
        activations(model, torch.zeros(shape), ["layer1"])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_dead_and_duplicate_filters_are_found_and_no_others():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3)
    assert (inspect_filters(conv)[0].dead, inspect_filters(conv)[0].duplicates) == ((), ())
    with torch.no_grad():
        conv.weight[2] *= 1e-5
        conv.weight[6] = -0.5 * conv.weight[1]
    report = inspect_filters(conv)[0]
    assert (report.dead, report.duplicates) == ((2,), ((1, 6),))


def test_spectrum_and_effective_rank_follow_their_definitions():
    conv = nn.Conv2d(1, 4, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.diag(torch.tensor([3.0, 3.0, 3.0, 0.0])).view(4, 1, 2, 2))
    report = inspect_filters(conv)[0]
    torch.testing.assert_close(report.spectrum, torch.tensor([3.0, 3.0, 3.0, 0.0], dtype=torch.float64))
    assert abs(report.effective_rank - 3) < 1e-9


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_folding_is_exact_in_eval(bias, affine):
    conv = trained_looking(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias).double())
    norm = trained_looking(nn.BatchNorm2d(6, affine=affine).double())
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(fold(conv, norm)(x), norm(conv(x)))


@pytest.mark.parametrize("name", ["resnet18", "resnet20"])
def test_every_batchnorm_of_a_residual_network_folds(name):
    model = trained_looking(getattr(models, name)().double())
    x = torch.randn(2, 3, 40, 40, dtype=torch.float64)
    folded, pairs = fold_batchnorms(model, x)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), model(x))
    assert len(pairs) == sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_a_convolution_that_is_also_read_elsewhere_is_not_folded():
    model = trained_looking(Functional())
    x = torch.randn(1, 3, 8, 8)
    folded, pairs = fold_batchnorms(model, x)
    assert pairs == ()
    assert torch.equal(folded(x), model(x))


def test_activations_are_those_of_the_layers():
    model = models.resnet20().eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        stem = model.relu(model.bn1(model.conv1(x)))
        expected = model.layer1(stem)
    found = activations(model, x, ["layer1", "conv1"])
    assert list(found) == ["layer1", "conv1"]
    assert torch.equal(found["layer1"], expected)
    with pytest.raises(InputError, match="no layer 'layer9'"):
        activations(model, x, ["layer9"])


def test_each_step_of_a_convolution_adds_up_to_the_cell():
    torch.manual_seed(0)
    x, weight, bias = torch.randint(-3, 4, (4, 5, 4)).float(), torch.randint(-2, 3, (2, 2, 3, 3)).float(), torch.ones(2)
    expected = F.conv2d(x[None], weight, bias, 2, 1, groups=2)[0]
    figures = convolution_steps(x, weight, bias, 2, 1, groups=2)
    assert len(figures) == expected.numel()
    for figure, value in zip(figures, expected.flatten().tolist(), strict=True):
        *products, (_, *_, total) = figure.table.rows
        assert total == value == sum(row[-1] for row in products)
        assert all(row[-1] == row[3] * row[4] for row in products[:-1])
        assert figure.svg.startswith("<svg")


@pytest.mark.parametrize("average", [True, False])
def test_each_step_of_a_pooling_shows_its_window(average):
    x = torch.arange(16.0).view(1, 4, 4)
    figures = pooling_steps(x, 2, average=average)
    expected = (F.avg_pool2d if average else F.max_pool2d)(x, 2).flatten().tolist()
    assert [figure.table.rows[-1][-1] for figure in figures] == expected
    assert [row[-1] for row in figures[1].table.rows[:-1]] == [2.0, 3.0, 6.0, 7.0]


def test_steps_refuse_what_could_not_be_read():
    with pytest.raises(InputError, match="too many to read"):
        pooling_steps(torch.zeros(1, 30, 30), 2)
    with pytest.raises(InputError, match="no output cell"):
        pooling_steps(torch.zeros(1, 4, 4), 2, cells=[(0, 2, 0)])


def cifar_file(folder, count=3):
    pictures, offsets = b"", [0]
    for index in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (index * 40, 0, 0)).save(buffer, "JPEG")
        pictures += buffer.getvalue()
        offsets.append(len(pictures))
    (folder / "cifar10").mkdir()
    labels = np.arange(count, dtype=np.uint8)
    np.savez(folder / "cifar10" / "test.npz", jpeg=np.frombuffer(pictures, np.uint8), offsets=np.array(offsets), labels=labels, classes=np.array(CLASSES))  # fmt: skip  # noqa: E501


def test_cifar10_is_read_in_order_and_in_part(tmp_path):
    cifar_file(tmp_path)
    data = load_cifar10("test", data_dir=tmp_path)
    assert data.images.shape == (3, 3, 32, 32)
    assert data.labels.tolist() == [0, 1, 2]
    assert data.images[2, 0].float().mean() > data.images[1, 0].float().mean()
    assert len(load_cifar10("test", 2, tmp_path).images) == 2
    assert normalize_rgb(data.images).dtype == torch.float32


def test_missing_or_damaged_cifar10_gets_one_sentence(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHCLINIC_DATA", raising=False)
    with pytest.raises(DataError, match="TORCHCLINIC_DATA is not set"):
        load_cifar10("test")
    with pytest.raises(DataError, match=r"there is no .*test\.npz"):
        load_cifar10("test", data_dir=tmp_path)
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "test.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="not readable"):
        load_cifar10("test", data_dir=tmp_path)
