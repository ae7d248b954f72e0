"""What does a convolution compute, where does its memory come from, and which pixels does it look at?

    torchclinic lab cnn-mechanics

Convolution and pooling by hand: as a definition, as a view, as a matrix; then filters that need no training.
Sources: Dumoulin and Visin 2016, arXiv:1603.07285 (geometry, transposed convolution); Higham 2002, Accuracy and
Stability of Numerical Algorithms, eq. 3.5 (rounding).
"""

import random
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.cnn.adjoint import conv2d_input_gradient, conv2d_weight_gradient, convolution_matrix
from torchclinic.cnn.conv import windows
from torchclinic.cnn.geometry import conv_axes
from torchclinic.cnn.stepping import convolution_steps, pooling_steps
from torchclinic.data import load_mnist, normalize
from torchclinic.labs import filters_by_hand
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import heat_map

DRAWS = 200  # random argument sets per comparison
EPSILON = torch.finfo(torch.float64).eps


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    _cells(lab)
    _sizes(lab)
    _three_ways(lab)
    _memory(lab)
    _matrix(lab)
    filters_by_hand.run(lab)


def _cells(lab: Lab) -> None:
    lab.section("One output cell")
    lab.prose("""A convolution slides a small kernel over the input. Each output cell is one window, multiplied weight
        by weight and summed, over all channels of its group; the bias comes last. Step through the cells.""")
    image, kernels = torch.randint(-2, 4, (2, 4, 4)).float(), torch.randint(-1, 3, (1, 2, 3, 3)).float()
    lab.steps("A convolution with stride 2, padding 1", convolution_steps(image, kernels, torch.ones(1), 2, 1))
    grouped = convolution_steps(image, kernels.transpose(0, 1), None, 2, 1, groups=2, cells=[(0, 0, 0), (1, 1, 1)])
    lab.steps("The same in two groups: each filter sees one channel", grouped)
    corners = [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 2, 2)]
    lab.steps("Max pooling 2x2, stride 2, padding −∞", pooling_steps(image[:1], 2, 2, 1, cells=corners))


def _sizes(lab: Lab) -> None:
    lab.section("How large is the output?")
    grid = product((7, 28, 32), (1, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2))
    sizes = [(n, k, s, p, d) for n, k, s, p, d in grid if n + 2 * p > d * (k - 1)]
    wrong = 0
    for n, k, s, p, d in sizes:
        law = (n + 2 * p - d * (k - 1) - 1) // s + 1
        wrong += tc.conv2d(torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), None, s, p, d).shape[-1] != law
    lab.claim("output-size", f"Output size is ⌊(n + 2p − d(k − 1) − 1)/s⌋ + 1 for {len(sizes)} combinations",
        predicted=0, measured=wrong, unit="exceptions", source="Dumoulin and Visin 2016, relationship 15")
    digits = normalize(load_mnist().test_images[:1])
    rows = []
    for k, s, p in ((3, 1, 0), (3, 1, 1), (3, 2, 1), (5, 1, 0), (5, 2, 2), (7, 4, 3)):
        side = (28 + 2 * p - k) // s + 1
        measured = tuple(tc.conv2d(digits, torch.ones(1, 1, k, k), None, s, p).shape[-2:])
        rows.append((k, s, p, f"{side} x {side}", f"{measured[0]} x {measured[1]}"))
    lab.table(("kernel", "stride", "padding", "predicted", "measured"), rows, "An MNIST digit, 28 x 28")
    lab.claim("digit-sizes", "Kernel size and stride predict the feature maps of MNIST digits", predicted=len(rows),
        measured=sum(row[3] == row[4] for row in rows), unit="settings")


def _three_ways(lab: Lab) -> None:
    lab.section("Three ways to write it, one result")
    rng = random.Random(lab.seed)
    draws = DRAWS // (4 if lab.fast else 1)
    worst, equal_maxima = 0.0, 0
    for _ in range(draws):
        k, s, p, d, groups = (rng.randint(low, high) for low, high in ((1, 3), (1, 2), (0, 1), (1, 2), (1, 2)))
        x, w, b = torch.randn(2, 2 * groups, 8, 7), torch.randn(2 * groups, 2, k, k), torch.randn(2 * groups)
        gamma = (2 * k * k + 2) * torch.finfo(torch.float32).eps / 2
        allowed = 2 * gamma / (1 - gamma) * F.conv2d(x.abs(), w.abs(), b.abs(), s, p, d, groups)
        for method in ("loops", "strided", "im2col"):
            error = (tc.conv2d(x, w, b, s, p, d, groups, method=method) - F.conv2d(x, w, b, s, p, d, groups)).abs()
            worst = max(worst, float((error / allowed).max()))
        pooling = (x.round(), k, s, p * (k > 1), d)
        theirs = F.max_pool2d(*pooling, return_indices=True)
        equal_maxima += all(map(torch.equal, tc.max_pool2d(*pooling, return_indices=True), theirs))
    lab.claim("conv-torch", "Loops, strided view and im2col differ from torch by less than rounding allows",
        predicted=1.0, measured=worst, relation="≤", unit="of 2γ(n)·Σ|w·x|", source="Higham 2002, eq. 3.5",
        note=f"{draws} random argument sets, float32, worst cell")
    lab.claim("pool-torch", "Max pooling and its indices are torch's, ties included", predicted=draws,
        measured=equal_maxima, unit="argument sets")


