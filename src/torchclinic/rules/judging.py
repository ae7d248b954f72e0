"""From records to a verdict: every rule is asked, findings are put in order of cause, and nothing is left unsaid."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.record import Absence, Record
from torchclinic.report.model import SEVERITIES, Finding, NotChecked
from torchclinic.rules.occasions import absent, unknown
from torchclinic.rules.rule import RuleModule, Undecided, discover

CHECKED, NOT_CHECKED, NOT_APPLICABLE = "fine", "not checked", "does not apply"
UNTRAINED = "nothing was trained through autograd"
WINDOW = 16  # steps by which the beginning of a finding may be late


@dataclass(frozen=True, slots=True)
class Verdict:
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]
    not_applicable: tuple[NotChecked, ...] = ()  # what the run has no occasion for


def judge(run: RunRecord, *, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> Verdict:
    """Ask every rule whose code starts with one of `select` (all, if empty) and with none of `ignore`."""
    findings: list[Finding] = []
    lists: dict[str, list[NotChecked]] = {CHECKED: [], NOT_CHECKED: [], NOT_APPLICABLE: []}
    for module in discover():
        code = module.RULE.code
        if not asked(code, select, ignore):
            continue
        found, reason = _ask(module, run)
        findings += found
        if not found:
            state, reason = _state(module, run, reason)
            lists[state].append(NotChecked(code, reason))
    lists[NOT_CHECKED] += [NotChecked("RUN", limit) for limit in run.limits]
    checked = tuple(item.code for item in lists[CHECKED])
    return Verdict(rank(findings), checked, tuple(lists[NOT_CHECKED]), tuple(lists[NOT_APPLICABLE]))


def _state(module: RuleModule, run: RunRecord, reason: str) -> tuple[str, str]:
    """What is to be said of a rule that found nothing; `reason`: why it could not decide, empty if it could."""
    rule = module.RULE
    kinds = get_args(rule.reads) or (rule.reads,)
    if not run.backwards and _trains(kinds):
        return NOT_APPLICABLE, UNTRAINED
    if missing := absent(run, rule.needs):
        return NOT_APPLICABLE, missing
    reason = reason or unknown(run, rule.needs)
    return (NOT_CHECKED, reason) if reason else (CHECKED, "")


def _trains(kinds: tuple[type, ...]) -> bool:
    """Whether what the records tell of happens in training only."""
    return not any(getattr(kind, "absence", None) is Absence.IN_ANY_RUN for kind in kinds)


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
    return list(found.values()), reason


def _absence(kinds: tuple[type[Record], ...], run: RunRecord) -> str:
    """Why the absence of records of all these kinds decides nothing (empty = it does)."""
    reasons = [kind.absence for kind in kinds if isinstance(kind.absence, str)]
    if not reasons:
        return ""
    probe = f"no probe could be made: {run.probe_reason}" if run.probe_reason else ""
    return "; ".join(filter(None, reasons)) or probe or "nothing that it judges was seen"


def rank(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """First cause first: consequences below what brings them about, then by severity, then by time."""
    begins: dict[str, int] = {}
    for finding in findings:
        if finding.severity != "info":
            begins[finding.code] = min(begins.get(finding.code, finding.step or 0), finding.step or 0)
    follows = {module.RULE.code: module.RULE.follows for module in discover()}
    outcomes = {module.RULE.code for module in discover() if module.RULE.outcome}
    linked = [replace(f, causes=tuple(c for c in follows[f.code] if _precedes(begins, c, f))) for f in findings]
    linked = [_explained(finding, linked) if finding.code in outcomes else finding for finding in linked]
    linked.sort(key=_order)
    return tuple(replace(finding, rank=position) for position, finding in enumerate(linked, 1))


def _explained(outcome: Finding, findings: list[Finding]) -> Finding:
    """What became of the run follows from each finding that follows from no other."""
    roots = [f.code for f in findings if f.code != outcome.code and f.severity != "info" and not f.causes]
    return replace(outcome, causes=tuple(dict.fromkeys(roots)))


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
_KINDS = ("DAT", "INI", "SHP", "MOD", "LOS", "NUM", "WIR", "ACT", "GRA", "OPT", "DST", "EVA", "LRN")


def explanations() -> Iterator[tuple[str, str, str]]:
    """Code, name and document of every rule."""
    for module in discover():
        yield module.RULE.code, module.RULE.name, module.RULE.explanation
