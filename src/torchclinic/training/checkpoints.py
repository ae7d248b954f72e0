"""A run folder: what was asked for, and one folder per saved epoch, whole or absent.

    run/
      run.json                 model, data, seed and recipe: enough to rebuild the model and go on training
      epoch-0003/
        model.safetensors      parameters and buffers under their own names
        training.safetensors   optimizer state and random streams
        state.json             history, the optimizer's numbers, SHA-256 of the two files above

An epoch folder is written under another name, flushed to disk and renamed: a crash at any moment leaves the last one.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import Tensor, nn

from torchclinic.errors import CheckpointError
from torchclinic.training.loop import Epoch, Progress

SCHEMA = "torchclinic.run/1"
MODEL, TRAINING, STATE, RUN = "model.safetensors", "training.safetensors", "state.json", "run.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one epoch folder holds."""

    folder: Path
    model: Mapping[str, Tensor]
    training: Mapping[str, Tensor]
    groups: Sequence[Mapping[str, Any]]  # the optimizer's param_groups
    numbers: Mapping[str, Mapping[str, Any]]  # the optimizer's state that is no tensor, by parameter index
    history: tuple[Epoch, ...]


def write_run(folder: Path, settings: Mapping[str, Any]) -> None:
    """Start a run folder with its settings.

    Raises: CheckpointError if the folder holds a run already or cannot be written.
    """
    if (folder / RUN).exists():
        raise CheckpointError(f"{folder} holds a run already: continue it with --resume {folder}, or choose another --out.")
    update_run(folder, settings)


def update_run(folder: Path, settings: Mapping[str, Any]) -> None:
    """Replace the settings of a run folder."""
    content = json.dumps({"schema": SCHEMA, **settings}, indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{RUN}"
        _write(temporary, content.encode())
        temporary.replace(folder / RUN)
    except OSError as error:
        raise CheckpointError(f"Cannot write {folder / RUN}: {error.strerror}.") from error


def read_run(folder: Path) -> dict[str, Any]:
    """The settings in a run folder. Raises: CheckpointError if there are none."""
    if not (folder / RUN).is_file():
        raise CheckpointError(f"{folder} is no run folder (it has no {RUN}): make one with `torchclinic train --out`.")
    settings = _read_json(folder / RUN)
    if settings.get("schema") != SCHEMA:
        raise CheckpointError(f"{folder / RUN} has the schema {settings.get('schema')!r}; {SCHEMA!r} is what is read.")
    return settings


def save_checkpoint(folder: Path, progress: Progress, keep: int | None = None) -> None:
    """Write the epoch just finished and remove the older ones, but for epoch number `keep`."""
    state = progress.optimizer.state_dict()
    tensors, numbers = _split(state["state"])
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors |= {f"random.cuda.{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    files = {MODEL: format_tensors(_plain(progress.model.state_dict())), TRAINING: format_tensors(_plain(tensors))}
    content = {
        "schema": SCHEMA,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "groups": state["param_groups"],
        "numbers": numbers,
        "history": [asdict(epoch) for epoch in progress.history],
    }
    files[STATE] = json.dumps(content, indent=2).encode()
    try:
        _commit(folder, _name(progress.epoch), files)
        _remove_older(folder, {progress.epoch, keep})
    except OSError as error:
        raise CheckpointError(f"Cannot write the checkpoint of epoch {progress.epoch} to {folder}: {error}.") from error


def has_checkpoint(folder: Path) -> bool:
    """Whether a run folder holds a finished epoch."""
    return bool(_epochs(folder))


def load_checkpoint(folder: Path, epoch: int | None = None) -> Checkpoint:
    """Epoch number `epoch` of a run folder, by default the last. Raises: CheckpointError if absent or damaged."""
    places = _epochs(folder)
    if epoch is None:
        epoch = max(places, default=0)
    if epoch not in places:
        raise CheckpointError(f"{folder} holds no finished epoch{f' {epoch}' if epoch else ''}: nothing to load.")
    place = places[epoch]
    state = _read_json(place / STATE)
    try:
        tensors = {name: _read_tensors(place / name, state["sha256"][name]) for name in (MODEL, TRAINING)}
        history = tuple(Epoch(**record) for record in state["history"])
        return Checkpoint(place, tensors[MODEL], tensors[TRAINING], state["groups"], state["numbers"], history)
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{place / STATE} is damaged: {error}.") from error


def restore_model(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the checkpoint's parameters and buffers. Raises: CheckpointError if they are another architecture's."""
    expected = {name: list(value.shape) for name, value in model.state_dict().items()}
    found = {name: list(value.shape) for name, value in checkpoint.model.items()}
    if odd := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        name = odd[0]
        raise CheckpointError(
            f"{checkpoint.folder / MODEL} is not of this architecture: {name} has shape {found.get(name, 'none')}, "
            f"{type(model).__name__} expects {expected.get(name, 'none')} ({len(odd)} of {len(expected)} differ)."
        )
    model.load_state_dict(dict(checkpoint.model))


def restore_training(optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    """Load the optimizer's state and the random streams."""
    state: dict[int, dict[str, Any]] = {int(index): dict(numbers) for index, numbers in checkpoint.numbers.items()}
    for key, value in checkpoint.training.items():
        kind, _, name = key.partition(".")
        if kind == "optimizer":
            number, _, name = name.partition(".")
            state.setdefault(int(number), {})[name] = value
    try:
        optimizer.load_state_dict({"state": state, "param_groups": [dict(group) for group in checkpoint.groups]})
        torch.set_rng_state(checkpoint.training["random.cpu"])
        cuda = [checkpoint.training[f"random.cuda.{index}"] for index in range(torch.cuda.device_count())]
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.folder / TRAINING} does not fit this optimizer or machine: {error}.") from error
    for index, stream in enumerate(cuda):
        torch.cuda.set_rng_state(stream, index)


def _split(state: Mapping[int, Mapping[str, Any]]) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, entry in state.items():
        numbers[str(index)] = {name: value for name, value in entry.items() if not isinstance(value, Tensor)}
        tensors |= {f"optimizer.{index}.{name}": value for name, value in entry.items() if isinstance(value, Tensor)}
    return tensors, numbers


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor on its own, contiguous, on the CPU: what safetensors takes."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _name(epoch: int) -> str:
    return f"epoch-{epoch:04d}"


def _epochs(folder: Path) -> dict[int, Path]:
    places = (place for place in folder.glob("epoch-*") if place.is_dir())
    return {int(number): place for place in places if (number := place.name.removeprefix("epoch-")).isdecimal()}


def _commit(folder: Path, name: str, files: Mapping[str, bytes]) -> None:
    temporary = folder / f".{name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for file, data in files.items():
        _write(temporary / file, data)
    shutil.rmtree(folder / name, ignore_errors=True)  # left by a run that was trained further before
    temporary.replace(folder / name)
    _flush(folder)


def _remove_older(folder: Path, kept: set[int | None]) -> None:
    for epoch, place in _epochs(folder).items():
        if epoch not in kept:
            shutil.rmtree(place)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf8"))
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object.")
    return content


def _read_tensors(path: Path, sha256: str) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one written beside it.")
        return parse_tensors(data)
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror}.") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
