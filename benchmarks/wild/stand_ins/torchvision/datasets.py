"""The first rows of MNIST and CIFAR-10, and folders of images. WILD_ROWS = "training rows,test rows"."""

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

Transform = Callable[[Any], Any] | None
ROOT = Path(os.environ.get("TORCHCLINIC_DATA", "."))


def rows(train: bool) -> int:
    """How many rows a split has."""
    return int(os.environ.get("WILD_ROWS", "2000,500").split(",")[0 if train else 1])


def read_idx(name: str, header: int) -> np.ndarray:
    """The bytes of an IDX file behind its header."""
    with gzip.open(next((ROOT / "mnist").glob(f"{name}*"))) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


class VisionDataset(torch.utils.data.Dataset):
    """Images with labels, and what is done to each as it is read."""

    def __init__(self, transform: Transform = None, target_transform: Transform = None) -> None:
        self.transform, self.target_transform = transform, target_transform

    def apply(self, image: Any, label: Any) -> tuple[Any, Any]:
        image = self.transform(image) if self.transform else image
        return image, self.target_transform(label) if self.target_transform else label


class MNIST(VisionDataset):
    """Digits of 28 by 28 pixels."""

    classes = tuple("0123456789")

    def __init__(
        self,
        root: Any = "",
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
    ) -> None:
        super().__init__(transform, target_transform)
        prefix, self.train = "train" if train else "t10k", train
        images = read_idx(f"{prefix}-images", 16).reshape(-1, 28, 28)[: rows(train)]
        self.data = torch.from_numpy(images.copy())
        self.targets = torch.from_numpy(read_idx(f"{prefix}-labels", 8)[: rows(train)].astype(np.int64))

    train_data = test_data = property(lambda self: self.data)
    train_labels = test_labels = property(lambda self: self.targets)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.apply(Image.fromarray(self.data[index].numpy(), mode="L"), int(self.targets[index]))


class FashionMNIST(MNIST):
    """Digits in the place of clothes."""


class KMNIST(MNIST):
    """Digits in the place of characters."""


class CIFAR10(VisionDataset):
    """Photographs of 32 by 32 pixels in ten classes."""

    def __init__(
        self,
        root: Any = "",
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
    ) -> None:
        super().__init__(transform, target_transform)
        file = np.load(ROOT / "cifar10" / ("train.npz" if train else "test.npz"), allow_pickle=False)
        starts, self.train = file["offsets"], train
        jpeg = file["jpeg"]
        pieces = [jpeg[starts[i] : starts[i + 1]].tobytes() for i in range(rows(train))]
        self.data = np.stack([np.asarray(Image.open(io.BytesIO(piece)).convert("RGB")) for piece in pieces])
        self.targets = [int(label) for label in file["labels"][: rows(train)]]
        self.classes = [str(name) for name in file["classes"]]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.apply(Image.fromarray(self.data[index]), self.targets[index])


class SVHN(CIFAR10):
    """CIFAR-10 in the place of house numbers."""

    def __init__(self, root: Any = "", split: str = "train", **options: Any) -> None:
        super().__init__(root, split != "test", **options)
        self.labels = self.targets


class LSUN(CIFAR10):
    """CIFAR-10 in the place of rooms."""

    def __init__(self, root: Any = "", classes: Any = None, transform: Transform = None) -> None:
        super().__init__(root, True, transform)


class ImageFolder(VisionDataset):
    """One folder a class; where the program's folder is missing, the ants and bees of TORCHCLINIC_DATA."""

    def __init__(self, root: Any, transform: Transform = None, target_transform: Transform = None, **options: Any) -> None:
        super().__init__(transform, target_transform)
        train = "val" not in str(root) and "test" not in str(root)
        place = Path(root) if Path(root).is_dir() else ROOT / "hymenoptera" / ("train" if train else "val")
        self.classes = sorted(folder.name for folder in place.iterdir() if folder.is_dir())
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}
        every = [(str(path), self.class_to_idx[name]) for name in self.classes for path in sorted((place / name).iterdir())]
        stride = max(1, -(-len(every) // rows(train)))
        self.samples = self.imgs = every[::stride]
        self.targets = [label for _, label in self.samples]
        self.loader = lambda path: Image.open(path).convert("RGB")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, label = self.samples[index]
        return self.apply(self.loader(path), label)
