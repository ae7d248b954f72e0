"""The loop against a slow twin, schedules and batches against their definitions, evaluation against closed forms."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.data import load_mnist, normalize
from torchclinic.errors import InputError
from torchclinic.models import MODELS, build
from torchclinic.training import RECIPES, Callback, Recipe, TensorBatches, build_optimizer, calibration_error, evaluate, fit
from torchclinic.training.batches import MAX_SHIFT, mix_seeds, shift
from torchclinic.training.evaluation import summarize


def toy(count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    data = load_mnist()
    return data.train_images[:count], data.train_labels[:count]


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_maps_digits_to_ten_logits_with_and_without_a_channel_dim(name):
    model = build(name).eval()
    x = torch.randn(3, 1, 28, 28)
    assert model(x).shape == (3, 10)
    assert torch.equal(model(x), model(x[:, 0]))


def test_an_unknown_model_is_refused():
    with pytest.raises(InputError, match='no model "vgg"'):
        build("vgg")


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_fit_takes_the_same_steps_as_a_loop_written_out(optimizer):
    images, labels = toy()
    recipe = Recipe(epochs=2, batch_size=8, learning_rate=0.01, optimizer=optimizer)
    batches = TensorBatches(images, labels, 8, seed=3)
    torch.manual_seed(0)
    ours = build("mlp")
    torch.manual_seed(0)
    twin = build("mlp")
    progress = fit(ours, batches, build_optimizer(recipe, ours.parameters()), epochs=2, loss_fn=recipe.loss())

    reference = build_optimizer(recipe, twin.parameters())
    losses = []
    for epoch in range(2):
        for x, y in batches.epoch(epoch):
            reference.zero_grad()
            loss = F.cross_entropy(twin(x), y)
            loss.backward()
            reference.step()
            losses.append(loss.item())
    assert same(state(ours), state(twin))
    assert progress.step == 10
    assert progress.history[1].loss == pytest.approx(np.mean(losses[5:]), rel=1e-6)
    assert [epoch.images for epoch in progress.history] == [40, 40]


def test_fit_continues_where_a_history_ends_and_stops_when_a_callback_says_so():
    class StopAt(Callback):
        def epoch_done(self, progress):
            progress.stop = progress.epoch == 3

    images, labels = toy()
    model = build("mlp")
    rates = []
    optimizer = build_optimizer(Recipe(), model.parameters())
    batches = TensorBatches(images, labels, 20)

    def rate(step):
        rates.append(step)
        return 1e-3

    first = fit(model, batches, optimizer, epochs=1, learning_rate=rate)
    second = fit(model, batches, optimizer, epochs=9, learning_rate=rate, history=first.history, callbacks=[StopAt()])
    assert [epoch.number for epoch in second.history] == [1, 2, 3]
    assert rates == [0, 1, 2, 3, 4, 5]


def test_an_epoch_meets_every_sample_once_in_an_order_of_its_own_that_never_changes():
    images = torch.arange(50, dtype=torch.uint8).view(50, 1, 1)
    batches = TensorBatches(images, torch.arange(50), 10, seed=1, prepare=lambda batch: batch)
    epochs = [torch.cat([y for _, y in batches.epoch(number)]) for number in (0, 1, 0)]
    assert sorted(epochs[0].tolist()) == list(range(50))
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.equal(epochs[0], epochs[2])
    other = TensorBatches(images, torch.arange(50), 10, seed=2, prepare=lambda batch: batch)
    assert not torch.equal(epochs[0], torch.cat([y for _, y in other.epoch(0)]))
    assert all(x.flatten().tolist() == y.tolist() for x, y in batches.epoch(0))


@pytest.mark.parametrize("augment", [False, True])
def test_shards_of_a_batch_together_are_the_global_batch(augment):
    images, labels = toy(48)
    whole = TensorBatches(images, labels, 12, augment=augment)
    shards = [TensorBatches(images, labels, 12, augment=augment, rank=rank, world=3) for rank in range(3)]
    for (x, y), *parts in zip(whole.epoch(5), *(shard.epoch(5) for shard in shards), strict=True):
        for rank, (part_x, part_y) in enumerate(parts):
            assert torch.equal(part_x, x[rank::3])
            assert torch.equal(part_y, y[rank::3])


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    images, labels = toy()
    with pytest.raises(InputError, match="A batch of 10 cannot be shared evenly among 4 processes"):
        TensorBatches(images, labels, 10, world=4)
    with pytest.raises(InputError, match="40 images and 3 labels"):
        TensorBatches(images, labels[:3], 10)


def test_shift_moves_pictures_as_torch_roll_does_where_nothing_leaves():
    images = torch.zeros(25, 9, 9, dtype=torch.uint8)
    images[:, 3:6, 3:6] = torch.arange(1, 10, dtype=torch.uint8).view(3, 3)
    shifts = torch.cartesian_prod(torch.arange(5), torch.arange(5)).T
    moved = shift(images, shifts)
    for index, (down, right) in enumerate((shifts - MAX_SHIFT).T.tolist()):
        assert torch.equal(moved[index], images[index].roll((down, right), (0, 1)))


def test_seeds_are_mixed_without_collisions_of_neighbours():
    seeds = Counter(mix_seeds(seed, epoch) for seed in range(-3, 30) for epoch in range(30))
    assert max(seeds.values()) == 1
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_schedules_stay_below_the_peak_reach_it_and_end_where_they_should(schedule):
    recipe = Recipe(schedule=schedule, learning_rate=0.5)
    rates = [recipe.learning_rate_at(step, 101) for step in range(101)]
    assert max(rates) == pytest.approx(0.5)
    assert all(0 < rate <= 0.5 for rate in rates)
    assert rates[-1] == pytest.approx(0.5 if schedule == "constant" else 0.0005)
    assert rates[0] == pytest.approx(0.02 if schedule == "one-cycle" else 0.5)
    assert recipe.learning_rate_at(0, 1) > 0


@pytest.mark.parametrize(
    "nonsense",
    [
        {"epochs": 0},
        {"epochs": -1},
        {"batch_size": 0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
        {"label_smoothing": 1.0},
        {"optimizer": "lion"},
        {"schedule": "exponential"},
    ],
    ids=str,
)
def test_nonsense_numbers_are_refused_in_a_sentence_that_repeats_them(nonsense):
    with pytest.raises(InputError, match=str(next(iter(nonsense.values())))):
        RECIPES["modern"].changed(**nonsense)


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(InputError, match="nothing to train"):
        build_optimizer(Recipe(), build("mlp").requires_grad_(False).parameters())


def test_evaluate_leaves_modes_buffers_and_gradients_as_they_were():
    images, labels = toy()
    model = build("modern").train()
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    before = state(model)
    evaluate(model, images, labels, batch_size=7)
    assert [module.training for module in model.modules()] == modes
    assert same(before, state(model))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_evaluate_restores_modes_after_an_error():
    model = build("modern").train()
    with pytest.raises(RuntimeError):
        evaluate(model, torch.zeros(4, 3, 3, dtype=torch.uint8), torch.zeros(4, dtype=torch.long))
    assert all(module.training for module in model.modules())


def test_evaluation_does_not_depend_on_the_batch_size_and_agrees_with_torch():
    images, labels = toy(100)
    model = build("modern")
    one, other = evaluate(model, images, labels, batch_size=100), evaluate(model, images, labels, batch_size=33)
    torch.testing.assert_close(one.probabilities, other.probabilities)
    logits = model.eval()(normalize(images))
    assert one.loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert one.accuracy == pytest.approx((logits.argmax(1) == labels).float().mean().item())


def test_confusion_precision_recall_and_f1_follow_their_definitions():
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (200,))
    logits = F.one_hot(labels, 5).float() + torch.randn(200, 5)  # class 4 never occurs
    logits[:, 3] = -9.0  # class 3 is never predicted
    found = summarize(logits, labels)
    predictions = logits.argmax(1)
    for c in range(5):
        for other in range(5):
            assert found.confusion[c, other] == ((labels == c) & (predictions == other)).sum()
        hits = ((labels == c) & (predictions == c)).sum().item()
        precision = hits / max((predictions == c).sum().item(), 1)
        recall = hits / max((labels == c).sum().item(), 1)
        assert found.precision[c].item() == pytest.approx(precision)
        assert found.recall[c].item() == pytest.approx(recall)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        assert found.f1[c].item() == pytest.approx(f1)
    assert found.to_dict()["per_class"][4] == {"class": 4, "precision": 0.0, "recall": 0.0, "f1": 0.0, "count": 0}


def test_worst_lists_only_mistakes_the_most_confident_first():
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0], [5.0, 0.0], [0.0, 1.0]])
    found = summarize(logits, torch.tensor([0, 0, 1, 0]))
    assert found.worst(9).tolist() == [1, 2, 3]
    assert found.worst(1).tolist() == [1]


def test_calibration_error_equals_the_sum_over_bins_written_out():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(500, 10, generator=generator).mul(2).softmax(1)
    labels = torch.randint(0, 10, (500,), generator=generator)
    confidence, predictions = probabilities.double().max(1)
    expected = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            accuracy = (predictions == labels)[inside].double().mean()
            expected += inside.double().mean().item() * abs(accuracy - confidence[inside].mean()).item()
    assert calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_is_0_when_confidence_is_the_hit_rate_and_1_when_always_surely_wrong():
    half = torch.tensor([[0.5, 0.25, 0.25]] * 4)
    assert calibration_error(half, torch.tensor([0, 0, 1, 2])) == pytest.approx(0)
    sure = torch.tensor([[1.0, 0.0]] * 4)
    assert calibration_error(sure, torch.ones(4, dtype=torch.long)) == pytest.approx(1)


def test_evaluating_nothing_is_refused():
    with pytest.raises(InputError, match="0 images"):
        evaluate(build("mlp"), torch.zeros(0, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.long))
