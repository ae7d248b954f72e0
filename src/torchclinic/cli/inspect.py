"""`torchclinic inspect FILE…`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from torchclinic.cli.output import report_options, write_report
from torchclinic.errors import InputError
from torchclinic.report.model import SEVERITIES, Section, worst_severity
from torchclinic.report.results import Report

if TYPE_CHECKING:
    from torchclinic.checkpoints.comparison import Comparison
    from torchclinic.checkpoints.records import Checkpoint


@click.command("inspect")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--diff", "other", type=click.Path(path_type=Path), metavar="OTHER", help="Compare with this checkpoint.")
@click.option("--against", metavar="MODULE:FACTORY", help="Compare with the model FACTORY() builds (this runs it).")
@click.option("--values/--no-values", default=True, help="Look for NaN, infinities, constants; verify checksums.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 if something this severe is found.",
)
@report_options
def command(
    files: tuple[Path, ...],
    other: Path | None,
    against: str | None,
    values: bool,
    fail_on: str,
    json_file: Path | None,
    html_file: Path | None,
) -> int:
    """List every tensor of checkpoint FILES with its layout, aliases, waste and oddities; nothing in them is executed.

    FILES are .pth, .pt, .ckpt, .bin or .safetensors files, sharded indexes (.index.json) or folders.
    """
    from torchclinic.checkpoints.inspection import inspect_checkpoint

    reports = []
    for file in files:
        checkpoint = inspect_checkpoint(file, values=values)
        compared = [_against_file(checkpoint, other)] if other is not None else []
        compared += [_against_model(checkpoint, against)] if against is not None else []
        report = _joined(checkpoint.report(), compared)
        click.echo(str(report))
        reports.append(report)
    report = reports[0] if len(reports) == 1 else _together(reports)
    write_report(report, json_file, html_file)
    worst = worst_severity(report.findings)
    limit = SEVERITIES.index(cast(Any, fail_on)) if fail_on != "never" else -1
    return 1 if worst is not None and SEVERITIES.index(worst) <= limit else 0


def _against_file(checkpoint: "Checkpoint", other: Path) -> "Comparison":
    from torchclinic.checkpoints.comparison import compare, forms_of
    from torchclinic.checkpoints.inspection import inspect_checkpoint

    reference = inspect_checkpoint(other, values=False)
    names = (checkpoint.path, str(other))
    return compare(forms_of(checkpoint.state_dict()), forms_of(reference.state_dict()), names=names)


def _against_model(checkpoint: "Checkpoint", against: str) -> "Comparison":
    from torchclinic.checkpoints.comparison import compare, forms_of

    model = _build(against)
    return compare(forms_of(checkpoint.state_dict()), forms_of(model.state_dict()), names=(checkpoint.path, against))


def _build(against: str) -> Any:
    """The model that `module:factory` names, with the working folder on the import path as for `python -m`."""
    import sys
    from importlib import import_module

    module, _, factory = against.partition(":")
    if not module or not factory:
        raise InputError(f"--against is {against!r}; MODULE:FACTORY is needed, such as torchvision.models:resnet18.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        build = getattr(import_module(module), factory)
    except (ImportError, AttributeError) as error:
        raise InputError(f"--against {against}: {error}.") from error
    finally:
        sys.path.pop(0)
    model = build() if callable(build) and not hasattr(build, "state_dict") else build
    model = model() if isinstance(model, type) else model
    if not hasattr(model, "state_dict"):
        raise InputError(f"--against {against} gives a {type(model).__name__}, which has no state_dict.")
    return model


def _joined(report: Report, compared: "Sequence[Comparison]") -> Report:
    for comparison in compared:
        part = comparison.report()
        head = Section(f"{part.title}: {part.summary}", tuple(b for section in part.sections for b in section.blocks))
        report = replace(
            report,
            sections=(head, *report.sections),
            findings=(*report.findings, *part.findings),
            checked=(*report.checked, *part.checked),
            data={**report.data, "comparison": dict(part.data)},
        )
    return report


def _together(reports: Sequence[Report]) -> Report:
    sections = [Section(f"{report.title}: {section.title}", section.blocks) for report in reports for section in report.sections]
    return Report(
        title=f"{len(reports)} checkpoints",
        summary=" ".join(report.summary for report in reports),
        sections=tuple(sections),
        findings=tuple(finding for report in reports for finding in report.findings),
        checked=tuple(f"{report.title}: {text}" for report in reports for text in report.checked),
        not_checked=tuple(item for report in reports for item in report.not_checked),
        data={"checkpoints": [dict(report.data) for report in reports]},
    )
