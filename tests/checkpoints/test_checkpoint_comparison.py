"""Diffs with proposed renames, and `torchclinic inspect`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import torchclinic
from torchclinic.checkpoints.comparison import compare, forms_of
from torchclinic.cli.inspect import command
from torchclinic.models.resnet import CifarResNet


def diff(left, right):
    return compare(forms_of(left), forms_of(right), names=("left", "right"))


def prefixed(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


STATE = CifarResNet(8).state_dict()


def test_equal_states_fit():
    found = diff(STATE, STATE)
    assert found.fits
    assert found.same == tuple(STATE)
    assert not found.report().findings


@pytest.mark.parametrize("old", ["", "module.", "module._orig_mod.", "encoder."])
@pytest.mark.parametrize("new", ["", "module.", "backbone.net."])
def test_any_exchange_of_prefixes_is_proposed_and_makes_everything_fit(old, new):
    found = diff(prefixed(STATE, old), prefixed(STATE, new))
    assert found.renames == ({} if old == new else {f"{old}{name}": f"{new}{name}" for name in STATE})
    assert len(found.rules) == (old != new)


def test_renames_never_change_a_shape_or_meet():
    other = {**prefixed(STATE, "a."), "a.fc.weight": torch.ones(3, 64), "b.conv1.weight": torch.ones(16, 3, 3, 3)}
    found = diff(other, STATE)
    assert len(set(found.renames.values())) == len(found.renames)
    assert all(tuple(other[a].shape) == tuple(STATE[b].shape) for a, b in found.renames.items())
    assert "a.fc.weight" not in found.renames


def test_a_lone_renamed_layer_is_matched_by_its_shape():
    right = {("top" + name[2:] if name.startswith("fc.") else name): tensor for name, tensor in STATE.items()}
    assert diff(STATE, right).renames == {"fc.weight": "top.weight", "fc.bias": "top.bias"}


def test_another_number_of_classes_is_said():
    model = CifarResNet(8, num_classes=2)
    found = diff(STATE, model.state_dict())
    assert found.reshaped == {"fc.weight": ((10, 64), (2, 64)), "fc.bias": ((10,), (2,))}
    assert [f.code for f in found.report().findings] == ["INI007", "CKP008"]


def test_another_dtype_is_listed_and_still_fits():
    found = diff({"w": torch.ones(2)}, {"w": torch.ones(2).half()})
    assert found.fits
    assert found.retyped == {"w": ("float32", "float16")}


def test_unrelated_names_of_one_shape_are_not_paired():
    left = {f"a{i}.b{i}.weight": torch.ones(1) for i in range(3000)}
    right = {f"c{i}.d{i}.weight": torch.ones(1) for i in range(3000)}
    assert not diff(left, right).renames


def invoke(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def checkpoint(tmp_path):
    torch.save({"state_dict": prefixed(STATE, "module.")}, tmp_path / "m.pth")
    return tmp_path / "m.pth"


def test_the_command_writes_json_and_html(checkpoint, tmp_path):
    done = invoke(checkpoint, "--json", tmp_path / "x.json", "--html", tmp_path / "x.html")
    assert done.return_value == 0
    data = json.loads((tmp_path / "x.json").read_text())
    assert data["schema"] == "torchclinic.report/1"
    assert set(data["tensors"]) == {f"state_dict.module.{name}" for name in STATE}
    assert data["tensors"]["state_dict.module.fc.weight"]["shape"] == [10, 64]
    assert "module.fc.weight" in (tmp_path / "x.html").read_text()


def test_diff_and_against_compare_the_weights_and_fail(checkpoint, tmp_path):
    torch.save(STATE, tmp_path / "plain.pth")
    (tmp_path / "mine.py").write_text(
        "from torchclinic.models.resnet import CifarResNet\ndef build():\n    return CifarResNet(8)\n"
    )
    for options in (["--diff", str(tmp_path / "plain.pth")], ["--against", "mine:build"]):
        done = subprocess.run(
            [sys.executable, "-m", "torchclinic", "inspect", str(checkpoint), *options, "--json", "x.json"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(torchclinic.__file__).parents[1]), "PATH": ""},
        )
        assert done.returncode == 1, done.stderr
        assert "Remove the prefix module." in done.stdout
        assert len(json.loads((tmp_path / "x.json").read_text())["comparison"]["renames"]) == len(STATE)


def test_exit_codes_follow_fail_on(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "whole.pth")
    codes = [invoke(tmp_path / "whole.pth", "--fail-on", level).return_value for level in ("error", "warning", "never")]
    assert codes == [0, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "nowhere"], "MODULE:FACTORY is needed"),
        (["--against", "no_such_module:f"], "No module named"),
        (["--against", "json:loads_"], "has no attribute"),
        (["--against", "json:decoder"], "has no state_dict"),
        (["--diff", "none.pth"], "none.pth cannot be read"),
    ],
)
def test_bad_requests_get_one_sentence(checkpoint, arguments, message):
    done = invoke(checkpoint, *arguments)
    assert isinstance(done.exception, torchclinic.errors.ClinicError)
    assert message in str(done.exception)


def test_several_files_make_one_report(checkpoint, tmp_path):
    torch.save(STATE, tmp_path / "plain.pth")
    assert invoke(checkpoint, tmp_path / "plain.pth", "--json", tmp_path / "x.json").return_value == 0
    assert len(json.loads((tmp_path / "x.json").read_text())["checkpoints"]) == 2
