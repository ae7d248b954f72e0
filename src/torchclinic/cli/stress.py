"""`torchclinic stress RUN IMAGE`."""

from pathlib import Path

import click

from torchclinic.cli.output import report_options, write_report


@click.command("stress")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--repetitions", type=click.IntRange(min=2), default=8, show_default=True, help="Passes in each mode.")
@click.option("--seed", type=int, default=0, show_default=True)
@report_options
def command(run: Path, image: Path, repetitions: int, seed: int, json_file: Path | None, html_file: Path | None) -> int:
    """Predict one IMAGE with the model trained in RUN, in eval and in train mode, and show the difference.

    Exit code 1 if eval mode does not repeat itself or the model could not be handed back as it was.
    """
    from torchclinic.data import normalize, read_digit
    from torchclinic.instruments.stress import stress_test
    from torchclinic.training import load_run

    model, _ = load_run(run)
    picture = normalize(read_digit(image)[None])
    test = stress_test(model, picture, repetitions=repetitions, seed=seed)
    report = test.report()
    click.echo(str(report))
    write_report(report, json_file, html_file)
    return 0 if report.passed else 1
