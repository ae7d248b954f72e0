"""The report of an observed run: what was found, what was checked, the loss curve, the modules."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from torchclinic._version import __version__
from torchclinic.diagnosis.doubts import doubt
from torchclinic.diagnosis.excerpts import with_source
from torchclinic.diagnosis.pictures import layer_strips, loss_curve
from torchclinic.error_notes.crash import Crash, sentence
from torchclinic.observe.records import ModelRecord, RunRecord
from torchclinic.report.model import Block, Code, Finding, Prose, Section, Table
from torchclinic.report.results import Report
from torchclinic.rules.corrections import with_correction
from torchclinic.rules.judging import Verdict
from torchclinic.rules.rule import discover, pictures
from torchclinic.units import format_seconds, format_share

NOT_LEARNING = "LRN001 not-learning"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was seen of a run, and what the rules say about it."""

    run: RunRecord
    verdict: Verdict
    crash: Crash | None = None  # the error that ended it

    def report(self, title: str, *, ending: str = "", exit_code: int | None = None) -> Report:
        """`ending` says in a sentence how the run ended."""
        run = self.run
        verdict = replace(
            self.verdict, findings=tuple(with_source(with_correction(finding), run) for finding in self.verdict.findings)
        )
        script = {"exit_code": exit_code, "steps": run.steps, "seconds": round(run.seconds, 3), "overhead": round(run.overhead, 4)}
        return Report(
            title,
            tuple(_sections(run, verdict, self.crash)),
            verdict.findings,
            verdict.checked,
            verdict.not_checked,
            verdict.not_applicable,
            summary=_summary(run, verdict, ending, self.crash),
            data={"script": script, **({"error": self.crash.to_dict()} if self.crash is not None else {})},
            environment={
                "torchclinic": __version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
                "threads": torch.get_num_threads(),
            },
        )


def _sections(run: RunRecord, verdict: Verdict, crash: Crash | None) -> Iterator[Section]:
    if crash is not None and crash.text():
        yield Section("The error, explained", (Code(crash.text()),))
    yield Section("The run", tuple(_run_blocks(run)))
    first = next((finding for finding in verdict.findings if finding.severity != "info"), None)
    draw = pictures().get(first.code) if first is not None else None
    if first is not None and draw is not None and (picture := draw(run, first)) is not None:
        yield Section(f"The first cause: {first.code} {first.name}", (picture,))
    if len(run.losses_seen) > 1:
        yield Section("Loss and timeline", (loss_curve(run, verdict.findings), *_timeline(verdict)))
    if strips := layer_strips(run):
        yield Section("Layers over time", tuple(strips))
    if run.models:
        yield Section("Modules", tuple(_module_table(model) for model in run.models[:8]))
    yield Section("Rules", (_rules_table(verdict),))


def _summary(run: RunRecord, verdict: Verdict, ending: str, crash: Crash | None = None) -> str:
    if crash is not None and not run.steps:
        return ending or _raised(crash)
    roots = [f for f in verdict.findings if f.severity != "info" and not f.causes]
    causes = list(dict.fromkeys(f"{finding.code} {finding.name}" for finding in roots))
    if causes == [NOT_LEARNING]:
        checked = len(verdict.checked)
        diagnosis = f"The run has learnt nothing, and no cause could be established; {checked} rules found nothing wrong."
    elif len(causes) > 1:
        count = {2: "Two", 3: "Three"}.get(len(causes), str(len(causes)))
        diagnosis = f"{count} independent causes: {', '.join(causes)}."
    elif causes:
        diagnosis = f"First cause: {causes[0]}."
    elif crash is not None or run.failure is not None:
        diagnosis = ""
    elif not run.backwards:
        diagnosis = "" if ending else "Nothing was trained through autograd."
    elif reason := doubt(run):
        diagnosis = f"No cause was found, yet the run may have failed: {reason[0].lower()}{reason[1:]}"
    else:
        diagnosis = "Nothing is wrong as far as it was checked."
    return f"{diagnosis} {ending}".strip()


def _raised(crash: Crash) -> str:
    return sentence(f"An error was raised: {crash.type}: {crash.message.partition(chr(10))[0]}")


def _run_blocks(run: RunRecord) -> list[Block]:
    text = (
        f"{run.steps:,} steps, {run.backwards:,} backward passes, {run.observed_steps:,} steps observed in full, in "
        f"{format_seconds(run.seconds)}; {format_share(run.overhead)} of it was spent observing."
    )
    blocks: list[Block] = [Prose(text)]
    if run.optimizers:
        rows = tuple((o.name, o.line, o.owned, o.steps, o.lr_first, o.lr_last) for o in run.optimizers)
        blocks.append(Table(("optimizer", "line", "parameters", "steps", "first lr", "last lr"), rows))
    return blocks


def _timeline(verdict: Verdict) -> list[Block]:
    """The findings in the order in which they began."""
    dated = [finding for finding in verdict.findings if finding.step is not None]
    rows = tuple(
        (finding.step, f"{finding.code} {finding.name}", finding.where, finding.line, ", ".join(finding.causes))
        for finding in sorted(dated, key=lambda finding: (finding.step or 0, finding.rank))
    )
    return [Table(("step", "finding", "where", "line", "follows from"), rows, "When each began")] if rows else []


def _module_table(model: ModelRecord) -> Table:
    rows = tuple((path or "(model)", kind, size, "ran" if ran else "—") for path, kind, size, ran in model.modules[:400])
    caption = f"{model.name}: {model.parameters:,} parameters, {model.trainable:,} trainable"
    return Table(("module", "type", "own parameters", "in training forwards"), rows, caption)


def _rules_table(verdict: Verdict) -> Table:
    found = {finding.code for finding in verdict.findings}
    reasons = {item.code: f"not checked: {item.reason}" for item in verdict.not_checked}
    reasons |= {item.code: f"does not apply: {item.reason}" for item in verdict.not_applicable}
    rows = []
    for module in discover():
        code = module.RULE.code
        if code in found or code in verdict.checked or code in reasons:
            state = "found" if code in found else reasons.get(code, "fine")
            rows.append((code, module.RULE.name, state))
    return Table(("rule", "disease", "verdict"), tuple(rows))


def github_lines(findings: tuple[Finding, ...]) -> list[str]:
    """One workflow command per finding, as GitHub Actions reads them."""
    lines = []
    for finding in findings:
        kind = {"error": "error", "warning": "warning", "info": "notice"}[finding.severity]
        file, _, number = finding.line.rpartition(":")
        place = f"file={_escaped(file, ':,')},line={number}," if file else ""
        message = f"{finding.message} {finding.fix}".strip()
        lines.append(f"::{kind} {place}title={_escaped(f'{finding.code} {finding.name}', ':,')}::{_escaped(message)}")
    return lines


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
