"""Errors about shapes and layouts."""

import torch
from torch import Tensor

from torchclinic.error_notes.note import Evidence, Note, pattern, sizes
from torchclinic.error_notes.scene import layout_change
from torchclinic.errors import InputError
from torchclinic.tensors.views import Fix, explain_view
from torchclinic.units import format_nbytes


@pattern("incompatible-view", r"view size is not compatible with input tensor's size and stride")
def incompatible_view(error: Evidence) -> Note:
    call = error.scene.call_of("view")
    if call is None:
        return Note(
            "Two neighbouring dimensions that the new shape merges do not follow each other in memory: one of transpose, "
            "permute, expand or a slice changed the strides before. A view merges dimensions i and i+1 only where stride[i] = "
            "size[i+1] · stride[i+1].",
            "Call explain_view(tensor, *shape) to see which dimensions; reshape(...) works and copies the elements.",
        )
    name, tensor, shape = call
    try:
        explained = explain_view(tensor, *shape)
    except InputError as invalid:
        return Note(str(invalid), "Give a shape with as many elements as the tensor has.")
    fixes = "; or ".join(f"{_renamed(fix.code, name)} ({_price(fix)})" for fix in explained.fixes)
    culprit = error.culprit(error.last("layout", tensor)) or layout_change(error.scene, name)
    return Note(explained.reason, fixes, culprit)


@pattern("invalid-shape", r"shape '\[(?P<shape>[^\]]*)\]' is invalid for input of size (?P<numel>\d+)")
def invalid_shape(error: Evidence) -> Note:
    shape = sizes(error["shape"])
    known = torch.Size(size for size in shape if size != -1).numel()
    what = f"a multiple of {known}" if -1 in shape else str(known)
    return Note(
        f"Shape {shape} needs {what} elements; the tensor has {error['numel']}.",
        "Write -1 for the dimension to infer, and keep the batch dimension as x.size(0): a fixed batch size fails on "
        "the last, smaller batch.",
    )


@pattern("matmul-shapes", r"mat1 and mat2 shapes cannot be multiplied \((?P<n>\d+)x(?P<k>\d+) and (?P<m>\d+)x(?P<p>\d+)\)")
def matmul_shapes(error: Evidence) -> Note:
    n, k, m, p = (error.number(group) for group in "nkmp")
    cause = f"The inner sizes differ: [{n}, {k}] @ [{m}, {p}] needs {k} = {m}."
    for name, module in error.scene.modules():
        if isinstance(module, torch.nn.Linear):
            return Note(f"{cause} {name} = {module} takes rows of {m} features and got {k}.", _linear_fix(n, k, m))
    if k == p or m == n:
        return Note(cause, "Transpose one of the two (`b.mT`): a size of the other side does fit.")
    return Note(cause, _linear_fix(n, k, m))


@pattern(
    "batched-matmul-shapes", r"first two dimensions of batch2 tensor to be: \[(?P<want>[\d, ]+)\] but got: \[(?P<got>[\d, ]+)\]"
)
def batched_matmul_shapes(error: Evidence) -> Note:
    (batch, k), (batch2, m) = sizes(error["want"]), sizes(error["got"])
    what = f"{k} columns on the left, {m} rows on the right" if k != m else f"batches of {batch} and {batch2}"
    return Note(f"Batched matrices do not fit: {what}.", "For b of shape [B, M, K], multiply with b.mT ([B, K, M]).")


@pattern("vector-shapes", r"size mismatch, got input \(\d+\), mat \((?P<mat>\d+x\d+)\), vec \((?P<vec>\d+)\)")
def vector_shapes(error: Evidence) -> Note:
    rows, columns = sizes(error["mat"])
    return Note(
        f"A [{rows}, {columns}] matrix takes a vector of {columns} elements, it got {error['vec']}.",
        "Check which dimension the vector belongs to; `matrix.mT @ vector` takes one element per row.",
    )


