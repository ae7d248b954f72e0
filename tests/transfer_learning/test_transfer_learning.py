"""Transfer learning on small pictures with a backbone made here."""

import json
from math import comb

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import torchclinic as tc
from torchclinic.cli.train import command
from torchclinic.data.image_folder import ImageFolder
from torchclinic.errors import CheckpointError, ClinicError, InputError
from torchclinic.models import resnet20, resnet32
from torchclinic.theory.proportions import mcnemar_p_value, wilson_interval
from torchclinic.training.loop import Progress
from torchclinic.transfer_learning import Schedule, load_backbone, transfer, transfer_report
from torchclinic.transfer_learning.pictures import FallingRates, MovedPictures

QUICK = Schedule(scratch_epochs=1, head_epochs=40, fine_tune_epochs=2, batch_size=8)


def pictures(counts=(12, 12), size=12):
    """Class 0 is red, class 1 green: what any features tell apart."""
    generator = torch.Generator().manual_seed(0)
    images, labels = [], []
    for label, count in enumerate(counts):
        noise = torch.randint(0, 60, (count, 3, size, size), generator=generator)
        noise[:, label] += 150
        images.append(noise.to(torch.uint8))
        labels.append(torch.full((count,), label))
    x, y = torch.cat(images), torch.cat(labels)
    return ImageFolder(("red", "green"), x, y, x.clone(), y.clone(), "made")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "r20.pth"
    torch.save(resnet20().state_dict(), path)
    return load_backbone(str(path))


@pytest.fixture(scope="module")
def outcomes(backbone):
    return transfer(backbone, pictures(), schedule=QUICK)


def test_each_method_trains_what_it_says(backbone, outcomes):
    scratch, frozen, tuned = outcomes
    assert [outcome.method for outcome in outcomes] == ["scratch", "frozen", "fine-tuned"]
    everything = sum(p.numel() for p in resnet20(num_classes=2).parameters())
    assert (scratch.trained, frozen.trained, tuned.trained) == (everything, 130, everything)
    trained = {name for name, t in frozen.model.state_dict().items() if not torch.equal(t, backbone.state[name].float())}
    assert trained == {"fc.weight", "fc.bias"}
    assert frozen.proof.ok
    assert set(frozen.proof.changed) == trained
    assert not torch.equal(tuned.model.conv1.weight, frozen.model.conv1.weight)


def test_frozen_features_learn_colours(outcomes):
    assert outcomes[1].accuracy == 1
    assert outcomes[1].interval[0] > 0.85


def test_the_same_seed_gives_the_same_bits(backbone):
    a, b = (transfer(backbone, pictures(), ["fine-tuned"], schedule=QUICK, seed=3)[0] for _ in range(2))
    states = zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in states)


def test_the_report_holds_the_comparison(backbone, outcomes):
    report = transfer_report(backbone, pictures(), outcomes)
    assert report.passed
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert [row["method"] for row in data["outcomes"]] == ["scratch", "frozen", "fine-tuned"]
    assert len(data["p_values"]) == 3
    assert data["majority"] == 0.5
    assert "frozen features" in str(report)


def test_unbalanced_classes_weigh_by_inverse_count(backbone):
    from torchclinic.transfer_learning.methods import _Task

    task = _Task(backbone, pictures((4, 28)), QUICK, 0, torch.device("cpu"))
    assert task._loss().weight.tolist() == pytest.approx([4, 4 / 7])
    report = transfer_report(backbone, task.data, [task.on_frozen_features()])
    assert [finding.code for finding in report.findings] == ["DAT004"]


def test_the_architecture_of_a_checkpoint_is_recognized(tmp_path):
    for name, model in (("resnet32", resnet32(num_classes=7)), ("resnet20", resnet20())):
        torch.save({f"module.{key}": t for key, t in model.state_dict().items()}, tmp_path / "m.pth")
        assert load_backbone(str(tmp_path / "m.pth")).architecture == name
    torch.save({"w": torch.ones(2)}, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match="none of resnet20"):
        load_backbone(str(tmp_path / "m.pth"))