def _memory(lab: Lab) -> None:
    lab.section("Windows are a view, im2col is a copy")
    x = torch.randn(1, 8, 32, 32)
    view = windows(x, conv_axes((3, 3), 1, 0, 1))
    lab.claim("window-view", "All windows of an input share its memory: they begin at the same address", predicted=0,
        measured=view.data_ptr() - x.data_ptr(), unit="bytes",
        note=f"strides {view.stride()}: a step of the window and a step inside it are the same step")
    copied = view.permute(0, 1, 4, 5, 2, 3).reshape(72, -1).untyped_storage().nbytes()
    lab.claim("im2col-bytes", "im2col holds k²·(out/in)² times the input: 3x3 on 32x32", predicted=9 * (30 / 32) ** 2,
        measured=copied / x.untyped_storage().nbytes(), unit="× the input")


def _matrix(lab: Lab) -> None:
    lab.section("The same thing as a matrix, and its transpose")
    small = convolution_matrix(torch.tensor([[[[1.0, 2, 3]]]]), (1, 5)).tolist()
    lab.figure(
        heat_map(
            "A convolution as a matrix: one row of 5 pixels, kernel (1, 2, 3)",
            [f"out {i}" for i in range(3)],
            [f"x{i}" for i in range(5)],
            small,
            description="Each row is the one above, moved one to the right: a Toeplitz matrix.",
        )
    )
    w, x = torch.randn(3, 2, 3, 3, dtype=torch.float64), torch.randn(1, 2, 7, 6, dtype=torch.float64)
    matrix, y = convolution_matrix(w, (7, 6), stride=2, padding=1), F.conv2d(x, w, None, 2, 1)
    lab.claim("toeplitz", "A·vec(x) is the convolution", predicted=0.0, relation="≈",
        measured=float((matrix @ x.flatten() - y.flatten()).abs().max()),
        tolerance=84 * EPSILON * float((matrix.abs() @ x.abs().flatten()).max()),
        source="Dumoulin and Visin 2016, section 4.1", note="two sums of at most 84 products, each rounded")
    lab.claim("toeplitz-entries", "A has one entry per output cell and weight that does not meet the padding",
        predicted=3 * 2 * (4 * 3 - 2) * (3 * 3 - 1), measured=int((matrix != 0).sum()), unit="non-zeros",
        note=f"filters · channels · (row taps − 2 outside) · (column taps − 1); {matrix.numel():,} in all")
    _adjoint(lab, x, w, y)


def _adjoint(lab: Lab, x: Tensor, w: Tensor, y: Tensor) -> None:
    """The transposed matrix: gradients."""
    g = torch.randn_like(y)
    back = conv2d_input_gradient(g, w, (7, 6), 2, 1)
    lab.claim("adjoint", "⟨A x, y⟩ = ⟨x, Aᵀ y⟩ with Aᵀ the transposed convolution by hand", relation="≈",
        predicted=float((y * g).sum()), measured=float((x * back).sum()),
        tolerance=(18 + 36 + 84) * EPSILON * float((F.conv2d(x.abs(), w.abs(), None, 2, 1) * g.abs()).sum()),
        source="Dumoulin and Visin 2016, section 4.2", note="rounding of sums of 18, 36 and 84 terms")
    leaves = [tensor.clone().requires_grad_() for tensor in (x, w)]
    expected = torch.autograd.grad(F.conv2d(leaves[0], leaves[1], None, 2, 1), leaves, g)
    mine = (back, conv2d_weight_gradient(g, x, (3, 3), 2, 1))
    gap = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(mine, expected, strict=True))
    lab.claim("gradients", "Gradients by hand, for input and weight, are autograd's", predicted=0.0, measured=gap,
        relation="≈", tolerance=2 * 36 * EPSILON, note="relative; two sums of at most 36 products")
