"""What torch's own rebuild functions would make of a pickle: storages and tensors, as records."""

from dataclasses import dataclass
from typing import Any

from torchclinic.checkpoints.dtypes import ITEM_SIZES, STORAGES, TORCH_NAMES
from torchclinic.checkpoints.machine import Call, Global, Pairs
from torchclinic.errors import CheckpointError

MOST_DIMS = 64
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A storage a stream refers to; its bytes lie elsewhere in the file."""

    key: str
    dtype: str
    numel: int
    view_offset: int = 0  # of legacy storage views, in elements

    @property
    def nbytes(self) -> int:
        return self.numel * ITEM_SIZES[self.dtype]


@dataclass(frozen=True, slots=True)
class TensorRef:
    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    requires_grad: bool = False
    parameter: bool = False


def resolve_persistent(identifier: Any) -> Any:
    """`('storage', type, key, location, numel)` → `StorageRef`; a legacy `('module', class, …)` → its class."""
    if isinstance(identifier, tuple) and len(identifier) > 1 and identifier[0] == "module":
        return identifier[1]
    match identifier:
        case ("storage", Global(name=kind), str(key), _, int(numel), *view) if kind in STORAGES:
            shift = view[0][1] if view and isinstance(view[0], tuple) and len(view[0]) == 3 else 0
            if not 0 <= numel <= LARGEST or not isinstance(shift, int) or not 0 <= shift <= LARGEST:
                raise CheckpointError(f"Storage {key[:80]!r} is said to have {_short(numel)} elements.")
            return StorageRef(key, STORAGES[kind], numel, shift)
    return Call("persistent id", identifier)


def rebuild(call: Call) -> Any:
    """A tensor, a dict, or the call as it was where it is none of torch's own."""
    if not isinstance(call.function, Global):
        return call
    name, arguments = str(call.function), call.arguments
    if not isinstance(arguments, tuple):
        return call
    match name, arguments:
        case ("collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", (list() as pairs,)):
            return Pairs([(pair[0], pair[1]) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2])
        case ("collections.OrderedDict" | "collections.defaultdict" | "builtins.dict" | "__builtin__.dict", _):
            return Pairs()
        case ("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", (StorageRef() as s, o, z, t, *rest)):
            return _tensor(s, o, z, t, s.dtype, bool(rest and rest[0] is True))
        case "torch._utils._rebuild_tensor_v3", (StorageRef() as s, o, z, t, grad, _, Global(name=dtype), *_):
            return _tensor(s, o, z, t, TORCH_NAMES.get(dtype, s.dtype), grad is True)
        case "torch._utils._rebuild_qtensor", (StorageRef() as s, o, z, t, *_):
            return _tensor(s, o, z, t, s.dtype, False)
        case ("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state", (TensorRef() as t, grad, *_)):
            return TensorRef(t.storage, t.offset, t.shape, t.stride, t.dtype, grad is True, parameter=True)
        case "torch._tensor._rebuild_from_type_v2", (Global() as function, _, tuple(inner), *_):
            return rebuild(Call(function, inner))
        case "torch.Size", (list() | tuple() as sizes,):
            return tuple(sizes)
    return call


def _tensor(storage: StorageRef, offset: Any, shape: Any, stride: Any, dtype: str, grad: bool) -> TensorRef:
    for what, values in (("shape", shape), ("stride", stride)):
        whole = isinstance(values, tuple) and all(isinstance(v, int) and 0 <= v <= LARGEST for v in values)
        if not whole or len(values) > MOST_DIMS:
            raise CheckpointError(f"A tensor in storage {storage.key[:80]!r} has an impossible {what}, {_short(values)}.")
    if len(shape) != len(stride) or not isinstance(offset, int) or not 0 <= offset <= LARGEST:
        raise CheckpointError(f"A tensor in storage {storage.key[:80]!r} has an impossible layout.")
    scale = ITEM_SIZES[storage.dtype]
    root = StorageRef(storage.key, storage.dtype, storage.numel)
    tensor = TensorRef(root, offset + storage.view_offset, shape, stride, dtype, grad)
    if extent(tensor)[1] > storage.numel * scale:
        raise CheckpointError(
            f"A tensor of shape {_short(shape)} reaches beyond its storage {storage.key[:80]!r} of "
            f"{storage.nbytes:,} bytes; the file is damaged."
        )
    return tensor


def extent(tensor: TensorRef) -> tuple[int, int]:
    """First and one past the last byte of the storage that the tensor's elements touch; equal if it has none."""
    size = ITEM_SIZES[tensor.dtype]
    start = tensor.offset * size
    if 0 in tensor.shape:
        return start, start
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride, strict=True))
    return start, start + (last + 1) * size


def _short(value: Any) -> str:
    """A hostile value for a message: numbers of any length, tuples of any depth."""
    if isinstance(value, int):
        return str(value) if abs(value) <= LARGEST else f"a number of {value.bit_length()} bits"
    if isinstance(value, tuple) and len(value) <= 8 and all(isinstance(v, int) for v in value):
        return f"({', '.join(_short(v) for v in value)})"
    return f"a {type(value).__name__}"
