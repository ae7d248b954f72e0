"""The contract of every kind of error, whatever it explains."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from torchclinic.error_notes import crash_in_text
from torchclinic.error_notes.crash import MOST_LINES, Crash, crash_of
from torchclinic.error_notes.kind import KindModule, kinds
from torchclinic.rules.rule import discover

HEADINGS = ("## What it means", "## Evidence", "## When this is fine", "## Fix", "## References")
KINDS = [pytest.param(module, id=module.KIND.code) for module in kinds()]
BACKTRACKING = re.compile(r"\.\*[^?].*\.\*[^?]")


def raised_by(script: str, path: Path) -> Exception | None:
    path.write_text(script)
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(script, str(path), "exec"), names)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be explained
        return error
    return None


def crash(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crash:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    error = raised_by(script, tmp_path / "train.py")
    assert error is not None
    return crash_of(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))


def test_codes_are_unique_sorted_and_no_rule_s() -> None:
    codes = [module.KIND.code for module in kinds()]
    assert codes == sorted(set(codes))
    assert not {module.RULE.code for module in discover()} & set(codes)
    assert "ERR000" not in codes


@pytest.mark.parametrize("module", KINDS)
def test_code_and_name_are_in_the_file_name(module: KindModule) -> None:
    stem = Path(inspect.getfile(module)).stem  # type: ignore[arg-type]
    assert stem == f"{module.KIND.code.lower()}_{module.KIND.name.replace('-', '_')}"


@pytest.mark.parametrize("module", KINDS)
def test_a_kind_is_a_document_with_every_heading(module: KindModule) -> None:
    positions = [module.KIND.document.find(heading) for heading in HEADINGS]
    assert positions == sorted(positions)
    assert positions[0] > 0
    assert module.KIND.document.strip().splitlines()[0].endswith(".")


@pytest.mark.parametrize("module", KINDS)
def test_what_a_kind_covers_is_a_rule(module: KindModule) -> None:
    assert set(module.KIND.covers) <= {rule.RULE.code for rule in discover()}


@pytest.mark.parametrize("module", KINDS)
def test_the_specimen_is_explained_by_its_own_kind(module: KindModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crash(module.specimen(), tmp_path, monkeypatch)
    assert found.kind.code == module.KIND.code
    assert found.explanation is not None
    assert len(found.text().splitlines()) <= MOST_LINES
    assert ".." not in found.explanation.cause.replace("...", "")
    assert found.finding().line.endswith(f":{found.line and found.line.number}")


@pytest.mark.parametrize("module", KINDS)
def test_the_twin_finishes(module: KindModule, tmp_path: Path) -> None:
    assert module.twin() != module.specimen()
    assert raised_by(module.twin(), tmp_path / "train.py") is None


@pytest.mark.parametrize("module", KINDS)
def test_an_edit_of_the_specimen_helps(module: KindModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crash(module.specimen(), tmp_path, monkeypatch)
    edit = found.explanation.edit if found.explanation is not None else None
    if edit is None:
        return
    lines = module.specimen().splitlines()
    lines[edit.first - 1 : edit.last] = edit.new.splitlines()
    assert raised_by("\n".join(lines), tmp_path / "edited.py") is None


@pytest.mark.parametrize("module", KINDS)
def test_the_message_alone_is_explained_without_names_of_the_script(
    module: KindModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = crash(module.specimen(), tmp_path, monkeypatch)
    told = crash_in_text(f"{seen.type}: {seen.message}")
    if module.KIND.code == "ERR038":  # of values that may be no tensors
        assert told is None
        return
    assert told is not None
    assert told.kind.code == module.KIND.code
    assert told.tensors == ()
    assert told.explanation is not None
    assert told.explanation.edit is None
    assert "train.py" not in told.text()


@pytest.mark.parametrize("module", KINDS)
def test_random_streams_and_tensors_stay_as_they_were(module: KindModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.py"
    error = raised_by(module.specimen(), path)
    assert error is not None
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_next is not None
    names = error.__traceback__.tb_next.tb_frame.f_globals
    before = {name: value.detach().clone() for name, value in names.items() if isinstance(value, torch.Tensor)}
    stream = torch.get_rng_state()
    crash_of(error)
    assert torch.equal(torch.get_rng_state(), stream)
    assert all(torch.equal(names[name], value) for name, value in before.items() if value.device.type != "meta")
