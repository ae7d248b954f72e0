"""Optimizers and parameters: gradients as they arrive, are cleared and are used."""

import math

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import is_plain
from torchclinic.observe.records import ForwardPass
from torchclinic.observe.state.clock import Clock
from torchclinic.observe.state.models import Models
from torchclinic.observe.state.origins import Origins
from torchclinic.observe.state.tracks import OptimizerTrack, ParameterTrack, initial_facts, nonzero, rows_equal
from torchclinic.script.lines import user_line, user_name

MOST_ELEMENTS = 50_000_000  # of parameters whose values are kept over a step
ROWS_ALIKE = 1e-4  # of the largest entry of a gradient
FIRST_GRADIENTS = 5  # in which equal rows are looked for


class Training:
    def __init__(self, clock: Clock, models: Models, origins: Origins) -> None:
        self._clock, self._models, self._origins = clock, models, origins
        self.optimizers: dict[int, OptimizerTrack] = {}
        self.parameters: dict[int, ParameterTrack] = {}
        self.inside_step = 0  # how many steps run, one within another
        self.loads = 0  # state dicts that were loaded
        self._kept: dict[OptimizerTrack, tuple[list[Tensor], list[Tensor]]] = {}  # values before its step, parameters

    def track(self, tensor: Tensor) -> ParameterTrack:
        track = self.parameters.get(id(tensor))
        if track is None or track.ref() is not tensor:
            track = self.parameters[id(tensor)] = ParameterTrack(tensor, self._clock.step)
            track.made = self._origins.values_line(tensor)
            track.overwritten = self._origins.overwritten(tensor)
            if is_plain(tensor) and tensor.is_floating_point():
                initial_facts(track, tensor.detach())
        return track

    def optimizer(self, optimizer: torch.optim.Optimizer) -> OptimizerTrack:
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer:
            track = self.optimizers[id(optimizer)] = OptimizerTrack(optimizer, len(self.optimizers))
        return track

    def name_of(self, tensor: Tensor) -> str:
        track = self.parameters.get(id(tensor))
        return self._models.name_of(tensor) or (track.user_name if track is not None else "")

    def owned(self) -> set[int]:
        """Identities of the parameters of all optimizers."""
        return {id(p) for track in self.optimizers.values() for p in track.parameters()}

    def stepped(self) -> set[int]:
        """... of those that have stepped."""
        return {id(p) for track in self.optimizers.values() if track.steps for p in track.parameters()}

    def stepping(self) -> int:
        """How many optimizers have stepped."""
        return sum(track.steps > 0 for track in self.optimizers.values())

    def trains_models(self) -> bool:
        """An optimizer has a parameter of a model: what is looked for is not an input that misleads one."""
        owned = self.owned()
        return any(not owned.isdisjoint(model.parameter_names) for model in self._models.tracks.values())

    def alive(self) -> list[tuple[ParameterTrack, Tensor]]:
        pairs = ((track, track.ref()) for track in self.parameters.values())
        return [(track, tensor) for track, tensor in pairs if tensor is not None]

    # -- backward ---------------------------------------------------------------------------------------------------

    def counted(self) -> None:
        """A backward pass begins that is not looked at."""
        for track in self.optimizers.values():
            track.backwards += 1
            track.backwards_uncleared += 1
            track.cleared_after_backward = False

    def learn_parameters(self) -> None:
        """Know what optimizers and models have."""
        for optimizer in self.optimizers.values():
            for parameter in optimizer.parameters():
                self.track(parameter).owners.add(optimizer.index)
        for model in self._models.tracks.values():
            live = model.ref()
            for parameter in live.parameters() if live is not None else ():
                self.track(parameter)

    def backward_begins(self, leaves: list[Tensor], line: str) -> tuple[int, int]:
        """It will reach these leaves: how many of them are parameters, and how many are not."""
        inputs, parameters, reached = 0, 0, set()
        for leaf in leaves:
            track = self.track(leaf)
            if not track.name and not track.user_name:
                track.user_name = user_name(leaf, 4)
            track.input_like = track.input_like or (not track.is_parameter and id(leaf) in self._models.argument_ids)
            track.reached += 1
            track.reached_steps.add(self._clock.step)
            reached.add(id(leaf))
            if track.is_parameter or track.owners:
                parameters += 1
            else:
                inputs += 1
        for track, tensor in self.alive():
            track.backwards += tensor.requires_grad
        for optimizer in self.optimizers.values():
            if any(id(parameter) in reached for parameter in optimizer.parameters()):
                optimizer.reached_by(line, for_input=inputs > 0)
            else:
                optimizer.mark("b")
        self._find_stale()
        return parameters, inputs

    def _find_stale(self) -> None:
        """Before gradients are added: which of them were consumed by a step and are still there?"""
        pairs = [(t, p) for t, p in self.alive() if p.grad is not None and not p.grad.is_sparse]
        sizes = nonzero([p.grad for _, p in pairs])
        present = {id(track) for (track, _), size in zip(pairs, sizes, strict=True) if size > 0}
        for track, _ in self.alive():
            if id(track) not in present:
                track.consumed = track.stale = False
            elif track.consumed:
                track.stale = True
        for optimizer in self.optimizers.values():
            if not any(id(self.parameters.get(id(p))) in present for p in optimizer.parameters()):
                optimizer.cleared = True

    def backward_ended(self) -> list[str]:
        """Note the gradients that are there now; the names of parameters whose gradient is not finite."""
        pairs = [(t, p) for t, p in self.alive() if p.grad is not None and not p.grad.is_sparse and is_plain(p.grad)]
        sizes = nonzero([p.grad for _, p in pairs])
        broken = []
        for (track, tensor), size in zip(pairs, sizes, strict=True):
            track.left = size > 0
            if not math.isfinite(size):
                broken.append(self.name_of(tensor))
            _gradient_facts(track, tensor.grad, size)
        return broken

    def gradients_computed(self, pairs: list[tuple[Tensor, Tensor | None]]) -> None:
        """Gradients that the script computed for itself."""
        for leaf, gradient in pairs:
            if gradient is not None and not gradient.is_sparse:
                _gradient_facts(self.track(leaf), gradient, float(gradient.detach().norm()))

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
        track.mark("Z", self._clock.full)
        track.clear(user_line())
        if self._clock.full:
            self.forwards_of(track)
            for parameter in track.parameters():
                known = self.track(parameter)
                known.consumed = known.stale = False

    def forwards_of(self, track: OptimizerTrack) -> list[ForwardPass]:
        """Take out the forwards that gave gradients to what `track` owns and wait for its step."""
        return self._models.detach({id(parameter) for parameter in track.parameters()})

    # -- steps ------------------------------------------------------------------------------------------------------

    def step_begins(self, track: OptimizerTrack, has_closure: bool) -> list[tuple[Tensor, float]]:
        """Parameters that have a dense gradient, and its norm; none where the step is not looked at."""
        if has_closure:  # it calls backward as often as it needs, within one step: the order says nothing
            track.closed = True
            track.pattern.clear()
        track.note_rate()
        if not self._clock.full and track.steps & (track.steps - 1) == 0:
            self._reached_late(track)
        if not self._clock.full or has_closure:
            return []
        owned = track.parameters()
        for parameter in owned:
            self.track(parameter).owners.add(track.index)
        dense = [p for p in owned if p.grad is not None and not p.grad.is_sparse and is_plain(p)]
        pairs = list(zip(dense, nonzero([p.grad for p in dense]), strict=True))
        live = [p.detach() for p, size in pairs if size > 0]
        if sum(p.numel() for p in live) <= MOST_ELEMENTS:
            self._kept[track] = [p.clone() for p in live], live
        return pairs

    def _reached_late(self, track: OptimizerTrack) -> None:
        """In a step that is not looked at: is there a gradient, and is it not zero, of a parameter that had none before?"""
        for parameter in track.parameters():
            known = self.parameters.get(id(parameter))
            if known is None or parameter.grad is None:
                continue
            known.reached = known.reached or 1
            known.gradient_zero = known.gradient_zero and not parameter.grad.is_sparse and not bool(parameter.grad.any())

    def kept(self, track: OptimizerTrack) -> tuple[list[Tensor], list[Tensor]]:
        """Values before the step that was just taken, and the parameters themselves; empty where it was not looked at."""
        return self._kept.pop(track, ([], []))

    def step_ended(self, track: OptimizerTrack) -> None:
        full = self._clock.full
        if full:
            for forward in self.forwards_of(track):
                forward.stepped = True
            for parameter in track.parameters():
                known = self.track(parameter)
                known.consumed = parameter.grad is not None
                known.stale = False
        for other in self.optimizers.values():
            if other is not track and full and other.backwards_uncleared and self._judges(other):
                other.left_line = other.reached_line
        track.stepped(full)

    def _judges(self, track: OptimizerTrack) -> bool:
        """Was what it owns last called on what another network had made (a discriminator, a critic)?"""
        owned = {id(parameter) for parameter in track.parameters()}
        holders = {m.index for m in self._models.tracks.values() if not owned.isdisjoint(m.parameter_names)}
        recent = reversed(self._models.forwards[-20:])
        last = next((f for f in recent if f.with_grad and f.index in holders), None)
        return last is not None and last.made_input


def _gradient_facts(track: ParameterTrack, gradient: Tensor | None, size: float) -> None:
    if size > 0:
        track.gradient_zero = False
        if track.rows_equal and not track.gradient_rows_equal and len(track.reached_steps) <= FIRST_GRADIENTS:
            track.gradient_rows_equal = rows_equal(gradient, ROWS_ALIKE)
