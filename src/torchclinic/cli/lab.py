"""`torchclinic lab [NAME]`."""

from pathlib import Path

import click

from torchclinic.cli.output import report_options, write_report
from torchclinic.labs import catalogue
from torchclinic.labs.lab import Options
from torchclinic.report.model import Report


@click.command("lab")
@click.argument("name", required=False)
@click.option("--fast", is_flag=True, help="Smaller sizes, the same claims.")
@click.option("--data", type=click.Choice(["subset", "mnist"]), default="subset", help="Embedded subset or full MNIST.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds mnist/ (or TORCHCLINIC_DATA).")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for an index page, one page per lab, and report.json."
)
@report_options
def command(
    name: str | None,
    fast: bool,
    data: str,
    data_dir: Path | None,
    seed: int,
    out: Path | None,
    json_file: Path | None,
    html_file: Path | None,
) -> int:
    """Run the lab NAME, or all labs. Exit code 1 if a claim does not hold."""
    from torchclinic.report.text import Printer

    options = Options(fast=fast, seed=seed, data=data, data_dir=data_dir)
    entries = (catalogue.find(name),) if name else catalogue.available()
    reports: dict[str, Report] = {}
    for entry in entries:
        printer = Printer()
        printer.title(entry.title, entry.question())
        reports[entry.name] = catalogue.run(entry, options, printer.block)
        printer.end(reports[entry.name])
    if out is not None:
        from torchclinic.cli.lab_pages import write_pages

        write_pages(out, reports)
    if len(reports) == 1:
        write_report(next(iter(reports.values())), json_file, html_file)
    return 0 if all(report.passed for report in reports.values()) else 1
