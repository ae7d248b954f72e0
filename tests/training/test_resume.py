"""Run folders: continued bit for bit, whole or absent, refused when damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from torchclinic.data import load_mnist
from torchclinic.errors import CheckpointError
from torchclinic.training import Callback, Recipe, Settings, checkpoints, evaluate, load_run, train
from torchclinic.training.run import read_settings


class InterruptAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def step_done(self, progress) -> None:
        if progress.step == self.step:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data():
    return load_mnist()


def settings(**changes) -> Settings:
    recipe = Recipe(epochs=3, batch_size=200).changed(
        **{name: changes.pop(name) for name in ("optimizer", "schedule", "augment", "epochs") if name in changes}
    )
    return Settings(**{"seed": 3, **changes}, recipe=recipe)


def everything(folder: Path) -> dict[str, torch.Tensor]:
    """Parameters, buffers, optimizer state and random streams, and what of the state is no tensor as one more."""
    checkpoint = checkpoints.load_checkpoint(folder)
    history = [(epoch.loss, epoch.accuracy, epoch.test_loss, epoch.validation_loss) for epoch in checkpoint.history]
    rest = json.dumps([checkpoint.groups, checkpoint.numbers, history]).encode()
    return {**checkpoint.model, **checkpoint.training, "rest": torch.tensor(list(rest))}


def assert_same_bits(one: Path, other: Path) -> None:
    a, b = everything(one), everything(other)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def start(folder: Path, run: Settings) -> Path:
    checkpoints.write_run(folder, run.to_dict())
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "momentum", "schedule": "cosine"},
        {"optimizer": "adamw", "augment": True, "precision": "bf16"},
        {"optimizer": "sgd", "patience": 2, "model": "mlp"},
    ],
    ids=str,
)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(data, tmp_path, changes):
    run = settings(**changes)
    whole, broken = start(tmp_path / "whole", run), start(tmp_path / "broken", run)
    train(run, data, folder=whole)
    with pytest.raises(KeyboardInterrupt):
        train(run, data, folder=broken, callbacks=[InterruptAt(25)])  # in the middle of the second epoch
    torch.rand(7)  # what happens in between does not matter
    train(read_settings(broken), data, folder=broken)
    assert_same_bits(whole, broken)


def test_a_run_interrupted_in_its_first_epoch_starts_over_the_same(data, tmp_path):
    run = settings(epochs=1)
    whole, broken = start(tmp_path / "whole", run), start(tmp_path / "broken", run)
    train(run, data, folder=whole)
    with pytest.raises(KeyboardInterrupt):
        train(run, data, folder=broken, callbacks=[InterruptAt(5)])
    train(run, data, folder=broken)
    assert_same_bits(whole, broken)


def test_a_constant_schedule_can_be_extended_to_the_bits_of_a_longer_run(data, tmp_path):
    long, short = settings(schedule="constant"), settings(schedule="constant", epochs=1)
    train(long, data, folder=start(tmp_path / "long", long))
    train(short, data, folder=start(tmp_path / "short", short))
    train(read_settings(tmp_path / "short", epochs=3), data, folder=tmp_path / "short")
    assert_same_bits(tmp_path / "long", tmp_path / "short")
    assert read_settings(tmp_path / "short").recipe.epochs == 3


def test_another_seed_gives_other_bits(data, tmp_path):
    for seed in (3, 4):
        run = settings(epochs=1, seed=seed)
        train(run, data, folder=start(tmp_path / str(seed), run))
    a, b = everything(tmp_path / "3"), everything(tmp_path / "4")
    assert not torch.equal(a["head.weight"], b["head.weight"])


KILLED = """
import os, signal, sys
from pathlib import Path
from torchclinic.data import load_mnist
from torchclinic.training import Callback, train
from torchclinic.training.run import read_settings

class Kill(Callback):
    def step_done(self, progress):
        if progress.step == 25:
            os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
