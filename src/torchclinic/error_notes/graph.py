"""Errors of autograd: leaves, saved tensors, second backward passes, missing paths."""

from torchclinic.error_notes.note import Evidence, Note, pattern, sizes
from torchclinic.error_notes.recorder import Event


@pattern("in-place-on-leaf", r"a (?P<view>view of a )?leaf Variable that requires grad is being used in an in-place operation")
def in_place_on_leaf(error: Evidence) -> Note:
    names = [name for name, tensor in error.scene.tensors.items() if tensor.requires_grad]
    what = ", ".join(names[:1]) or "The tensor"
    return Note(
        f"{what} is a leaf that collects gradients (a parameter, or made with requires_grad=True); overwriting it would lose the "
        "value its gradient belongs to.",
        "To set values (initialization, a manual update), write under `with torch.no_grad():`; to compute with it, write y = x + "
        "1 instead of x += 1.",
    )


@pattern(
    "in-place-on-saved",
    r"modified by an inplace operation: \[(?P<type>\S+) \[(?P<shape>[\d, ]*)\]\](?:, which is output "
    r"(?P<output>\d+) of "
    r"(?P<node>\w+),)?.*? is at version (?P<now>\d+); expected version (?P<saved>\d+)",
)
def in_place_on_saved(error: Evidence) -> Note:
    node = f", the output of {error['node'].removesuffix('Backward0')}," if error["node"] else ""
    writer = _writer(error)
    return Note(
        f"A tensor of shape {sizes(error['shape'])}{node} was saved for backward at version {error['saved']} and then "
        f"written in place (version {error['now']}).",
        "Write out of place on that line (y = y + 1 instead of y += 1), or clone() before writing. If it is an optimizer step "
        "between forward and backward, run the forward again after the step.",
        error.culprit(writer),
    )


def _writer(error: Evidence) -> Event | None:
    """The first write after the tensor was saved: by version, and by shape where a write of that shape was seen."""
    if error.recorder is None:
        return None
    saved, now, shape = error.number("saved"), error.number("now"), sizes(error["shape"])
    writes = [event for event in error.recorder.events("write") if saved < event.version <= now][::-1]
    return next((event for event in writes if event.shape == shape), next(iter(writes), None))


@pattern("second-backward", r"Trying to backward through the graph a second time")
def second_backward(error: Evidence) -> Note:
    earlier = list(error.recorder.events("backward")) if error.recorder is not None else []
    return Note(
        "A backward pass frees the tensors its graph saved, and a part of this graph has been through one already. In a loop "
        "that is a tensor of the last iteration that still hangs on its graph (a hidden state, a running loss).",
        "Detach what crosses iterations (state = state.detach(), total += loss.item()); for two losses, add them and go backward "
        "once; retain_graph=True only where the same graph is meant to be used twice.",
        f"{earlier[0]} (the first backward)" if earlier else "",
    )


@pattern("no-path-to-parameters", r"element 0 of tensors does not require grad and does not have a grad_fn")
def no_path_to_parameters(error: Evidence) -> Note:
    return Note(
        "The loss does not depend on any parameter that requires grad, as far as autograd saw: the graph was cut (detach, .data, "
        ".item, argmax, numpy, torch.tensor(loss)), it was computed under no_grad, or every parameter is frozen.",
        "Compute the loss from the model's output without those calls; check `loss.grad_fn` and "
        "`any(p.requires_grad for p in model.parameters())`.",
        error.culprit(error.last("cut")),
    )


@pattern("backward-of-many", r"grad can be implicitly created only for scalar outputs")
def backward_of_many(error: Evidence) -> Note:
    return Note(
        "backward() starts from one number; this tensor has several elements.",
        "Reduce it first: loss.mean().backward() (or reduction='mean' in the loss).",
    )


@pattern("numpy-of-graph", r"Can't call numpy\(\) on Tensor that requires grad")
def numpy_of_graph(error: Evidence) -> Note:
    return Note(
        "NumPy knows no gradients, so a tensor of the graph cannot become an array.",
        "x.detach().cpu().numpy() for looking at values; in a loss, stay in torch, or the graph is cut.",
    )


PATTERNS = (in_place_on_leaf, in_place_on_saved, second_backward, no_path_to_parameters, backward_of_many, numpy_of_graph)
