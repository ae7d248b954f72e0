"""The networks, and `build` to make one by name."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from torchclinic.errors import InputError
from torchclinic.models.digits import Cnn, Mlp, ModernMlp
from torchclinic.models.resnet import CifarResNet, ResNet, resnet18, resnet20, resnet32, resnet34, resnet44, resnet50, resnet56

MODELS: Mapping[str, type[nn.Module]] = {"mlp": Mlp, "modern": ModernMlp, "cnn": Cnn}

__all__ = [
    "MODELS",
    "CifarResNet",
    "Cnn",
    "Mlp",
    "ModernMlp",
    "ResNet",
    "build",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
]


def build(name: str, **arguments: Any) -> nn.Module:
    """The network called `name`, freshly initialized. Raises: InputError for a name there is none of."""
    if name not in MODELS:
        raise InputError(f'There is no model "{name}": choose one of {", ".join(MODELS)}.')
    return MODELS[name](**arguments)
