"""Errors of torch, provoked for real: the explanation names cause, culprit and fix, and the error stays what it was."""

import io
import traceback

import pytest
import torch
from click.testing import CliRunner
from torch import nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.cli.main import cli
from torchclinic.error_notes import explanation_for, explanation_of_text
from torchclinic.errors import InputError
from torchclinic.rules.rule import discover


def incompatible_view():
    x = torch.zeros(2, 3, 4)
    y = x.transpose(1, 2)
    return y.view(x.size(0), -1)


def invalid_shape():
    return torch.zeros(2, 3).view(5)


def matrix_product():
    layer = nn.Linear(3, 4)
    return layer(torch.zeros(2, 5))


def batched_product():
    return torch.zeros(2, 3, 4) @ torch.zeros(2, 5, 6)


def vector_product():
    return torch.zeros(2, 3) @ torch.zeros(4)


def broadcast_sizes():
    a, b = torch.zeros(2, 3), torch.zeros(2, 4)
    return a + b


def expand_sizes():
    return torch.zeros(2, 3).expand(4, 5)


def joined_sizes():
    return torch.cat([torch.zeros(2, 3), torch.zeros(2, 4)])


def stacked_sizes():
    return torch.stack([torch.zeros(2, 3), torch.zeros(2, 4)])


def single_value_batchnorm():
    return nn.BatchNorm1d(4)(torch.zeros(1, 4))


def conv_input_rank():
    return nn.Conv2d(3, 4, 3)(torch.zeros(2, 28))


def conv_channels():
    return nn.Conv2d(3, 4, 3)(torch.zeros(2, 1, 28, 28))


def batchnorm_features():
    return nn.BatchNorm2d(4)(torch.zeros(2, 3, 4, 4))


def normalized_shape():
    return nn.LayerNorm(5)(torch.zeros(2, 4))


def class_target_shape():
    return F.cross_entropy(torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.long))


def loss_batch_sizes():
    return F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1, 1]))


def loss_shapes():
    return F.binary_cross_entropy_with_logits(torch.zeros(3, 1), torch.zeros(3))


def overlapping_write():
    wide = torch.zeros(3, 1).expand(3, 4)
    wide += 1


def in_place_on_leaf():
    weight = torch.zeros(3, requires_grad=True)
    weight += 1


def in_place_on_saved():
    x = torch.zeros(3, 4, requires_grad=True)
    y = torch.sigmoid(x)
    y += 1
    y.sum().backward()


def second_backward():
    x = torch.ones(3, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    loss.backward()


def no_path_to_parameters():
    x = torch.ones(3, requires_grad=True)
    y = x.detach()
    y.sum().backward()


def backward_of_many():
    torch.ones(3, requires_grad=True).mul(2).backward()


def numpy_of_graph():
    torch.ones(3, requires_grad=True).numpy()


def dtype_mismatch():
    layer, x = nn.Linear(3, 4), torch.zeros(2, 3, dtype=torch.float64)
    return layer(x)


def target_dtype():
    return F.cross_entropy(torch.zeros(2, 3), torch.zeros(2))


def result_dtype():
    return torch.zeros(3, dtype=torch.long).add_(0.5)


def device_mismatch():
    a, b = torch.zeros(3, device="meta"), torch.zeros(3)
    return a + b


def class_out_of_range():
    logits, target = torch.zeros(2, 3), torch.tensor([0, 7])
    return F.cross_entropy(logits, target)


def embedding_index():
    return nn.Embedding(3, 4)(torch.tensor([5]))


def state_dict_mismatch():
    nn.Linear(3, 4).load_state_dict({"weight": torch.zeros(5, 3), "bias": torch.zeros(4), "extra": torch.zeros(1)})


PROVOKED = [
    incompatible_view,
    invalid_shape,
    matrix_product,
    batched_product,
    vector_product,
    broadcast_sizes,
    expand_sizes,
    joined_sizes,
    stacked_sizes,
    single_value_batchnorm,
    conv_input_rank,
    conv_channels,
    batchnorm_features,
    normalized_shape,
    class_target_shape,
    loss_batch_sizes,
    loss_shapes,
    overlapping_write,
    in_place_on_leaf,
    in_place_on_saved,
    second_backward,
    no_path_to_parameters,
    backward_of_many,
    numpy_of_graph,
    dtype_mismatch,
    target_dtype,
    result_dtype,
    device_mismatch,
    class_out_of_range,
    embedding_index,
    state_dict_mismatch,
]


def note_of(function, watch=True):
    with pytest.raises((RuntimeError, ValueError, IndexError)) as caught, tc.explain_errors(watch=watch):
        function()
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) == 1
    return notes[0]


