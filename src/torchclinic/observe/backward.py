"""Backward passes as they begin and end, and the loss at each."""

import math
import weakref
from array import array
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.observe.own import ends_here
from torchclinic.script.frames import forget_frames
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

MOST_UNSTEPPED = 200  # backward passes observed while no optimizer steps


class BackwardWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.running = False
        self.steps = array("q")
        self.values = array("d")  # the loss at the backward passes of these steps
        self._deferred: list[tuple[int, Tensor]] = []

    def wrap_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        between = self.session.between

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                if between.on and type(tensors) is Tensor and not self.running and self._passes(tensors):
                    return self._between(original, tensors, args, kwargs)
                return self._watched(original, tensors, args, kwargs)
            except BaseException as error:
                forget_frames(error)
                raise

        backward.__torchclinic__ = True  # type: ignore[attr-defined]  # it hides its own frame
        return backward

    def _watched(self, original: Callable[..., Any], tensors: Any, args: Any, kwargs: Any) -> Any:
        session = self.session
        if session.dead or self.running or not session.on_own_thread():
            return original(tensors, *args, **kwargs)
        root = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
        record = self._begin_backward(root) if isinstance(root, Tensor) else None
        self.running = True
        try:
            result = original(tensors, *args, **kwargs)
        finally:
            self.running = False
        with session.own():
            if record is not None:
                session.training.after_backward(record, session.flow.node_of(root))
            elif isinstance(root, Tensor):
                session.numerics.glance(root)
            if session.witness is not None and isinstance(root, Tensor):
                session.witness.backward(root)
        return result

    def _passes(self, root: Tensor) -> bool:
        try:
            return self.session.between.backward_begins(root)
        except Exception as error:
            if not ends_here(self.session, error):
                raise
        return False

    def wrap_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`torch.autograd.grad` with respect to leaves is the backward pass of a loop that updates by hand."""
        session = self.session

        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(outputs, inputs, *args, **kwargs)
            by_hand = not session.training.optimizers and not self.running and isinstance(outputs, Tensor)
            if by_hand and session.recording() and session.on_own_thread() and isinstance(inputs, list | tuple):
                with session.own():
                    if all(isinstance(leaf, Tensor) and leaf.is_leaf for leaf in inputs):
                        self._gradients_by_hand(outputs, inputs, result)
            return result

        return grad

    def _gradients_by_hand(self, root: Tensor, leaves: Any, gradients: Any) -> None:
        session = self.session
        self._begin_backward(root)
        if session.active:
            pairs = list(zip(leaves, gradients, strict=True))
            session.training.gradients(pairs)
            session.discarded.gradients(pairs)

    def _begin_backward(self, root: Tensor) -> Any:
        session = self.session
        training = session.training
        if not training.optimizers and training.backwards:  # updated by hand: a backward pass is a step
            session.step += 1
            session.windows.end_of_step()
        training.backwards += 1
        if session.waiting:
            session.windows.activate()
        if session.active and not session.step and training.backwards > MOST_UNSTEPPED:
            session.windows.deactivate()
        with session.own():
            self._loss(root)
            training.root_refs.append((session.step, "", weakref.ref(root)))
            if not session.active:
                self._counted()
                return None
            session.discarded.backward()
            record = training.before_backward(root)
            training.root_refs[-1] = (session.step, record.root_line, weakref.ref(root))
            session.handmade.backward(session.flow.node_of(root), record)
            session.labels.backward(session.flow.node_of(root), record.value, record.root_line)
            session.target_networks.backward(session.flow.node_of(root))
            session.clamps.backward(session.flow.node_of(root))
            session.draws.backward(session.flow.node_of(root))
            session.measurements.flush()
            if not math.isfinite(record.value) and root.numel() == 1:
                session.numerics.judge_forward(session.flow.node_of(root), record.value)
            self._attach(record)
            return record

    def counted(self, root: Tensor) -> None:
        """A backward pass between observed steps begins."""
        session = self.session
        session.training.backwards += 1
        self._loss(root)
        session.training.root_refs.append((session.step, "", weakref.ref(root)))
        self._counted()

    def _between(self, original: Callable[..., Any], root: Tensor, args: Any, kwargs: Any) -> Any:
        """A backward pass between observed steps."""
        session = self.session
        self.running = True
        try:
            result = original(root, *args, **kwargs)
        finally:
            self.running = False
        with session.lightly():
            start = perf_counter()
            session.numerics.glance(root)
            session.budget.between += perf_counter() - start
            if session.witness is not None:
                session.witness.backward(root)
        return result

    def _counted(self) -> None:
        for track in self.session.training.optimizers.values():
            track.backwards += 1
            track.backwards_uncleared += 1
            track.cleared_after_backward = False

    def _attach(self, record: Any) -> None:
        """The forwards since the previous backward belong to this one if it depends on them."""
        session = self.session
        for forward in session.modules.pending:
            entry = session.modules.outputs.get(id(forward))
            if entry is not None and any(node.used for node in entry[1]):
                forward.feeds_backward = True
                session.modules.attached.append((forward, entry[2]))
        session.modules.pending = [f for f in session.modules.pending if not f.feeds_backward][-20:]

    def _loss(self, root: Tensor) -> None:
        session = self.session
        if root.numel() != 1:
            return
        if root.is_cpu:
            value = root.item()
            self.steps.append(session.step)
            self.values.append(value)
            if not session.active and not math.isfinite(value):
                session.numerics.search_graph(root, user_line())
            return
        self._deferred.append((session.step, root.detach()))
        if len(self._deferred) >= 64:
            self.flush_losses()

    def note_loss(self, loss: Tensor | float) -> None:
        """Add a point to the loss curve by hand."""
        session = self.session
        self.steps.append(session.step)
        self.values.append(float(loss))

    def flush_losses(self) -> None:
        waiting, self._deferred = self._deferred, []
        if waiting:
            self.steps.extend(step for step, _ in waiting)
            self.values.extend(torch.stack([value.reshape(()).float() for _, value in waiting]).tolist())
