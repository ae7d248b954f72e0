"""Weight decay beside the gradient."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import StepEnds
from torchclinic.observe.records import DecayUse
from torchclinic.observe.state.tracks import OptimizerTrack, length
from torchclinic.vocabulary import ADAPTIVE_OPTIMIZERS

MOST_POINTS = 400


class Decays(Collector):
    def prepare(self) -> None:
        self._uses: dict[int, DecayUse] = {}  # by optimizer

    def step_ends(self, event: StepEnds) -> None:
        if event.live:
            moves = [now - then for now, then in zip(event.live, event.before, strict=True)]
            self._decay(event.optimizer, event.track, event.before, moves, event.live)

    def _decay(
        self, optimizer: torch.optim.Optimizer, track: OptimizerTrack, before: list[Tensor], moves: list[Tensor], live: list[Tensor]
    ) -> None:
        """The length of the decay's part of the step over the gradient's, over all decayed parameters."""
        own = {p.data_ptr(): (p, group) for group in optimizer.param_groups for p in group["params"]}
        weights: list[Tensor] = []
        decayed: list[Tensor] = []
        driven: list[Tensor] = []
        settings = (0.0, 0.0, False)
        for now, then, move in zip(live, before, moves, strict=True):
            parameter, group = own.get(now.data_ptr(), (None, {}))
            decay, rate = float(group.get("weight_decay", 0.0) or 0.0), float(group.get("lr", 0.0))
            if parameter is None or not decay or parameter.grad is None or parameter.grad.is_sparse:
                continue
            decoupled = bool(group.get("decoupled_weight_decay")) or track.name == "AdamW"
            settings = (decay, rate, decoupled)
            weights.append(then)
            decayed.append(then * (rate * decay if decoupled else decay))
            driven.append(move + decayed[-1] if decoupled else parameter.grad.detach())
        if not decayed:
            return
        use = self._uses.setdefault(
            track.index, DecayUse(track.name, track.line, *settings, adaptive=track.name.startswith(ADAPTIVE_OPTIMIZERS))
        )
        gradient, decay_length = length(driven), length(decayed)
        if len(use.steps) < MOST_POINTS and gradient > 0:
            use.steps.append(self.state.clock.step)
            use.ratios.append(decay_length / gradient)
            use.norms.append(length(weights))

    def records(self) -> Iterator[DecayUse]:
        losses = self.state.losses.values
        sole = self.state.training.stepping() == 1
        for use in self._uses.values():
            use.loss = losses[0] if sole and losses else math.nan
            yield use
