"""`torchclinic run SCRIPT`."""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from torchclinic.cli.output import report_options, with_schema, write_report
from torchclinic.cli.plainly import write_plainly
from torchclinic.running.last_word import LastWord

if TYPE_CHECKING:
    from torchclinic.error_notes.crash import Crash
    from torchclinic.observe.session import Session
    from torchclinic.replay.scripts import Proofs, Surroundings
    from torchclinic.report.model import Finding
    from torchclinic.report.results import Report
    from torchclinic.running.launcher import Outcome

Function = TypeVar("Function", bound=Callable[..., Any])
FIRST_REPORT = 12  # steps
LEVELS = {"error": ("error",), "warning": ("error", "warning"), "never": ()}


def launch_options(function: Function) -> Function:
    """The options that `run` and `checkup` share; SCRIPT and its arguments come last and untouched."""
    for decorate in (
        click.argument("script", nargs=-1, type=click.UNPROCESSED, required=True, metavar="SCRIPT [ARGS]..."),
        click.option("--fail-on", type=click.Choice(list(LEVELS)), default="error", show_default=True),
        click.option("--ignore", metavar="CODES", default="", help="Rules to leave out, by code or beginning of a code."),
        click.option("--select", metavar="CODES", default="", help="Rules to ask, by code or beginning of a code."),
        click.option("--format", "style", type=click.Choice(["text", "json", "github"]), default="text"),
        click.option("-v", "--verbose", is_flag=True, help="Also list the rules that found nothing, and why some do not apply."),
        click.option("-m", "is_module", is_flag=True, help="SCRIPT is the name of a module, as in python -m."),
        report_options,
    ):
        function = decorate(function)
    return function


