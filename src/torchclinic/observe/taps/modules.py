"""Calls of modules: which models run, in which mode, on what."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from torchclinic.instruments.values import finite_input, is_plain, tensors_in
from torchclinic.observe.events import LayerEnded, ModelBegins, ModelEnds, ModelRuns
from torchclinic.observe.records import ForwardPass
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.purposes import call_site
from torchclinic.observe.taps.layers import layer_pass
from torchclinic.observe.taps.tap import Tap
from torchclinic.script.frames import forget_frames
from torchclinic.script.lines import user_line

_RECOMPUTING = ("torch/utils/checkpoint.py", "torch/optim/swa_utils.py")


class ModuleTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(nn.Module, "__call__", self._wrap_call)
        return []

    def settle(self) -> None:
        self.state.purposes.settle()

    def _wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        clock, models = self.clock, self.state.models
        tracks, known = models.tracks, models.known
        fast, sampler, layers = self.wiring.fast, self.wiring.sampler, self.wiring.sampler.layers

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            try:  # most calls are of modules that nobody watches now: as little as possible is done for them
                key = id(module)
                if not (fast.on and (fast.passes(key) or fast.takes(module))) and not clock.full:
                    if clock.waiting or key in tracks:
                        self.wiring.schedule.model_called(module, call_site(1, module.training))
                    elif key not in known and not clock.stopped:
                        self._unknown(module)
                    elif fast.on:
                        self._part(module)
                if clock.full:
                    return self._call(original, module, args, kwargs)
                if not sampler.on or key not in layers or not sampler.listens():
                    return original(module, *args, **kwargs)
                result = original(module, *args, **kwargs)
                sampler.take(module, result)
                return result
            except BaseException as error:
                forget_frames(error)
                raise

        __call__.__torchclinic__ = True  # type: ignore[attr-defined]  # it hides its own frame
        return __call__

    def _unknown(self, module: nn.Module) -> None:
        """A module that no model is known to have is called between observed steps: a new model, in an evaluation?"""
        known = self.state.models.known
        if next(module.parameters(), None) is None:
            known.add(id(module))
        elif not torch.is_grad_enabled():
            known.update(map(id, module.modules()))
            self.wiring.schedule.model_called(module, call_site(2, module.training))

    def _part(self, module: nn.Module) -> None:
        """A part of a model is called, between observed steps, by code that was not seen to call parts: an evaluation?"""
        caller = sys._getframe(2)
        if _inside_module(caller):
            self.state.models.callers[id(caller.f_code)] = caller.f_code
        elif next(module.parameters(), None) is not None:
            self.wiring.schedule.model_called(module, call_site(2, module.training))

    def _call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        models = self.state.models
        if self.clock.quiet or not self.clock.own_thread() or self.transformed():
            return original(module, *args, **kwargs)
        if not models.stack and id(module) in models.tracks:
            self.wiring.schedule.model_begins(module, call_site(2, module.training))
            if not self.clock.full:
                return original(module, *args, **kwargs)
        return self._observe(original, module, args, kwargs)

    def _observe(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        models = self.state.models
        outermost, grad, path = not models.stack, torch.is_grad_enabled(), ""
        with self.own.work():
            if outermost:
                self._begin(module, args, kwargs, grad)
            path = models.path(module)
        if outermost and models.open is not None and models.open_track is not None and not models.open.recomputed:
            self.tell(ModelRuns(module, models.open_track, models.open, args, kwargs))
        models.stack.append((path, module))
        try:
            result = original(module, *args, **kwargs)
        finally:
            models.stack.pop()
            if outermost:
                opened, models.open = models.open, None
        with self.own.work():
            if not outermost:
                caller = sys._getframe(3).f_code
                models.callers[id(caller)] = caller
                self._layer(module, path, args, result)
            elif opened is not None and models.open_track is not None:
                self._end(module, models.open_track, opened, (args, kwargs), result)
        if grad and self.wiring.sampler.on and not self.state.purposes.apart:
            self.wiring.sampler.take(module, result)
        return result

    def _begin(self, module: nn.Module, args: Any, kwargs: Any, with_grad: bool) -> None:
        models, clock = self.state.models, self.clock
        if next(module.parameters(), None) is None:
            models.open_track = None
            return
        track = models.track(module)
        if not track.paths or track.calls < 2 or self.wiring.schedule.window_begins():
            track.read(module)
            models.known.update(track.paths)
        track.calls += 1
        track.called(module, clock.step)
        forward = ForwardPass(track.kind, track.index, clock.step, user_line(), with_grad, module.training)
        forward.all_eval = not any(inner.training for inner in module.modules())
        forward.made_input = any(tensor.requires_grad for tensor in tensors_in([args, kwargs]))
        forward.recomputed = _called_from(_RECOMPUTING) or clock.in_backward
        tensors = [tensor for tensor in tensors_in([args, kwargs]) if is_plain(tensor)]
        models.begin(forward, track, tensors)
        models.argument_ids.update(id(tensor) for tensor in tensors)
        if with_grad and not forward.recomputed:
            within = not track.sites and models.within(track)
            self.state.purposes.begins(forward, track, call_site(4, module.training), tensors, within=within)
        if forward.to_train and not forward.recomputed:
            if track.training is None:
                track.training = module.training
            self._finite(forward, tensors)
        elif not forward.to_train:
            track.evaluated(forward, tensors)
            forward.known = self.state.rows.knows(track.index, tensors)
        self.tell(ModelBegins(module, track, forward, tensors))

    def _finite(self, forward: ForwardPass, tensors: list[Tensor]) -> None:
        data = (tensor for tensor in tensors if not self.state.models.comes_of(tensor))
        floats = [tensor.detach() for tensor in data if tensor.is_floating_point() and tensor.numel()]

        def receive(values: list[float]) -> None:
            forward.input_finite = forward.input_finite and all(values)

        if floats and len({tensor.device for tensor in floats}) == 1:
            self.state.measurements.add([finite_input(tensor) for tensor in floats], receive)

    def _end(self, module: nn.Module, track: ModelTrack, forward: ForwardPass, arguments: tuple[Any, Any], result: Any) -> None:
        models, flow = self.state.models, self.state.flow
        models.ran_once(module, forward)
        nodes = [node for tensor in tensors_in(result) if (node := flow.node_of(tensor)) is not None]
        models.outputs[id(forward)] = (forward, nodes, track)
        models.gave(module, forward, nodes[0] if nodes else None)
        if forward.with_grad:
            self.state.purposes.ends(forward, list(tensors_in(result)))
        if isinstance(module, nn.Linear | _ConvNd | _BatchNorm | _DropoutNd):
            self._tell_layer(module, "", None, forward, track)
        self.tell(ModelEnds(module, track, forward, *arguments, result))

    def _layer(self, module: nn.Module, path: str, args: Any, result: Any) -> None:
        models = self.state.models
        forward, track = models.open, models.open_track
        if forward is None or track is None:
            return
        models.ran_once(module, forward)
        if id(module) not in models.ran_at:
            models.ran_at[id(module)] = user_line()
        output = result[0] if isinstance(result, tuple) and result else result
        if isinstance(output, Tensor):
            models.gave(module, forward, self.state.flow.node_of(output))
        self._tell_layer(module, path, args[0] if args and isinstance(args[0], Tensor) else None, forward, track)

    def _tell_layer(self, module: nn.Module, path: str, tensor: Tensor | None, forward: ForwardPass, track: ModelTrack) -> None:
        layer = layer_pass(module, path, tensor)
        if layer is not None:
            forward.layers.append(layer)
        self.tell(LayerEnded(module, path, tensor, forward, layer, track))


def _inside_module(frame: FrameType | None) -> bool:
    """Whether a module runs in one of these frames."""
    running = nn.Module._call_impl.__code__
    while frame is not None and frame.f_code is not running:
        frame = frame.f_back
    return frame is not None


def _called_from(files: tuple[str, ...]) -> bool:
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        if frame.f_code.co_filename.endswith(files):
            return True
        frame = frame.f_back
    return False
