"""tc.conv2d and the poolings against torch.nn.functional on random arguments."""

import warnings

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.cnn.conv import windows
from torchclinic.cnn.geometry import Axis
from torchclinic.errors import InputError

METHODS = ("strided", "loops", "im2col")
pairs = st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))
dtypes = st.sampled_from([torch.float32, torch.float64])


def rounding_bound(magnitude, terms):
    """Two summations of the same n products, in any order, differ by at most 2·γ(n)·Σ|w·x| (Higham 2002, eq. 3.5)."""
    n = (terms + 2) * torch.finfo(magnitude.dtype).eps / 2
    return 2 * n / (1 - n) * magnitude + torch.finfo(magnitude.dtype).tiny


def torch_conv2d(*args, **kwargs):
    with warnings.catch_warnings():  # "same" with an even kernel copies its input, torch says
        warnings.simplefilter("ignore", UserWarning)
        return F.conv2d(*args, **kwargs)


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 3))
    C, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))
    padding = draw(st.sampled_from(["same", "valid"]) | st.integers(0, 2) | st.tuples(st.integers(0, 2), st.integers(0, 2)))
    stride = 1 if padding == "same" else draw(pairs)
    shape = [*draw(st.sampled_from([[], [0], [1], [2]])), C, draw(st.integers(1, 8)), draw(st.integers(1, 8))]
    torch.manual_seed(draw(st.integers(0, 2**16)))
    dtype = draw(dtypes)
    x, weight = torch.randn(shape, dtype=dtype), torch.randn(filters, C // groups, *kernel, dtype=dtype)
    bias = torch.randn(filters, dtype=dtype) if draw(st.booleans()) else None
    return (x, weight, bias), {"stride": stride, "padding": padding, "dilation": draw(pairs), "groups": groups}


@settings(max_examples=150, deadline=None)
@given(convolutions(), st.sampled_from(METHODS))
def test_conv2d_answers_or_refuses_as_torch_does(convolution, method):
    (x, weight, bias), kwargs = convolution
    try:
        expected = torch_conv2d(x, weight, bias, **kwargs)
    except RuntimeError:
        with pytest.raises(InputError):
            tc.conv2d(x, weight, bias, **kwargs, method=method)
        return
    result = tc.conv2d(x, weight, bias, **kwargs, method=method)
    assert result.shape == expected.shape
    magnitude = torch_conv2d(x.abs(), weight.abs(), None if bias is None else bias.abs(), **kwargs)
    assert ((result - expected).abs() <= rounding_bound(magnitude, weight[0].numel())).all()


def test_the_rounding_bound_can_fail():
    x, weight = torch.randn(1, 2, 6, 6), torch.randn(3, 2, 3, 3)
    wrong = tc.conv2d(x, weight.flip(-1))
    magnitude = F.conv2d(x.abs(), weight.abs())
    assert not ((wrong - F.conv2d(x, weight)).abs() <= rounding_bound(magnitude, 18)).all()


@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_conv2d_are_right_to_second_order(method):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def function(*tensors):
        return tc.conv2d(*tensors, stride=(2, 1), padding=1, dilation=(1, 2), groups=2, method=method)

    assert torch.autograd.gradcheck(function, (x, weight, bias))
    assert torch.autograd.gradgradcheck(function, (x, weight, bias), gen_non_contig_grad_outputs=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stride": 0}, "stride = 0"),
        ({"stride": (1, 2, 3)}, "stride = (1, 2, 3)"),
        ({"padding": -1}, "padding = -1"),
        ({"padding": "full"}, "'full'"),
        ({"padding": "same", "stride": 2}, "stride 1 only"),
        ({"dilation": 0}, "dilation = 0"),
        ({"groups": 0}, "groups = 0"),
        ({"groups": 3}, "groups = 3"),
        ({"weight": torch.zeros(4, 3, 3, 3)}, "has 2 channels"),
        ({"weight": torch.zeros(4, 2, 9, 9)}, "does not fit into the padded input of 5x5"),
        ({"weight": torch.zeros(4, 2, 0, 3)}, "0x3"),
        ({"weight": torch.zeros(2, 3, 3)}, "weight of shape (2, 3, 3)"),
        ({"weight": torch.zeros(4, 2, 3, 3, dtype=torch.float64)}, "torch.float64"),
        ({"bias": torch.zeros(3)}, "bias of shape (3,)"),
        ({"bias": torch.zeros(4, dtype=torch.float64)}, "bias is torch.float64"),
        ({"input": torch.zeros(5, 5)}, "input of shape (5, 5)"),
        ({"input": torch.zeros(1, 2, 0, 5), "padding": 2}, "no pixels"),
    ],
)
def test_conv2d_refuses_what_torch_refuses_in_one_sentence(change, said):
    arguments = {"input": torch.zeros(1, 2, 5, 5), "weight": torch.zeros(4, 2, 3, 3)} | change
    with pytest.raises((RuntimeError, ValueError)):
        F.conv2d(**arguments)
    with pytest.raises(InputError) as caught:
        tc.conv2d(**arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_an_unknown_method_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"'fft'.*strided, loops, im2col"):
        tc.conv2d(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3), method="fft")