def test_an_unknown_method_is_refused(backbone):
    with pytest.raises(InputError, match="'magic' is no method"):
        transfer(backbone, pictures(), ["magic"])


def test_moved_pictures_depend_on_seed_and_epoch_alone():
    def epoch(seed, number):
        moved = MovedPictures(pictures(), 8, seed, lambda x: x, torch.device("cpu"))
        return torch.cat([x for x, _ in moved.epoch(number)])

    assert torch.equal(epoch(0, 1), epoch(0, 1))
    assert not torch.equal(epoch(0, 1), epoch(0, 2))
    assert not torch.equal(epoch(0, 1), epoch(1, 1))


def test_rates_rise_to_each_groups_own_peak_and_fall_to_nothing():
    optimizer = torch.optim.SGD([{"params": [torch.ones(1)], "lr": rate} for rate in (1.0, 0.1)])
    rates = FallingRates(optimizer, 100)
    seen = []
    for step in range(1, 101):
        seen.append([group["lr"] for group in optimizer.param_groups])
        rates.step_done(Progress(None, optimizer, 1, 100, step=step))
    assert max(row[0] for row in seen) == pytest.approx(1)
    assert all(row[1] == pytest.approx(row[0] / 10) for row in seen)
    assert seen[-1][0] < 0.01
    assert seen[0][0] < 0.2


@given(st.integers(1, 300), st.data())
@settings(max_examples=100, deadline=None)
def test_the_wilson_interval_solves_its_equation(trials, data):
    """At each bound p, the observed share lies z standard errors of p away: the definition, not the formula."""
    successes = data.draw(st.integers(0, trials))
    share, z = successes / trials, 1.959963984540054
    for bound in wilson_interval(successes, trials):
        if 0 < bound < 1:
            assert abs(share - bound) == pytest.approx(z * (bound * (1 - bound) / trials) ** 0.5, rel=1e-6, abs=1e-9)
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= share <= high <= 1


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_sums_the_binomial_outcomes_at_least_as_uneven(first, second):
    n = first + second
    uneven = [k for k in range(n + 1) if abs(2 * k - n) >= abs(first - second)]
    assert mcnemar_p_value(first, second) == pytest.approx(sum(comb(n, k) for k in uneven) / 2**n)


def save_pictures(folder, count=6):
    for label, name in enumerate(("red", "green")):
        (folder / name).mkdir(parents=True)
        for index, image in enumerate(pictures((count, count)).train_images[label * count : (label + 1) * count]):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name / f"{index}.png")


def invoke(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)


def test_the_command_learns_a_folder_and_saves_what_it_learned(tmp_path, backbone):
    save_pictures(tmp_path / "data")
    done = invoke(
        *("--data", tmp_path / "data", "--backbone", backbone.source, "--freeze", "--image-size", 16, "--epochs", 2),
        *("--device", "cpu", "--out", tmp_path / "out", "--json", tmp_path / "x.json"),
    )
    assert done.return_value == 0, done.exception
    found = json.loads((tmp_path / "x.json").read_text())
    assert [row["method"] for row in found["outcomes"]] == ["frozen"]
    assert found["outcomes"][0]["freezing_holds"] is True
    saved = tc.inspect_checkpoint(tmp_path / "out" / "frozen.safetensors")
    assert saved.tensors["fc.weight"].shape == (2, 64)
    assert json.loads((tmp_path / "out" / "transfer.json").read_text())["classes"] == ["green", "red"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "somewhere"], "needs --backbone"),
        (["--freeze"], "--freeze needs --backbone"),
        (["--image-size", "32"], "--image-size needs --backbone"),
        (["--backbone", "x.pth", "--model", "cnn"], "--model does not go with --backbone"),
        (["--backbone", "x.pth", "--resume", "run"], "does not go with --backbone"),
        (["--backbone", "x.pth", "--epochs", "0"], "epochs = 0"),
        (["--backbone", "x.pth"], "There is no backbone x.pth"),
    ],
)
def test_options_that_contradict_each_other_get_one_sentence(arguments, message):
    done = invoke(*arguments)
    assert isinstance(done.exception, ClinicError)
    assert message in str(done.exception)
