"""Trained weights for a network: carried by the package, from a file, from the official URL, or through torchvision."""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from torchclinic.data.download import Listener, fetch
from torchclinic.data.mnist import cache_folder
from torchclinic.errors import CheckpointError, DataError, InputError

Weights = str | Path | None
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Source:
    """A file on the network; torch hub writes the first digits of its SHA-256 into its name."""

    url: str

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def sha256(self) -> str:
        return self.file_name.rpartition("-")[2].partition(".")[0]


HUB = "https://download.pytorch.org/models/"
IMAGENET = {  # trained by torchvision (IMAGENET1K_V1): top-1 accuracy 69.76 %, 73.31 %, 76.13 %
    "resnet18": Source(f"{HUB}resnet18-f37072fd.pth"),
    "resnet34": Source(f"{HUB}resnet34-b627a593.pth"),
    "resnet50": Source(f"{HUB}resnet50-0676ba61.pth"),
}
EMBEDDED = {("resnet20", "cifar10"): "resnet20-cifar10.safetensors"}


def load_weights(model: Model, name: str, weights: Weights) -> Model:
    """Load `weights` into the network called `name`, and return it in eval mode; None leaves it as it is.

    Raises: InputError if there are no weights of that name, DataError if they cannot be fetched, CheckpointError if a
    file is missing, unreadable, or does not fit.
    """
    if weights is None:
        return model
    fit(model, read_weights(name, weights), f"{name} with weights = {str(weights)!r}")
    return model.eval()


def read_weights(name: str, weights: str | Path) -> Mapping[str, Tensor]:
    """The state dict that `weights` stands for."""
    if isinstance(weights, str) and (name, weights) in EMBEDDED:
        return _embedded(EMBEDDED[name, weights])
    if weights == "imagenet" and name in IMAGENET:
        return read_state(download(IMAGENET[name]))
    if weights == "torchvision" and name in IMAGENET:
        return _from_torchvision(name)
    path = Path(weights)
    if path.suffix or path.exists():
        return read_state(path)
    words = [word for model, word in EMBEDDED if model == name] + ["imagenet", "torchvision"] * (name in IMAGENET)
    raise InputError(
        f"There are no weights {str(weights)!r} for {name}: give "
        f"{', '.join(map(repr, words)) + ' or ' if words else ''}a .pth or .safetensors file."
    )


def download(source: Source, folder: Path | None = None, listen: Listener | None = None) -> Path:
    """The file of `source`, fetched into the cache the first time and checked against its SHA-256.

    Raises: DataError, which says what to do without a network.
    """
    target = (folder or cache_folder()) / source.file_name
    try:
        return fetch([source.url], target, sha256=source.sha256, listen=listen)
    except DataError as error:
        raise DataError(
            f"{str(error).rstrip('.')}. Without a network, copy {source.url} to {target}, or give the file's path."
        ) from error


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The state dict of a .safetensors file or a torch checkpoint; nothing in it is executed.

    Raises: CheckpointError if the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path} holds no state dict (names and tensors); `torchclinic inspect` shows what it holds.")
    return content


def fit(model: nn.Module, state: Mapping[str, Tensor], place: str) -> None:
    """Load a state dict whose names and shapes are exactly the model's (BatchNorm's step counters may be absent).

    Raises: CheckpointError with the first missing, unexpected and differently shaped names.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    reshaped = [
        f"{name} {list(state[name].shape)} for {list(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    if any(kinds.values()):
        counts = ", ".join(f"{len(names)} {kind} ({names[0]})" for kind, names in kinds.items() if names)
        raise CheckpointError(f"{place}: the weights do not fit: {counts}.")
    model.load_state_dict(dict(state), strict=False)


def _unpickle(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _embedded(file_name: str) -> Mapping[str, Tensor]:
    resource = files("torchclinic.models") / "embedded" / file_name
    if not resource.is_file():
        raise CheckpointError(f"This copy of torchclinic does not carry {file_name}; install the released package.")
    with as_file(resource) as path:
        return read_state(path)


def _from_torchvision(name: str) -> Mapping[str, Tensor]:
    try:
        from torchvision.models import get_model  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise InputError('weights = "torchvision" needs torchvision: install it, or use "imagenet".') from error
    state: Mapping[str, Tensor] = get_model(name, weights="IMAGENET1K_V1").state_dict()
    return state
