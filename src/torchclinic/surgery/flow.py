"""Which layer the output of a model comes from, and which layer its input meets first.

Three ways, best first: the autograd graph of a run on an example, a symbolic trace (torch.fx), the module tree.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
HEAD_NAMES = ("head", "heads", "fc", "classifier", "score", "head_dist", "last_linear", "output", "out")
# What a forward may raise when it is given proxies: control flow on values, len() of a proxy, unsupported calls.
UNTRACEABLE = (
    fx.proxy.TraceError,
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
    NotImplementedError,
    LookupError,
    AssertionError,
)


@dataclass(frozen=True, slots=True)
class Ends:
    """Layers at one end of a network, as paths, and how they were found.

    `blockers` are other things with parameters that stand at this end: layers that cannot be exchanged by size alone.
    """

    layers: tuple[str, ...]
    blockers: tuple[str, ...]
    found_by: str  # "run", "trace" or "structure"


@dataclass
class _Node:
    """One step of a graph: the layer it calls, if it calls one, and the steps it reads."""

    layer: str | None
    inputs: list[Any]


def output_layers(model: nn.Module, example: Any = None) -> Ends:
    """The layers from which the model's output comes with no other parameters in between. The model is not modified."""
    if example is not None:
        return _ends_of(model, [_run(model, example)], "run")
    graphs = [graph for training in (True, False) if (graph := _trace(model, training)) is not None]
    return _ends_of(model, graphs, "trace") if graphs else _output_by_structure(model)


def input_layers(model: nn.Module) -> Ends:
    """The first layers with parameters that the model's input meets. The model is not modified."""
    graph = _trace(model, training=False)
    if graph is None:
        first = next((path for path, module in model.named_modules() if isinstance(module, LAYERS)), None)
        return Ends((first,) if first else (), (), "structure")
    consumers: dict[Any, list[Any]] = {}
    for key, node in graph.nodes.items():
        for source in node.inputs:
            consumers.setdefault(source, []).append(key)
    reached = _walk(graph.sources, lambda key: [] if graph.nodes[key].layer else consumers.get(key, []))
    return _sort(model, dict.fromkeys(graph.nodes[key].layer for key in reached), "trace")


def layers_between(model: nn.Module, start: str, kinds: tuple[type[nn.Module], ...]) -> tuple[str, ...]:
    """Modules of `kinds` that the output of the layer `start` meets before another convolution or linear layer."""
    modules = dict(model.named_modules())
    paths = list(modules)
    graph = _trace(model, training=False, leaves=kinds)
    called = [node.layer for node in graph.nodes.values() if node.layer] if graph else paths
    after = called[called.index(start) + 1 :] if start in called else []
    found = []
    for path in after:
        if isinstance(modules[path], LAYERS):
            break
        if isinstance(modules[path], kinds):
            found.append(path)
    return tuple(found)


@dataclass
class _Graph:
    nodes: dict[Any, _Node]
    outputs: list[Any]
    sources: list[Any]


class _LayerTracer(fx.Tracer):
    def __init__(self, leaves: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.leaves = leaves

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self.leaves) or super().is_leaf_module(m, module_qualified_name)


def _trace(model: nn.Module, training: bool, leaves: tuple[type[nn.Module], ...] = ()) -> _Graph | None:
    """The graph of a symbolic trace in one mode; None where the forward depends on values."""
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.random.fork_rng(devices=[]):
            for module in modes:
                module.training = training
            graph = _LayerTracer((*LAYERS, *leaves)).trace(model)
    except UNTRACEABLE:
        return None
    finally:
        for module, mode in modes.items():
            module.training = mode
    modules = dict(model.named_modules(remove_duplicate=False))
    parameters = dict(model.named_parameters(remove_duplicate=False))
    nodes, outputs, sources = {}, [], []
    for node in graph.nodes:
        layer = None
        if node.op == "call_module":
            path = str(node.target)
            has_parameters = next(modules[path].parameters(), None) is not None
            layer = path if has_parameters or isinstance(modules[path], leaves) else None
        elif node.op == "get_attr" and node.target in parameters and parameters[node.target].numel() > 1:
            layer = str(node.target)
        elif node.op == "output":
            outputs = node.all_input_nodes
        elif node.op == "placeholder":
            sources.append(node)
        nodes[node] = _Node(layer, node.all_input_nodes)
    return _Graph(nodes, outputs, sources)


