"""Grids of images; nothing is written."""

import math
from typing import Any

import torch


def make_grid(images: Any, nrow: int = 8, padding: int = 2, **options: Any) -> torch.Tensor:
    """The images of a batch side by side."""
    images = torch.stack(list(images)) if isinstance(images, list | tuple) else images
    images = images.expand(-1, 3, -1, -1) if images.dim() == 4 and images.shape[1] == 1 else images
    columns = min(nrow, len(images))
    lines = math.ceil(len(images) / columns)
    height, width = images.shape[-2] + padding, images.shape[-1] + padding
    grid = images.new_zeros(images.shape[1], lines * height, columns * width)
    for index, image in enumerate(images.detach()):
        top, left = index // columns * height, index % columns * width
        grid[:, top : top + height - padding, left : left + width - padding] = image
    return grid


def save_image(images: Any, path: Any, *args: Any, **options: Any) -> None:
    """Drops the images."""