@pytest.mark.parametrize("watch", [True, False])
@pytest.mark.parametrize("function", PROVOKED, ids=lambda function: function.__name__)
def test_the_error_of_this_torch_is_recognized(function, watch):
    note = note_of(function, watch)
    assert note.splitlines()[0].startswith(f"torchclinic explains: {function.__name__.replace('_', '-')} (ERR")
    assert "test_error_notes.py" in note.splitlines()[1]
    assert "  cause  " in note
    assert "  fix  " in note


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            incompatible_view,
            [
                "y: shape (2, 4, 3), strides (12, 1, 4)",
                "Dimensions 1 and 2",
                "y = x.transpose(1, 2)",
                "y.reshape(2, 12) (copies 96 B",
            ],
        ),
        (matrix_product, ["layer.weight: shape (4, 3)", "takes rows of 3 features", "[2, 5] has 5", "in_features=5"]),
        (broadcast_sizes, ["a: shape (2, 3)", "b: shape (2, 4)", "dimension 1 (-1 from the right)"]),
        (in_place_on_saved, ["the output of Sigmoid", "done by", "y += 1"]),
        (second_backward, ["done by", "the first backward"]),
        (no_path_to_parameters, ["done by", "y = x.detach()"]),
        (in_place_on_leaf, ["weight is a leaf"]),
        (overlapping_write, ["wide repeats elements", "torch.zeros(3, 1).expand(3, 4)"]),
        (dtype_mismatch, ["The input of layer is float64 and its weights are float32"]),
        (device_mismatch, ["a on meta", "b on cpu"]),
        (class_out_of_range, ["A target is 7", "have 3 classes, 0 to 2"]),
        (state_dict_mismatch, ["extra", "weight is [5, 3] in the file and [4, 3] in the model"]),
        (conv_channels, ["grey images into three"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_note_names_what_is_to_be_known(function, expected):
    note = " ".join(note_of(function).split())
    for part in expected:
        assert part in note


@pytest.mark.parametrize(
    ("function", "line"),
    [(incompatible_view, "y = x.transpose(1, 2)"), (overlapping_write, "wide = torch.zeros(3, 1).expand(3, 4)")],
)
def test_the_line_that_changed_the_layout_is_found_in_the_source_of_an_unwatched_block(function, line):
    assert line in note_of(function, watch=False).split("done by")[1]


def test_the_assignment_that_changed_the_layout_is_blamed_and_not_the_one_that_only_names_it():
    def fail(x):
        y = x.t()
        z = y
        return z.view(-1)

    assert "y = x.t()" in note_of(lambda: fail(torch.zeros(2, 3)), watch=False).split("done by")[1]


def test_run_prints_the_explanation_under_the_traceback(tmp_path, capfd):
    script = tmp_path / "train.py"
    script.write_text("import torch\nx = torch.zeros(2, 3)\ny = x.t()\ny.view(6)\n", encoding="utf8")
    result = CliRunner().invoke(cli, ["run", str(script)], standalone_mode=False)
    text = result.output + "".join(capfd.readouterr())
    assert result.return_value == 1
    assert "torchclinic explains: incompatible-view" in text
    assert "train.py:3: y = x.t()" in text


def test_the_suggested_fix_of_a_view_runs():
    y = torch.arange(24).view(2, 3, 4).transpose(1, 2)
    note = note_of(incompatible_view)
    codes = note.split("  fix      ")[1].split("; or ")
    for code in codes:
        assert eval(code.partition(" (")[0], {"y": y}).numel() == 24


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Linear(4 * 36, 10))

    def forward(self, images):
        return self.body(images)


def test_the_module_inside_a_container_is_named_with_its_input():
    note = note_of(lambda: Net()(torch.zeros(2, 1, 8, 8)))
    assert "self.body.2 = Linear" in note
    assert "input of self.body.2: shape (2, 4, 6, 6)" in note
    assert "x.flatten(1)" in note


def test_a_write_before_the_tensor_was_saved_is_not_blamed():
    def fail():
        y = torch.ones(3, requires_grad=True) * 2
        y.mul_(2)
        z = y * y
        y.add_(1)
        z.sum().backward()

    assert "y.add_(1)" in note_of(fail).split("done by")[1]


def test_an_optimizer_step_between_forward_and_backward_is_named():
    def step_too_early():
        first, second = nn.Linear(3, 3), nn.Linear(3, 1)
        optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
        loss = second(first(torch.ones(2, 3))).sum()
        loss.backward(retain_graph=True)
        optimizer.step()
        loss.backward()

    assert "optimizer.step()" in note_of(step_too_early)


def test_the_exception_is_the_same_object_and_its_traceback_stays():
    mine = RuntimeError("view size is not compatible with input tensor's size and stride")

    def fail():
        raise mine

    with pytest.raises(RuntimeError) as caught, tc.explain_errors():
        fail()
    assert caught.value is mine
    names = [frame.name for frame in traceback.extract_tb(mine.__traceback__)]
    assert names[-1] == "fail"


def test_the_recorder_leaves_no_frame_in_the_traceback():
    with pytest.raises(RuntimeError) as caught, tc.explain_errors():
        incompatible_view()
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any("torchclinic/error_notes" in file for file in files)


def test_unknown_errors_pass_through_untouched():
    for error in (RuntimeError("something else"), KeyError("x"), KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)) as caught, tc.explain_errors():
            raise error
        assert caught.value is error
        assert getattr(error, "__notes__", []) == []