def _run(model: nn.Module, example: Any) -> _Graph:
    """The autograd graph of one forward in eval mode, with the layers that made its nodes."""
    paths = {module: path for path, module in model.named_modules()}
    names = {parameter: name for name, parameter in model.named_parameters()}
    made: dict[Any, str] = {}

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.grad_fn is not None:
            made[output.grad_fn] = paths[module]

    layers = [module for module in paths if next(iter(module._parameters.values()), None) is not None and paths[module]]
    modes = {module: module.training for module in paths}
    wanted = {parameter: parameter.requires_grad for parameter in names}
    hooks = [module.register_forward_hook(note) for module in layers]
    try:
        for module in modes:
            module.training = False
        for parameter in wanted:
            parameter.requires_grad_(parameter.is_floating_point())
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            output = _call(model, example)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)
    outputs = [tensor.grad_fn for tensor in _tensors(output) if tensor.grad_fn is not None]
    nodes: dict[Any, _Node] = {}
    for key in _walk(outputs, lambda node: [source for source, _ in node.next_functions if source is not None]):
        leaf = getattr(key, "variable", None)
        owned = names.get(leaf) if leaf is not None and leaf.numel() > 1 else None
        sources = [source for source, _ in key.next_functions if source is not None]
        nodes[key] = _Node(made.get(key, owned), sources)
    return _Graph(nodes, outputs, [])


def _call(model: nn.Module, example: Any) -> Any:
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, tuple) else model(example)


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, Iterable):
        for value in output:
            yield from _tensors(value)


def _ends_of(model: nn.Module, graphs: list[_Graph], found_by: str) -> Ends:
    frontier: dict[str | None, None] = {}
    for graph in graphs:
        ends = _frontier(graph, graph.outputs)
        # An output that also feeds another output (features next to logits) is not the head.
        earlier = {other for key in ends for other in _before(graph, key)}
        frontier |= dict.fromkeys(graph.nodes[key].layer for key in ends if key not in earlier)
    return _sort(model, frontier, found_by)


def _frontier(graph: _Graph, start: list[Any]) -> list[Any]:
    """The first steps with parameters met when walking from `start` against the flow."""
    reached = _walk(start, lambda key: [] if graph.nodes[key].layer else graph.nodes[key].inputs)
    return [key for key in reached if graph.nodes[key].layer]


def _before(graph: _Graph, key: Any) -> list[Any]:
    return _walk(graph.nodes[key].inputs, lambda other: graph.nodes[other].inputs)


def _walk(start: Iterable[Any], neighbours: Callable[[Any], Iterable[Any]]) -> list[Any]:
    waiting, seen = list(start), dict[Any, None]()
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen[key] = None
            waiting += neighbours(key)
    return list(seen)


def _sort(model: nn.Module, names: dict[str | None, None], found_by: str) -> Ends:
    modules = dict(model.named_modules(remove_duplicate=False))
    layers: dict[nn.Module, str] = {}
    blockers = []
    for name in filter(None, names):
        module = modules.get(name)
        if isinstance(module, LAYERS):
            layers.setdefault(module, name)
        else:
            blockers.append(name)
    return Ends(tuple(layers.values()), tuple(blockers), found_by)


def _output_by_structure(model: nn.Module) -> Ends:
    """The last layer of the tree, and every layer that carries a classifier's usual name, must be one and the same."""
    modules = dict(model.named_modules())
    found: dict[nn.Module, str] = {}
    last = [path for path, module in modules.items() if isinstance(module, LAYERS)][-1:]
    named = [path for path in modules if path.rpartition(".")[2] in HEAD_NAMES and path.count(".") <= 1]
    named += [path for path in modules if path.endswith("_classifier") and "." not in path and path[:4] != "pre_"]
    for path in [*named, *last]:
        inside = [p for p in modules if (p == path or p.startswith(path + ".")) and isinstance(modules[p], LAYERS)]
        if inside:
            found.setdefault(modules[inside[-1]], inside[-1])
    with contextlib.suppress(TypeError, AttributeError, NotImplementedError):
        classifier = model.get_classifier()  # type: ignore[operator]  # timm's protocol
        if isinstance(classifier, LAYERS):
            return Ends(tuple(path for path, module in modules.items() if module is classifier), (), "structure")
    return Ends(tuple(found.values()), (), "structure")
