"""Trained networks to start from: carried by the package, fetched, or a checkpoint whose architecture is recognized."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from torchclinic.errors import CheckpointError, InputError
from torchclinic.models import resnet18, resnet20, resnet32, resnet34, resnet44, resnet50, resnet56
from torchclinic.models.weights import fit, read_state, read_weights

CIFAR: Mapping[str, Callable[..., nn.Module]] = {
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet44": resnet44,
    "resnet56": resnet56,
}
IMAGENET: Mapping[str, Callable[..., nn.Module]] = {"resnet18": resnet18, "resnet34": resnet34, "resnet50": resnet50}
BUILDERS = {**CIFAR, **IMAGENET}
# Mean and standard deviation per channel of the images the networks were trained on.
CIFAR_STATISTICS = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Backbone:
    architecture: str
    state: Mapping[str, Tensor]
    source: str  # the name or file it came from

    @property
    def image_size(self) -> int:
        """Side of the pictures it gets by default. Photographs say little at the 32 pixels of CIFAR: they get twice that."""
        return 64 if self.architecture in CIFAR else 224

    def build(self, *, trained: bool) -> nn.Module:
        """The network with its trained weights, or with new ones; its head is the one it was trained with."""
        model = BUILDERS[self.architecture](num_classes=len(self.state["fc.weight"]))
        if trained:
            fit(model, self.state, self.source)
        return model

    def prepare(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] with values from 0 to 255 -> float32, scaled as the images it was trained on."""
        mean, deviation = (torch.tensor(row, device=images.device).view(1, 3, 1, 1) for row in self._statistics)
        return (images.float() / 255 - mean) / deviation

    @property
    def _statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        return CIFAR_STATISTICS if self.architecture in CIFAR else IMAGENET_STATISTICS


def load_backbone(name: str) -> Backbone:
    """`resnet20` (CIFAR-10, carried by the package), `resnet18/34/50` (ImageNet), or a checkpoint file of a ResNet.

    The architecture of a file is recognized by the names and shapes of its tensors.

    Raises:
        InputError, DataError, CheckpointError: no such weights, no network, or a file that fits no architecture.
    """
    if name in BUILDERS:
        return Backbone(name, read_weights(name, "cifar10" if name in CIFAR else "imagenet"), name)
    if not Path(name).is_file():
        raise InputError(f"There is no backbone {name}: give one of {', '.join(BUILDERS)}, or a checkpoint file.")
    state = {key.removeprefix("module.").removeprefix("_orig_mod."): t for key, t in read_state(Path(name)).items()}
    for architecture, build in BUILDERS.items():
        with torch.device("meta"):
            own = build().state_dict()
        if state.keys() <= own.keys() and all(_fits(own[key], state.get(key), key) for key in own):
            return Backbone(architecture, state, name)
    raise CheckpointError(f"{name} is none of {', '.join(BUILDERS)}: `torchclinic inspect {name}` shows what it holds.")


def _fits(own: Tensor, given: Tensor | None, key: str) -> bool:
    if key.endswith("num_batches_tracked"):
        return True
    return given is not None and (key.startswith("fc.") or given.shape == own.shape)
