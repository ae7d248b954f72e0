"""`trace`: what it lists, and that it changes nothing."""

import inspect
import json

import pytest
import torch
from torch import nn

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.instruments import tracing


def kinds(trace):
    return {(operation.name, operation.kind) for operation in trace.operations}


def test_the_result_is_what_the_function_returns_to_the_bit():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    x = torch.randn(5, 3, 8, 8)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    expected = model(x)
    model.load_state_dict(state)
    traced = tc.trace(model, x)
    assert torch.equal(traced.result, expected)
    marker = object()
    assert tc.trace(lambda: marker).result is marker


def test_gradients_and_random_numbers_are_those_of_an_untraced_run():
    def step():
        torch.manual_seed(3)
        weight = torch.randn(4, 4, requires_grad=True)
        (weight @ torch.randn(4)).square().sum().backward()
        return weight.grad

    assert torch.equal(tc.trace(step).result, step())


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.view(6, 4), ("view", "view")),
        (lambda x: x.clone(), ("clone", "copy")),
        (lambda x: x.to(torch.float64), ("_to_copy", "copy")),
        (lambda x: torch.cat([x, x]), ("cat", "copy")),
        (lambda x: x.add_(1), ("add_", "in-place")),
        (lambda x: torch.zeros(3), ("zeros", "allocation")),
        (lambda x: torch.empty_like(x), ("empty_like", "allocation")),
        (lambda x: x + 1, ("add", "compute")),
        (lambda x: x.split(1), ("split", "view")),
    ],
)
def test_each_kind_is_told_from_the_others(function, expected):
    assert expected in kinds(tc.trace(function, torch.ones(2, 3, 4)))


def test_views_move_nothing_and_copies_move_their_result():
    x = torch.ones(2, 3, 4)
    trace = tc.trace(lambda: x.permute(2, 1, 0).reshape(-1))
    assert [op.bytes for op in trace.of_kind("view")] == [0] * len(trace.of_kind("view"))
    assert trace.copied_bytes == x.nbytes
    assert tc.trace(lambda: x.reshape(-1)).copied_bytes == 0
    assert tc.trace(lambda: x.contiguous()).operations == ()


def test_silent_copies_name_the_call_and_explicit_ones_are_not_silent():
    x = torch.ones(2, 3).t()
    for function in (lambda: x.reshape(6), lambda: x.flatten(), lambda: x.contiguous(), lambda: x.to(torch.int32)):
        assert len(tc.trace(function).silent_copies) == 1
    assert tc.trace(lambda: x.clone()).silent_copies == ()


def made_of_lines(x):
    y = x.transpose(0, 1)
    return y.reshape(-1)


def test_operations_carry_the_line_of_the_user():
    first = inspect.getsourcelines(made_of_lines)[1]
    trace = tc.trace(made_of_lines, torch.ones(2, 3))
    assert [op.line.rpartition(":")[2] for op in trace.operations][:2] == [str(first + 1), str(first + 2)]
    assert "test_tracing.py" in trace.operations[0].line
    assert trace.operations[0].where.text == "y = x.transpose(0, 1)"


def test_the_line_that_makes_a_tensor_noncontiguous_is_marked():
    trace = tc.trace(made_of_lines, torch.ones(2, 3))
    assert [op.name for op in trace.operations if op.breaks_contiguity] == ["transpose"]
    assert "non-contiguous" in str(trace)


def test_a_write_to_overlapping_memory_is_marked():
    windows = torch.zeros(6).unfold(0, 3, 1)
    trace = tc.trace(lambda: torch.ops.aten.index_put_(windows, [torch.tensor([0])], torch.ones(3)))
    assert [op.name for op in trace.operations if op.writes_overlap] == ["index_put_"]
    assert not any(op.writes_overlap for op in tc.trace(lambda: torch.zeros(4, 4)[:, 1].add_(1)).operations)


def test_a_small_result_that_pins_a_large_storage_is_reported():
    trace = tc.trace(lambda: torch.zeros(1000)[:2])
    assert [(p.nbytes, p.storage_nbytes) for p in trace.pinned] == [(8, 4000)]
    assert tc.trace(lambda: torch.zeros(1000)[:2].clone()).pinned == ()


def test_an_exception_passes_through_and_the_modes_are_gone():
    def fail():
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        tc.trace(fail)
    assert torch.overrides._get_current_function_mode_stack() == []
    assert torch.utils._python_dispatch._get_current_dispatch_mode_stack() == []


def test_what_cannot_be_called_is_an_input_error():
    with pytest.raises(InputError, match="Tensor cannot be called"):
        tc.trace(torch.ones(3))


def test_a_backward_pass_is_listed_at_the_line_that_called_it():
    x = torch.ones(3, requires_grad=True)

    def run():
        loss = (x * 2).sum()
        loss.backward()

    backward = [op for op in tc.trace(run).operations if op.call == "backward"]
    assert backward
    assert {op.where.text for op in backward} == {"loss.backward()"}


def test_trace_renders_as_text_html_and_json():
    trace = tc.trace(made_of_lines, torch.ones(2, 3))
    assert max(map(len, str(trace).splitlines())) <= 80
    assert "<table>" in trace._repr_html_()
    assert json.loads(json.dumps(trace.to_dict()))["copied_bytes"] == 24


def test_every_schema_of_torch_can_be_read():
    names = [name for name in dir(torch.ops.aten) if not name.startswith("__")]
    packets = [getattr(torch.ops.aten, name) for name in names]
    overloads = [getattr(packet, o) for packet in packets if hasattr(packet, "overloads") for o in packet.overloads()]
    natures = {tracing._read_schema(overload)[1] for overload in overloads}
    assert natures == {"view", "copy", "in-place", "allocation", "compute"}
