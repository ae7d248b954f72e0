"""What holds for every event, tap and collector, so that a new one is a new file and nothing else."""

import ast
import doctest
import inspect
import random
import re
from pathlib import Path
from typing import Any

import pytest

import torchclinic.observe
from torchclinic.observe import events
from torchclinic.observe.collecting import collect
from torchclinic.observe.collector import EVERY, Collector
from torchclinic.observe.events import EVENTS, method_of
from torchclinic.observe.registry import discover, taps
from torchclinic.observe.session import Session
from torchclinic.rules.rule import discover as rules
from torchclinic.running.launcher import Target, launch

OBSERVE = Path(torchclinic.observe.__file__).parent
HEARD = {method_of(event): event for event in EVENTS}
FLOAT = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
MUTATING = {"append", "add", "update", "clear", "pop", "remove", "extend", "insert", "discard", "setdefault", "popitem"}
SERVICES = {"measurements"}  # numbers of tensors are read in one transfer: the one thing that is asked of the state
SPECIMENS = ("LOS001", "WIR001", "WIR006", "DAT003", "DAT005", "MOD005", "NUM001", "OPT006", "SHP005", "EVA001", "ACT001", "LOS008")


def tree_of(module: Any) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def sources() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text())) for path in sorted(OBSERVE.rglob("*.py"))]


def test_the_page_of_a_training_step_lists_every_event() -> None:
    assert doctest.testmod(torchclinic.observe).failed == 0


def test_every_event_has_one_module_that_tells_it() -> None:
    tellers: dict[str, set[str]] = {event.__name__: set() for event in EVENTS}
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in tellers:
                tellers[node.func.id].add(path.relative_to(OBSERVE).as_posix())
    assert {name: found for name, found in tellers.items() if len(found) != 1} == {}


def test_every_event_has_a_hearer() -> None:
    heard = {name for kind in discover() for name in HEARD if hasattr(kind, name)}
    assert set(HEARD) - heard == set()


@pytest.mark.parametrize("kind", discover(), ids=lambda kind: kind.__name__)
def test_a_collector_has_no_public_method_that_is_no_event(kind: type[Collector]) -> None:
    allowed = {*HEARD, "prepare", "records", "glance"}
    public = {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}
    assert public - allowed == set()


@pytest.mark.parametrize("kind", discover(), ids=lambda kind: kind.__name__)
def test_a_method_is_annotated_with_the_event_of_its_name(kind: type[Collector]) -> None:
    for name in HEARD.keys() & vars(kind).keys():
        [parameter] = list(inspect.signature(vars(kind)[name]).parameters.values())[1:]
        assert parameter.annotation is HEARD[name], name


@pytest.mark.parametrize("kind", discover(), ids=lambda kind: kind.__name__)
def test_who_hears_operations_says_which(kind: type[Collector]) -> None:
    hears = any(hasattr(kind, name) for name in ("operation_begins", "operation_called", "operation_early"))
    assert bool(kind.operations) == hears
    assert kind.operations == EVERY or "*" not in kind.operations


def writes_to_state(tree: ast.AST) -> list[str]:
    """Assignments to, and mutating calls on, anything reached through `self.state`."""
    found = []
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = list(node.targets)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING:
            targets = [node.func]
        flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
        for target in flat:
            chain = ast.unparse(target)
            service = any(chain.startswith(f"self.state.{name}.") for name in SERVICES)
            if chain.startswith("self.state.") and not service:
                found.append(f"line {target.lineno}: {chain}")
    return found


@pytest.mark.parametrize("path", sorted((OBSERVE / "collectors").rglob("*.py")), ids=lambda path: path.stem)
def test_a_collector_never_writes_to_the_state(path: Path) -> None:
    assert writes_to_state(ast.parse(path.read_text())) == []


def test_a_write_to_the_state_is_seen() -> None:
    written = "self.state.clock.step = 1\nself.state.models.pending.append(1)\nself.state.clock.step += 1\ndel self.state.x[0]"
    assert len(writes_to_state(ast.parse(written))) == 4
    assert writes_to_state(ast.parse("self.state.measurements.add([], f)\nself.x = self.state.clock.step")) == []


def test_only_the_schedule_turns_the_depth() -> None:
    turning = {
        path.relative_to(OBSERVE).as_posix()
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "turn"
    }
    assert turning == {"state/clock.py", "depth/schedule.py"}


def test_a_session_has_few_attributes_and_every_tap_takes_part() -> None:
    session = Session()
    assert len(vars(session)) <= 15
    assert {type(tap) for tap in session.taps} == set(taps())
    assert len(taps()) >= 10


Records = dict[str, list[list[float]]]  # the text of a record without its numbers -> the numbers of each such record


def observed(path: Path, order: random.Random | None) -> Records:
    """What was recorded of a script; with the collectors in another order, if one is given."""
    session = Session(budget=1.0)
    session.schedule.every_step = True
    if order is not None:
        order.shuffle(session.collectors)
        session.bus.connect(session.collectors)
    launch(Target(str(path)), session, lambda outcome: None)
    records: Records = {}
    for record in collect(session).records:
        text = repr(record)
        records.setdefault(FLOAT.sub("#", text), []).append([float(number) for number in FLOAT.findall(text)])
    return {text: sorted(numbers) for text, numbers in records.items()}


@pytest.mark.parametrize("code", SPECIMENS)
def test_the_order_of_collectors_does_not_matter(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers up to rounding: where a tensor comes to lie in memory decides in which order it is summed up."""
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    path = tmp_path / "train.py"
    path.write_text(next(module for module in rules() if module.RULE.code == code).sick().script)
    expected = observed(path, None)
    assert expected
    for seed in range(3):
        found = observed(path, random.Random(seed))
        assert found.keys() == expected.keys()
        for text, numbers in expected.items():
            assert [n for row in found[text] for n in row] == pytest.approx([n for row in numbers for n in row], rel=1e-3), text


def test_every_event_is_a_tuple_with_a_document() -> None:
    undocumented = [event.__name__ for event in EVENTS if not event.__doc__ or event.__doc__.startswith(event.__name__ + "(")]
    assert len(EVENTS) == len(set(HEARD))
    assert set(undocumented) <= {"StateDictTaken", "StateDictLoaded", "ModelWrapped", "ModelEnds"}, undocumented
    assert all(name.isidentifier() for name in HEARD)
    assert events.method_of(events.ModelBegins) == "model_begins"
