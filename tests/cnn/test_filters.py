"""Filters, adjoints and the matrix of a convolution, against closed forms, torch and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from torchclinic.cnn import filters
from torchclinic.cnn.adjoint import conv2d_input_gradient, conv2d_weight_gradient, convolution_matrix
from torchclinic.errors import InputError


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2), st.integers(0, 2), st.integers(1, 2), st.integers(1, 2), st.integers(0, 2**16))
def test_gradients_by_hand_are_those_of_torch(stride, padding, dilation, groups, seed):
    torch.manual_seed(seed)
    x = torch.randn(2, 2 * groups, 7, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3 * groups, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    arguments = (stride, padding, dilation, groups)
    out = F.conv2d(x, weight, None, *arguments)
    grad = torch.randn_like(out)
    expected = torch.autograd.grad(out, (x, weight), grad)
    torch.testing.assert_close(conv2d_input_gradient(grad, weight.detach(), (7, 6), *arguments), expected[0])
    torch.testing.assert_close(conv2d_weight_gradient(grad, x.detach(), (3, 2), *arguments), expected[1])


@pytest.mark.parametrize("arguments", [(1, 0, 1), (2, 1, 1), (1, "same", 2), ((1, 2), (0, 1), (2, 1))])
def test_the_matrix_of_a_convolution_is_the_convolution(arguments):
    torch.manual_seed(0)
    x, weight = torch.randn(1, 2, 6, 5, dtype=torch.float64), torch.randn(3, 2, 2, 3, dtype=torch.float64)
    if arguments[1] == "same":
        weight = weight[:, :, :, :].repeat(1, 1, 2, 1)[:, :, :3]
    matrix = convolution_matrix(weight, (6, 5), *arguments)
    torch.testing.assert_close(matrix @ x.flatten(), F.conv2d(x, weight, None, *arguments).flatten())


def test_rows_of_the_matrix_are_shifted_copies():
    matrix = convolution_matrix(torch.tensor([[[[1.0, 2, 3]]]]), (1, 6))
    for row in range(3):
        assert matrix[row + 1].tolist() == [0, *matrix[row].tolist()[:-1]]


def test_a_gaussian_sums_to_one_and_is_separable():
    kernel = filters.gaussian(1.5).double()
    assert kernel.shape == (9, 9)
    assert abs(float(kernel.sum()) - 1) < 81 * torch.finfo(torch.float32).eps
    assert int(torch.linalg.matrix_rank(kernel, atol=1e-6)) == 1
    assert abs(float(kernel[4, 5] / kernel[4, 4]) - math.exp(-1 / (2 * 1.5**2))) < 1e-6


@pytest.mark.parametrize("border", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("kernel", [filters.SOBEL_VERTICAL, filters.LAPLACIAN, filters.gaussian(1.0)])
def test_filters_agree_with_scipy_at_every_border(kernel, border):
    ndimage = pytest.importorskip("scipy.ndimage")
    image = filters.to_gray(filters.photograph())[::4, ::4]
    mode = {"zeros": "constant", "reflect": "mirror", "replicate": "nearest", "circular": "grid-wrap"}[border]
    expected = ndimage.correlate(image.numpy(), kernel.numpy(), mode=mode)
    tolerance = 2 * kernel.numel() * torch.finfo(torch.float32).eps * float(kernel.abs().sum())  # |pixels| ≤ 1
    np.testing.assert_allclose(filters.filter_image(image, kernel, border).numpy(), expected, rtol=0, atol=tolerance)


def test_sobel_of_a_ramp_is_its_slope_times_eight():
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    edges = filters.sobel(3 * x + 4 * y, "valid")
    assert torch.equal(edges.vertical, torch.full((7, 7), 24.0))
    assert torch.equal(edges.horizontal, torch.full((7, 7), 32.0))
    assert torch.equal(edges.magnitude, torch.full((7, 7), 40.0))
    torch.testing.assert_close(edges.direction, torch.full((7, 7), math.atan2(4, 3)))


def test_a_constant_image_has_no_edges_but_where_zeros_are_made_up():
    flat = torch.ones(3, 8, 8)
    assert not filters.filter_image(flat, filters.LAPLACIAN, "replicate").any()
    framed = filters.filter_image(flat, filters.LAPLACIAN, "zeros")
    assert not framed[:, 1:-1, 1:-1].any()
    assert framed[:, 0, 1:-1].eq(-1).all()


def test_the_photograph_is_what_its_attribution_says():
    image = filters.photograph()
    assert image.shape == (3, 256, 256)
    assert 0 <= float(image.min()) < float(image.max()) <= 1
    assert image.std() > 0.1


@pytest.mark.parametrize(
    "call",
    [
        lambda: filters.gaussian(0),
        lambda: filters.filter_image(torch.ones(4, 4), filters.BOX, "mirror"),
        lambda: filters.filter_image(torch.ones(1, 4), filters.BOX, "reflect"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(call):
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
