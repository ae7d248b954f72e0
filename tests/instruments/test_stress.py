"""The single-image stress test: what eval and train mode predict, and that the model comes back untouched."""

import pytest
import torch
from torch import nn

import torchclinic as tc
from torchclinic.errors import InputError


def vector_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))


def image_model() -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(conv, nn.Linear(8, 4))


IMAGE = torch.linspace(-1, 2, 64).view(1, 8, 8)


def test_batchnorm_over_vectors_refuses_one_image_and_says_why():
    test = tc.stress_test(vector_model(), IMAGE)
    assert test.train.error is not None
    assert test.train.error.startswith("ValueError: Expected more than 1 value per channel")
    assert "n − 1 = 0" in str(test)
    assert test.train.changed_buffers == ("2.num_batches_tracked",), "counted although the pass failed"


def test_batchnorm_over_pictures_does_not_crash_but_drifts():
    test = tc.stress_test(image_model(), IMAGE)
    assert test.train.error is None
    assert len(test.train.classes) == test.repetitions
    assert test.train.buffer_drift > 0


def test_buffer_drift_is_the_exponential_average_of_equal_batches():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Unflatten(1, (4, 1)), nn.BatchNorm1d(4), nn.Flatten())
    conv = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 4))
    test = tc.stress_test(conv, IMAGE, repetitions=3)
    assert tc.stress_test(model, IMAGE).train.error is not None
    mean_drift = (1 - 0.9**3) * float(IMAGE.mean())
    variance_drift = (1 - 0.9**3) * abs(float(IMAGE.var()) - 1)
    assert test.train.buffer_drift == pytest.approx(max(mean_drift, variance_drift), rel=1e-4)


def test_batch_mates_change_the_prediction_only_through_batch_statistics():
    with_norm = tc.stress_test(image_model(), IMAGE)
    without = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 4))
    assert with_norm.mates.spread > 0
    # torch draws one mask for the whole batch, row by row, so the first row's mask is the same in every batch
    assert tc.stress_test(without, IMAGE).mates.spread < 1e-6
    assert tc.stress_test(without, IMAGE).train.spread > 0


def test_eval_is_reported_unrepeatable_when_a_model_draws_noise_in_eval():
    class Noisy(nn.Module):
        def forward(self, x):
            return torch.randn(len(x), 3)

    assert not tc.stress_test(Noisy(), IMAGE).repeatable


@pytest.mark.parametrize("model", [vector_model(), image_model()])
def test_model_is_handed_back_bit_identical_in_mixed_modes(model):
    model.train()
    next(model.children()).eval()
    model(torch.stack([IMAGE, -IMAGE])).sum().backward()
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    gradients = [p.grad.clone() for p in model.parameters()]
    stream = torch.get_rng_state()
    assert tc.stress_test(model, IMAGE).restored
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert torch.equal(torch.get_rng_state(), stream)


def test_dictionary_has_the_documented_keys():
    result = tc.stress_test(vector_model(), IMAGE).to_dict()
    assert set(result["eval"]) == {"class", "confidence", "repeatable"}
    assert {"error", "classes", "confidence_spread", "buffer_drift"} <= set(result["train"])
    assert result["restored"] is True


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (1, 1, 8, 8)])
def test_image_is_accepted_with_and_without_channel_and_batch_dimension(shape):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    reference = tc.stress_test(model, IMAGE)
    assert tc.stress_test(model, IMAGE.view(shape)).confidence == pytest.approx(reference.confidence)


@pytest.mark.parametrize("image", [torch.zeros(3, 5), torch.zeros(0), torch.zeros(1, 1, 8, 9)])
def test_an_image_the_model_cannot_predict_is_one_sentence(image):
    with pytest.raises(InputError) as error:
        tc.stress_test(vector_model(), image)
    assert "\n" not in str(error.value)
    assert str(tuple(image.shape)) in str(error.value)
