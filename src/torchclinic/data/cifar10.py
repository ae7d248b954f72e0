"""CIFAR-10 from a folder: `cifar10/train.npz` and `test.npz`, JPEG bytes with offsets, labels and class names."""

import io
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchclinic.errors import DataError

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training pixels, scaled to [0, 1]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True, slots=True, eq=False)
class Cifar10:
    """Images uint8 [n, 3, 32, 32], labels int64 [n] into CLASSES."""

    images: Tensor
    labels: Tensor


def load_cifar10(part: Literal["train", "test"], count: int | None = None, data_dir: Path | None = None) -> Cifar10:
    """The first `count` images (all by default) of a part, from `data_dir` or the folder TORCHCLINIC_DATA names.

    Raises: DataError if there is no such file or it is damaged.
    """
    folder = data_dir or (Path(named) if (named := os.environ.get("TORCHCLINIC_DATA")) else None)
    path = None if folder is None else folder / "cifar10" / f"{part}.npz"
    if path is None or not path.is_file():
        where = "TORCHCLINIC_DATA is not set" if path is None else f"there is no {path}"
        raise DataError(f"CIFAR-10 is needed and {where}; point TORCHCLINIC_DATA to a folder that holds cifar10/{part}.npz.")
    try:
        with path.open("rb") as file, np.load(file) as archive:
            data, offsets, labels = archive["jpeg"].tobytes(), archive["offsets"], archive["labels"][:count]
        spans = list(pairwise(offsets.tolist()))[: len(labels)]
        pictures = [np.asarray(Image.open(io.BytesIO(data[start:stop])).convert("RGB")) for start, stop in spans]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path} is not readable as CIFAR-10: {str(error).splitlines()[0]}") from error
    return Cifar10(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), torch.from_numpy(labels.astype(np.int64)))


def normalize_rgb(images: Tensor) -> Tensor:
    """uint8 or 0 to 1 float [B, 3, H, W] -> float32 with mean 0 and variance 1 over CIFAR-10's training pixels."""
    values = images.float() / 255 if images.dtype == torch.uint8 else images
    return (values - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
