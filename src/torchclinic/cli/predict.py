"""`torchclinic predict RUN IMAGE...`."""

from pathlib import Path

import click

from torchclinic.cli.output import report_options, write_report
from torchclinic.errors import InputError


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True)
@report_options
def command(run: Path, images: tuple[Path, ...], device: str, json_file: Path | None, html_file: Path | None) -> int:
    """Say which digit each of IMAGES shows: any size, colours and format, dark on light or light on dark.

    Exit code 2 if a file could not be read; the others are predicted all the same.
    """
    from torchclinic.data import normalize, picture_text, read_digit
    from torchclinic.training import choose_device, evaluating, load_run
    from torchclinic.training.reporting import Prediction, prediction_report

    chosen = choose_device(device)
    model, _ = load_run(run, chosen)
    predictions: list[Prediction] = []
    refused: dict[Path, str] = {}
    for file in images:
        try:
            image = read_digit(file)
        except InputError as error:
            refused[file] = str(error)
            click.echo(f"torchclinic: {error}", err=True)
            continue
        with evaluating(model):
            probabilities = model(normalize(image[None].to(chosen))).softmax(1)[0].float().cpu()
        predictions.append(Prediction(file, image, probabilities))
        click.echo(f"{file}: {predictions[-1].digit}\n\n{picture_text(image)}\n")
        click.echo("  ".join(f"{digit}: {share:.3f}" for digit, share in enumerate(probabilities.tolist())) + "\n")
    write_report(prediction_report(predictions, refused), json_file, html_file)
    return 2 if refused else 0
