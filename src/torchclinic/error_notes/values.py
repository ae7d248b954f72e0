"""Errors about dtypes, devices, indices and checkpoints."""

import re

from torchclinic.error_notes.note import Evidence, Note, pattern


@pattern(
    "dtype-mismatch",
    r"must have the same dtype, but got:? (?P<a>\w+) (?:and|!=) (?P<b>\w+)|Input type \((?P<c>[\w.]+)\) and "
    r"(?:bias|weight) "
    r"type \((?P<d>[\w.]+)\) should be the same|expected scalar type (?P<e>\w+) but found (?P<f>\w+)",
)
def dtype_mismatch(error: Evidence) -> Note:
    first, second = (name.removeprefix("torch.") for name in error.match.groups() if name)
    if "cuda" in first + second:
        return _devices(f"{first} and {second}")
    dtypes = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in error.scene.tensors.items()}
    seen = f" ({', '.join(f'{name} is {dtype}' for name, dtype in dtypes.items())})" if dtypes else ""
    return Note(
        f"The operands have dtypes {first} and {second}{seen}; a layer does not convert its input.",
        "Convert the input to the model's dtype: x = x.float() (NumPy makes float64), or the model with model.to(x.dtype).",
    )


@pattern("target-dtype", r"expected target dtype to be Long or Byte, but got (?P<got>\w+)")
def target_dtype(error: Evidence) -> Note:
    return Note(
        f"Class indices must be int64 (or uint8); the target is {error['got']}.",
        "target.long(). A target of probabilities has the shape of the logits and is floating point.",
    )


@pattern("cast-result", r"result type (?P<a>\w+) can't be cast to the desired output type (?P<b>\w+)")
def cast_result(error: Evidence) -> Note:
    return Note(
        f"The result is {error['a']} but is to be written into a {error['b']} tensor, which would lose digits.",
        "Convert the tensor first (x = x.float()); as a target of a floating-point loss: target.float().",
    )


@pattern(
    "device-mismatch",
    r"Expected all tensors to be on the same device.*?(?P<a>\w+(?::\d+)?) and (?P<b>\w+(?::\d+)?)|Tensor on device "
    r"(?P<c>\S+) "
    r"is not on the expected device (?P<d>[^\s!]+)|Expected all tensors to be on the same device",
)
def device_mismatch(error: Evidence) -> Note:
    devices = {name: str(tensor.device) for name, tensor in error.scene.tensors.items()}
    if len(set(devices.values())) > 1:
        return _devices(", ".join(f"{name} on {device}" for name, device in devices.items()))
    return _devices(" and ".join(name for name in error.match.groups() if name) or "two devices")


def _devices(found: str) -> Note:
    return Note(
        f"The tensors lie on different devices: {found}.",
        "Move model and batch to one device: model.to(device) once; x = x.to(device) for every batch (to() of a tensor returns a "
        "new one). A tensor made in forward: device=x.device; a constant of the model: register_buffer.",
    )


@pattern("class-out-of-range", r"Target (?P<index>-?\d+) is out of bounds|t >= 0 && t < n_classes")
def class_out_of_range(error: Evidence) -> Note:
    index = error["index"]
    logits = next((t for t in error.scene.tensors.values() if t.is_floating_point() and t.dim() > 1), None)
    classes = "" if logits is None else f" The logits have {logits.shape[1]} classes: 0 to {logits.shape[1] - 1}."
    which = f"A target is {index}" if index else "A target"
    return Note(
        f"{which}{',' if index else ' is'} outside the classes the logits have.{classes}",
        "Give the last layer one output per class, or number the classes from 0 (labels 1..C: subtract 1); a label that is to be "
        "skipped needs ignore_index.",
    )


@pattern(
    "index-out-of-range",
    r"index out of range in self|srcIndex < srcSelectDimSize|index (?P<index>-?\d+) is out of bounds for dimension "
    r"(?P<dim>\d+) with size (?P<size>\d+)",
)
def index_out_of_range(error: Evidence) -> Note:
    if error["index"]:
        last = error.number("size") - 1
        cause = f"Index {error['index']} does not exist in dimension {error['dim']}, whose indices are 0 to {last}."
        return Note(cause, "Check the index against x.shape; mind that counting starts at 0.")
    return Note(
        "An embedding was asked for a row it does not have: an index is negative or not below num_embeddings.",
        "Set num_embeddings to the largest index + 1 (padding and unknown included), or check the tokenizer's ids.",
    )


@pattern("device-side-assert", r"device-side assert triggered")
def device_side_assert(error: Evidence) -> Note:
    return Note(
        "A kernel found an index out of range: nearly always a class index outside the logits' classes or a token "
        "outside an embedding. Kernels run later than Python, so the line shown is not the one at fault.",
        "Run the same batch on the CPU for the exact message, or with CUDA_LAUNCH_BLOCKING=1 for the exact line; restart the "
        "process, as the device stays unusable.",
    )


@pattern("state-dict-mismatch", r"Error\(s\) in loading state_dict for (?P<model>\w+):(?P<rest>.*)")
def state_dict_mismatch(error: Evidence) -> Note:
    rest = error["rest"]
    missing, unexpected = (_keys(rest, kind) for kind in ("Missing", "Unexpected"))
    changed = re.findall(
        r"size mismatch for ([\w.]+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from "
        r"checkpoint, the shape in current model is torch\.Size\(\[([\d, ]*)\]\)",
        rest,
    )
    parts = [f"{len(missing)} keys are missing ({_few(missing)})"] if missing else []
    parts += [f"{len(unexpected)} are not in the model ({_few(unexpected)})"] if unexpected else []
    parts += [f"{name} is [{there}] in the file and [{here}] in the model" for name, there, here in changed[:3]]
    return Note(
        f"The checkpoint does not fit {error['model']}: {'; '.join(parts) or rest.strip()}.",
        _loading_fix(missing, unexpected, changed),
    )


def _loading_fix(missing: list[str], unexpected: list[str], changed: list[tuple[str, str, str]]) -> str:
    for prefix in ("module.", "_orig_mod.", "model."):
        added = bool(unexpected) and all(key.startswith(prefix) for key in unexpected)
        if added and {key.removeprefix(prefix) for key in unexpected} & set(missing):
            strip = f"{{k.removeprefix({prefix!r}): v for k, v in state.items()}}"
            return f"The file's keys carry the prefix {prefix!r}; load {strip}."
    if changed:
        return "Build the model as it was when saved (number of classes, widths), or drop those keys and replace the head."
    return "Build the model as it was when saved; strict=False loads the rest and leaves the missing ones untrained."


def _keys(text: str, kind: str) -> list[str]:
    found = re.search(kind + r" key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", text)
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _few(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")


PATTERNS = (
    dtype_mismatch,
    target_dtype,
    cast_result,
    device_mismatch,
    class_out_of_range,
    index_out_of_range,
    device_side_assert,
    state_dict_mismatch,
)
