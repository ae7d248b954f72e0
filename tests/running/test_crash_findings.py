"""A crash is the first finding, wherever it is watched; and never is it said beside it that nothing is wrong."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import torchclinic as tc
from torchclinic.cli.main import cli
from torchclinic.running import notebook

BEFORE = "import torch\nlayer = torch.nn.Linear(196, 10)\nimages = torch.rand(8, 1, 14, 14)\nscores = layer(images)\n"
LATER = """import torch
net = torch.nn.Linear(4, 2)
opt = torch.optim.SGD(net.parameters(), 0.1)
for i in range(3):
    opt.zero_grad(); net(torch.rand(8, 4)).pow(2).mean().backward(); opt.step()
net(torch.rand(8, 5))
"""


def run(tmp_path: Path, script: str, *options: str) -> tuple[int, dict[str, Any], str]:
    path, report = tmp_path / "train.py", tmp_path / "report.json"
    path.write_text(script)
    result = CliRunner().invoke(cli, ["run", "--json", str(report), *options, str(path)], standalone_mode=False)
    return result.return_value, json.loads(report.read_text()), result.output


def test_the_report_of_a_crash_before_training_is_its_explanation(tmp_path: Path) -> None:
    code, _, said = run(tmp_path, BEFORE)
    ours = said[said.index("torchclinic explains") :].splitlines()
    assert code == 1
    assert len(ours) <= 25 + 3
    assert said.count("torchclinic explains") == 1
    assert "ACT001" not in said
    assert "Nothing is wrong" not in said


def test_the_json_holds_the_finding_and_the_error(tmp_path: Path) -> None:
    _, report, _ = run(tmp_path, BEFORE)
    (finding,) = report["findings"]
    assert (finding["code"], finding["rank"], finding["severity"], finding["fix_checked"]) == ("ERR001", 1, "error", True)
    assert finding["corrected"] == "scores = layer(images.flatten(1))"
    error = report["error"]
    assert error["type"] == "RuntimeError"
    assert error["message"].startswith("mat1 and mat2")
    assert [frame["text"] for frame in error["frames"]] == ["scores = layer(images)"]
    assert error["tensors"][0]["shape"] == [8, 1, 14, 14]
    assert error["tensors"][0]["strides"] == [196, 196, 14, 1]
    assert "in_features=196" in error["layer"]
    assert error["edit"]["new"] == finding["corrected"]


def test_an_unknown_error_is_a_finding_too(tmp_path: Path) -> None:
    code, report, _ = run(tmp_path, "import torch\n{}['x']\n")
    assert code == 1
    assert [(f["code"], f["line"].rpartition(":")[2], f["fix"]) for f in report["findings"]] == [("ERR000", "2", "")]
    assert report["error"]["type"] == "KeyError"
    assert ".." not in report["summary"].replace("...", "")


def test_a_crash_after_steps_is_explained_once_and_stands_first(tmp_path: Path) -> None:
    _, report, said = run(tmp_path, LATER)
    assert report["findings"][0]["code"] == "ERR001"
    assert report["summary"].startswith("First cause: ERR001")
    assert said.count("torchclinic explains") == 1
    assert said.count("Build the layer with in_features=5") == 1


def test_a_crash_can_be_left_out_and_is_never_called_fine(tmp_path: Path) -> None:
    _, report, _ = run(tmp_path, LATER, "--ignore", "ERR")
    assert report["findings"] == []
    assert "Nothing is wrong" not in report["summary"]
    assert report["summary"].startswith("The script raised RuntimeError")


def test_annotations_name_the_failing_line(tmp_path: Path) -> None:
    said = run(tmp_path, BEFORE, "--format", "github")[2]
    line = next(line for line in said.splitlines() if line.startswith("::error"))
    assert "line=4,title=ERR001 matrix-product::" in line


def test_a_monitored_block_that_raises_has_the_finding_in_its_report() -> None:
    net = nn.Linear(4, 2)
    monitor = tc.monitor(net, torch.optim.SGD(net.parameters(), 0.1))
    with pytest.raises(RuntimeError), monitor:
        net(torch.rand(8, 5))
    report = monitor.report()
    assert [finding.code for finding in report.findings] == ["ERR001"]
    assert "Nothing is wrong" not in report.summary


def test_explain_errors_keeps_the_crash_as_a_finding() -> None:
    watched = tc.explain_errors()
    with pytest.raises(RuntimeError), watched:
        nn.Linear(4, 2)(torch.rand(8, 5))
    assert watched.crash is not None
    assert watched.crash.finding().code == "ERR001"


def test_a_cell_that_raises_is_explained_and_stands_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    shell = SimpleNamespace(
        register_magic_function=lambda *args: None,
        magics_manager=SimpleNamespace(magics={"line": {}}),
        events=SimpleNamespace(register=lambda *args: None, unregister=lambda *args: None),
    )
    notebook.load_ipython_extension(shell)
    try:
        with pytest.raises(RuntimeError) as caught:
            nn.Linear(4, 2)(torch.rand(8, 5))
        monkeypatch.setattr("sys.stderr", said)
        notebook.after_cell(SimpleNamespace(error_in_exec=caught.value))
        assert "matrix-product (ERR001)" in said.getvalue()
        assert [finding.code for finding in notebook.report().findings] == ["ERR001"]
        notebook.after_cell(SimpleNamespace(error_in_exec=None, info=SimpleNamespace(raw_cell="x = 1")))
        assert notebook.report().findings == ()
    finally:
        notebook.unload_ipython_extension(shell)
