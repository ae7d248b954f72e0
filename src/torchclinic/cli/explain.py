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


@click.command("explain")
@click.argument("text")
@report_options
@click.pass_context
def command(context: click.Context, text: str, json_file: Path | None, html_file: Path | None) -> int:
    """Explain TEXT: a pasted error message or traceback of PyTorch (- reads it from standard input), or a rule's code.

    A message alone names no line; `torchclinic run SCRIPT` and `with torchclinic.explain_errors():` do.
    """
    if RULE_CODE.fullmatch(text.strip()):
        from torchclinic.cli.rules import command as rules

        code: int = context.invoke(rules, code=text.strip())
        return code
    from torchclinic.error_notes import explanation_of_text

    pasted = sys.stdin.read() if text == "-" else text
    explanation = explanation_of_text(pasted)
    if explanation is None:
        shown = pasted.strip().splitlines()[-1][:60] if pasted.strip() else ""
        raise InputError(
            f"No explanation is known for {shown!r}; paste the last line of PyTorch's traceback, whole, or give a rule's "
            "code (`torchclinic rules` lists them)."
        )
    click.echo(explanation)
    section = Section("Explanation", (Code(pasted.strip(), "The error"), Code(explanation)))
    write_report(Report("An error, explained", (section,)), json_file, html_file)
    return 0
