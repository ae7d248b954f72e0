"""What do filters see that nobody trained, and what happens where the picture ends?

Second part of `manual_conv`: Sobel, Gaussian, Laplacian, sharpening; borders; translation.
Sources: Gonzalez and Woods 2018, Digital Image Processing, 4th edition; Zhang 2019, arXiv:1904.11486, section 3.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.cnn import filters
from torchclinic.data import load_mnist, normalize
from torchclinic.labs.lab import Lab
from torchclinic.labs.pictures_cnn import show_borders, show_filters

EPSILON = torch.finfo(torch.float32).eps


def run(lab: Lab) -> None:
    lab.section("Filters without training")
    photo = filters.photograph()
    gray = filters.to_gray(photo)
    show_filters(lab, gray, normalize(load_mnist().test_images[:8]))
    edges, turned = filters.sobel(gray), filters.sobel(gray.T)
    lab.claim("sobel-transpose", "Vertical edges of a transposed picture are its horizontal edges, transposed",
        predicted=0.0, measured=float((turned.vertical.T - edges.horizontal).abs().max()), relation="≈",
        tolerance=9 * 8 * EPSILON, note="two sums of 9 products of pixels ≤ 1 and weights of total 8")
    ramp = torch.arange(12.0).expand(12, 12) * 0.5
    lab.claim("sobel-ramp", "On a ramp of slope ½ Sobel answers 8·½ everywhere", predicted=4.0,
        measured=float(filters.sobel(ramp, "valid").magnitude.mean()), unit="gray levels")
    lab.claim("laplacian-ramp", "The Laplacian does not see a ramp", predicted=0.0,
        measured=float(filters.filter_image(ramp, filters.LAPLACIAN, "valid").abs().max()))
    blur = filters.gaussian(1.5)
    twice = filters.filter_image(F.pad(blur, (8, 8, 8, 8)), blur)
    once_variance, twice_variance = (_variance(kernel) for kernel in (blur, twice))
    lab.claim("gaussian-twice", "Blurring twice adds the variances", predicted=2 * once_variance, relation="≈",
        measured=twice_variance, tolerance=81 * EPSILON * 64, unit="pixels²",
        source="variance of a sum of independent shifts", note="81 roundings, weighted by at most 8²")

    lab.section("Borders, and moving the picture")
    show_borders(lab, gray)
    zeros, mirrored = (filters.filter_image(gray, filters.BOX, border) for border in ("zeros", "reflect"))
    lab.claim("border-reach", "What is made up at the border reaches ⌊k/2⌋ = 1 pixel inwards", predicted=0,
        measured=int((zeros != mirrored)[1:-1, 1:-1].sum()), unit="further pixels that differ")
    sharp, moved = (
        filters.filter_image(image, filters.SHARPEN, "circular") for image in (gray, gray.roll((5, 3), (0, 1)))
    )
    lab.claim("equivariance", "Filtering a moved picture moves the filtered picture (circular border)", predicted=0.0,
        measured=float((moved - sharp.roll((5, 3), (0, 1))).abs().max()), relation="≈", source="f(Tx) = T f(x)",
        tolerance=9 * 9 * EPSILON, note="two sums of 9 products, weights of total 9")
    rounding = 81 * EPSILON
    lab.claim("stride-even", "With stride 2 a shift by 4 pixels is a shift by 2", predicted=0.0, relation="≈",
        measured=_unlike_shift(gray, blur, 4), tolerance=rounding, note="two sums of 81 products, total 1")
    lab.claim("stride-odd", "With stride 2 a shift by 3 pixels is no shift: the difference exceeds rounding",
        predicted=rounding, measured=_unlike_shift(gray, blur, 3), relation=">",
        source="Zhang 2019, arXiv:1904.11486, section 3")


def _variance(kernel: Tensor) -> float:
    offset = torch.arange(kernel.shape[1]) - kernel.shape[1] // 2
    return float((kernel.sum(0) * offset**2).sum())


def _unlike_shift(image: Tensor, kernel: Tensor, rows: int) -> float:
    """How far a strided convolution of a moved image is from the moved result, without the rows that came around."""
    still, moved = (tc.conv2d(x[None, None], kernel[None, None], stride=2) for x in (image, image.roll(rows, 0)))
    return float((moved - still.roll(rows // 2, 2))[..., 4:-4, :].abs().max())
