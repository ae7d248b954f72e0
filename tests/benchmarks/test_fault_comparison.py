"""The comparison with other tools: they are attached where an author would, and their messages are read generously."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fault_fixtures import load
from torchclinic.rules.rule import discover


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return load("compare")


def scored(compare: ModuleType, codes: tuple[str, ...], *messages: dict[str, Any]) -> Any:
    case = compare.run_all.Case("sick/x.py", "sick", codes, (), "exact", "tune", 10)
    return compare.Scored("torch-audit", case, {"messages": list(messages), "error": "", "seconds": 1.0})


def test_every_code_a_message_may_mean_is_a_rule(compare: ModuleType) -> None:
    known = {module.RULE.code for module in discover()} | {"DST001", "DST003", "DST004", "MOD003", "MOD005"}
    for patterns in compare.adapters.MEANINGS.values():
        assert {code for codes in patterns.values() for code in codes.split()} <= known


def test_a_message_counts_for_every_fault_its_text_may_name_and_for_no_other(compare: ModuleType) -> None:
    message = compare.adapters.message("TA102", "warning", "Global gradient norm (9e9) exceeds threshold.")
    assert scored(compare, ("GRA002",), message).right == [message]
    assert scored(compare, ("OPT001",), message).first
    assert not scored(compare, ("LOS001",), message).right


def test_info_counts_as_found_but_never_as_an_alarm_and_does_not_hide_the_first_alarm(compare: ModuleType) -> None:
    info = compare.adapters.message("TA103", "info", "Gradient is exactly zero", "fc")
    alarm = compare.adapters.message("TA301", "error", "Input values range from 0 to 255")
    both = scored(compare, ("DAT001",), info, alarm)
    assert (both.alarms, both.first) == ([alarm], True)
    alone = scored(compare, ("INI002",), info)
    assert (alone.alarms, alone.right, alone.first, alone.placed, alone.near) == ([], [info], True, True, False)


def test_advice_on_style_is_an_alarm_but_not_a_serious_one(compare: ModuleType) -> None:
    advice = compare.adapters.message("TA200", "warning", "should be divisible by 8")
    quiet = scored(compare, (), advice)
    assert (quiet.alarms, quiet.serious) == ([advice], [])


def test_a_line_is_near_within_three(compare: ModuleType) -> None:
    near = compare.adapters.message("TA301", "error", "", "", 13)
    far = compare.adapters.message("TA301", "error", "", "", 14)
    assert scored(compare, ("DAT001",), near).near
    assert not scored(compare, ("DAT001",), far).near


SCRIPT = """
import torch
torch.manual_seed(0)
encoder, head = torch.nn.Linear(3, 4), torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 1))
with torch.no_grad():
    encoder(torch.randn(2, 3))
unrelated = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
one, two = torch.optim.SGD(encoder.parameters(), lr=0.1), torch.optim.Adam(head.parameters())
criterion = torch.nn.MSELoss()
for _ in range(3):
    loss = criterion(head(encoder(torch.randn(5, 3))), torch.randn(5, 1))
    loss.backward()
    one.step(), two.step()
print("seed", torch.initial_seed())
"""


def test_follower_hands_over_every_trained_model_with_its_own_optimizer(
    compare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fake(compare.adapters.Follower):
        def __init__(self) -> None:
            self.told: list[str] = []
            super().__init__()

        def begin(self, model: Any, optimizer: Any, args: Any, kwargs: Any) -> None:
            self.told.append(f"{type(model).__name__} {type(optimizer).__name__}")

        def after_backward(self) -> None:
            self.told.append(f"backward {self.backwards}")

        def after_step(self, optimizer: Any) -> None:
            self.told.append(f"step {type(optimizer).__name__}")

        def end(self) -> list[dict[str, Any]]:
            return [compare.adapters.message(text, "info", "") for text in self.told]

    monkeypatch.setitem(compare.adapters.TOOLS, "fake", ("torch", (), Fake))
    path = tmp_path / "x.py"
    path.write_text(SCRIPT)
    outcome = compare.fork("fake", path, 120)
    steps = [text for turn in (1, 2, 3) for text in (f"backward {turn}", "step SGD", "step Adam")]
    assert [m["id"] for m in outcome["messages"]] == ["Linear SGD", "Sequential Adam", *steps]
    assert (outcome["error"], outcome["last"]) == ("", "seed 0")


def test_what_a_script_raises_is_recorded_with_its_line(compare: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import torch\ntorch.zeros(2, 3).t().view(6)\n")
    (message,) = compare.fork("pytorch", path, 120)["messages"]
    assert (message["id"], message["line"]) == ("RuntimeError", 2)
    assert "SHP004" in compare.adapters.meant("pytorch", message)
