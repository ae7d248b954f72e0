"""Backward passes as they begin and end, and the loss at each."""

import math
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.events import BackwardBegins, BackwardEnded, GradientsComputed, LossBroke
from torchclinic.observe.records import BackwardPass
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.tracks import graph_leaves
from torchclinic.observe.taps.tap import Tap
from torchclinic.script.frames import forget_frames
from torchclinic.script.lines import user_line

MOST_UNSTEPPED = 200  # backward passes observed while no optimizer steps


class BackwardTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(torch.autograd, "backward", self._wrap_backward)
        replace(torch.autograd, "grad", self._wrap_grad)
        return []

    def settle(self) -> None:
        self.state.losses.flush()

    def _wrap_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        fast, clock = self.wiring.fast, self.clock

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                if fast.on and type(tensors) is Tensor and not clock.in_backward and self._unseen(tensors):
                    return self._between(original, tensors, args, kwargs)
                return self._watched(original, tensors, args, kwargs)
            except BaseException as error:
                forget_frames(error)
                raise

        backward.__torchclinic__ = True  # type: ignore[attr-defined]  # it hides its own frame
        return backward

    def _watched(self, original: Callable[..., Any], tensors: Any, args: Any, kwargs: Any) -> Any:
        clock = self.clock
        if clock.stopped or clock.in_backward or not clock.own_thread():
            return original(tensors, *args, **kwargs)
        root = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
        record = self._begin(root) if isinstance(root, Tensor) else None
        clock.in_backward = True
        try:
            result = original(tensors, *args, **kwargs)
        finally:
            clock.in_backward = False
        if isinstance(root, Tensor):
            with self.own.work():
                self._end(root, record)
        return result

    def _end(self, root: Tensor, record: BackwardPass | None) -> None:
        self.state.purposes.settle()
        broken = self.state.training.backward_ended() if record is not None else []
        self.tell(BackwardEnded(root, self.state.flow.node_of(root), record, broken))
        if self.wiring.witness is not None:
            self.wiring.witness.backward(root)

    def _unseen(self, root: Tensor) -> bool:
        try:
            if self.wiring.fast.backward_begins(root):
                self._judge(root)
                return True
        except Exception as error:
            if not self.own.ends_here(error):
                raise
        return False

    def _between(self, original: Callable[..., Any], root: Tensor, args: Any, kwargs: Any) -> Any:
        """A backward pass between observed steps."""
        self.clock.in_backward = True
        try:
            result = original(root, *args, **kwargs)
        finally:
            self.clock.in_backward = False
        with self.own.notes():
            self.wiring.fast.backward_ended(root)
            if self.wiring.witness is not None:
                self.wiring.witness.backward(root)
        return result

    def _wrap_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`torch.autograd.grad` with respect to leaves is the backward pass of a loop that updates by hand."""
        clock, training = self.clock, self.state.training

        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(outputs, inputs, *args, **kwargs)
            by_hand = not training.optimizers and not clock.in_backward and isinstance(outputs, Tensor)
            if by_hand and clock.recording() and clock.own_thread() and isinstance(inputs, list | tuple):
                with self.own.work():
                    if all(isinstance(leaf, Tensor) and leaf.is_leaf for leaf in inputs):
                        self._by_hand(outputs, inputs, result)
            return result

        return grad

    def _by_hand(self, root: Tensor, leaves: Any, gradients: Any) -> None:
        self._begin(root)
        if self.clock.full:
            pairs = list(zip(leaves, gradients, strict=True))
            self.state.training.gradients_computed(pairs)
            self.tell(GradientsComputed(pairs))

    def _begin(self, root: Tensor) -> BackwardPass | None:
        clock, schedule = self.clock, self.wiring.schedule
        if not self.state.training.optimizers and clock.backwards:  # updated by hand: a backward pass is a step
            clock.step += 1
            schedule.end_of_step()
        clock.backwards += 1
        if clock.waiting:
            schedule.activate()
        if clock.full and not clock.step and clock.backwards > MOST_UNSTEPPED:
            schedule.deactivate()
        with self.own.work():
            self.state.losses.add(root, clock.step)
            if not clock.full:
                self.state.training.counted()
                self._judge(root)
                return None
            return self._observe(root)
        return None

    def _judge(self, root: Tensor) -> None:
        value = self.state.losses.latest
        if value is not None and not math.isfinite(value):
            self.tell(LossBroke(root, user_line()))

    def _observe(self, root: Tensor) -> BackwardPass:
        """First the state is brought up to date: what is reached, and which forwards it is made of; then it is told."""
        flow, training = self.state.flow, self.state.training
        node, line = flow.node_of(root), user_line()
        training.learn_parameters()
        parameters, inputs = training.backward_begins(graph_leaves(root), line)
        record = _record(self.clock.step, root, node, line, (parameters, inputs))
        if node is not None:
            node.root_step = self.clock.step
            flow.mark_used(node)
            flow.mark_entered(node)
        self.state.models.attach()
        self.state.purposes.apart = False
        roots = self.state.losses.roots
        roots[-1] = (self.clock.step, record.root_line, weakref.ref(root))
        self.tell(BackwardBegins(record, node))
        self.state.measurements.flush()
        return record


def _record(step: int, root: Tensor, node: Node | None, line: str, reached: tuple[int, int]) -> BackwardPass:
    made = node.producer() if node is not None else None
    return BackwardPass(
        step,
        line,
        made.line if made is not None and made.line else line,
        made.op if made is not None else "",
        root.is_leaf,
        tuple(root.shape),
        float(root.detach()) if root.numel() == 1 and is_plain(root) else float("nan"),
        *reached,
        _divides_itself(node),
    )


def _divides_itself(node: Node | None) -> bool:
    """The root is x / x (or x / x.detach()), possibly times a constant."""
    if node is None or node.op != "div" or len(node.parents) != 2:
        return False
    return node.parents[0].producer() is node.parents[1].producer()
