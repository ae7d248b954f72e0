"""`torchclinic evaluate RUN`."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from torchclinic.cli.output import report_options, write_report


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", type=click.Choice(["subset", "mnist"]), default="subset", help="Embedded subset or full MNIST.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds mnist/ (or TORCHCLINIC_DATA).")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True)
@report_options
def command(
    run: Path, data: Literal["subset", "mnist"], data_dir: Path | None, device: str, json_file: Path | None, html_file: Path | None
) -> int:
    """Test the model trained in RUN: accuracy, confusion, precision and recall by class, calibration."""
    from torchclinic.data import load_mnist
    from torchclinic.report.model import Section
    from torchclinic.training import choose_device, evaluate, load_run
    from torchclinic.training.reporting import evaluation_report

    model, settings = load_run(run, choose_device(device))
    images = load_mnist(data, data_dir)
    result = evaluate(model, images.test_images, images.test_labels)
    report = evaluation_report(settings, model, images, data, result)
    click.echo(str(replace(report, sections=(Section("Test", report.sections[0].blocks[:2]),))))  # without the pictures
    write_report(report, json_file, html_file)
    return 0