def test_nested_blocks_explain_once():
    with pytest.raises(RuntimeError) as caught, tc.explain_errors(), tc.explain_errors():
        incompatible_view()
    assert len(caught.value.__notes__) == 1


def train(context):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters())
    with context:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).square().mean().backward()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_watched_training_is_bit_identical_and_the_mode_is_gone():
    assert torch.equal(train(tc.explain_errors()), train(tc.explain_errors(watch=False)))
    assert torch.overrides._get_current_function_mode_stack() == []


def test_the_recorder_keeps_no_tensor_alive():
    import weakref

    with tc.explain_errors():
        x = torch.zeros(3, 4).t()
        x += 1
        alive = weakref.ref(x)
        del x
        assert alive() is None


def test_looking_up_a_line_runs_no_code_of_the_user():
    ran = []

    class Batch:
        @property
        def images(self):
            ran.append("property")
            return torch.zeros(2, 3)

        def __getitem__(self, key):
            ran.append("item")
            return torch.zeros(2, 4)

    def fail(batch):
        return batch.images + batch["x"]

    note = note_of(lambda: fail(Batch()))
    assert ran == ["property", "item"]
    assert "broadcast-sizes" in note


def test_a_caught_exception_can_be_explained_later():
    try:
        incompatible_view()
    except RuntimeError as error:
        caught = error
    explanation = explanation_for(caught)
    assert "Dimensions 1 and 2" in explanation
    assert explanation_for(KeyError("x")) is None


def test_a_pasted_message_is_explained_without_a_run():
    for function in PROVOKED:
        with pytest.raises((RuntimeError, ValueError, IndexError)) as caught:
            function()
        assert function.__name__.replace("_", "-") in explanation_of_text(f"{type(caught.value).__name__}: {caught.value}")
    assert "CUDA_LAUNCH_BLOCKING" in explanation_of_text("RuntimeError: CUDA error: device-side assert triggered")
    found = explanation_of_text("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!")
    assert "cuda:0 and cpu" in found
    mismatch = "Input type (torch.cuda.FloatTensor) and weight type (torch.FloatTensor) should be the same"
    assert "model.to(device)" in explanation_of_text(mismatch)


def test_a_prefix_in_a_checkpoint_is_recognized():
    with pytest.raises(RuntimeError) as caught:
        nn.Linear(2, 2).load_state_dict({"module.weight": torch.zeros(2, 2), "module.bias": torch.zeros(2)})
    assert "'module.'" in explanation_for(caught.value)


def test_the_command_explains_text_and_standard_input():
    message = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"
    told = CliRunner().invoke(cli, ["explain", message], standalone_mode=False)
    piped = CliRunner().invoke(cli, ["explain", "-"], input=message, standalone_mode=False)
    assert told.return_value == piped.return_value == 0
    assert told.output == piped.output
    assert "needs 3 = 4" in told.output


def test_the_command_prints_the_document_of_a_rule():
    module = discover()[0]
    result = CliRunner().invoke(cli, ["explain", module.RULE.code], standalone_mode=False)
    assert result.return_value == 0
    assert module.RULE.explanation.strip() in result.output


@pytest.mark.parametrize("text", ["nothing known", "", "ABC999"])
def test_the_command_refuses_what_it_does_not_know_in_a_sentence(text):
    result = CliRunner().invoke(cli, ["explain", text], standalone_mode=False)
    assert isinstance(result.exception, InputError)
    assert "\n" not in str(result.exception)


def test_the_note_is_printed_under_the_traceback():
    try:
        with tc.explain_errors():
            incompatible_view()
    except RuntimeError as error:
        text = io.StringIO()
        traceback.print_exception(error, file=text)
    assert text.getvalue().index("view size is not compatible") < text.getvalue().index("torchclinic explains")
