"""Freezing, its proof, and the trap it exists for."""

import copy
import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.models.resnet import CifarResNet
from torchclinic.surgery.freezing import stages
from torchclinic.surgery.proof import digest


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def make_step(model, optimizer, batch=None, *, train=True):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1)) + 2 if batch is None else batch
    y = torch.arange(len(x)) % 3

    def step():
        model.train(train)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def test_frozen_parts_do_not_move_in_any_way_over_many_steps():
    model = network()
    tc.freeze(model, keep="4")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = copy.deepcopy(model.state_dict())
    step = make_step(model, optimizer)
    for _ in range(5):
        step()
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(before[name], tensor)}
    assert changed == {"4.weight", "4.bias"}


def test_frozen_features_are_the_same_in_training_as_in_evaluation():
    model = network()
    tc.freeze(model, keep="4")
    x = torch.randn(16, 4)
    assert torch.equal(model.train()(x), model.eval()(x))


def test_the_trap_in_numbers():
    """requires_grad=False alone: one step moves the running mean by momentum times the batch's mean."""
    model = network()
    for parameter in list(model.parameters())[:-2]:
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD(model[4].parameters(), lr=0.1)
    batch = torch.randn(16, 4) + 2
    batch_mean = model[0](batch).mean(0)
    proof = tc.verify_frozen(model, make_step(model, optimizer, batch))
    assert not proof.ok
    assert proof.leaked == ("1.running_mean", "1.running_var", "1.num_batches_tracked")
    expected = (0.1 * batch_mean).abs().max().item()  # running mean starts at 0, momentum is 0.1
    assert proof.tensors["1.running_mean"].largest_change == pytest.approx(expected, rel=1e-5)
    assert proof.report().findings[0].code == "MOD006"

    tc.freeze(model, keep="4")
    proof = tc.verify_frozen(model, make_step(model, optimizer, batch))
    assert proof.ok
    assert proof.changed == ("4.weight", "4.bias")


def test_a_zero_gradient_with_weight_decay_moves_a_frozen_parameter_and_is_caught():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    make_step(model, optimizer)()
    optimizer.zero_grad(set_to_none=False)
    model[0].requires_grad_(False)
    before = model[0].weight.detach().clone()

    def step():
        optimizer.zero_grad(set_to_none=False)
        model.eval()
        F.cross_entropy(model(torch.ones(2, 4)), torch.tensor([0, 1])).backward()
        optimizer.step()

    proof = tc.verify_frozen(model, step)
    assert "0.weight" in proof.leaked
    assert proof.tensors["0.weight"].largest_change == pytest.approx(0.05 * before.abs().max().item(), rel=1e-4)
    assert "weight decay 0.5" in next(f.message for f in proof.report().findings if f.where == "0.weight")
    tc.freeze(model, "0")
    assert tc.verify_frozen(model, step).ok


def test_the_proof_restores_model_optimizer_and_random_streams_bit_for_bit():
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    step = make_step(model, optimizer)
    step()
    states = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    random = torch.get_rng_state()
    assert tc.verify_frozen(model, step).changed
    torch.testing.assert_close((model.state_dict(), optimizer.state_dict()), states, rtol=0, atol=0)
    assert all(torch.equal(a, p.grad) for a, p in zip(gradients, model.parameters(), strict=True))
    assert torch.get_rng_state().equal(random)


@pytest.mark.parametrize("steps", [0, 1])
def test_the_proof_restores_an_optimizer_it_was_never_shown_also_when_the_step_raises(steps):
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    step = make_step(model, optimizer)
    for _ in range(steps):
        step()
    states = copy.deepcopy((model.state_dict(), optimizer.state_dict()))

    def failing():
        step()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tc.verify_frozen(model, failing)
    torch.testing.assert_close((model.state_dict(), optimizer.state_dict()), states, rtol=0, atol=0)


def test_the_proof_says_who_trains_with_which_rate_and_who_was_forgotten():
    model = network()
    optimizer = torch.optim.SGD([{"params": model[4].parameters(), "lr": 0.25, "weight_decay": 0.5}], lr=1.0)
    proof = tc.verify_frozen(model, make_step(model, optimizer))
    head, first = proof.tensors["4.weight"], proof.tensors["0.weight"]
    assert (head.learning_rate, head.weight_decay, head.in_optimizer) == (0.25, 0.5, True)
    assert (first.learning_rate, first.in_optimizer, first.changed) == (None, False, False)
    assert proof.idle == ("0.weight", "0.bias", "1.weight", "1.bias")
    assert {f.code for f in proof.report().findings} == {"WIR003"}


