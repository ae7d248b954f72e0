"""`torchclinic train`."""

from pathlib import Path
from typing import Any

import click

from torchclinic.cli.output import report_options, write_report
from torchclinic.errors import InputError

# Options that decide what a run computes: a resumed run has them already.
RUN_OPTIONS = (
    "model",
    "data",
    "seed",
    "precision",
    "compile",
    "patience",
    "batch_size",
    "learning_rate",
    "optimizer",
    "schedule",
    "weight_decay",
    "label_smoothing",
    "augment",
)
RECIPE_OPTIONS = ("epochs", "batch_size", "learning_rate", "optimizer", "schedule", "weight_decay", "label_smoothing", "augment")


@click.command("train")
@click.option("--model", type=click.Choice(["mlp", "modern", "cnn"]), help="Network.  [default: modern]")
@click.option(
    "--data",
    metavar="subset|mnist|FOLDER",
    help="Embedded or full MNIST, or one folder of pictures per class (with --backbone).  [default: subset]",
)
@click.option("--backbone", metavar="NAME|FILE", help="Start from a trained network: resnet20, resnet18, a checkpoint.")
@click.option(
    "--freeze/--no-freeze",
    default=None,
    help="With --backbone: train its head only, or all of it.  [default: both, and from scratch, compared]",
)
@click.option("--image-size", type=int, help="With --backbone: side of the pictures in pixels.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds mnist/ (or TORCHCLINIC_DATA).")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder: settings, and a checkpoint every epoch.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with the run in this folder, bit for bit.")
@click.option("--epochs", type=int, help="Epochs in all, those before a --resume included.  [default: the recipe's]")
@click.option("--batch-size", type=int, help="Images per step, over all processes.")
@click.option("--lr", "learning_rate", type=float, help="Peak learning rate.")
@click.option("--optimizer", type=click.Choice(["sgd", "momentum", "adam", "adamw"]))
@click.option("--schedule", type=click.Choice(["one-cycle", "cosine", "constant"]), help="Of the learning rate.")
@click.option("--weight-decay", type=float)
@click.option("--label-smoothing", type=float)
@click.option("--augment/--no-augment", default=None, help="Shift every picture by up to two pixels.")
@click.option(
    "--early-stopping",
    "patience",
    type=int,
    metavar="EPOCHS",
    help="Hold out a tenth of the training images; stop after EPOCHS without improvement there.",
)
@click.option("--seed", type=int, help="[default: 0]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="bf16: autocast.  [default: fp32]")
@click.option("--compile/--no-compile", "compile", default=None, help="torch.compile the forward pass.")
@report_options
def command(
    out: Path | None,
    resume: Path | None,
    data_dir: Path | None,
    device: str,
    json_file: Path | None,
    html_file: Path | None,
    **options: Any,
) -> int:
    """Train a digit classifier. Without options: a BatchNorm and Dropout network on the embedded images.

    Under `torchrun`, the processes share each batch and the result is that of one process.

    With --backbone, a trained network learns the pictures in a folder (or 20 digits per class) instead.
    """
    from torchclinic.cli.transfer import TRANSFER_OPTIONS, require_digits, train_on_folder

    transfer = {name: options.pop(name) for name in TRANSFER_OPTIONS}
    if transfer["backbone"] is not None:
        return train_on_folder(options, resume, out, data_dir, device, json_file, html_file, **transfer)
    require_digits(options["data"], transfer)

    from torchclinic.cli.training_progress import Narrator
    from torchclinic.data import load_mnist
    from torchclinic.training import checkpoints, choose_device, evaluate, train
    from torchclinic.training.distributed import joined
    from torchclinic.training.reporting import training_report

    chosen = choose_device(device)
    with joined() as world:
        with world.first():
            settings = _resumed(resume, out, options) if resume else _new(options)
            data = load_mnist(settings.data, data_dir)
            if out is not None and world.rank == 0:
                checkpoints.write_run(out, settings.to_dict())
        narrator = Narrator(settings, world.rank)
        with narrator:
            progress = train(settings, data, folder=resume or out, device=chosen, callbacks=[narrator], world=world)
    if world.rank > 0:
        return 0
    result = evaluate(progress.model, data.test_images, data.test_labels)
    report = training_report(settings, progress.history, progress.model, data, result)
    click.echo(report.summary)
    write_report(report, json_file, html_file)
    return 0


def _new(options: dict[str, Any]) -> Any:
    from torchclinic.training import Settings, recipe_for

    given = {name: value for name, value in options.items() if value is not None}
    model, data = given.get("model", "modern"), given.get("data", "subset")
    recipe = recipe_for(model, data).changed(**{name: options[name] for name in RECIPE_OPTIONS})
    return Settings(recipe=recipe, **{name: given[name] for name in given if name not in RECIPE_OPTIONS})


def _resumed(resume: Path, out: Path | None, options: dict[str, Any]) -> Any:
    from torchclinic.training.run import read_settings

    if out is not None:
        raise InputError(f"--resume {resume} goes on in its own folder: leave out --out {out}.")
    if given := [name for name in RUN_OPTIONS if options[name] is not None]:
        name = {"learning_rate": "lr", "patience": "early-stopping"}.get(given[0], given[0].replace("_", "-"))
        raise InputError(f"--{name} was decided when the run in {resume} began: leave it out with --resume.")
    return read_settings(resume, options["epochs"])