def test_windows_share_the_memory_of_an_unpadded_input():
    x = torch.randn(2, 3, 9, 8)
    view = windows(x, (Axis(3, stride=2, dilation=2), Axis(2)))
    assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    sB, sC, sH, sW = x.stride()
    assert view.stride() == (sB, sC, 2 * sH, sW, 2 * sH, sW)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), st.integers(1, 3))
def test_output_size_counts_the_window_positions(size, kernel, stride, before, after, dilation):
    axis = Axis(kernel, stride, before, after, dilation)
    starts = [s for s in range(0, size + before + after, stride) if s + axis.extent <= size + before + after]
    assume(starts)
    assert axis.output_size(size) == len(starts)


@st.composite
def poolings(draw):
    shape = [*draw(st.sampled_from([[], [0], [1], [2]])), draw(st.integers(1, 2)), draw(st.integers(1, 9)), draw(st.integers(1, 9))]
    torch.manual_seed(draw(st.integers(0, 2**16)))
    x = torch.randn(shape, dtype=draw(dtypes))
    if draw(st.booleans()):
        x = x.round()
    special = draw(st.sampled_from([None, float("nan"), float("-inf"), float("inf")]))
    if special is not None and x.numel():
        x[torch.rand(shape) < 0.2] = special
    kwargs = {"kernel_size": draw(pairs), "stride": draw(st.none() | pairs), "ceil_mode": draw(st.booleans())}
    kwargs["padding"] = draw(st.integers(0, 1))
    return x, kwargs


@settings(max_examples=200, deadline=None)
@given(poolings(), pairs, st.booleans())
def test_max_pool2d_answers_or_refuses_as_torch_does(pooling, dilation, return_indices):
    x, kwargs = pooling
    kwargs |= {"dilation": dilation, "return_indices": return_indices}
    try:
        expected = F.max_pool2d(x, **kwargs)
    except RuntimeError:
        with pytest.raises(InputError):
            tc.max_pool2d(x, **kwargs)
        return
    torch.testing.assert_close(tc.max_pool2d(x, **kwargs), expected, rtol=0, atol=0, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(poolings(), st.booleans(), st.sampled_from([None, 3, -2]))
def test_avg_pool2d_answers_or_refuses_as_torch_does(pooling, count_include_pad, divisor_override):
    x, kwargs = pooling
    kwargs |= {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
    try:
        expected = F.avg_pool2d(x, **kwargs)
    except RuntimeError:
        with pytest.raises(InputError):
            tc.avg_pool2d(x, **kwargs)
        return
    magnitude = F.avg_pool2d(x.abs(), **kwargs).nan_to_num(0, 0, 0).abs()
    result = tc.avg_pool2d(x, **kwargs)
    close = (result - expected).abs() <= rounding_bound(magnitude, 10)
    assert (close | (result == expected) | (result.isnan() & expected.isnan())).all()


@settings(max_examples=50, deadline=None)
@given(poolings(), pairs)
def test_the_gradient_of_max_pool2d_goes_to_the_first_maximum_alone(pooling, dilation):
    x, kwargs = pooling
    kwargs["dilation"] = dilation
    x = x.nan_to_num(0.0, 1.0, -1.0)
    gradients = []
    for function in (tc.max_pool2d, F.max_pool2d):
        leaf = x.clone().requires_grad_()
        try:
            out = function(leaf, **kwargs)
        except (RuntimeError, ValueError):
            assume(False)
        assume(bool(out.isfinite().all()))  # a window without a pixel has no gradient
        (out * torch.arange(out.numel(), dtype=x.dtype).view_as(out)).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float16, torch.bfloat16])
def test_max_pool2d_takes_the_dtypes_torch_takes(dtype):
    x = torch.randint(0, 200, (1, 2, 6, 6)).to(dtype)
    expected = F.max_pool2d(x, 3, 2, 0, ceil_mode=True, return_indices=True)
    torch.testing.assert_close(tc.max_pool2d(x, 3, 2, 0, ceil_mode=True, return_indices=True), expected)


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        ("max_pool2d", {"kernel_size": 0}, "kernel_size = 0"),
        ("max_pool2d", {"kernel_size": (2, 2, 2)}, "kernel_size = (2, 2, 2)"),
        ("max_pool2d", {"kernel_size": 2, "padding": 2}, "at most half"),
        ("max_pool2d", {"kernel_size": 9}, "does not fit"),
        ("max_pool2d", {"kernel_size": 2, "dilation": 0}, "dilation = 0"),
        ("avg_pool2d", {"kernel_size": 2, "stride": 0}, "stride = 0"),
        ("avg_pool2d", {"kernel_size": 2, "divisor_override": 0}, "divisor_override = 0"),
    ],
)
def test_poolings_refuse_what_torch_refuses_in_one_sentence(function, arguments, said):
    x = torch.zeros(1, 1, 5, 5)
    with pytest.raises((RuntimeError, ValueError)):
        getattr(F, function)(x, **arguments)
    with pytest.raises(InputError) as caught:
        getattr(tc, function)(x, **arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("x", [torch.zeros(5, 5), torch.zeros(1, 1, 4, 4, dtype=torch.bool), torch.zeros(1, 1, 0, 4)])
def test_max_pool2d_refuses_inputs_without_planes_of_ordered_numbers(x):
    with pytest.raises(InputError, match="max_pool2d"):
        tc.max_pool2d(x, 2)
