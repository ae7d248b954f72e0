"""From records to a verdict: every rule is asked, findings are put in order of cause, and nothing is left unsaid."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.record import Absence, Record
from torchclinic.report.model import SEVERITIES, Finding, NotChecked
from torchclinic.rules.rule import RuleModule, Undecided, discover

WINDOW = 16  # steps by which the beginning of a finding may be late


@dataclass(frozen=True, slots=True)
class Verdict:
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]


def judge(run: RunRecord, *, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> Verdict:
    """Ask every rule whose code starts with one of `select` (all, if empty) and with none of `ignore`."""
    findings: list[Finding] = []
    checked: list[str] = []
    not_checked: list[NotChecked] = []
    for module in discover():
        code = module.RULE.code
        if not asked(code, select, ignore):
            continue
        found, reason = _ask(module, run)
        findings += found
        if reason:
            not_checked.append(NotChecked(code, reason))
        elif not found:
            checked.append(code)
    not_checked += [NotChecked("RUN", limit) for limit in run.limits]
    return Verdict(rank(findings), tuple(checked), tuple(not_checked))


def asked(code: str, select: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether a code starts with one of `select` (any, if empty) and with none of `ignore`."""
    return (not select or code.startswith(tuple(select))) and not (ignore and code.startswith(tuple(ignore)))


def _ask(module: RuleModule, run: RunRecord) -> tuple[list[Finding], str]:
    """The rule's findings, and why it could not decide (empty = it could)."""
    kind = module.RULE.reads
    records = [run] if kind is RunRecord else run.of(kind)
    if not records:
        return [], _absence(get_args(kind) or (kind,), run)
    found: dict[tuple[str, str, str], Finding] = {}
    reason = ""
    for record in records:
        try:
            for finding in module.check(record):
                found.setdefault((finding.code, finding.where, finding.line), finding)
        except Undecided as undecided:
            reason = reason or str(undecided)
        except Exception as error:
            if os.environ.get("TORCHCLINIC_STRICT"):
                raise
            reason = f"the rule itself failed: {type(error).__name__}: {error}"
    return list(found.values()), "" if found else reason


def _absence(kinds: tuple[type[Record], ...], run: RunRecord) -> str:
    """Why the absence of records of all these kinds decides nothing (empty = it does)."""
    meanings = [kind.absence for kind in kinds]
    if reasons := [meaning for meaning in meanings if isinstance(meaning, str)]:
        probe = f"no probe could be made: {run.probe_reason}" if run.probe_reason else ""
        return "; ".join(filter(None, reasons)) or probe or "nothing that it judges was seen"
    return Absence.IN_TRAINING.value if Absence.IN_TRAINING in meanings and not run.backwards else ""


def rank(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """First cause first: consequences below what brings them about, then by severity, then by time."""
    begins: dict[str, int] = {}
    for finding in findings:
        if finding.severity != "info":
            begins[finding.code] = min(begins.get(finding.code, finding.step or 0), finding.step or 0)
    follows = {module.RULE.code: module.RULE.follows for module in discover()}
    linked = [replace(f, causes=tuple(c for c in follows[f.code] if _precedes(begins, c, f))) for f in findings]
    linked.sort(key=_order)
    return tuple(replace(finding, rank=position) for position, finding in enumerate(linked, 1))


def confirmed_first(verdict: Verdict, effects: Mapping[str, float]) -> Verdict:
    """Of independent causes those whose remedy has helped come first, the most effective before others.

    `effects`: code -> the effect of its remedy, where replay confirmed it.
    """

    def order(finding: Finding) -> tuple[bool, float]:
        alone = not finding.causes and finding.severity != "info"
        return not (alone and finding.code in effects), -effects.get(finding.code, 0.0) if alone else 0.0

    findings = sorted(verdict.findings, key=order)
    return replace(verdict, findings=tuple(replace(finding, rank=i) for i, finding in enumerate(findings, 1)))


def _precedes(begins: dict[str, int], cause: str, finding: Finding) -> bool:
    """The cause was found and does not begin after what is to follow from it (windows are WINDOW steps wide)."""
    return cause in begins and (finding.step is None or begins[cause] <= finding.step + WINDOW)


def _order(finding: Finding) -> tuple[Any, ...]:
    step = finding.step if finding.step is not None else 0
    severity = SEVERITIES.index(finding.severity)
    return severity == 2, bool(finding.causes), severity, step, _KINDS.index(finding.code[:3]), finding.code


# within one step: what the data are comes before what the model makes of them, and so on towards the update
_KINDS = ("DAT", "INI", "SHP", "MOD", "LOS", "NUM", "WIR", "ACT", "GRA", "OPT", "DST", "EVA")


def explanations() -> Iterator[tuple[str, str, str]]:
    """Code, name and document of every rule."""
    for module in discover():
        yield module.RULE.code, module.RULE.name, module.RULE.explanation
