"""Backward passes, gradients, clears and optimizer steps."""

import weakref
from collections import deque
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import is_plain
from torchclinic.observe.records import BackwardPass, ForwardPass, RetainedGraph, StepRecord, UnevenTerms
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.tracks import (
    OptimizerTrack,
    ParameterTrack,
    graph_leaves,
    initial_facts,
    nonzero,
    rows_equal,
)
from torchclinic.observe.terms import uneven
from torchclinic.script.lines import user_line, user_name

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


class TrainingWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.optimizers: dict[int, OptimizerTrack] = {}
        self.parameters: dict[int, ParameterTrack] = {}
        self.backward_passes: list[BackwardPass] = []
        self.steps: list[StepRecord] = []
        self.uneven_terms: list[UnevenTerms] = []
        self.backwards = 0
        self.inside_step = 0
        self.root_refs: deque[tuple[int, str, weakref.ref[Tensor]]] = deque(maxlen=64)
        self.retained: dict[str, RetainedGraph] = {}
        self._snapshots: dict[int, tuple[StepRecord, list[Tensor], list[Tensor]]] = {}

    def track(self, tensor: Tensor) -> ParameterTrack:
        track = self.parameters.get(id(tensor))
        if track is None or track.ref() is not tensor:
            track = self.parameters[id(tensor)] = ParameterTrack(tensor, self.session.step)
            track.made = self.session.origins.values_line(tensor)
            track.overwritten = self.session.origins.overwritten(tensor)
            if is_plain(tensor) and tensor.is_floating_point():
                initial_facts(track, tensor.detach())
        return track

    def name_of(self, tensor: Tensor) -> str:
        for model in self.session.modules.models.values():
            if id(tensor) in model.parameter_names:
                return model.parameter_names[id(tensor)]
        track = self.parameters.get(id(tensor))
        return track.user_name if track is not None else ""

    def optimizer(self, optimizer: torch.optim.Optimizer) -> OptimizerTrack:
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer:
            track = self.optimizers[id(optimizer)] = OptimizerTrack(optimizer, len(self.optimizers))
        return track

    # -- backward ---------------------------------------------------------------------------------------------------

    def known(self) -> list[tuple[ParameterTrack, Tensor]]:
        pairs = ((track, track.ref()) for track in self.parameters.values())
        return [(track, tensor) for track, tensor in pairs if tensor is not None]

    def before_backward(self, root: Tensor) -> BackwardPass:
        session = self.session
        node = session.flow.node_of(root)
        line = user_line()
        made = node.producer() if node is not None else None
        leaves = graph_leaves(root)
        for optimizer in self.optimizers.values():
            for parameter in optimizer.parameters():
                self.track(parameter).owners.add(optimizer.index)
        for model in session.modules.models.values():
            live = model.ref()
            for parameter in live.parameters() if live is not None else ():
                self.track(parameter)
        record = BackwardPass(
            session.step,
            line,
            made.line if made is not None and made.line else line,
            made.op if made is not None else "",
            root.is_leaf,
            tuple(root.shape),
            float(root.detach()) if root.numel() == 1 and is_plain(root) else float("nan"),
            0,
            0,
            _divides_itself(node),
        )
        self._reach(record, leaves)
        self._stale()
        if node is not None:
            if not self.uneven_terms and (found := uneven(session, node, session.step)) is not None:
                self.uneven_terms.append(found)
            node.root_step = session.step
            session.flow.mark_used(node)
        self.backward_passes.append(record)
        return record

    def _reach(self, record: BackwardPass, leaves: list[Tensor]) -> None:
        arguments = self.session.modules.argument_ids
        reached = set()
        for leaf in leaves:
            track = self.track(leaf)
            if not track.name and not track.user_name:
                track.user_name = user_name(leaf, 4)
            track.input_like = track.input_like or (not track.is_parameter and id(leaf) in arguments)
            track.reached += 1
            track.reached_steps.add(self.session.step)
            reached.add(id(leaf))
            if track.is_parameter or track.owners:
                record.parameters_reached += 1
            else:
                record.inputs_reached += 1
        for track, tensor in self.known():
            track.backwards += tensor.requires_grad
        for optimizer in self.optimizers.values():
            owned = optimizer.parameters()
            if any(id(parameter) in reached for parameter in owned):
                optimizer.mark("I" if record.inputs_reached else "B")
                optimizer.backwards += 1
                optimizer.backwards_uncleared += 1
                optimizer.foreign_line = optimizer.left_line
                optimizer.reached_line = record.line
                optimizer.reached_since_step += 1
                optimizer.cleared_after_backward = False
                optimizer.input_backwards = optimizer.input_backwards or record.inputs_reached > 0
            else:
                optimizer.mark("b")

    def _stale(self) -> None:
        """Before gradients are added: which of them were consumed by a step and are still there?"""
        pairs = [(t, p) for t, p in self.known() if p.grad is not None and not p.grad.is_sparse]
        sizes = nonzero([p.grad for _, p in pairs])
        present = {id(track) for (track, _), size in zip(pairs, sizes, strict=True) if size > 0}
        for track, _ in self.known():
            if id(track) not in present:
                track.consumed = track.stale = False
            elif track.consumed:
                track.stale = True
        for optimizer in self.optimizers.values():
            if not any(id(self.parameters.get(id(p))) in present for p in optimizer.parameters()):
                optimizer.cleared = True

    def after_backward(self, record: BackwardPass, root: Node | None) -> None:
        pairs = [(t, p) for t, p in self.known() if p.grad is not None and not p.grad.is_sparse and is_plain(p.grad)]
        sizes = nonzero([p.grad for _, p in pairs])
        broken = []
        for (track, tensor), size in zip(pairs, sizes, strict=True):
            track.left = size > 0
            if size != size or size == float("inf"):
                broken.append(self.name_of(tensor))
            self._gradient_facts(track, tensor.grad, size)
        if broken and record.value == record.value and abs(record.value) != float("inf"):
            self.session.numerics.judge_backward(root, broken, record.line)

    def _gradient_facts(self, track: ParameterTrack, gradient: Tensor | None, size: float) -> None:
        if size > 0:
            track.gradient_zero = False
            if track.rows_equal and not track.gradient_rows_equal and len(track.reached_steps) <= 5:
                track.gradient_rows_equal = rows_equal(gradient, 1e-4)

    def gradients(self, pairs: list[tuple[Tensor, Tensor | None]]) -> None:
        """Gradients that the script computed for itself."""
        for leaf, gradient in pairs:
            if gradient is not None and not gradient.is_sparse:
                self._gradient_facts(self.track(leaf), gradient, float(gradient.detach().norm()))

    # -- clears -----------------------------------------------------------------------------------------------------

    def cleared(self, owner: torch.optim.Optimizer | nn.Module) -> None:
        if isinstance(owner, torch.optim.Optimizer):
            self._clear(self.optimizer(owner))
            return
        own = {id(parameter) for parameter in owner.parameters()}
        for track in self.optimizers.values():
            if any(id(parameter) in own for parameter in track.parameters()):
                self._clear(track)

    def _clear(self, track: OptimizerTrack) -> None:
        track.mark("Z", self.session.active)
        track.cleared = True
        track.clear_line = user_line()
        track.cleared_after_backward = track.backwards_uncleared > 0
        track.backwards_uncleared = 0
        track.forget_foreign()
        if self.session.active:
            self._forwards_of(track)
            for parameter in track.parameters():
                known = self.track(parameter)
                known.consumed = known.stale = False

    def _forwards_of(self, track: OptimizerTrack) -> list[ForwardPass]:
        """Take out the forwards that gave gradients to what `track` owns and wait for its step."""
        owned = {id(parameter) for parameter in track.parameters()}
        attached = self.session.modules.attached
        own = [entry for entry in attached if not owned.isdisjoint(entry[1].parameter_names)]
        attached[:] = [entry for entry in attached if entry not in own][-50:]
        return [forward for forward, _ in own]

    # -- steps ------------------------------------------------------------------------------------------------------

    def before_step(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        track = self.optimizer(optimizer)
        if has_closure:  # it calls backward as often as it needs, within one step: the order says nothing
            track.closed = True
            track.pattern.clear()
        rate = float(optimizer.param_groups[0].get("lr", 1.0)) if optimizer.param_groups else 0.0
        if not track.rates or track.rates[-1][1] != rate:
            track.rates.append((track.steps, rate))
        if not self.session.active and track.steps & (track.steps - 1) == 0:
            self._reached_late(track)
        if not self.session.active or has_closure:
            return
        record = StepRecord(
            track.index, track.name, self.session.step, user_line(), rate, True, track.backwards, track.cleared,
            track.cleared_after_backward and track.backwards_uncleared == 0, track.clear_line,
        )  # fmt: skip
        owned = track.parameters()
        tracks = [self.track(parameter) for parameter in owned]
        for known in tracks:
            known.owners.add(track.index)
        record.owned = len(owned)
        record.foreign_line = track.foreign_line
        record.path_exists = track.reached_since_step > 0 or track.backwards == 0
        record.left_by_backward = any(known.left for known in tracks)
        pairs = [
            (known, p) for known, p in zip(tracks, owned, strict=True)
            if p.grad is not None and not p.grad.is_sparse and is_plain(p)
        ]  # fmt: skip
        sizes = nonzero([p.grad for _, p in pairs])
        sparse = any(p.grad is not None and p.grad.is_sparse for p in owned)
        record.with_gradient = sum(size > 0 for size in sizes)
        record.empty = not sparse and not any(size != 0 for size in sizes)
        record.gradient_norm = sum(size * size for size in sizes) ** 0.5
        stale = [(k, p, s) for (k, p), s in zip(pairs, sizes, strict=True) if k.stale and not track.cleared and s > 0]
        record.stale = len(stale)
        if stale:
            record.example = self.name_of(stale[0][1])
        self.steps.append(record)
        live = [p.detach() for (_, p), size in zip(pairs, sizes, strict=True) if size > 0]
        if sum(p.numel() for p in live) <= 50_000_000:
            self._snapshots[id(optimizer)] = (record, live, [p.clone() for p in live])

    def _judges(self, track: OptimizerTrack) -> bool:
        """Was what it owns last called on what another network had made (a discriminator, a critic)?"""
        modules, owned = self.session.modules, {id(parameter) for parameter in track.parameters()}
        holders = {m.index for m in modules.models.values() if not owned.isdisjoint(m.parameter_names)}
        last = next((f for f in reversed(modules.forwards[-20:]) if f.with_grad and f.index in holders), None)
        return last is not None and last.made_input

    def _reached_late(self, track: OptimizerTrack) -> None:
        """In a step that is not observed: is there a gradient, and is it not zero, of a parameter that had none before?"""
        for parameter in track.parameters():
            known = self.parameters.get(id(parameter))
            if known is None or parameter.grad is None:
                continue
            known.reached = known.reached or 1
            known.gradient_zero = (
                known.gradient_zero and not parameter.grad.is_sparse and not bool(parameter.grad.any())
            )

    def snapshot(self, optimizer: torch.optim.Optimizer) -> tuple[list[Tensor], list[Tensor]]:
        """Values before the step that was just taken, and the parameters themselves; empty where it was not observed."""
        _, live, before = self._snapshots.get(id(optimizer), (None, [], []))
        return before, live

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        track = self.optimizer(optimizer)
        snapshot = self._snapshots.pop(id(optimizer), None)
        if snapshot is not None:
            record, live, before = snapshot
            moves = nonzero([now - then for now, then in zip(live, before, strict=True)])
            record.moved = sum(size != 0 for size in moves)
            record.update_norm = sum(size * size for size in moves) ** 0.5
            record.weight_norm = sum(size * size for size in nonzero(live)) ** 0.5
        if self.session.active:
            for forward in self._forwards_of(track):
                forward.stepped = True
            for parameter in track.parameters():
                known = self.track(parameter)
                known.consumed = parameter.grad is not None
                known.stale = False
        for other in self.optimizers.values():
            if other is not track and self.session.active and other.backwards_uncleared and self._judges(other):
                other.left_line = other.reached_line
        track.forget_foreign()
        track.mark("S", self.session.active)
        track.steps += 1
        track.backwards = track.backwards_uncleared = track.reached_since_step = 0
        track.cleared = track.cleared_after_backward = False


def _divides_itself(node: Node | None) -> bool:
    """The root is x / x (or x / x.detach()), possibly times a constant."""
    if node is None or node.op != "div" or len(node.parents) != 2:
        return False
    return node.parents[0].producer() is node.parents[1].producer()
