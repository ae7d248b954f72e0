"""Pictures of the CNN lab: filtered photographs and digits, borders, learned filters, activation maps."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.cnn import filters
from torchclinic.instruments.activations import activations
from torchclinic.instruments.filters import FilterReport
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import image_grid, line_chart, signed_pixels

SHOWN = 80  # pixels: side of a photograph in a page
CORNER = 24  # pixels of the corner that shows a border


def show_filters(lab: Lab, gray: Tensor, digits: Tensor) -> None:
    """Each classic filter on a gray photograph [H, W], and Sobel on digits [n, 1, 28, 28]."""
    small = _reduced(gray)
    edges = filters.sobel(small)
    gray_pictures = {
        "original": small,
        "Gaussian, σ = 2": filters.filter_image(small, filters.gaussian(2.0), "reflect"),
        "sharpened": filters.filter_image(small, filters.SHARPEN, "reflect"),
        "Sobel, magnitude": edges.magnitude / edges.magnitude.max(),
    }
    pixels = gray_pixels(torch.stack(list(gray_pictures.values())))
    description = "A cat, photographed by Stefan van der Walt (CC0)."
    lab.figure(
        image_grid(
            "Filters on a photograph", pixels, list(gray_pictures), scale=1.7, columns=4, description=description
        )
    )
    signed = {
        "Laplacian": _signed(filters.filter_image(small, filters.LAPLACIAN, "reflect")),
        "Sobel, vertical edges": _signed(edges.vertical),
        "Sobel, horizontal edges": _signed(edges.horizontal),
        "Sobel, direction": direction_pixels(edges),
    }
    description = "Blue is positive, orange negative; direction is a hue, as bright as the edge is strong."
    pixels = np.stack(list(signed.values()))
    lab.figure(image_grid("Filters with a sign", pixels, list(signed), scale=1.7, columns=4, description=description))
    sobel = filters.sobel(digits[:, 0])
    magnitude = sobel.magnitude / sobel.magnitude.amax((1, 2), keepdim=True)
    ink = (digits[:, 0] - digits.min()) / (digits.max() - digits.min())
    labels = [*["digit"] * len(digits), *["magnitude"] * len(digits)]
    pixels = gray_pixels(torch.cat([ink, magnitude]))
    lab.figure(image_grid("Sobel on MNIST digits: feature maps", pixels, labels, columns=len(digits)))


def show_borders(lab: Lab, gray: Tensor) -> None:
    """The upper left corner after a wide blur, for each way to make up what lies beyond the border."""
    corner, blur = _reduced(gray)[30:, 20:], filters.gaussian(3.0)  # cut so that something lies at the border
    borders: tuple[filters.Border, ...] = ("zeros", "reflect", "replicate", "circular")
    pictures = [filters.filter_image(corner, blur, border)[:CORNER, :CORNER] for border in borders]
    pixels = gray_pixels(torch.stack(pictures))
    description = "Zeros darken the border; a circular border brings in the opposite side."
    lab.figure(image_grid("The same corner, four borders", pixels, borders, scale=5, description=description))


def gray_pixels(values: Tensor) -> np.ndarray:
    """Values 0 to 1 as pixels uint8 of the same shape."""
    pixels: np.ndarray = (values.detach().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return pixels


def direction_pixels(edges: filters.Edges) -> np.ndarray:
    """Direction as hue and magnitude as brightness, uint8 [H, W, 3]: a cosine per colour, a third of a turn apart."""
    turns = torch.tensor([0.0, 2.0944, 4.1888])
    hue = (1 + torch.cos(edges.direction[..., None] - turns)) / 2
    brightness = (edges.magnitude / edges.magnitude.max()).sqrt()[..., None]
    pixels: np.ndarray = (hue * brightness * 255).round().to(torch.uint8).numpy()
    return pixels


def _signed(values: Tensor) -> np.ndarray:
    pixels: np.ndarray = signed_pixels(values[None].numpy())[0]
    return pixels


def _reduced(gray: Tensor) -> Tensor:
    return F.interpolate(gray[None, None], (SHOWN, SHOWN), mode="area")[0, 0]


def show_weights(lab: Lab, first: Tensor, reports: Sequence[FilterReport]) -> None:
    """First-layer filters [n, 3, 3, 3] in colour, the spectra of some layers, and a table of all."""
    largest = first.abs().amax((1, 2, 3), keepdim=True)
    pixels = gray_pixels((first / largest + 1) / 2).transpose(0, 2, 3, 1)
    labels = [f"filter {index}" for index in range(len(first))]
    lab.figure(image_grid("Filters of the first layer, grey = 0", pixels, labels, columns=8, scale=16))
    chosen = [
        report for report in reports if report.layer in ("conv1", "layer1.0.conv1", "layer2.0.conv2", "layer3.2.conv2")
    ]
    spectra = {
        report.layer: [
            ((i + 1) / len(report.spectrum), float(s / report.spectrum[0])) for i, s in enumerate(report.spectrum)
        ]
        for report in chosen
    }
    title = "Singular values of the weights, largest = 1"
    lab.figure(line_chart(title, spectra, "rank / number of filters", "singular value", log_y=True))
    columns = (
        "layer",
        "filters",
        "smallest norm",
        "median",
        "largest",
        "spectral norm",
        "effective rank",
        "dead",
        "duplicates",
    )
    rows = []
    for report in reports:
        norms = (report.norms.min().item(), report.norms.median().item(), report.norms.max().item())
        counts = (len(report.dead), len(report.duplicates))
        rows.append((report.layer, report.shape[0], *norms, report.spectrum[0].item(), report.effective_rank, *counts))
    lab.table(columns, rows, "Every convolution")


def show_activations(lab: Lab, model: nn.Module, picture: Tensor, layers: Sequence[str]) -> None:
    """The first eight channels of each layer's answer to one picture [1, 3, H, W]."""
    for layer, answer in activations(model, picture, layers).items():
        maps = answer[0, :8]
        pixels = gray_pixels(maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-9))
        labels = [f"channel {index}" for index in range(len(maps))]
        size = f"{answer.shape[2]} x {answer.shape[3]}"
        lab.figure(image_grid(f"Answers of {layer}, {size}", pixels, labels, columns=8, scale=64 / answer.shape[3]))
