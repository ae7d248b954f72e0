"""What `torchclinic train --backbone` does: no command of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from torchclinic.cli.output import write_json, write_report
from torchclinic.errors import InputError

if TYPE_CHECKING:
    from torchclinic.data.image_folder import ImageFolder
    from torchclinic.transfer_learning import Backbone, Outcome

DIGITS_PER_CLASS = 20
TRANSFER_OPTIONS = ("backbone", "freeze", "image_size")
SHARED_OPTIONS = ("data", "epochs", "seed")


def require_digits(data: str | None, transfer: dict[str, Any]) -> None:
    """Raises InputError for options that need a backbone when there is none."""
    if data not in (None, "subset", "mnist"):
        raise InputError(f"--data {data} needs --backbone (resnet20, resnet18 or a checkpoint); else subset or mnist.")
    if given := [name for name, value in transfer.items() if value is not None]:
        raise InputError(f"--{given[0].replace('_', '-')} needs --backbone (resnet20, resnet18 or a checkpoint).")


def train_on_folder(
    options: dict[str, Any],
    resume: Path | None,
    out: Path | None,
    data_dir: Path | None,
    device: str,
    json_file: Path | None,
    html_file: Path | None,
    *,
    backbone: str,
    freeze: bool | None,
    image_size: int | None,
) -> int:
    """Learn the pictures in a folder (or a few digits) from a trained backbone, and write what came of it.

    `freeze` True: only the head trains. False: all of it, after the head. None: both, and from scratch, compared.
    """
    _refuse(options, resume)
    seed, epochs = options["seed"] or 0, options["epochs"]
    from dataclasses import replace

    from torchclinic.training import choose_device
    from torchclinic.transfer_learning import METHODS, Schedule, load_backbone, transfer, transfer_report

    chosen = choose_device(device)
    start = load_backbone(backbone)
    pictures = _pictures(options["data"] or "subset", image_size, start, seed, data_dir)
    for note in pictures.notes:
        click.echo(note, err=True)
    plan = Schedule()
    if epochs is not None:
        plan = replace(plan, scratch_epochs=epochs, head_epochs=epochs, fine_tune_epochs=epochs)
    methods: Sequence[str] = METHODS if freeze is None else ("frozen",) if freeze else ("fine-tuned",)
    outcomes = transfer(
        start, pictures, methods, seed=seed, schedule=plan, device=chosen, listen=lambda method: click.echo(f"{method} …", err=True)
    )
    report = transfer_report(start, pictures, outcomes)
    click.echo(str(report))
    if out is not None:
        _save(out, outcomes, pictures, start)
    write_report(report, json_file, html_file)
    return 0 if report.passed else 1


def _refuse(options: dict[str, Any], resume: Path | None) -> None:
    """Raise InputError for what a run from a backbone has no use for."""
    if given := [name for name, value in options.items() if value is not None and name not in SHARED_OPTIONS]:
        raise InputError(f"--{given[0].replace('_', '-')} does not go with --backbone, whose recipe is fixed.")
    if resume is not None:
        raise InputError(f"--resume {resume} does not go with --backbone: such a run starts anew.")
    epochs = options["epochs"]
    if epochs is not None and epochs < 1:
        raise InputError(f"epochs = {epochs}: a run needs at least 1 epoch.")


def _pictures(data: str, size: int | None, backbone: "Backbone", seed: int, data_dir: Path | None) -> "ImageFolder":
    from torchclinic.data import load_mnist
    from torchclinic.data.image_folder import digits_as_pictures, load_image_folder

    if data == "subset" or data == "mnist":
        # Digits say all they have to say at the 32 pixels of CIFAR.
        return digits_as_pictures(load_mnist(data, data_dir), size or 32, DIGITS_PER_CLASS)  # type: ignore[arg-type]
    return load_image_folder(Path(data), size or backbone.image_size, seed=seed)


def _save(out: Path, outcomes: "Sequence[Outcome]", data: "ImageFolder", backbone: "Backbone") -> None:
    """One .safetensors file per method, and the names of the classes."""
    from safetensors.torch import save_file

    from torchclinic.transfer_learning.methods import weights_of

    write_json(
        out / "transfer.json",
        {
            "architecture": backbone.architecture,
            "classes": list(data.classes),
            "image_size": data.train_images.shape[-1],
            "outcomes": [outcome.to_dict() for outcome in outcomes],
        },
    )
    for outcome in outcomes:
        metadata = {"architecture": backbone.architecture, "classes": "\n".join(data.classes)}
        save_file(dict(weights_of(outcome)), out / f"{outcome.method}.safetensors", metadata=metadata)
