"""Which activation each layer's output reaches first: from the traced graph, from a pass on a batch, or by registration order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from torchclinic.errors import InputError
from torchclinic.instruments.signal_operations import BENDS
from torchclinic.theory.activations import Activation, activation, is_activation, leaky

NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
ADDS = ("add", "iadd", "add_", "__add__", "__iadd__")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer stands. `scale_after`: path of the normalization that ends the residual branch behind this layer."""

    activation: Activation | None = None
    ends_branch: bool = False
    scale_after: str = ""
    traced: bool = False


def places(model: nn.Module, batch: Any = None) -> dict[str, Place]:
    """path of a layer -> its place. Falls back to the order of registration where the forward cannot be traced."""
    try:
        graph = _Tracer().trace(model)
    except Exception:  # noqa: BLE001  symbolic tracing raises anything on data-dependent control flow
        return _by_batch(model, batch) if batch is not None else _by_registration(model)
    found: dict[str, Place] = {}
    for node in graph.nodes:
        if node.op == "call_module" and not is_activation(model.get_submodule(node.target)):
            found.setdefault(node.target, _follow(model, node))
    return found


class _Tracer(fx.Tracer):
    """Records calls of layers without looking inside them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or isinstance(m, nn.MultiheadAttention | nn.RNNBase)


def _follow(model: nn.Module, start: fx.Node) -> Place:
    """Walk through what neither bends nor multiplies; stop at the first activation, addition or next weights."""
    norm, pending, seen = "", list(start.users), {start}
    while pending:
        node = pending.pop(0)
        if node in seen:
            continue
        seen.add(node)
        phi = _activation(model, node)
        if phi is not None:
            return Place(phi, traced=True)
        if _is_add(node):
            if _skips(node, start):
                return Place(None, ends_branch=True, scale_after=norm, traced=True)
        elif node.op == "call_module":
            module = model.get_submodule(str(node.target))
            if isinstance(module, NORMS):
                norm = str(node.target)
            elif any(True for _ in module.parameters()):
                continue
        elif node.op == "call_function" and _name(node) in ("linear", "conv1d", "conv2d", "conv3d", "matmul"):
            continue
        pending += list(node.users)
    return Place(traced=True)


def _skips(add: fx.Node, start: fx.Node) -> bool:
    """Whether `add` joins the branch of `start` with a path that carries what the branch was computed from."""
    operands = list(add.all_input_nodes)
    mine = [node for node in operands if node is start or start in _ancestors(node)]
    others = [node for node in operands if node not in mine]
    if len(operands) != 2 or len(mine) != 1:
        return False
    branch, shortcut = _ancestors(mine[0]) | {mine[0]}, _ancestors(others[0]) | {others[0]}
    # the shortcut is the side with fewer layers of its own
    own = sum(node.op == "call_module" for node in branch - shortcut)
    return bool(branch & shortcut) and own > sum(node.op == "call_module" for node in shortcut - branch)


def _ancestors(node: fx.Node) -> set[fx.Node]:
    seen: set[fx.Node] = set()
    pending = list(node.all_input_nodes)
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            pending += current.all_input_nodes
    return seen


def _name(node: fx.Node) -> str:
    return str(getattr(node.target, "__name__", node.target)).strip("_")


def _is_add(node: fx.Node) -> bool:
    return node.op in ("call_function", "call_method") and _name(node) in ("add", "iadd")


def _activation(model: nn.Module, node: fx.Node) -> Activation | None:
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        return activation(module) if is_activation(module) and not isinstance(module, nn.Identity) else None
    name = _name(node)
    if node.op not in ("call_function", "call_method") or name not in BENDS:
        return None
    slope = node.args[1] if len(node.args) > 1 else node.kwargs.get("negative_slope", 0.01)
    if name == "leaky_relu" and isinstance(slope, int | float):
        return leaky(float(slope))
    if name.startswith("clamp"):
        return activation("relu") if 0 in (*node.args[1:], *node.kwargs.values()) else None
    try:
        return activation(name)
    except InputError:
        return None


def _by_registration(model: nn.Module) -> dict[str, Place]:
    """The next activation module registered after a layer."""
    found: dict[str, Place] = {}
    waiting: list[str] = []
    for path, module in _leaves(model):
        if is_activation(module) and not isinstance(module, nn.Identity):
            found |= {layer: Place(activation(module)) for layer in waiting}
            waiting = []
        elif any(True for _ in module.parameters(recurse=False)) and not isinstance(module, NORMS):
            waiting = [path]
    return found


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    yield from ((path, module) for path, module in model.named_modules() if not any(module.children()))


def _by_batch(model: nn.Module, batch: Any) -> dict[str, Place]:
    """Activations as seen in one pass on `batch`."""
    from torchclinic.instruments.propagation import propagation

    found: dict[str, Place] = {}
    for row in propagation(model, batch):
        if row.parameter and row.role == "linear":
            path = row.parameter.rpartition(".")[0]
            phi = _named(row.followed_by)
            found.setdefault(path, Place(phi, ends_branch=row.in_branch, traced=True))
    return found


def _named(name: str) -> Activation | None:
    if name.startswith("leaky_relu("):
        return leaky(float(name[11:-1]))
    return activation(name) if name and name != "prelu" else None