def test_a_step_that_trains_nothing_is_not_ok():
    model = network()
    proof = tc.verify_frozen(model, lambda: None)
    assert not proof.ok
    assert not proof.changed
    assert proof.optimizers == 0
    assert tc.verify_frozen(model.requires_grad_(False), lambda: None).ok


def test_declared_paths_must_stay_and_must_exist():
    model = network()
    step = make_step(model, torch.optim.SGD(model.parameters(), lr=0.1))
    assert tc.verify_frozen(model, step).ok
    assert tc.verify_frozen(model, step, frozen="4").leaked == ("4.weight", "4.bias")
    with pytest.raises(InputError, match="'9'"):
        tc.verify_frozen(model, step, frozen="9")


def test_a_change_of_one_bit_is_seen():
    model = network()

    def flip():
        model[0].weight.data.view(torch.int32)[0, 0] ^= 1

    proof = tc.verify_frozen(model, flip, frozen="")
    assert proof.changed == ("0.weight",)


DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]


@given(st.sampled_from(DTYPES), st.data())
@settings(max_examples=40, deadline=None)
def test_the_digest_distinguishes_bytes_and_ignores_strides(dtype, data):
    rows, columns = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 4))
    tensor = torch.randint(0, 2, (rows, columns)).to(dtype)
    assert digest(tensor) == digest(tensor.t().contiguous().t())
    if rows:
        other = tensor.clone()
        other[0, 0] = not other[0, 0].real
        assert digest(tensor) != digest(other)


def test_freezing_survives_copying_and_pickling():
    model = network()
    tc.freeze(model, keep="4")
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for copied in (copy.deepcopy(model), torch.load(buffer, weights_only=False)):
        copied.train()
        assert [module.training for module in copied] == [False, False, False, False, True]
        assert copied[1].train.args[0] is copied[1]


def test_a_head_put_into_a_frozen_part_trains():
    model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.Dropout(), nn.Linear(8, 10)))
    tc.freeze(model)
    tc.replace_head(model, 2)
    model.train()
    assert [model[1][0].training, model[1][1].training] == [False, True]
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["1.1.weight", "1.1.bias"]


def test_unfreezing_takes_freezing_back():
    model = network()
    frozen = tc.freeze(model)
    assert frozen.statistics == ("1",)
    assert frozen.dropouts == ("3",)
    assert not frozen.trainable
    thawed = tc.unfreeze(model)
    assert not any(thawed.to_dict()[kind] for kind in ("frozen", "statistics", "dropouts"))
    assert all(module.training for module in model.modules())
    assert not any(module.training for module in model.eval().modules())
    assert not any("train" in vars(module) for module in model.modules())


def test_a_part_unfrozen_follows_the_mode_of_the_model():
    model = network()
    tc.freeze(model, keep="4")
    model.train()
    tc.unfreeze(model, "1")
    assert model[1].training
    assert not model[3].training
    assert model[1].weight.requires_grad


def test_unknown_paths_are_named():
    for act in (tc.freeze, tc.unfreeze):
        with pytest.raises(InputError, match="'layer9'; its parts are conv1, bn1"):
            act(CifarResNet(8), "layer9")
    with pytest.raises(InputError, match="'layer9'"):
        tc.freeze(CifarResNet(8), keep="layer9")


def test_stages_of_a_residual_network_go_from_input_to_output():
    assert stages(CifarResNet(8)) == (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("fc",))


def test_gradual_unfreezing_goes_from_the_output_to_the_input_and_ends():
    model = CifarResNet(8)
    tc.freeze(model, keep="fc")
    order = [tc.unfreeze_next(model) for _ in range(5)]
    assert order == [("layer3",), ("layer2",), ("layer1",), ("conv1", "bn1"), ()]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_every_parameter_is_in_one_group_and_rates_fall_by_the_factor():
    model = CifarResNet(8)
    groups = tc.parameter_groups(model, 0.26, weight_decay=0.01)
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["fc weights"] == 0.26
    assert rates["layer3 weights"] == pytest.approx(0.1)
    assert rates["conv1+bn1 vectors"] == pytest.approx(0.26 / 2.6**4)
    assert {group["weight_decay"] for group in groups if "vectors" in group["name"]} == {0.0}
    torch.optim.SGD(groups)  # torch accepts them


def test_discriminative_rates_are_what_the_step_applies():
    model = network()
    optimizer = torch.optim.SGD(tc.parameter_groups(model, 0.1, factor=10))
    proof = tc.verify_frozen(model, make_step(model, optimizer))
    assert proof.tensors["4.weight"].learning_rate == pytest.approx(0.1)
    assert proof.tensors["0.weight"].learning_rate == pytest.approx(0.01)
    first = proof.tensors["0.weight"]
    assert first.largest_change == pytest.approx(0.01 * first.gradient, rel=1e-3)
