"""Which models run, in which mode, on which batches."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from torchclinic.instruments.values import finite_input, is_plain, tensors_in
from torchclinic.observe.records import ForwardPass, InputFacts, LayerPass
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.script.frames import forget_frames
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_NORMS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
_RECOMPUTING = ("torch/utils/checkpoint.py", "torch/optim/swa_utils.py")


class ModuleWatch:
    """Follows module calls; `wrap_call` replaces `nn.Module.__call__`."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.models: dict[int, ModelTrack] = {}
        self.known: set[int] = (
            set()
        )  # modules of all models, and what was called otherwise; a call of others is looked at
        self.stack: list[tuple[str, nn.Module]] = []
        self.forwards: list[ForwardPass] = []
        self.outputs: dict[int, tuple[ForwardPass, list[Node], ModelTrack]] = {}
        self.attached: list[tuple[ForwardPass, ModelTrack]] = []  # a backward used them, no step has yet
        self.module_outputs: dict[int, Node | None] = {}
        self.ran: dict[int, int] = {}  # module -> forwards with gradients
        self.ran_at: dict[int, str] = {}  # module -> the line that called it first
        self.ran_training: set[int] = set()
        self.unregistered: dict[int, tuple[str, str]] = {}
        self.inputs: list[InputFacts] = []
        self.argument_ids: set[int] = set()
        self.pending: list[ForwardPass] = []  # not yet followed by a backward
        self._open: ForwardPass | None = None
        self._open_model: ModelTrack | None = None

    def inside_model(self) -> bool:
        """Whether a module with parameters runs now; a loss module has none."""
        return self._open_model is not None and bool(self.stack)

    def where(self) -> str:
        return self.stack[-1][0] if self.stack else ""

    def built(self) -> str:
        """The line that made the module that runs now, if its class is torch's."""
        module = self.stack[-1][1] if self.stack else None
        return self.session.origins.line(module) if type(module).__module__.startswith("torch.") else ""

    def wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        session, models, known = self.session, self.models, self.known
        between, statistics, layers = session.between, session.statistics, session.statistics.layers

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            try:  # most calls are of modules that nobody watches now: as little as possible is done for them
                key = id(module)
                if not (between.on and (key in between.modules or between.passes(module))) and not session.active:
                    if session.waiting or key in models:
                        session.windows.model_called(module)
                    elif key not in known:
                        self._unknown(module)
                if session.active:
                    return self._call(original, module, args, kwargs)
                if not statistics.on or key not in layers or not statistics.listens():
                    return original(module, *args, **kwargs)
                result = original(module, *args, **kwargs)
                statistics.take(module, result)
                return result
            except BaseException as error:
                forget_frames(error)
                raise

        __call__.__torchclinic__ = True  # type: ignore[attr-defined]  # it hides its own frame
        return __call__

    def _unknown(self, module: nn.Module) -> None:
        """A module that no model is known to have is called between observed steps: a new model, in an evaluation?"""
        if next(module.parameters(), None) is None:
            self.known.add(id(module))
        elif not torch.is_grad_enabled():
            self.known.update(map(id, module.modules()))
            self.session.windows.model_called(module)

    def _call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        session = self.session
        if session.quiet or not session.on_own_thread() or session.transformed():
            return original(module, *args, **kwargs)
        if not self.stack and id(module) in self.models:
            session.windows.model_begins(module)
            if not session.observing():
                return original(module, *args, **kwargs)
        return self.observe(original, module, args, kwargs)

    def track(self, model: nn.Module) -> ModelTrack:
        track = self.models.get(id(model))
        if track is None or track.ref() is not model:
            track = self.models[id(model)] = ModelTrack(model, len(self.models))
        return track

    def observe(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        outermost = not self.stack
        probing = self.session.probing
        path = ""
        grad = torch.is_grad_enabled()
        with self.session.own():
            if outermost:
                self._begin(module, args, kwargs, grad)
            path = self._path(module)
        if outermost and self._open is not None and grad and self._open_model is not None and not self._open.recomputed:
            probing.look(module, self._open_model, args, kwargs)
        elif outermost and self._open is not None and self._open_model is not None and not self._open.recomputed:
            probing.evaluate(module, self._open_model, self._open, (args, kwargs))
        self.stack.append((path, module))
        try:
            result = original(module, *args, **kwargs)
        finally:
            self.stack.pop()
            if outermost:
                opened, self._open = self._open, None
        with self.session.own():
            if outermost:
                if opened is not None:
                    self._end(opened, module, result)
                if opened is not None and self._open_model is not None and grad and not opened.recomputed:
                    probing.keep(module, self._open_model, args, kwargs, result)
            else:
                self._layer(module, path, args, result)
        if grad and self.session.statistics.on:
            self.session.statistics.take(module, result)
        return result

    def _path(self, module: nn.Module) -> str:
        if self._open_model is None:
            return ""
        path = self._open_model.paths.get(id(module))
        if path is None:
            path = type(module).__name__
            if id(module) not in self.unregistered and next(module.parameters(), None) is not None:
                line = self.session.origins.line(module) or user_line()
                self.known.update(map(id, module.modules()))
                for inner in module.modules():
                    self.unregistered.setdefault(id(inner), (self._open_model.kind, line))
                    for parameter in inner.parameters(recurse=False):
                        self._open_model.owner_of.setdefault(id(parameter), (id(inner), type(inner).__name__))
        return path

    def _begin(self, module: nn.Module, args: Any, kwargs: Any, with_grad: bool) -> None:
        if next(module.parameters(), None) is None:
            self._open_model = None
            return
        model = self.track(module)
        if not model.paths or model.calls < 2 or self.session.windows.step_seen(model):
            model.read(module)
            self.known.update(model.paths)
        model.calls += 1
        if id(module) in self.session.target_networks.found:
            self.session.target_networks.called(module)
        self._open_model = model
        forward = ForwardPass(model.kind, model.index, self.session.step, user_line(), with_grad, module.training)
        forward.all_eval = not any(inner.training for inner in module.modules())
        forward.made_input = any(tensor.requires_grad for tensor in tensors_in([args, kwargs]))
        forward.recomputed = _called_from(_RECOMPUTING) or self.session.backward.running
        self.forwards.append(forward)
        self._open = forward
        tensors = [tensor for tensor in tensors_in([args, kwargs]) if is_plain(tensor)]
        self.argument_ids.update(id(tensor) for tensor in tensors)
        self.session.input_scales.look(forward, tensors)
        self.session.padding.begin(tensors)
        if with_grad and not forward.recomputed:
            if model.training is None:
                model.training = module.training
            self.session.updates.forward(forward.line)
            self.session.ranks.forward(module, forward)
            self.session.held_out.trained(model.index, tensors)
            self._finite(forward, tensors)
            self.pending.append(forward)
            self.session.batches.given(model, forward, tensors)
        elif not with_grad:
            model.evaluated(forward, tensors)
            forward.known = self.session.held_out.knows(model.index, tensors)
            self.session.held_out.evaluated(model.index, tensors, forward.line)

    def _finite(self, forward: ForwardPass, tensors: list[Tensor]) -> None:
        floats = [tensor.detach() for tensor in tensors if tensor.is_floating_point() and tensor.numel()]

        def receive(values: list[float]) -> None:
            forward.input_finite = forward.input_finite and all(values)

        if floats and len({tensor.device for tensor in floats}) == 1:
            self.session.measurements.add([finite_input(tensor) for tensor in floats], receive)

    def _end(self, forward: ForwardPass, module: nn.Module, result: Any) -> None:
        self.ran[id(module)] = self.ran.get(id(module), 0) + forward.with_grad
        if module.training:
            self.ran_training.add(id(module))
        flow = self.session.flow
        nodes = [node for tensor in tensors_in(result) if (node := flow.node_of(tensor)) is not None]
        self.outputs[id(forward)] = (forward, nodes, self.track(module))
        self.module_outputs[id(module)] = nodes[0] if nodes else None
        if isinstance(module, nn.Linear | _ConvNd | _BatchNorm | _DropoutNd):
            self._open = forward
            self._layer_facts(module, "", (), forward)
            self._open = None
        for facts in self.inputs[-8:]:
            self._normalized(facts)
        if forward.evaluating():
            self.session.unmeasured.evaluated(module, self.track(module), forward)

    def _layer(self, module: nn.Module, path: str, args: Any, result: Any) -> None:
        forward = self._open
        if forward is None:
            return
        self.ran[id(module)] = self.ran.get(id(module), 0) + forward.with_grad
        if id(module) not in self.ran_at:
            self.ran_at[id(module)] = user_line()
        if module.training:
            self.ran_training.add(id(module))
        output = result[0] if isinstance(result, tuple) and result else result
        if isinstance(output, Tensor):
            self.module_outputs[id(module)] = self.session.flow.node_of(output)
        self._layer_facts(module, path, args, forward)

    def _layer_facts(self, module: nn.Module, path: str, args: Any, forward: ForwardPass) -> None:
        tensor = args[0] if args and isinstance(args[0], Tensor) else None
        if isinstance(module, _BatchNorm):
            active = module.training or module.running_mean is None
            frozen = module.affine and not any(p.requires_grad for p in module.parameters())
            values = tensor.numel() // max(1, module.num_features) if tensor is not None else 0
            tracks = module.running_mean is not None
            rows = len(tensor) if tensor is not None and tensor.dim() else 0
            facts = LayerPass(path, "batchnorm", active, frozen, values, rows, tracks)
            if frozen and active:
                facts.affine_sum = sum(float(parameter.detach().sum()) for parameter in module.parameters())
            forward.layers.append(facts)
            if active and tracks and forward.with_grad and self._open_model is not None:
                self.session.unmeasured.measures(self._open_model, path)
        elif isinstance(module, _DropoutNd) and module.p > 0:
            forward.layers.append(LayerPass(path, "dropout", module.training, probability=module.p))
        elif isinstance(module, nn.Linear | _ConvNd) and tensor is not None and len(self.inputs) < 40:
            self._input_facts(module, path, tensor, forward)

    def _input_facts(self, module: nn.Module, path: str, tensor: Tensor, forward: ForwardPass) -> None:
        if tensor.requires_grad or not forward.with_grad or not is_plain(tensor) or not tensor.is_floating_point():
            return
        if tensor.numel() == 0:
            return
        facts = InputFacts(path, type(module).__name__, self.session.step, forward.line, tuple(tensor.shape))
        self.inputs.append(facts)
        values = tensor.detach().float()

        def receive(numbers: list[float]) -> None:
            facts.rms, facts.mean, facts.maximum, facts.measured = numbers[0] ** 0.5, numbers[1], numbers[2], True

        self.session.measurements.add([values.square().mean(), values.mean(), values.abs().max()], receive)

    def _normalized(self, facts: InputFacts) -> None:
        for node in self.session.flow.created[-400:]:
            if node.op in _NORMS and node.parents and node.parents[0].producer().where == facts.path:
                facts.normalized_next = True


def _called_from(files: tuple[str, ...]) -> bool:
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        if frame.f_code.co_filename.endswith(files):
            return True
        frame = frame.f_back
    return False