@pattern(
    "broadcast-mismatch",
    r"size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton dimension "
    r"(?P<dim>\d+)",
)
def broadcast_mismatch(error: Evidence) -> Note:
    a, b, dim = (error.number(group) for group in ("a", "b", "dim"))
    rank = max((tensor.dim() for tensor in error.scene.tensors.values()), default=0)
    counted = f" ({dim - rank} from the right)" if rank > dim else ""
    return Note(
        f"Shapes are compared from the right; in dimension {dim}{counted} the sizes are {a} and {b}, and neither is 1.",
        "If one operand lacks a dimension, add it where it belongs: b[:, None] or b.unsqueeze(dim); "
        "explain_broadcast(a, b) shows which dimensions meet.",
    )


@pattern("expand-mismatch", r"expanded size of the tensor \((?P<want>\d+)\) must match the existing size \((?P<got>\d+)\)")
def expand_mismatch(error: Evidence) -> Note:
    return Note(
        f"Only a dimension of size 1 can be stretched; this one has size {error['got']}, not 1 or {error['want']}.",
        "Insert a dimension of size 1 first (unsqueeze), or repeat the elements (repeat, which copies).",
    )


@pattern(
    "joined-shapes",
    r"Sizes of tensors must match except in dimension (?P<dim>\d+)\. Expected size (?P<want>\d+) but got size "
    r"(?P<got>\d+) for tensor number (?P<number>\d+)",
)
def joined_shapes(error: Evidence) -> Note:
    return Note(
        f"Tensor {error['number']} has size {error['got']} where the first has {error['want']}: cat joins along "
        f"dimension {error['dim']} and all others must agree.",
        "Join along another dimension (dim=...), or cut, pad or project the tensors to one size.",
    )


@pattern(
    "stacked-shapes",
    r"stack expects each tensor to be equal size, but got \[(?P<a>[\d, ]*)\] at entry 0 and \[(?P<b>[\d, ]*)\] at "
    r"entry (?P<number>\d+)",
)
def stacked_shapes(error: Evidence) -> Note:
    return Note(
        f"Entry 0 has shape {sizes(error['a'])}, entry {error['number']} {sizes(error['b'])}: stack needs equal shapes.",
        "In a DataLoader, resize or pad the samples in the data set or in collate_fn.",
    )


@pattern(
    "single-value-batchnorm",
    r"Expected more than 1 value per channel when training, got input size torch\.Size\(\[(?P<shape>[\d, ]+)\]\)",
)
def single_value_batchnorm(error: Evidence) -> Note:
    return Note(
        f"BatchNorm in train mode normalizes over the batch; an input of shape {sizes(error['shape'])} has one value per channel, "
        "whose variance is 0.",
        "For inference call model.eval(); in training use batches of 2 or more (DataLoader(drop_last=True) drops a last batch of "
        "1), or GroupNorm/LayerNorm.",
    )


@pattern(
    "conv-input-rank",
    r"Expected (?P<want>\d)D \(unbatched\) or (?P<batched>\d)D \(batched\) input to conv(?P<n>\d)d, but got input "
    r"of size: \[(?P<shape>[\d, ]*)\]",
)
def conv_input_rank(error: Evidence) -> Note:
    shape = sizes(error["shape"])
    letters = {1: "[B, C, L]", 2: "[B, C, H, W]", 3: "[B, C, D, H, W]"}[error.number("n")]
    return Note(
        f"conv{error['n']}d reads its input as {letters}; {shape} has {len(shape)} dimensions.",
        "Add the missing ones: x.unsqueeze(0) for the batch, x.unsqueeze(1) for the channel of gray images.",
    )


@pattern(
    "conv-channels",
    r"weight of size \[(?P<weight>[\d, ]+)\], expected input\[(?P<shape>[\d, ]+)\] to have (?P<want>\d+) channels, "
    r"but got (?P<got>\d+)",
)
def conv_channels(error: Evidence) -> Note:
    shape, want = sizes(error["shape"]), error.number("want")
    last = shape[-1] == want
    fix = "The channels come last: x.permute(0, 3, 1, 2) (not view)." if last else "Change in_channels, or convert the input"
    fix += "" if last else " (gray to colour: x.expand(-1, 3, -1, -1))." if want == 3 and shape[1] == 1 else "."
    return Note(f"The input {shape} has {error['got']} channels in dimension 1, the weight is made for {want}.", fix)


