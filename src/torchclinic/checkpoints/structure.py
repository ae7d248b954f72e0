"""What kind of checkpoint a value is: which part holds the weights, and what the names' prefixes say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torchclinic.checkpoints.machine import Call, Pairs
from torchclinic.checkpoints.naming import printable
from torchclinic.checkpoints.rebuilding import TensorRef

WEIGHTS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module")
PREFIXES = {
    "module.": "DataParallel or DistributedDataParallel",
    "_orig_mod.": "torch.compile",
    "_fsdp_wrapped_module.": "FullyShardedDataParallel",
    "_forward_module.": "Lightning Fabric",
    "ema_model.": "a moving average of the weights",
    "model.": "a model held as an attribute (Lightning)",
    "net.": "a model held as an attribute",
}


@dataclass(frozen=True, slots=True)
class Structure:
    kind: str
    parts: Mapping[str, str]
    weights: str


def describe(value: Any) -> Structure:
    """The kind, what each top-level part is, and the part that holds the weights."""
    if isinstance(value, TensorRef):
        return Structure("single tensor", {}, "")
    if isinstance(value, Call):
        return Structure("whole model" if _is_module(value) else "pickled object", {}, "")
    if isinstance(value, list | tuple):
        return Structure("list", {}, "")
    if not isinstance(value, Pairs):
        return Structure("no tensors", {}, "")
    items = {printable(key): item for key, item in value.items if isinstance(key, str)}
    if _is_optimizer(value):
        return Structure("optimizer state", {}, "")
    parts = {key: part for key, item in items.items() if (part := _part(key, item))}
    if any(isinstance(item, TensorRef) for item in items.values()):
        return Structure("state dict", parts, "")
    holders = [key for key, part in parts.items() if part in ("weights", "whole model")]
    weights = next((key for key in WEIGHTS if key in holders), holders[0] if holders else "")
    if "pytorch-lightning_version" in items:
        return Structure("Lightning checkpoint", parts, weights)
    return Structure("training checkpoint" if parts else "no tensors", parts, weights)


def prefixes_of(names: list[str]) -> dict[str, str]:
    """Known prefixes that every name shares, outermost first, and where each comes from."""
    found = {}
    rest = names
    while rest:
        prefix = next((known for known in PREFIXES if all(name.startswith(known) for name in rest)), None)
        if prefix is None:
            break
        found[prefix] = PREFIXES[prefix]
        rest = [name[len(prefix) :] for name in rest]
    inner = [prefix for prefix in ("_orig_mod.", "_fsdp_wrapped_module.") if any(f".{prefix}" in name for name in rest)]
    return found | {prefix: f"{PREFIXES[prefix]}, inside some names" for prefix in inner}


def _part(key: str, item: Any) -> str:
    """What a top-level part is; empty for numbers, texts and what holds no tensor directly."""
    if _is_module(item):
        return "whole model"
    if _is_optimizer(item):
        return "optimizer state"
    if isinstance(item, list | tuple) and item and all(_is_optimizer(one) for one in item):
        return f"state of {len(item)} optimizers"
    if isinstance(item, Pairs) and any(isinstance(inner, TensorRef) for _, inner in item.items):
        return "moving average of the weights" if "ema" in key.lower().split("_") else "weights"
    return ""


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, Pairs) and {"state", "param_groups"} <= {key for key, _ in value.items if isinstance(key, str)}


def _is_module(value: Any) -> bool:
    if not isinstance(value, Call) or not isinstance(value.state, Pairs):
        return False
    return any(key in ("_parameters", "_modules") for key, _ in value.state.items if isinstance(key, str))
