"""Work in a copy of the process: what it gives comes back, what it does stays there, and what it cannot do is said."""

import os
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from torchclinic.errors import InputError
from torchclinic.observe import apart
from torchclinic.observe.apart import beside

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be copied here")


class Own(nn.Module):
    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Own.calls += 1
        return x * 2


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_gave_up", [])
    monkeypatch.setattr(Own, "calls", 0)


def test_what_the_work_gives_comes_back_and_what_it_changes_does_not() -> None:
    model, x = Own(), torch.ones(3)
    assert beside(model, [x], lambda: (float(model(x).sum()), Own.calls)) == (6.0, 1)
    assert Own.calls == 0


def test_errors_come_back_by_their_kind() -> None:
    def refuse() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        beside(Own(), [], refuse)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        beside(Own(), [], lambda: 1 / 0)


@pytest.mark.parametrize("work", [lambda: Path("x").touch(), lambda: os.system("true"), lambda: os.mkdir("x")])  # noqa: PTH102
def test_what_reaches_outside_is_refused(work: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="an extra pass would"):
        beside(Own(), [], work)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_open_files_lead_nowhere(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as out:
        beside(Own(), [], lambda: (out.write("x"), out.flush(), None)[-1])
    assert (tmp_path / "log").read_text() == ""


def test_a_copy_that_dies_or_hangs_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="has died"):
        beside(Own(), [], os.abort)
    monkeypatch.setattr(apart, "SECONDS", 0.3)
    with pytest.raises(InputError, match="did not answer within"):
        beside(Own(), [], lambda: time.sleep(30))
    begin = time.monotonic()
    with pytest.raises(InputError, match="did not answer within"):  # none is made any more
        beside(Own(), [], lambda: time.sleep(30))
    assert time.monotonic() - begin < 0.25


def test_where_no_copy_can_be_made_only_modules_of_torch_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2)
    assert beside(model, [x], lambda: tuple(model(x).shape)) == (1, 2)
    with pytest.raises(InputError, match="would run the script's own code, and a copy of the process is not safe on win32"):
        beside(nn.Sequential(Own()), [x], lambda: None)


def test_a_device_that_a_copy_does_not_have_is_named() -> None:
    with pytest.raises(InputError, match="no meta device"):
        beside(nn.Sequential(Own(), nn.Linear(2, 2, device="meta")), [], lambda: None)
