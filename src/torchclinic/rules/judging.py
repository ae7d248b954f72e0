"""From records to a verdict: every rule is asked, findings are put in order of cause, and nothing is left unsaid."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any

from torchclinic.observe import records as seen
from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries
from torchclinic.report.model import SEVERITIES, Finding, NotChecked
from torchclinic.rules.rule import RuleModule, Undecided, discover

WINDOW = 16  # steps by which the beginning of a finding may be late

# code -> codes that bring it about; the first that was found is its cause
CAUSES: dict[str, tuple[str, ...]] = {
    "NUM001": ("DAT008", "LOS008", "DAT001", "DAT009", "INI004", "INI006", "GRA002", "OPT001"),
    "OPT001": (
        "DAT003",
        "DAT008",
        "LOS008",
        "DAT001",
        "DAT009",
        "INI004",
        "INI006",
        "GRA002",
        "SHP001",
        "OPT005",
        "WIR001",
    ),
    "OPT002": ("OPT003", "OPT007", "OPT006", "DAT001", "DAT009", "ACT001", "GRA001"),
    "WIR008": ("NUM002", "WIR002", "WIR007", "WIR004", "WIR006", "INI002"),
    "WIR002": ("WIR010",),
    "WIR001": ("WIR010",),
    "WIR006": ("WIR007",),
    "WIR009": ("WIR006", "WIR007"),
    "LOS009": ("DAT001", "DAT008", "LOS001", "LOS003", "LOS005", "SHP001", "INI004", "INI006", "INI007"),
    "LOS003": ("LOS001",),
    "DAT005": ("DAT010", "MOD005", "MOD002", "MOD003", "SHP002"),
    "DAT009": ("LOS007", "SHP001", "WIR007", "WIR006", "WIR004", "WIR002", "OPT003"),
    "MOD006": ("MOD002",),
    "MOD005": ("DAT010", "MOD006", "MOD002", "MOD004"),
    "ACT001": ("NUM001", "LOS014", "INI005", "INI006", "DAT001", "DAT009", "OPT001", "WIR001"),
    "ACT002": ("INI006", "INI004", "DAT001", "DAT009", "OPT001"),
    "ACT003": (
        "LOS014",
        "LOS001",
        "LOS004",
        "INI002",
        "SHP001",
        "WIR007",
        "INI005",
        "INI003",
        "ACT001",
        "GRA001",
        "DAT004",
        "OPT005",
    ),
    "GRA001": ("INI003", "INI002", "ACT002", "LOS001"),
    "INI005": ("INI001", "INI002"),
    "GRA003": ("OPT006", "LOS004", "INI002", "INI005", "ACT001", "ACT003", "WIR007", "NUM001"),
    "GRA002": ("LOS008", "INI004", "INI006", "DAT001", "DAT009", "DST002"),
    "OPT004": ("OPT003",),
    "DST001": ("DST004",),
    "OPT006": ("DST002", "DAT009"),
    "INI001": ("INI002",),
    "INI006": ("INI003", "INI004", "INI002", "INI001"),
}

# record type -> why a rule that reads it has nothing to say
ABSENT: dict[type | UnionType, str] = {
    seen.LossCall: "no loss was seen that compares two tensors, of torch.nn.functional or written by hand",
    seen.Elementwise: "",
    seen.BackwardPass: "no backward pass was seen",
    seen.StepRecord: "no optimizer stepped without a closure while it was observed",
    seen.OptimizerRecord: "no optimizer was seen",
    seen.ParameterRecord: "no parameter was seen",
    seen.ForwardPass: "no model was called",
    seen.InputFacts: "no linear or convolution layer received data directly",
    seen.SchedulerRecord: "",
    seen.LoaderRecord: "",
    seen.BatchRun: "no training batch was seen",
    LayerSeries: "no layer with weights was measured over several steps",
    seen.CarryOver: "no evaluation of a trained classifier was seen that compares decisions with labels",
    seen.LabelStream: "no loss was seen whose target is one class per sample",
    seen.LossDirection: "no known measure of error was seen in a loss",
}


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
        if (select and not code.startswith(tuple(select))) or (ignore and code.startswith(tuple(ignore))):
            continue
        found, reason = _ask(module, run)
        findings += found
        if reason:
            not_checked.append(NotChecked(code, reason))
        elif not found:
            checked.append(code)
    not_checked += [NotChecked("RUN", limit) for limit in run.limits]
    return Verdict(rank(findings), tuple(checked), tuple(not_checked))


def _ask(module: RuleModule, run: RunRecord) -> tuple[list[Finding], str]:
    """The rule's findings, and why it could not decide (empty = it could)."""
    kind = module.RULE.reads
    records: list[Any] = [run] if kind is RunRecord else [other for other in run.others if isinstance(other, kind)]
    if not records:
        if kind in _EVENTS:
            return [], "" if run.backwards or kind in _ALWAYS else "the script ran no backward pass"
        probe = f"no probe could be made: {run.probe_reason}" if run.probe_reason else ""
        return [], ABSENT.get(kind) or probe or "nothing that it judges was seen"
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


# their absence means that what the rule looks for did not happen
_ALWAYS = {seen.CheckpointUse, seen.LoadRecord, seen.PinnedStorage, seen.OverlappingWrite, seen.SilentCopy}
_EVENTS = _ALWAYS | {
    seen.AnswerInInput, seen.AxesRenamed, seen.Elementwise, seen.FedInputs, seen.SchedulerRecord, seen.LoaderRecord,
    seen.MutatedData, seen.RetainedGraph, seen.ScaledClip, seen.NonFinite,
    seen.ModeGap | seen.UnmeasuredStatistics, seen.ClipUse | seen.ClampedError, seen.DecayUse,
    seen.HalfUse, seen.HeldOutUse, seen.PaddingMask, seen.ScoreComparison, seen.UnevenTerms, seen.WorkerRandomness,
    seen.SamplerUse, seen.WrapperBypass, seen.ReplicaComparison, seen.WeightedLabels,
}  # fmt: skip


def rank(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """First cause first: consequences below what brings them about, then by severity, then by time."""
    begins: dict[str, int] = {}
    for finding in findings:
        if finding.severity != "info":
            begins[finding.code] = min(begins.get(finding.code, finding.step or 0), finding.step or 0)
    linked = [replace(f, causes=tuple(c for c in CAUSES.get(f.code, ()) if _precedes(begins, c, f))) for f in findings]
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
