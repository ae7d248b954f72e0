"""The contract of every rule file, whatever it diagnoses."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from ranks_fixtures import observed_ranks
from torchclinic.observe.collecting import collect
from torchclinic.observe.records import ProbeFailure, RunRecord
from torchclinic.observe.records.record import Absence
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.judging import Verdict, judge
from torchclinic.rules.rule import RuleModule, Specimen, discover
from torchclinic.running.launcher import Target, launch

HEADINGS = ("## What it means", "## Evidence", "## When this is fine", "## Fix", "## References")
RULES = [pytest.param(module, id=module.RULE.code) for module in discover()]


def diagnose(specimen: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Finding, ...]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.py"
    path.write_text(specimen.script)
    if specimen.ranks > 1:
        written = observed_ranks(path, specimen.ranks)["findings"]
        return tuple(Finding(**{f.name: data[f.name] for f in fields(Finding) if f.name in data}) for data in written)
    session = Session()
    launch(Target(str(path)), session, lambda outcome: None)
    return judge(collect(session)).findings


def test_codes_are_unique_and_sorted() -> None:
    codes = [module.RULE.code for module in discover()]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize("module", RULES)
def test_code_and_name_are_in_the_file_name(module: RuleModule) -> None:
    stem = Path(inspect.getfile(module)).stem  # type: ignore[arg-type]
    assert stem == f"{module.RULE.code.lower()}_{module.RULE.name.replace('-', '_')}"


@pytest.mark.parametrize("module", RULES)
def test_a_rule_is_a_document_with_every_heading(module: RuleModule) -> None:
    positions = [module.RULE.explanation.find(heading) for heading in HEADINGS]
    assert positions == sorted(positions)
    assert positions[0] > 0
    assert module.RULE.explanation.strip().splitlines()[0].endswith(".")


@pytest.mark.parametrize("module", RULES)
def test_the_only_configuration_is_keyword_defaults(module: RuleModule) -> None:
    parameters = list(inspect.signature(module.check).parameters.values())
    assert len([p for p in parameters if p.kind is not p.KEYWORD_ONLY]) == 1
    assert all(p.default is not p.empty for p in parameters[1:])


@pytest.mark.parametrize("module", RULES)
def test_a_rule_file_has_at_most_ninety_lines_besides_its_specimen(module: RuleModule) -> None:
    source = inspect.getsource(module)  # type: ignore[arg-type]
    without = re.sub(r'^_\w+ = """.*?^"""$', "", source, flags=re.S | re.M)
    assert len(without.splitlines()) <= 90


@pytest.mark.parametrize("module", RULES)
def test_the_specimen_trips_its_own_rule_and_no_other_of_its_severity(
    module: RuleModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    findings = diagnose(module.sick(), tmp_path, monkeypatch)
    own = [finding for finding in findings if finding.code == module.RULE.code]
    assert own, findings
    alike = {f.code for f in findings if f.severity == own[0].severity and module.RULE.code not in f.causes}
    assert alike == {module.RULE.code}
    assert own[0].fix
    assert own[0].evidence


@pytest.mark.parametrize("module", RULES)
def test_the_twin_is_healthy(
    module: RuleModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    findings = diagnose(module.healthy(), tmp_path, monkeypatch)
    assert [finding for finding in findings if finding.severity != "info"] == []


def test_every_cause_is_another_code_and_no_chain_is_circular() -> None:
    follows = {module.RULE.code: module.RULE.follows for module in discover()}

    def reachable(code: str, seen: frozenset[str]) -> bool:
        return any(cause in seen or reachable(cause, seen | {cause}) for cause in follows[code])

    assert not any(reachable(code, frozenset({code})) for code in follows)


@pytest.mark.parametrize("module", RULES)
def test_what_a_rule_reads_says_what_its_absence_means(module: RuleModule) -> None:
    kind = module.RULE.reads
    for member in get_args(kind) or (kind,):
        assert member is RunRecord or isinstance(member.absence, Absence | str)


@pytest.mark.parametrize(
    ("absence", "backwards", "state"),
    [
        (Absence.IN_ANY_RUN, 0, "fine"),
        (Absence.IN_TRAINING, 0, "does not apply: nothing was trained through autograd"),
        (Absence.IN_TRAINING, 1, "fine"),
        ("no parameter was seen", 0, "does not apply: nothing was trained through autograd"),
        ("no parameter was seen", 1, "not checked: no parameter was seen"),
        ("", 1, "not checked: no probe could be made: it failed"),
    ],
)
def test_a_rule_without_records_is_judged_as_their_absence_says(absence: Absence | str, backwards: int, state: str) -> None:
    """Rules that need nothing else; those that do are held against `occasions.py`."""
    verdict = judge(RunRecord([ProbeFailure("it failed", 0)], backwards=backwards))
    alone = [m.RULE.code for m in discover() if getattr(m.RULE.reads, "absence", None) == absence and not m.RULE.needs]
    assert alone
    assert {states(verdict)[code] for code in alone} == {state}


def states(verdict: Verdict) -> dict[str, str]:
    """What is said of each rule that found nothing."""
    said = dict.fromkeys(verdict.checked, "fine")
    said |= {item.code: f"not checked: {item.reason}" for item in verdict.not_checked}
    return said | {item.code: f"does not apply: {item.reason}" for item in verdict.not_applicable}
