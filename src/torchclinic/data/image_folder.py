"""Image folders of two or more classes: one folder per class, with or without train/ and val/ above them.

What is wrong with a folder (unreadable pictures, empty classes, the same picture on both sides of the split) is put
right where that is possible, and always said.
"""

import hashlib
import math
import random
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from torchclinic.data.mnist import Mnist
from torchclinic.errors import DataError, InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TRAIN_NAMES = ("train", "training")
HELD_OUT_NAMES = ("val", "valid", "validation", "test")
MARGIN = 8 / 7  # the shorter side is scaled to this times the crop, as 256 is to 224
MOST_BYTES = 4 * 2**30
UNBALANCED = 1.5  # largest class against smallest


@dataclass(frozen=True, slots=True, eq=False)
class ImageFolder:
    """Images uint8 [n, 3, size, size] and labels int64 [n], split once; `notes` says what was odd about the folder."""

    classes: tuple[str, ...]
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    name: str
    notes: tuple[str, ...] = ()
    mirrored: bool = True  # whether a mirror image is of the same class

    @property
    def counts(self) -> tuple[tuple[int, int], ...]:
        """Per class: images for training and held out."""
        sides = (self.train_labels, self.test_labels)
        train, test = (torch.bincount(labels, minlength=len(self.classes)).tolist() for labels in sides)
        return tuple(zip(train, test, strict=True))

    @property
    def majority(self) -> float:
        """Accuracy on the held-out images of always answering the most frequent training class."""
        answer = torch.bincount(self.train_labels, minlength=len(self.classes)).argmax()
        return (self.test_labels == answer).double().mean().item()

    @property
    def unbalanced(self) -> bool:
        counts = [train for train, _ in self.counts]
        return max(counts) >= UNBALANCED * min(counts)


@dataclass(frozen=True, slots=True)
class _Picture:
    path: Path
    label: int
    digest: str


def load_image_folder(folder: Path, size: int, *, held_out: float = 0.25, seed: int = 0) -> ImageFolder:
    """Read `folder/CLASS/*` or `folder/{train,val}/CLASS/*`, each picture scaled and centre-cropped to size × size.

    Without train/ and val/, the share `held_out` of each class is held out, chosen by `seed`. Pictures that cannot be
    read, empty classes, and training pictures that are also held out (byte for byte) are left out and noted.

    Raises:
        DataError: no folder, fewer than two classes with pictures, or a class without pictures on one side.
        InputError: `size` or `held_out` cannot work, or the pictures need more than 4 GiB.
    """
    if size < 8 or not 0 < held_out < 1:
        raise InputError(f"size = {size} and held_out = {held_out}: at least 8 pixels and a share in (0, 1).")
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; one folder per class (or train/ and val/ with them) is needed in it.")
    notes: list[str] = []
    train_side, test_side = _sides(folder)
    classes = _classes(folder, [side for side in (train_side, test_side) if side is not None], notes)
    train = _list(train_side, classes, notes)
    if test_side is not None:
        test = _list(test_side, classes, notes)
    else:
        train, test = _split(train, held_out, seed)
        notes.append(f"No val/ beside train/: {held_out:.0%} of each class are held out, chosen by seed {seed}.")
    train = _without_leaks(train, test, notes)
    if (needed := (len(train) + len(test)) * 3 * size * size) > MOST_BYTES:
        raise InputError(f"{len(train) + len(test):,} pictures of {size} × {size} need {needed / 2**30:.1f} GiB.")
    train_images, train_labels = _read(train, size, notes)
    test_images, test_labels = _read(test, size, notes)
    data = ImageFolder(tuple(classes), train_images, train_labels, test_images, test_labels, str(folder), tuple(notes))
    return _checked(data)


def _sides(folder: Path) -> tuple[Path, Path | None]:
    found = {entry.name.lower(): entry for entry in sorted(folder.iterdir()) if entry.is_dir()}
    train = next((found[name] for name in TRAIN_NAMES if name in found), None)
    test = next((found[name] for name in HELD_OUT_NAMES if name in found), None)
    return (train, test) if train is not None and test is not None else (train or folder, None)


def _classes(folder: Path, sides: Sequence[Path], notes: list[str]) -> list[str]:
    """Names of the classes with pictures, sorted; empty ones are noted."""
    counts: Counter[str] = Counter()
    for side in sides:
        for entry in side.iterdir():
            if entry.is_dir() and not entry.name.startswith("."):
                counts[entry.name] += len(_pictures_in(entry))
    empty = sorted(name for name, count in counts.items() if count == 0)
    if empty:
        notes.append(f"Classes without pictures are left out: {', '.join(empty)}.")
    classes = sorted(name for name, count in counts.items() if count)
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "none"
        raise DataError(f"{folder} needs at least two classes, each a folder of pictures; it has {found}.")
    return classes


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.rglob("*") if entry.suffix.lower() in SUFFIXES and entry.is_file())


