"""Layouts, views, broadcasting and aliasing against torch and against sets of byte addresses."""

import itertools
import json
import random
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.tensors.broadcasting import Operand, result_dtype
from torchclinic.tensors.lattice import reachable
from torchclinic.tensors.layout import contiguous_stride

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "layouts.py"))
CHECKS = BENCHMARK["CHECKS"]


@pytest.mark.parametrize("name", CHECKS)
def test_agrees_with_torch_on_random_layouts(name):
    rng = random.Random(f"{name} layouts")
    answers = {CHECKS[name](rng) for _ in range(2_500)}
    assert len(answers) >= 2  # both outcomes were met


@settings(max_examples=300, deadline=None)
@given(rng=st.randoms(use_true_random=False), name=st.sampled_from(sorted(CHECKS)))
def test_agrees_with_torch_on_layouts_hypothesis_chooses(rng, name):
    CHECKS[name](rng)


def test_the_benchmark_can_disagree():
    with pytest.raises(BENCHMARK["DisagreementError"]):
        BENCHMARK["agree"](False, "a case")


@settings(max_examples=300, deadline=None)
@given(terms=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 4)), max_size=4), target=st.integers(-5, 300))
def test_reachable_matches_listing_every_sum(terms, target):
    sums = {
        sum(c * x for (c, _), x in zip(terms, values, strict=True))
        for values in itertools.product(*(range(bound + 1) for _, bound in terms))
    }
    assert reachable(terms, target) == (target in sums)


def test_reachable_admits_that_the_bound_was_hit():
    hard = [(1_000_003 + 2 * k * k + 17 * k, 60) for k in range(12)]
    assert reachable(hard, sum(c * 30 for c, _ in hard) + 1, budget=50) is None


def test_a_noncontiguous_tensor_can_have_a_view():
    x = torch.randn(2, 3, 4)[:, :, :2]
    assert not x.is_contiguous()
    assert tc.explain_view(x, 6, 2).strides == x.view(6, 2).stride() == (4, 1)


def test_blocking_names_the_pairs_the_shape_needs_merged():
    x = torch.empty(2, 3, 4).permute(0, 2, 1)
    assert tc.explain_view(x, 2, 12).blocking == [(1, 2)]
    assert tc.explain_view(x, 24).blocking == [(0, 1), (1, 2)]
    assert tc.explain_view(torch.empty(4, 1, 3).permute(2, 1, 0), -1).blocking == [(0, 2)]


def test_fixes_run_and_are_ranked_by_the_bytes_they_copy():
    x = torch.arange(24).view(2, 3, 4).permute(0, 2, 1)
    fixes = tc.explain_view(x, 2, -1).fixes
    assert [fix.copied_bytes for fix in fixes] == sorted(fix.copied_bytes for fix in fixes)
    for fix in fixes:
        result = eval(fix.code, {"x": x})
        assert (tc.aliasing(result, x) == "overlapping") == fix.shares_memory
        assert (fix.copied_bytes == 0) == fix.shares_memory
        same = result.flatten().tolist() == x.reshape(2, 12).flatten().tolist()
        assert same == fix.same_elements
    assert {"x.contiguous().view(2, 12)", "x.reshape(2, 12)"} <= {fix.code for fix in fixes}


@pytest.mark.parametrize("shape", [(5, 5), (-1, -1), (7, -1), (-2, 12), (0, -1), ((2.5,),), ("a",)])
def test_an_impossible_shape_is_an_input_error_of_one_sentence(shape):
    with pytest.raises(InputError) as caught:
        tc.explain_view(torch.empty(2, 3, 4), *shape)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_an_ambiguous_size_is_an_input_error():
    with pytest.raises(InputError, match="any size"):
        tc.explain_view(torch.empty(0, 3), 0, -1)


@pytest.mark.parametrize("function", [tc.explain, tc.explain_view, tc.explain_reshape, tc.explain_permute])
def test_a_non_tensor_is_an_input_error(function):
    with pytest.raises(InputError, match="not a tensor"):
        function([1, 2])