@pattern("channel-count", r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)")
def channel_count(error: Evidence) -> Note:
    return Note(
        f"BatchNorm was made for {error['want']} channels, the input has {error['got']} in dimension 1.",
        "Set num_features to the channels of the layer before; channels-last data needs a permute.",
    )


@pattern("normalized-shape", r"normalized_shape=\[(?P<want>[\d, ]+)\], expected .*? but got input of size ?\[(?P<got>[\d, ]+)\]")
def normalized_shape(error: Evidence) -> Note:
    return Note(
        f"LayerNorm normalizes the last dimensions {sizes(error['want'])}; the input {sizes(error['got'])} ends otherwise.",
        "Set normalized_shape to the last sizes of the input, or move the features to the last dimension.",
    )


@pattern("one-hot-target", r"0D or 1D target tensor expected, multi-target not supported")
def one_hot_target(error: Evidence) -> Note:
    return Note(
        "cross_entropy takes class indices of shape (batch,); the target has a further dimension.",
        "target.squeeze(1) for a column of indices, target.argmax(1) or target.float() for one-hot rows.",
    )


@pattern("loss-batch-sizes", r"Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)")
def loss_batch_sizes(error: Evidence) -> Note:
    return Note(
        f"The loss got {error['a']} rows of predictions and {error['b']} targets.",
        "A flatten or view in forward mixed the batch with other dimensions: keep dimension 0 (flatten(1)).",
    )


@pattern("loss-shapes", r"[Tt]arget size \(torch\.Size\(\[(?P<b>[\d, ]*)\]\)\).*input size \(torch\.Size\(\[(?P<a>[\d, ]*)\]\)\)")
def loss_shapes(error: Evidence) -> Note:
    return Note(
        f"Predictions {sizes(error['a'])} and targets {sizes(error['b'])} would broadcast against each other.",
        "Make them equal: predictions.squeeze(-1) or targets.unsqueeze(-1), in floating point.",
    )


@pattern("overlapping-write", r"more than one element of the written-to tensor refers to a single memory location")
def overlapping_write(error: Evidence) -> Note:
    overlapping = [(name, tensor) for name, tensor in error.scene.tensors.items() if _stretched(tensor)]
    name, tensor = overlapping[0] if overlapping else ("The written tensor", None)
    return Note(
        f"{name} repeats elements without memory (a stride is 0, by expand or broadcasting): one write would land in "
        "several elements.",
        "Write to `tensor.clone()` (every element gets memory of its own), or to the tensor before expand.",
        "" if tensor is None else error.culprit(error.last("layout", tensor)) or layout_change(error.scene, name),
    )


def _linear_fix(n: int, k: int, m: int) -> str:
    if m % k == 0 and n % (m // k) == 0:
        return f"The features are spread over dimensions: x.flatten(1) gives rows of {m}, as the layer expects."
    return f"Set in_features = {k}, or give the layer rows of {m} (flatten(1) keeps the batch apart)."


def _price(fix: Fix) -> str:
    if fix.shares_memory:
        return "no copy" if fix.same_elements else "no copy, but the elements in the order of the storage"
    return f"copies {format_nbytes(fix.copied_bytes)}, no longer shares memory"


def _renamed(code: str, name: str) -> str:
    return name + code.removeprefix("x")


def _stretched(tensor: Tensor) -> bool:
    return any(size > 1 and step == 0 for size, step in zip(tensor.shape, tensor.stride(), strict=True))


PATTERNS = (
    incompatible_view,
    invalid_shape,
    matmul_shapes,
    batched_matmul_shapes,
    vector_shapes,
    broadcast_mismatch,
    expand_mismatch,
    joined_shapes,
    stacked_shapes,
    single_value_batchnorm,
    conv_input_rank,
    conv_channels,
    channel_count,
    normalized_shape,
    one_hot_target,
    loss_batch_sizes,
    loss_shapes,
    overlapping_write,
)