@click.command("run", context_settings={"allow_interspersed_args": False})
@launch_options
@click.option("--budget", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of time to spend.")
@click.option("--max-steps", type=click.IntRange(min=1), help="Stop the script after this many optimizer steps.")
@click.option("--prove", is_flag=True, help="Then run it again, with and without the remedies, and compare.")
@click.option("--prove-seconds", type=click.FloatRange(min=5), default=50, show_default=True, help="Time for the proof, in all.")
def command(
    script: tuple[str, ...],
    budget: float,
    max_steps: int | None,
    prove: bool,
    prove_seconds: float,
    verbose: bool,
    is_module: bool,
    style: str,
    select: str,
    ignore: str,
    fail_on: str,
    json_file: Path | None,
    html_file: Path | None,
) -> int:
    """Run SCRIPT unmodified, watch its training, and say what is wrong, where, why, and what to do.

    The script's output stays on stdout; the report goes to stderr. Exit code: the script's own if it failed, else 1 if
    something at or above --fail-on was found, else 0. With --prove SCRIPT is run again several times afterwards, with
    TORCHCLINIC_PROVING=1 set and one change applied from outside, and the report says which change helped.
    """
    from torchclinic.observe.session import Session

    session = Session(budget=budget, max_steps=max_steps)
    outputs = Outputs(script, is_module, style, select, ignore, fail_on, json_file, html_file, verbose=verbose)
    if not prove:
        return outputs.run(session)
    from torchclinic.replay.scripts import Surroundings
    from torchclinic.replay.writes import recorded_writes

    around = Surroundings.now(outputs.target)
    with recorded_writes() as written:
        outputs.prove = Proving(around, written, prove_seconds)
        return outputs.run(session)


class Proving:
    """Replays a script after its observed run, for the findings of that run."""

    def __init__(self, around: "Surroundings", written: dict[str, None], seconds: float) -> None:
        self.around, self.written, self.seconds = around, written, seconds

    def __call__(self, findings: "Sequence[Finding]", backwards: int, stopped: bool) -> "Proofs":
        """Replays run as far as the observed run of `backwards` backward passes did where that was `stopped`."""
        from torchclinic.replay.planning import choose_attempts
        from torchclinic.replay.scripts import Proofs, prove_script
        from torchclinic.replay.writes import kept_files, put_back

        if backwards == 0:
            return Proofs(problem="The script ran no backward pass; there is no training to run again.")
        attempts, left_out = choose_attempts(findings)
        if not attempts:
            return Proofs()
        written = kept_files(self.written)
        try:
            with put_back(written) as unsaved:
                found = prove_script(
                    self.around,
                    attempts,
                    seconds=self.seconds,
                    written=written,
                    unsaved=unsaved,
                    most=backwards if stopped else None,
                    say=lambda text: click.echo(f"torchclinic: {text}", err=True),
                )
        except KeyboardInterrupt:
            return Proofs(problem="The replays were interrupted; nothing is proved.")
        return replace(found, left_out=(*found.left_out, *left_out))


class Outputs:
    """Runs a script and delivers its report, once, whatever happens."""

    def __init__(
        self,
        script: tuple[str, ...],
        is_module: bool,
        style: str,
        select: str,
        ignore: str,
        fail_on: str,
        json_file: Path | None,
        html_file: Path | None,
        checkup: bool = False,
        verbose: bool = False,
    ) -> None:
        from torchclinic.running.launcher import Target

        self.target = Target(script[0], script[1:], is_module)
        self.style, self.fail_on, self.checkup, self.verbose = style, fail_on, checkup, verbose
        self.select, self.ignore = _codes("--select", select), _codes("--ignore", ignore)
        self.json_file = json_file.absolute() if json_file else None
        self.html_file = html_file.absolute() if html_file else None
        self.failed = False
        self.title = f"torchclinic {'checkup' if checkup else 'run'} {self.target.name}"
        self.last_word: LastWord | None = None
        self.next_report = 2.0  # seconds
        self.prove: Proving | None = None

    def run(self, session: "Session") -> int:
        from torchclinic.running.launcher import launch

        status = StatusLine() if sys.stderr.isatty() and self.style == "text" else None
        first = not int(os.environ.get("RANK", "0"))
        self.last_word = LastWord(self.json_file) if first else None

        def on_step(session: "Session") -> None:
            if status is not None:
                status(session)
            if self.last_word is not None and self.last_word.due():
                self.tell(session, self.last_word)

        session.on_step = on_step
        try:
            outcome = launch(self.target, session, lambda outcome: self.deliver(session, outcome))
            self.deliver(session, outcome, self.prove)
        finally:
            if self.last_word is not None:
                self.last_word.goodbye()
        return outcome.exit_code or int(self.failed)

    def tell(self, session: "Session", last_word: LastWord) -> None:
        """What a kill would leave unsaid: the step and the loss each second, the report at doubling times."""
        values = session.state.losses.values
        loss = values[-1] if values and math.isfinite(values[-1]) else None
        message: dict[str, Any] = {"step": session.step, "loss": loss}
        if session.step >= FIRST_REPORT and session.budget.elapsed >= self.next_report:
            self.next_report = 2 * session.budget.elapsed
            from torchclinic.diagnosis.diagnose import diagnose

            found = diagnose(session, select=self.select, ignore=self.ignore)
            report = found.report(self.title, ending="The script ended without a word.")
            told = [finding for finding in found.verdict.findings if finding.severity != "info"]
            message["findings"] = [f"{finding.code} {finding.name}: {finding.message}" for finding in told]
            message["report"] = with_schema(report.to_dict())
        last_word.tell(message)

    def deliver(self, session: "Session", outcome: "Outcome", prove: Proving | None = None) -> None:
        """Write and print the report (on the first rank only, where several run)."""
        from torchclinic.diagnosis.diagnose import diagnose
        from torchclinic.diagnosis.report import github_lines
        from torchclinic.rules.judging import confirmed_first

        if outcome.children:
            session.state.limited(f"{outcome.children} child processes were started; what happened in them was not observed")
        found = diagnose(session, select=self.select, ignore=self.ignore, crash=outcome.crash)
        run, verdict = found.run, found.verdict
        self.failed = any(finding.severity in LEVELS[self.fail_on] for finding in verdict.findings)
        if int(os.environ.get("RANK", "0")):
            return
        ending = _ending(outcome, run.steps, run.backwards, self.checkup)
        proofs = prove(verdict.findings, run.backwards, outcome.ending == "stopped") if prove is not None else None
        if proofs is not None:
            effects = {p.code: p.effect or 0.0 for p in proofs.proofs if p.verdict == "confirmed"}
            verdict = confirmed_first(verdict, effects)
            found = replace(found, verdict=verdict)
        report = found.report(self.title, ending=ending, exit_code=outcome.exit_code)
        if proofs is not None:
            report = _with_proofs(report, proofs)
        write_report(report, self.json_file, self.html_file)
        write_plainly(sys.stderr)
        if self.style == "json":
            import json

            click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False), err=True)
        elif self.style == "github":
            click.echo("\n".join([*github_lines(verdict.findings), ending]), err=True)
        elif outcome.crash is not None and not run.steps and all(f.code == outcome.crash.kind.code for f in verdict.findings):
            click.echo(_last_lines(outcome.crash, self.title, ending), err=True)
        else:
            _print(report, verbose=self.verbose)
        if self.last_word is not None:
            self.last_word.goodbye()