def test_reshape_mistaken_for_permute_is_said_with_both_elements():
    x = torch.arange(6).view(2, 3)
    explained = tc.explain_reshape(x, 3, 2)
    assert explained.mistaken.dims == (1, 0)
    place, reshaped, permuted = explained.mistaken.first_difference
    assert x.reshape(3, 2)[place] == x[reshaped]
    assert x.permute(1, 0)[place] == x[permuted]
    assert x[reshaped] != x[permuted]
    assert tc.explain_reshape(x, 6).mistaken is None
    assert tc.explain_reshape(torch.empty(1, 3), 3, 1).mistaken is None  # moving a 1 moves nothing


def test_reshape_strides_and_bytes_match_torch():
    x = torch.empty(4, 6, 2, dtype=torch.float64).permute(2, 0, 1)
    for shape in [(48,), (2, 24), (2, 4, 3, 2), (8, 6)]:
        result, explained = x.reshape(shape), tc.explain_reshape(x, shape)
        assert explained.strides == result.stride()
        assert explained.shares_memory == (result.data_ptr() == x.data_ptr())
        assert explained.copied_bytes == (0 if explained.shares_memory else result.nbytes)


@settings(max_examples=50, deadline=None)
@given(dims=st.permutations(range(4)))
def test_permute_matches_torch(dims):
    x = torch.empty(2, 1, 3, 4)
    explained, truth = tc.explain_permute(x, *dims), x.permute(dims)
    assert (explained.shape, explained.strides) == (tuple(truth.shape), truth.stride())
    assert explained.contiguous == truth.is_contiguous()
    assert bool(explained.blocking) != tc.explain_view(truth, -1).possible


@pytest.mark.parametrize("dims", [(0, 1), (0, 0, 1), (0, 1, 3)])
def test_permute_refuses_what_torch_refuses(dims):
    with pytest.raises(InputError):
        tc.explain_permute(torch.empty(2, 3, 4), *dims)


def test_explain_reports_what_torch_reports():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64).to(memory_format=torch.channels_last)[:, :, 1:]
    e = tc.explain(x)
    assert (e.shape, e.stride, e.offset) == (tuple(x.shape), x.stride(), x.storage_offset())
    assert (e.nbytes, e.storage_nbytes) == (x.nbytes, x.untyped_storage().nbytes())
    assert e.contiguous["channels_last"] == x.is_contiguous(memory_format=torch.channels_last)
    assert e.contiguous[torch.contiguous_format] is False
    assert e.used_share == pytest.approx(3 / 4)
    assert (e.overlapping, e.expanded_dims) == (False, ())


def test_explain_sees_expanded_and_windowed_tensors_overlap():
    assert tc.explain(torch.empty(3, 1).expand(3, 4)).expanded_dims == (1,)
    windows = tc.explain(torch.empty(10).unfold(0, 3, 1))
    assert (windows.overlapping, windows.expanded_dims, windows.used_nbytes) == (True, (), 40)
    assert tc.explain(torch.empty(10).unfold(0, 3, 3)).overlapping is False


def test_the_used_share_of_sliding_windows_is_exact_at_any_size():
    images = torch.empty(64, 3, 224, 224, device="meta")
    windows = tc.explain(images.unfold(2, 7, 2).unfold(3, 7, 2))
    assert windows.overlapping is True
    assert windows.used_nbytes == 64 * 3 * 223 * 223 * 4  # the last row and column are in no window


def test_the_used_share_is_unknown_where_it_would_have_to_be_listed():
    tangled = torch.empty(1_000_000, device="meta").as_strided((100, 100, 100), (97, 89, 7919))
    assert tc.explain(tangled).used_nbytes is None


