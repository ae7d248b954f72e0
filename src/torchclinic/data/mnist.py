"""MNIST: 5,000 images inside the package, or all 70,000 from a folder, the cache, or the network.

Images stay one uint8 tensor; `normalize` runs on a batch, on the batch's device.
"""

import hashlib
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from torchclinic.data import idx
from torchclinic.data.download import fetch
from torchclinic.errors import DataError, InputError

Source = Literal["subset", "mnist"]
MEAN, STD = 0.1307, 0.3081  # of the 60,000 training images, scaled to [0, 1]
SUBSET_TRAIN = 4000
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
# file -> SHA-256 of its decompressed content
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True, slots=True, eq=False)
class Mnist:
    """Images uint8 [n, 28, 28], 0 = background, 255 = ink; labels int64 [n]."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    name: str


def normalize(images: Tensor) -> Tensor:
    """uint8 [B, 28, 28] -> float32 [B, 1, 28, 28] ; MNIST's training pixels then have mean 0, variance 1."""
    return images.unsqueeze(1).float().div_(255).sub_(MEAN).div_(STD)


def load_mnist(source: Source = "subset", data_dir: Path | None = None) -> Mnist:
    """The embedded subset (4,000 training and 1,000 test images, 400 and 100 per class), or MNIST in full.

    Full MNIST is looked for in `data_dir` (a folder that holds `mnist/` or the four IDX files, gzip or plain), then in
    the folder TORCHCLINIC_DATA names, then in the user's cache; else it is downloaded into the cache.

    Raises: DataError if a file is missing, damaged or cannot be fetched; InputError for an unknown source.
    """
    if source == "subset":
        return _subset()
    if source != "mnist":
        raise InputError(f'Unknown data "{source}": choose "subset" (embedded) or "mnist" (in full).')
    paths = _find(data_dir)
    images, labels = "images-idx3-ubyte", "labels-idx1-ubyte"
    train_images, train_labels = _pair(paths, f"train-{images}", f"train-{labels}")
    test_images, test_labels = _pair(paths, f"t10k-{images}", f"t10k-{labels}")
    return Mnist(train_images, train_labels, test_images, test_labels, name="MNIST")


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/torchclinic`, by default `~/.cache/torchclinic`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "torchclinic"


def _subset() -> Mnist:
    with (files("torchclinic.data") / "embedded" / "mnist_5k.npz").open("rb") as file, np.load(file) as archive:
        images = torch.from_numpy(archive["images"])
        labels = torch.from_numpy(archive["labels"].astype(np.int64))
    split = SUBSET_TRAIN
    return Mnist(images[:split], labels[:split], images[split:], labels[split:], name="MNIST subset")


def _find(data_dir: Path | None) -> dict[str, Path]:
    if data_dir is not None:
        found = _in_folder(data_dir)
        if not found:
            raise DataError(f"{data_dir} holds no MNIST: expected {next(iter(SHA256))}(.gz) there or in its folder mnist/.")
        return found
    if (named := os.environ.get("TORCHCLINIC_DATA")) and (found := _in_folder(Path(named))):
        return found
    cache = cache_folder() / "mnist"
    for name, sha256 in SHA256.items():
        if not (cache / name).is_file():
            fetch([f"{mirror}{name}.gz" for mirror in MIRRORS], cache / name, sha256=sha256, unpack=True)
    return {name: cache / name for name in SHA256}


def _in_folder(folder: Path) -> dict[str, Path]:
    """The four files of `folder/mnist` or `folder`; empty if none is there."""
    for place in (folder / "mnist", folder):
        found = {name: path for name in SHA256 if (path := _variant(place, name))}
        if missing := [name for name in SHA256 if found and name not in found]:
            raise DataError(f"{place} lacks {missing[0]} (plain or .gz): MNIST is four files.")
        if found:
            return found
    return {}


def _variant(folder: Path, name: str) -> Path | None:
    """The file `name` as the mirrors call it or with the dot some archives have, gzip or plain."""
    dotted = name.replace("-idx", ".idx")
    candidates = (folder / f"{stem}{suffix}" for stem in (name, dotted) for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _pair(paths: dict[str, Path], images_name: str, labels_name: str) -> tuple[Tensor, Tensor]:
    contents = {name: idx.read_content(paths[name]) for name in (images_name, labels_name)}
    images, labels = (idx.parse(content, paths[name]) for name, content in contents.items())
    if images.shape[1:] != (28, 28) or labels.dim() != 1 or len(images) != len(labels):
        raise DataError(
            f"{paths[images_name]} has shape {list(images.shape)} and {paths[labels_name]} {list(labels.shape)}; "
            "MNIST has [n, 28, 28] images and as many labels."
        )
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            raise DataError(f"{paths[name]} is not the file MNIST has: its SHA-256 should begin {SHA256[name][:12]}.")
    return images, labels.long()
