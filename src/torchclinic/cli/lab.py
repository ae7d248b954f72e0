"""`torchclinic lab [NAME]`."""

import os
from pathlib import Path

import click

from torchclinic.cli.output import report_options, write_report
from torchclinic.labs import catalogue
from torchclinic.labs.lab import Options
from torchclinic.report.results import Report


@click.command("lab")
@click.argument("name", required=False)
@click.option("--fast", is_flag=True, help="Smaller sizes, the same claims.")
@click.option("--data", type=click.Choice(["subset", "mnist"]), default="subset", help="Embedded subset or full MNIST.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds mnist/ (or TORCHCLINIC_DATA).")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for an index page, one page per lab, and report.json.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Labs at a time, when all run.")
@report_options
def command(
    name: str | None,
    fast: bool,
    data: str,
    data_dir: Path | None,
    seed: int,
    out: Path | None,
    jobs: int,
    json_file: Path | None,
    html_file: Path | None,
) -> int:
    """Run the lab NAME and print it as it goes; without NAME run all labs and print their verdicts.

    Exit code 1 if a claim does not hold.
    """
    from torchclinic.cli import lab_pages

    options = Options(fast=fast, seed=seed, data=data, data_dir=data_dir)
    reports = _run_one(name, options) if name else _run_all(options, jobs)
    if out is not None:
        lab_pages.write_pages(out, reports)
    if name:
        write_report(reports[name], json_file, html_file)
    else:
        lab_pages.write_overview(reports, json_file, html_file)
    return 0 if all(report.passed for report in reports.values()) else 1


def _run_one(name: str, options: Options) -> dict[str, Report]:
    from torchclinic.report.text import Printer

    entry = catalogue.find(name)
    printer = Printer()
    printer.title(entry.title, entry.question())
    report = catalogue.run(entry, options, printer.block)
    printer.end(report)
    return {name: report}


def _run_all(options: Options, jobs: int) -> dict[str, Report]:
    from torchclinic.report.text import Printer

    printer = Printer()
    reports = {}
    for entry, report in catalogue.run_all(catalogue.available(), options, jobs):
        printer.verdict(report)
        reports[entry.name] = report
    return reports