def _list(side: Path, classes: Sequence[str], notes: list[str]) -> list[_Picture]:
    pictures = []
    for label, name in enumerate(classes):
        paths = _pictures_in(side / name) if (side / name).is_dir() else []
        pictures += [_Picture(path, label, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    return pictures


def _split(pictures: Sequence[_Picture], held_out: float, seed: int) -> tuple[list[_Picture], list[_Picture]]:
    """Hold out a share of each class; equal pictures stay on one side."""
    train: list[_Picture] = []
    test: list[_Picture] = []
    for label in sorted({picture.label for picture in pictures}):
        digests = sorted({picture.digest for picture in pictures if picture.label == label})
        random.Random(f"{seed} {label}").shuffle(digests)
        chosen = set(digests[: max(1, round(held_out * len(digests)))])
        for picture in (picture for picture in pictures if picture.label == label):
            (test if picture.digest in chosen else train).append(picture)
    return train, test


def _without_leaks(train: list[_Picture], test: list[_Picture], notes: list[str]) -> list[_Picture]:
    held_out = {picture.digest for picture in test}
    kept = [picture for picture in train if picture.digest not in held_out]
    if len(kept) < len(train):
        notes.append(f"{len(train) - len(kept)} training pictures are also held out, byte for byte; left out there.")
    return kept


def _read(pictures: Sequence[_Picture], size: int, notes: list[str]) -> tuple[Tensor, Tensor]:
    images, labels, broken = [], [], []
    for picture in pictures:
        try:
            images.append(read_picture(picture.path, size))
            labels.append(picture.label)
        except DataError as error:
            broken.append(str(error))
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        notes.append(f"{len(broken)} pictures cannot be read and are left out: {' '.join(broken[:3])}{more}")
    stacked = torch.stack(images) if images else torch.zeros(0, 3, size, size, dtype=torch.uint8)
    return stacked, torch.tensor(labels, dtype=torch.int64)


def read_picture(path: Path, size: int) -> Tensor:
    """A picture file as uint8 [3, size, size]: upright, RGB, scaled, centre-cropped.

    Raises:
        DataError: the file is no picture, is damaged, or unpacks to more pixels than Pillow allows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} is not a readable picture.") from error
    scaled = math.ceil(size * MARGIN)
    shorter = min(picture.size)
    width, height = (max(scaled, round(side * scaled / shorter)) for side in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    # Scaling only the part that is kept bounds the work for pictures that are far from square.
    scale = shorter / scaled
    box = (left * scale, top * scale, min((left + size) * scale, picture.width), min((top + size) * scale, picture.height))
    cropped = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return torch.from_numpy(np.asarray(cropped).copy()).permute(2, 0, 1)


def _checked(data: ImageFolder) -> ImageFolder:
    for name, (train, test) in zip(data.classes, data.counts, strict=True):
        if not train or not test:
            side = "to train on" if not train else "held out"
            raise DataError(f"{data.name}: the class {name!r} has no readable picture {side}.")
    if not data.unbalanced:
        return data
    listed = ", ".join(f"{name} {train}" for name, (train, _) in zip(data.classes, data.counts, strict=True))
    note = f"The classes are unbalanced ({listed} to train on): the loss weighs them by inverse count."
    return replace(data, notes=(*data.notes, note))


def digits_as_pictures(digits: Mnist, size: int, per_class: int) -> ImageFolder:
    """A few MNIST digits per class to learn from and all test digits, as grey RGB pictures; digits have no mirror images."""
    chosen = torch.cat([torch.nonzero(digits.train_labels == label)[:per_class, 0] for label in range(10)])
    train, test = (
        functional.interpolate(images[:, None].float(), (size, size), mode="bilinear", antialias=True)
        .round()
        .to(torch.uint8)
        .expand(-1, 3, -1, -1)
        for images in (digits.train_images[chosen], digits.test_images)
    )
    return ImageFolder(
        tuple(map(str, range(10))),
        train,
        digits.train_labels[chosen],
        test,
        digits.test_labels,
        digits.name,
        (f"{per_class} digits per class to learn from, {len(test):,} held out.",),
        mirrored=False,
    )