def test_explain_works_on_unusual_tensors():
    assert tc.explain(torch.empty(3, 4, device="meta")).stride == (4, 1)
    assert "conjugate" in tc.explain(torch.zeros(2, dtype=torch.complex64).conj()).notes[0]
    assert "negated" in tc.explain(torch.zeros(2, dtype=torch.complex64).conj().imag).notes[0]
    assert tc.explain(torch.tensor(3.0)).shape == ()
    empty = tc.explain(torch.empty(0, 3))
    assert (empty.nbytes, empty.used_nbytes, empty.overlapping) == (0, 0, False)
    with torch.inference_mode():
        assert tc.explain(torch.ones(2)).version is None


@pytest.mark.filterwarnings("ignore")
def test_explain_says_in_a_sentence_what_has_no_strides():
    for tensor in (torch.eye(3).to_sparse(), torch.eye(3).to_sparse_csr(), _nested(torch.strided), _nested(torch.jagged)):
        explained = tc.explain(tensor)
        assert explained.stride is None
        assert "strides" in explained.notes[0]
        json.dumps(explained.to_dict())
        with pytest.raises(InputError):
            tc.explain_view(tensor, -1)
    quantized = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    assert "scale" in tc.explain(quantized).notes[0]


def _nested(layout):
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)


def test_broadcast_takes_shapes_tensors_and_numbers():
    explained = tc.explain_broadcast((8, 1, 6), torch.empty(7, 1), 2.0)
    assert explained.shape == (8, 7, 6)
    assert explained.stretched == ((1,), (0, 2), (0, 1, 2))
    assert explained.source((5, 3, 2)) == ((5, 0, 2), (3, 0), ())


def test_broadcast_conflict_names_dimension_and_sizes():
    conflict = tc.explain_broadcast((3, 4), (5, 4)).conflict
    assert (conflict.dim, conflict.sizes, conflict.operands) == (-2, (3, 5), (0, 1))


@pytest.mark.parametrize("operands", [(), ("ab",), ((2, -1),), ({},)])
def test_broadcast_refuses_what_has_no_shape(operands):
    with pytest.raises(InputError):
        tc.explain_broadcast(*operands)


def test_broadcast_warns_of_the_dangerous_ones_only():
    warned = tc.explain_broadcast(torch.empty(100, 1), torch.empty(100)).warnings
    assert "squeeze(-1)" in warned[0]
    assert "outer product" in warned[1]
    labels = torch.zeros(100, dtype=torch.long)
    assert "metric" in tc.explain_broadcast(labels[:, None], labels).warnings[-1]
    assert tc.explain_broadcast(torch.empty(64, 100), torch.empty(100)).warnings == []  # a bias
    assert tc.explain_broadcast(torch.empty(100, 1), torch.empty(100, 1)).warnings == []
    assert tc.explain_broadcast(torch.empty(1, 1), torch.empty(1)).warnings == []


DTYPES = st.sampled_from([torch.bool, torch.uint8, torch.int64, torch.float16, torch.float32, torch.float64, torch.cfloat])


@settings(max_examples=200, deadline=None)
@given(dtypes=st.tuples(DTYPES, DTYPES), ranks=st.tuples(st.integers(0, 1), st.integers(0, 1)))
def test_result_dtype_matches_torch(dtypes, ranks):
    tensors = [torch.zeros((2,) * rank, dtype=dtype) for dtype, rank in zip(dtypes, ranks, strict=True)]
    ours = result_dtype([Operand(tuple(t.shape), t.dtype) for t in tensors])
    assert ours == torch.result_type(*tensors)


@pytest.mark.parametrize("number", [True, 2, 2.0, 2j])
def test_a_number_gives_way_to_a_tensor_of_its_kind(number):
    for dtype in (torch.int8, torch.float16, torch.float64):
        x = torch.zeros(3, dtype=dtype)
        assert tc.explain_broadcast(x, number).dtype == torch.result_type(x, number)


def test_aliasing_tells_storage_from_bytes():
    x = torch.zeros(12)
    assert tc.aliasing(x[::2], x[1::2]) == "disjoint"
    assert tc.aliasing(x[::2], x[::3]) == "overlapping"
    assert tc.aliasing(x, x.clone()) == "none"
    assert tc.aliasing(x[1:1], x) == "disjoint"