def _with_proofs(report: "Report", found: "Proofs") -> "Report":
    from torchclinic.replay.reporting import proof_section, proofs_data

    titles = [section.title for section in report.sections]
    place = next(titles.index(title) for title in ("Modules", "Rules") if title in titles)
    sections = (*report.sections[:place], proof_section(found), *report.sections[place:])
    confirmed = [f"{p.change} for {p.code or 'no finding'}" for p in found.proofs if p.verdict == "confirmed"]
    summary = report.summary + (f" Confirmed by replay: {', '.join(confirmed)}." if confirmed else "")
    return replace(report, sections=sections, summary=summary, data={**report.data, **proofs_data(found)})


def _last_lines(crash: "Crash", title: str, ending: str) -> str:
    """The report of a crash before training: Python has printed the traceback, and the rules had nothing to check."""
    text = crash.text()
    unknown = "" if text else " No explanation of this error is known."
    return (f"{text}\n\n" if text else "") + f"{title}: {ending}{unknown}"


def _print(report: Any, *, verbose: bool) -> None:
    from rich.console import Console

    from torchclinic.report.text import Printer

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, 100)
    report = replace(report, findings=tuple(_briefly(finding) for finding in report.findings)) if "error" in report.data else report
    printer = Printer(console)
    facts = next(section for section in report.sections if section.title == "The run")
    printer.title(report.title, facts.blocks[0].text)
    for section in report.sections:
        if section.title == "The error, explained":
            printer.block(section)
    printer.diagnosis(report, verbose=verbose)
    for section in report.sections:
        if section.title == "Proof by replay":
            printer.block(section)


def _briefly(finding: "Finding") -> "Finding":
    """A crash has been explained further up."""
    known = finding.code.startswith("ERR") and finding.code != "ERR000"
    return replace(finding, evidence={}, fix="", corrected="", cause_line="") if known else finding


def _codes(option: str, text: str) -> tuple[str, ...]:
    from torchclinic.error_notes.kind import kinds
    from torchclinic.errors import InputError
    from torchclinic.rules.rule import discover

    wanted = tuple(part.strip().upper() for part in text.replace(";", ",").split(",") if part.strip())
    for code in wanted:
        codes = (*(module.RULE.code for module in discover()), *(module.KIND.code for module in kinds()))
        if not any(known.startswith(code) for known in codes):
            raise InputError(f"{option} {code}: no rule's code begins so; `torchclinic rules` lists them.")
    return wanted


def _ending(outcome: "Outcome", steps: int, backwards: int, checkup: bool) -> str:
    sentence = {
        "finished": "The script ran to its end.",
        "stopped": f"The script was stopped after {steps} steps, as asked.",
        "exited": f"The script exited with code {outcome.exit_code}" + (f" ({outcome.note})." if outcome.note else "."),
        "raised": f"The script raised {outcome.note.splitlines()[0].rstrip('.') if outcome.note else ''}.",
        "interrupted": "The script was interrupted.",
        "killed": f"The script was ended by a signal (exit code {outcome.exit_code}).",
    }[outcome.ending]
    if checkup and outcome.ending == "stopped":
        sentence = f"This was a checkup: the script was stopped after its first {steps} steps."
    if backwards == 0:
        sentence += " It never ran a backward pass: nothing was trained through autograd."
    elif steps == 0:
        sentence += " No optimizer ever stepped."
    return sentence


class StatusLine:
    """One short line on a terminal, overwritten by whatever is printed next."""

    def __init__(self) -> None:
        self._shown = 0.0

    def __call__(self, session: "Session") -> None:
        now = time.monotonic()
        if now - self._shown > 0.25:
            self._shown = now
            loss = f", loss {session.state.losses.values[-1]:.4g}" if session.state.losses.values else ""
            sys.stderr.write(f"\r\x1b[2Ktorchclinic: step {session.step}{loss}\r")
            sys.stderr.flush()
