"""Two processes compute what one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from torchclinic.data import load_mnist
from torchclinic.training import checkpoints, train
from torchclinic.training.distributed import GlobalBatchNorm, GlobalDropout, share
from torchclinic.training.run import read_settings

# Sums of 128 float32 terms in another order differ by some 1e-7 of their size; 31 steps of SGD pass that on, not up.
# (Adam divides by the size of the gradient: where that is rounding noise, its steps are too. Its accuracy agrees, its
# parameters need not.)
TOLERANCE = 1e-5


@pytest.fixture
def alone(tmp_path):
    """A process group of one."""
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_global_batch_norm_of_one_process_is_batch_norm(alone, shape, training):
    torch.manual_seed(0)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    reference, ours = kind(5), GlobalBatchNorm(kind(5))
    for norm in (reference, ours):
        norm.train(training)
        norm.load_state_dict({**norm.state_dict(), "weight": torch.arange(1.0, 6), "bias": torch.arange(5.0)})
    x = (3 * torch.randn(shape) + 2).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    target = torch.randn(shape)
    for norm, batch in ((reference, x), (ours, twin)):
        (norm(batch) * target).sum().backward()
    torch.testing.assert_close(ours(twin), reference(x))
    torch.testing.assert_close(twin.grad, x.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.weight.grad, reference.weight.grad)
    torch.testing.assert_close(ours.state_dict(), reference.state_dict())


def test_global_dropout_draws_the_mask_that_dropout_draws(alone):
    x = torch.randn(30, 7)
    torch.manual_seed(1)
    expected = nn.Dropout(0.3)(x)
    torch.manual_seed(1)
    dropout = GlobalDropout(0.3)
    assert torch.equal(dropout(x), expected)
    assert torch.equal(dropout.eval()(x), x)


def test_sharing_keeps_parameters_buffers_and_their_names(alone):
    from torchclinic.models import build

    model = build("modern")
    parameters, names = list(model.parameters()), list(model.state_dict())
    share(model)
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert list(model.state_dict()) == names


def torchrun(*arguments: str) -> str:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "torchclinic"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    done = subprocess.run([*launcher, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_train_the_model_one_process_trains(tmp_path):
    together, one = tmp_path / "together", tmp_path / "one"
    options = ["--model", "modern", "--optimizer", "momentum", "--batch-size", "128", "--augment", "--seed", "2"]
    output = torchrun("train", *options, "--epochs", "1", "--device", "cpu", "--out", str(together))
    assert output.count("epoch 1/1") == 1, "only the first process speaks"

    settings = read_settings(together)
    checkpoints.write_run(one, settings.to_dict())
    train(settings, load_mnist(), folder=one)
    a, b = load(one), load(together)
    assert a.model.keys() == b.model.keys()
    for name in a.model:
        torch.testing.assert_close(b.model[name], a.model[name], atol=TOLERANCE, rtol=TOLERANCE)
    for name in a.training.keys() - {"random.cpu"}:
        torch.testing.assert_close(b.training[name], a.training[name], atol=TOLERANCE, rtol=TOLERANCE)
    assert torch.equal(a.training["random.cpu"], b.training["random.cpu"])
    assert b.history[0].images == a.history[0].images
    assert b.history[0].loss == pytest.approx(a.history[0].loss, rel=TOLERANCE)
    assert b.history[0].accuracy == pytest.approx(a.history[0].accuracy)


def load(folder: Path) -> checkpoints.Checkpoint:
    return checkpoints.load_checkpoint(folder)