def test_aliasing_compares_bytes_when_element_sizes_differ():
    x = torch.zeros(4)
    raw = x.view(torch.uint8).view(4, 4)
    assert tc.aliasing(x[1], raw[1, 3]) == "overlapping"
    assert tc.aliasing(x[1], raw[2, 0]) == "disjoint"
    assert tc.aliasing(raw[:, 0], raw[:, 1]) == "disjoint"


def test_aliasing_sees_two_storages_over_the_same_memory():
    array = np.zeros(8, dtype=np.float32)
    assert tc.aliasing(torch.from_numpy(array), torch.from_numpy(array[4:])) == "overlapping"
    assert tc.aliasing(torch.from_numpy(array[:4]), torch.from_numpy(array[4:])) == "none"


def test_aliasing_admits_what_it_cannot_tell():
    steps = [1_000_003 + 2 * k * k + 17 * k for k in range(12)]
    big = torch.empty(1 << 33, dtype=torch.uint8, device="meta")
    a = big.as_strided([30] * 12, steps)
    b = big.as_strided([1], [1], sum(step * 15 for step in steps) + 1)
    assert tc.aliasing(a, b, budget=20) == "unknown"


def test_aliasing_works_without_memory():
    x = torch.empty(4, 4, device="meta")
    assert tc.aliasing(x[0], x[1]) == "disjoint"
    assert tc.aliasing(x[0], x[:, 0]) == "overlapping"
    assert tc.aliasing(x, torch.empty(4, 4, device="meta")) == "none"


def results():
    x = torch.arange(24.0).view(2, 3, 4)
    return [
        tc.explain(x),
        tc.explain(torch.empty(40, 30, 20, 100)[:, ::2, 3:]),
        tc.explain(torch.empty(())),
        tc.explain(torch.empty(0, 3)),
        tc.explain(torch.empty(1000).expand(5000, 1000)),
        tc.explain(torch.empty(2, 2, 2, 2, 2)),
        tc.explain_view(x.permute(2, 1, 0), -1),
        tc.explain_view(x.mT.expand(2, 4, 3), 2, 12),
        tc.explain_reshape(x, 4, 3, 2),
        tc.explain_permute(x, 2, 0, 1),
        tc.explain_broadcast((700, 1, 9), (1, 50, 9)),
        tc.explain_broadcast((3, 1), (4,), ()),
        tc.explain_broadcast((3, 2), (4, 2)),
        tc.explain_broadcast((0, 3), (3,)),
    ]


@pytest.mark.parametrize("result", results(), ids=lambda result: type(result).__name__)
def test_every_result_renders_as_text_html_and_json(result):
    assert max(map(len, str(result).splitlines())) <= 80
    html = result._repr_html_()
    assert html.count("<svg") == html.count("</svg>")
    assert len(html) < 250_000
    json.dumps(result.to_dict(), allow_nan=False)
    assert json.dumps(result.report().to_dict(), allow_nan=False)


def test_figures_mark_what_they_leave_out():
    text = str(tc.explain(torch.empty(40, 30, 100)))
    assert "36 more grids, 22 more rows, 92 more columns not shown" in text
    assert "more addresses" in text


def test_the_strip_shows_each_element_at_its_address():
    figure = tc.explain_permute(torch.empty(2, 3), 1, 0).section().blocks[1]
    places = {element: address for element, address, _ in figure.table.rows}
    x = torch.arange(6).view(2, 3).t()
    assert places == {f"{i},{j}".join("()").replace(",", ", "): int(x[i, j]) for i in range(3) for j in range(2)}


def test_aliasing_is_a_string_with_a_meaning():
    answer = tc.aliasing(torch.empty(1), torch.empty(1))
    assert str(answer) == "none"
    assert answer.to_dict()["aliasing"] == "none"
    assert "none" in answer._repr_html_()


def test_contiguous_stride_matches_torch():
    for shape in [(), (3,), (2, 0, 4), (2, 3, 4), (1, 1)]:
        assert contiguous_stride(shape) == torch.empty(shape).stride()