train(read_settings(folder), load_mnist(), folder=folder, callbacks=[Kill()])
"""


def test_a_process_killed_in_mid_epoch_resumes_to_the_same_bits(data, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # sums are then in the order this process has
    run = settings()
    whole, broken = start(tmp_path / "whole", run), start(tmp_path / "broken", run)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(broken)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(checkpoints.load_checkpoint(broken).history) == 1
    command = [sys.executable, "-m", "torchclinic", "train", "--resume", str(broken), "--device", "cpu"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    train(run, data, folder=whole)
    assert_same_bits(whole, broken)


def test_early_stopping_keeps_and_loads_the_best_epoch(data, tmp_path):
    class Spoil(Callback):
        """From the third epoch on, the model unlearns."""

        def step_done(self, progress) -> None:
            if progress.epoch >= 2:
                with torch.no_grad():
                    progress.model.head.weight.zero_()

    run = settings(epochs=50, patience=2)
    folder = start(tmp_path / "run", run)
    progress = train(run, data, folder=folder, callbacks=[Spoil()])
    assert len(progress.history) == 4
    assert sorted(place.name for place in folder.glob("epoch-*")) == ["epoch-0002", "epoch-0004"]
    model, _ = load_run(folder)
    assert evaluate(model, data.test_images, data.test_labels).accuracy == progress.history[1].test_accuracy
    assert len(train(run, data, folder=folder).history) == 4  # it had stopped: nothing more to do


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    run = settings(epochs=1)
    folder = start(tmp_path_factory.mktemp("runs") / "trained", run)
    train(run, data, folder=folder)
    return folder


@pytest.fixture
def copy(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def test_load_run_gives_the_saved_model_in_eval_mode(data, trained):
    model, run = load_run(trained)
    assert not model.training
    assert run == settings(epochs=1)
    expected = checkpoints.load_checkpoint(trained).history[-1].test_accuracy
    assert evaluate(model, data.test_images, data.test_labels).accuracy == expected


def test_a_new_run_never_overwrites_an_old_one(trained):
    with pytest.raises(CheckpointError, match="holds a run already"):
        checkpoints.write_run(trained, {})


@pytest.mark.parametrize("file", ["epoch-0001/model.safetensors", "epoch-0001/training.safetensors"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "delete"])
def test_a_damaged_checkpoint_is_refused_in_a_sentence_that_names_the_file(copy, file, harm):
    path = copy / file
    content = bytearray(path.read_bytes())
    if harm == "delete":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes({"truncate": content[:-5], "flip": content, "empty": b""}[harm])
    with pytest.raises(CheckpointError, match=f"{path.name}.*{'No such file' if harm == 'delete' else 'damaged'}"):
        load_run(copy)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("run.json", "{", "not JSON"),
        ("run.json", "[]", "no JSON object"),
        ("run.json", '{"schema": "other/1"}', "has the schema 'other/1'"),
        ("run.json", '{"schema": "torchclinic.run/1"}', "does not describe a run"),
        ("run.json", '{"schema": "torchclinic.run/1", "model": "vgg", "recipe": {}}', 'no model "vgg"'),
        ("run.json", '{"schema": "torchclinic.run/1", "recipe": {"epochs": "many"}}', "does not describe a run"),
        ("epoch-0001/state.json", "{}", "state.json is damaged"),
        ("epoch-0001/state.json", "\x00", "not JSON"),
    ],
)
def test_damaged_json_is_refused(copy, file, content, sentence):
    (copy / file).write_text(content)
    with pytest.raises((CheckpointError, ValueError), match=sentence):
        load_run(copy)


def test_weights_of_another_architecture_are_refused_with_the_first_name_that_differs(copy):
    content = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**content, "model": "cnn"}))
    with pytest.raises(CheckpointError, match=r"not of this architecture: .* expects"):
        load_run(copy)


def test_no_run_and_no_finished_epoch_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is no run folder"):
        load_run(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="no finished epoch"):
        load_run(start(tmp_path / "begun", settings()))


def test_a_crash_while_saving_leaves_the_last_whole_epoch(data, tmp_path, monkeypatch):
    run = settings()
    folder = start(tmp_path / "run", run)
    write, calls = checkpoints._write, []

    def crash(path, content):
        calls.append(path)
        if len(calls) == 5:  # the second file of the second epoch
            path.write_bytes(content[: len(content) // 2])
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(checkpoints, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        train(run, data, folder=folder)
    monkeypatch.undo()
    assert len(checkpoints.load_checkpoint(folder).history) == 1
    assert len(train(run, data, folder=folder).history) == 3
    assert sorted(place.name for place in folder.iterdir()) == ["epoch-0003", "run.json"]
