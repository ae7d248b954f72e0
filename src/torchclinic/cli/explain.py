"""`torchclinic explain TEXT`."""

import re
import sys
from pathlib import Path

import click

from torchclinic.cli.output import report_options, write_report
from torchclinic.errors import InputError
from torchclinic.report.model import Code, Section
from torchclinic.report.results import Report

RULE_CODE = re.compile(r"[A-Za-z]{3}\d{3}")
MOST_SHOWN = 4_000  # characters of the given text that a report repeats


@click.command("explain")
@click.argument("text")
@report_options
@click.pass_context
def command(context: click.Context, text: str, json_file: Path | None, html_file: Path | None) -> int:
    """Explain TEXT: an error message or traceback of PyTorch, a file that holds one (a log), or a rule's code.

    - reads standard input. Of a log the last error that is known is explained. A message alone names no line;
    `torchclinic run SCRIPT` and `with torchclinic.explain_errors():` do.
    """
    if RULE_CODE.fullmatch(text.strip()):
        from torchclinic.cli.rules import command as rules

        code: int = context.invoke(rules, code=text.strip())
        return code
    from torchclinic.error_notes import crash_in_text

    given = _given(text)
    crash = crash_in_text(given)
    if crash is None:
        raise InputError(_unknown(given))
    explanation = crash.text()
    click.echo(explanation)
    shown = given.strip() if len(given) <= MOST_SHOWN else f"{crash.type}: {crash.message}"
    section = Section("Explanation", (Code(shown, "The error"), Code(explanation)))
    report = Report("An error, explained", (section,), (crash.finding(),), data={"error": crash.to_dict()})
    write_report(report, json_file, html_file)
    return 0


def _given(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    try:
        path = Path(text)
        return path.read_text(errors="replace") if len(text) < 4096 and "\n" not in text and path.is_file() else text
    except OSError as error:
        raise InputError(f"Cannot read {text}: {error.strerror}.") from error
    except ValueError:  # a null character
        return text


def _unknown(text: str) -> str:
    """That nothing is known of it, in a sentence, and the kinds that come nearest."""
    from torchclinic.error_notes.kind import nearest
    from torchclinic.error_notes.reading import errors_in

    told = next(errors_in(text), None)
    shown = "" if told is None else f"{told.type}: {told.message}".removeprefix(": ").partition("\n")[0][:60]
    near = ", ".join(f"{kind.code} {kind.name}" for kind in nearest(shown if told is None else told.message[:2000]))
    return (
        f"No explanation is known for {shown!r}"
        + (f"; the nearest kinds are {near} (`torchclinic explain CODE`)." if near else ".")
        + " Paste the last line of PyTorch's traceback, whole, or give a rule's code (`torchclinic rules` lists them)."
    )
