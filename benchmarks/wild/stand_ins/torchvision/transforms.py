"""The transforms that the programs use, on PIL images and tensors."""

import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

BILINEAR = Image.Resampling.BILINEAR
Size = int | Sequence[int]


def pair(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else (tuple(size) * 2)[:2]


class Compose:
    """One after another."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image


class ToTensor:
    """Pixels as floats from 0 to 1, channels first."""

    def __call__(self, image: Any) -> torch.Tensor:
        values = np.array(image)
        values = values[:, :, None] if values.ndim == 2 else values
        tensor = torch.from_numpy(values.transpose(2, 0, 1).copy())
        return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


class Normalize:
    """Minus the mean, by the spread, channel by channel."""

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std = torch.tensor(mean).float().reshape(-1, 1, 1), torch.tensor(std).float().reshape(-1, 1, 1)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        if len(self.mean) not in (1, image.shape[0]):
            raise RuntimeError(f"{len(self.mean)} means for {image.shape[0]} channels")
        return (image - self.mean) / self.std


class Lambda:
    """A function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, image: Any) -> Any:
        return self.function(image)


class ToPILImage:
    """A tensor of floats from 0 to 1, or an array of bytes, as an image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, image: Any) -> Image.Image:
        if isinstance(image, torch.Tensor):
            image = (image * 255 if image.is_floating_point() else image).byte().permute(1, 2, 0).numpy()
        return Image.fromarray(image[:, :, 0] if image.shape[-1] == 1 else image)


class Resize:
    """The shorter side to `size`, or both to two numbers."""

    def __init__(self, size: Size, interpolation: Any = BILINEAR, **options: Any) -> None:
        self.size, self.interpolation = size, interpolation

    def __call__(self, image: Any) -> Any:
        if isinstance(image, torch.Tensor):
            return F.interpolate(image[None], pair(self.size), mode="bilinear", align_corners=False)[0]
        if not isinstance(self.size, int):
            return image.resize((self.size[1], self.size[0]), self.interpolation)
        scale = self.size / min(image.size)
        return image.resize((round(image.width * scale), round(image.height * scale)), self.interpolation)


Scale = Resize


def crop_of(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part of an image or tensor."""
    if isinstance(image, torch.Tensor):
        return image[..., top : top + height, left : left + width]
    return image.crop((left, top, left + width, top + height))


def sides(image: Any) -> tuple[int, int]:
    """Height and width of an image or tensor."""
    return tuple(image.shape[-2:]) if isinstance(image, torch.Tensor) else (image.height, image.width)


class CenterCrop:
    """The middle."""

    def __init__(self, size: Size) -> None:
        self.size = pair(size)

    def __call__(self, image: Any) -> Any:
        (height, width), (tall, wide) = self.size, sides(image)
        return crop_of(image, (tall - height) // 2, (wide - width) // 2, height, width)


class Pad:
    """Zeros around."""

    def __init__(self, padding: int, fill: int = 0, padding_mode: str = "constant") -> None:
        self.padding = padding

    def __call__(self, image: Any) -> Any:
        p = self.padding
        if isinstance(image, torch.Tensor):
            return F.pad(image, (p, p, p, p))
        padded = Image.new(image.mode, (image.width + 2 * p, image.height + 2 * p))
        padded.paste(image, (p, p))
        return padded


class RandomCrop:
    """A part at a random place, of the image with zeros around."""

    def __init__(self, size: Size, padding: int = 0, **options: Any) -> None:
        self.size, self.pad = pair(size), Pad(padding or 0)

    def __call__(self, image: Any) -> Any:
        image = self.pad(image)
        (height, width), (tall, wide) = self.size, sides(image)
        return crop_of(image, random.randint(0, tall - height), random.randint(0, wide - width), height, width)


class RandomResizedCrop:
    """A random part, enlarged to `size`."""

    def __init__(self, size: Size, scale: tuple[float, float] = (0.08, 1.0), **options: Any) -> None:
        self.size, self.scale = pair(size), scale

    def __call__(self, image: Any) -> Any:
        tall, wide = sides(image)
        share = random.uniform(*self.scale) ** 0.5
        height, width = max(1, round(tall * share)), max(1, round(wide * share))
        part = crop_of(image, random.randint(0, tall - height), random.randint(0, wide - width), height, width)
        return Resize(self.size)(part)


RandomSizedCrop = RandomResizedCrop


class RandomHorizontalFlip:
    """Left for right, in half of the cases."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, image: Any) -> Any:
        if random.random() >= self.p:
            return image
        return image.flip(-1) if isinstance(image, torch.Tensor) else image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


class RandomRotation:
    """Turned by up to `degrees`."""

    def __init__(self, degrees: Any, **options: Any) -> None:
        self.degrees = (-degrees, degrees) if isinstance(degrees, int | float) else degrees

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.rotate(random.uniform(*self.degrees))


class Grayscale:
    """Brightness only."""

    def __init__(self, num_output_channels: int = 1) -> None:
        self.channels = num_output_channels

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.convert("L") if self.channels == 1 else image.convert("L").convert("RGB")


transforms = functional = sys.modules[__name__]
InterpolationMode = Image.Resampling
